//! Keeps a run's `status.json` true.

use crate::{
    error::Error,
    experiment::Experiment,
    run_dir::{RunDir, State, Status},
};

/// The record and where it is written.
pub(super) struct StatusKeeper<'a> {
    run: &'a RunDir,
    status: Status,
}

impl<'a> StatusKeeper<'a> {
    pub(super) fn start(run: &'a RunDir, experiment: &Experiment) -> Result<Self, Error> {
        let now = now();
        let status = Status {
            state: State::Running,
            process: std::process::id(),
            started: now.clone(),
            updated: now,
            epochs_done: 0,
            epochs_planned: experiment.phases.iter().map(|phase| phase.epochs).sum(),
            message: None,
        };
        run.write_status(&status)?;
        Ok(Self { run, status })
    }

    pub(super) fn epoch_done(&mut self, epoch: usize) -> Result<(), Error> {
        self.status.epochs_done = epoch;
        self.write()
    }

    pub(super) fn end(&mut self, state: State, message: Option<String>) -> Result<(), Error> {
        self.status.state = state;
        self.status.message = message;
        self.write()
    }

    /// Writes down a failure; the failure itself is what the caller reports, whether or not this succeeds.
    pub(super) fn fail(&mut self, error: &Error) {
        let state = if matches!(error, Error::Diverged { .. }) { State::Diverged } else { State::Failed };
        if let Err(second) = self.end(state, Some(error.to_string())) {
            tracing::warn!("{second}");
        }
    }

    fn write(&mut self) -> Result<(), Error> {
        self.status.updated = now();
        self.run.write_status(&self.status)
    }
}

pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
