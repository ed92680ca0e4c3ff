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
        let mut keeper = Self::start_from(run, experiment, 0);
        keeper.write()?;
        Ok(keeper)
    }

    fn start_from(run: &'a RunDir, experiment: &Experiment, epochs_done: usize) -> Self {
        let now = now();
        let status = Status {
            state: State::Running,
            process: std::process::id(),
            started: now.clone(),
            updated: now,
            epochs_done,
            epochs_planned: experiment.phases.iter().map(|phase| phase.epochs).sum(),
            message: None,
        };
        Self { run, status }
    }

    /// Goes on with the record of a run that was left.
    pub(super) fn resume(run: &'a RunDir, experiment: &Experiment, epochs_done: usize) -> Result<Self, Error> {
        let mut keeper = Self::start_from(run, experiment, epochs_done);
        if let Ok(before) = run.status() {
            keeper.status.started = before.started;
        }
        keeper.write()?;
        Ok(keeper)
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
        let state = match error {
            Error::Diverged { .. } => State::Diverged,
            Error::Interrupted { .. } => State::Interrupted,
            _ => State::Failed,
        };
        if let Err(second) = self.end(state, Some(error.to_string())) {
            tracing::warn!("{second}");
        }
    }

    fn write(&mut self) -> Result<(), Error> {
        self.status.updated = now();
        self.run.write_status(&self.status)
    }
}

/// UTC time.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
