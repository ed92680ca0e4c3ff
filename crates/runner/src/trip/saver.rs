//! When a run is saved, and what it does when it is asked to stop.

use std::time::{Duration, Instant};

use super::departure::Departure;
use crate::{
    checkpoint::{self, Context},
    error::Error,
    experiment::Checkpoint,
    interrupt::{Signal, Watch},
    provenance::Fingerprint,
    run_dir::{MetricsLog, RunDir},
    train::State,
};

/// Saving takes at most one part in so many of a run's time, unless the experiment counts steps.
const SHARE: u32 = 100;
/// What a save may cost, before the first one has been measured.
const FIRST_COST: Duration = Duration::from_millis(50);

/// Decides when to save, does so, and keeps count of what it costs.
pub(super) struct Saver<'a> {
    run: &'a RunDir,
    watch: &'a Watch,
    setting: &'a Checkpoint,
    fingerprint: Fingerprint,
    clock: Clock,
    /// When the last save ended, and what it took.
    last: Instant,
    cost: Duration,
    /// What the newest checkpoint of this process holds: steps and epochs.
    saved: Option<(usize, usize)>,
}

/// Wall-clock time of a run, with that of the processes before this one.
struct Clock {
    start: Instant,
    before: f64,
    checkpoints: f64,
}

impl<'a> Saver<'a> {
    pub(super) fn new(
        run: &'a RunDir,
        watch: &'a Watch,
        setting: &'a Checkpoint,
        fingerprint: Fingerprint,
        start: Instant,
        departure: &Departure,
    ) -> Self {
        let clock = Clock { start, before: departure.seconds, checkpoints: departure.checkpoint_seconds };
        Self { run, watch, setting, fingerprint, clock, last: Instant::now(), cost: FIRST_COST, saved: None }
    }

    /// Wall-clock seconds since the run was started, pauses left out.
    pub(super) fn seconds(&self) -> f64 {
        self.clock.before + self.clock.start.elapsed().as_secs_f64()
    }

    /// Of these, writing checkpoints.
    pub(super) fn checkpoint_seconds(&self) -> f64 {
        self.clock.checkpoints
    }

    /// After a step: saves if it is time, stops if a signal says so.
    pub(super) fn step(&mut self, state: &State, log: &MetricsLog) -> Result<(), Error> {
        self.stop_if_asked(state, log)?;
        let is_due = match self.setting.steps {
            Some(steps) => state.step().is_multiple_of(steps),
            None => self.last.elapsed() >= Duration::from_secs_f64(self.setting.seconds) && self.is_affordable(),
        };
        if is_due { self.save(state, log).map(drop) } else { Ok(()) }
    }

    /// After an epoch.
    pub(super) fn epoch(&mut self, state: &State, log: &MetricsLog) -> Result<(), Error> {
        self.stop_if_asked(state, log)?;
        if self.setting.steps.is_none() && self.is_affordable() { self.save(state, log).map(drop) } else { Ok(()) }
    }

    /// Within an evaluation: stops if a signal says so.
    pub(super) fn stop_if_asked(&mut self, state: &State, log: &MetricsLog) -> Result<(), Error> {
        let Some(signal) = self.watch.noted() else { return Ok(()) };
        let saved = self.saved == Some((state.step(), state.rows().len())) || self.save(state, log)?;
        Err(self.stopped(signal, state, saved))
    }

    fn stopped(&self, signal: Signal, state: &State, saved: bool) -> Error {
        let (epochs, steps) = (state.rows().len(), state.partial().steps);
        let place = if steps == 0 {
            format!("after epoch {epochs}")
        } else {
            format!("in epoch {}, after step {steps}", epochs + 1)
        };
        Error::Interrupted { signal, place, saved, path: self.run.path().to_owned() }
    }

    fn is_affordable(&self) -> bool {
        self.last.elapsed() >= self.cost * SHARE
    }

    /// Writes a checkpoint; false if the weights are not finite, which is not worth keeping.
    fn save(&mut self, state: &State, log: &MetricsLog) -> Result<bool, Error> {
        let start = Instant::now();
        let context = Context {
            fingerprint: self.fingerprint.clone(),
            metrics: log.mark()?,
            seconds: self.seconds(),
            checkpoint_seconds: self.clock.checkpoints,
        };
        let files = match checkpoint::encode(state, &context) {
            Ok(files) => files,
            // The loss of the next steps will say so, with what can be done about it.
            Err(error) if error.is_divergence() => return Ok(false),
            Err(error) => {
                return Err(Error::Malformed { path: self.run.path().to_owned(), message: error.to_string() });
            }
        };
        self.run.commit_checkpoint(&files)?;
        self.cost = start.elapsed();
        self.clock.checkpoints += self.cost.as_secs_f64();
        self.last = Instant::now();
        self.saved = Some((state.step(), state.rows().len()));
        Ok(true)
    }
}
