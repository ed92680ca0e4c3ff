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
    budget: Budget,
    /// What the newest checkpoint of this process holds: steps and epochs.
    saved: Option<(usize, usize)>,
}

/// Lets saving take one part in [`SHARE`] of a run's time: after a save, so many times what it took must pass.
struct Budget {
    /// When the last save ended, and what it took.
    last: Instant,
    cost: Duration,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { last: now, cost: FIRST_COST }
    }

    /// Whether another save may be made, `interval` after the last one at the earliest.
    fn allows(&self, now: Instant, interval: Duration) -> bool {
        now.duration_since(self.last) >= interval.max(self.cost * SHARE)
    }

    fn spend(&mut self, start: Instant, end: Instant) {
        *self = Self { last: end, cost: end.duration_since(start) };
    }
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
        Self { run, watch, setting, fingerprint, clock, budget: Budget::new(Instant::now()), saved: None }
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
            None => self.budget.allows(Instant::now(), Duration::from_secs_f64(self.setting.seconds)),
        };
        if is_due { self.save(state, log).map(drop) } else { Ok(()) }
    }

    /// After an epoch.
    pub(super) fn epoch(&mut self, state: &State, log: &MetricsLog) -> Result<(), Error> {
        self.stop_if_asked(state, log)?;
        let is_due = self.setting.steps.is_none() && self.budget.allows(Instant::now(), Duration::ZERO);
        if is_due { self.save(state, log).map(drop) } else { Ok(()) }
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
        let end = Instant::now();
        self.clock.checkpoints += end.duration_since(start).as_secs_f64();
        self.budget.spend(start, end);
        self.saved = Some((state.step(), state.rows().len()));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of a run's time that saving takes, if there is a chance to save after every `step` and the saves
    /// cost what `costs` says, over and over.
    fn share(step: Duration, costs: &[Duration]) -> f64 {
        let start = Instant::now();
        let (mut now, mut spent, mut saves) = (start, Duration::ZERO, 0);
        let mut budget = Budget::new(start);
        while now.duration_since(start) < Duration::from_hours(10) {
            now += step;
            if budget.allows(now, Duration::ZERO) {
                let cost = costs[saves % costs.len()];
                budget.spend(now, now + cost);
                now += cost;
                spent += cost;
                saves += 1;
            }
        }
        assert!(saves > 1, "nothing is saved");
        spent.as_secs_f64() / now.duration_since(start).as_secs_f64()
    }

    #[test]
    fn saving_takes_less_than_a_fiftieth_of_the_time() {
        let milliseconds = Duration::from_millis;
        for step in [20, 200, 5_000].map(milliseconds) {
            for cost in [1, 50, 2_000, 60_000].map(milliseconds) {
                let share = share(step, &[cost]);
                assert!(share < 0.02, "{share} at steps of {step:?} and saves of {cost:?}");
            }
            // A disk that is sometimes ten times slower.
            let share = share(step, &[200, 200, 200, 200, 2_000].map(milliseconds));
            assert!(share < 0.02, "{share} at steps of {step:?} on an uneven disk");
        }
    }
}
