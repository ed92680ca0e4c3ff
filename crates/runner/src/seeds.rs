//! One experiment with several seeds: mean and standard deviation of what its runs come to.
//!
//! Knows neither flags nor how a run goes; runs are made by a function that the caller gives.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    experiment::Resolved,
    metrics::Spread,
    run_dir::{self, RunDir, State, Summary},
};

/// What the runs came to: `seeds-<UTC>.json` in the experiment's results folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seeds {
    /// Name of the experiment.
    pub experiment: String,
    /// Over the runs that ended well.
    pub test_accuracy: Option<Spread>,
    /// Over the runs that ended well.
    pub test_loss: Option<Spread>,
    /// The runs that ended well, in the order of the seeds.
    pub runs: Vec<SeedRun>,
    /// The seeds whose run failed.
    pub failed: Vec<SeedFailure>,
}

/// One seed's run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedRun {
    /// The seed.
    pub seed: u64,
    /// Name of the run directory, beside the file that says this.
    pub run: String,
    /// Whether the run was there already.
    pub reused: bool,
    /// Accuracy on the test part.
    pub test_accuracy: f64,
    /// Mean cross-entropy on the test part, in nats.
    pub test_loss: f64,
    /// Wall-clock seconds of the run.
    pub seconds: f64,
}

/// One seed whose run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedFailure {
    /// The seed.
    pub seed: u64,
    /// Why.
    pub message: String,
}

/// A run of one seed, made now or before.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its directory.
    pub run: RunDir,
    /// Its scores.
    pub summary: Summary,
    /// Whether it was there already.
    pub reused: bool,
}

impl Seeds {
    /// Starts with no run.
    #[must_use]
    pub fn new(experiment: &str) -> Self {
        let experiment = experiment.to_owned();
        Self { experiment, test_accuracy: None, test_loss: None, runs: Vec::new(), failed: Vec::new() }
    }

    /// Counts one seed in.
    pub fn add(&mut self, seed: u64, outcome: &Result<Ended, Error>) {
        match outcome {
            Ok(Ended { run, summary, reused }) => self.runs.push(SeedRun {
                seed,
                run: run.name(),
                reused: *reused,
                test_accuracy: summary.test_accuracy,
                test_loss: summary.test_loss,
                seconds: summary.seconds.total,
            }),
            Err(error) => self.failed.push(SeedFailure { seed, message: error.to_string() }),
        }
        self.test_accuracy = Spread::of(self.runs.iter().map(|run| run.test_accuracy));
        self.test_loss = Spread::of(self.runs.iter().map(|run| run.test_loss));
    }

    /// Writes `seeds-<UTC>.json` into the experiment's results folder and returns its path.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self, results_dir: &Path) -> Result<PathBuf, Error> {
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let path = results_dir.join(&self.experiment).join(format!("seeds-{time}.json"));
        run_dir::write_record(&path, self)?;
        Ok(path)
    }
}

/// A finished run of exactly this experiment, seed and every other setting; the newest if there are several.
///
/// # Errors
///
/// [`Error::Io`] if the results folder cannot be listed; [`Error::Malformed`] if a finished run's scores cannot be
/// read.
pub fn finished(results_dir: &Path, resolved: &Resolved) -> Result<Option<Ended>, Error> {
    let wanted = resolved.to_toml();
    for run in run_dir::runs(results_dir, &resolved.experiment.name)?.into_iter().rev() {
        // A run that is being made has no scores yet; one that cannot be read is nobody's finished run.
        let is_done = run.status().is_ok_and(|status| status.state == State::Done);
        if !is_done || run.config().is_ok_and(|config| config != wanted) {
            continue;
        }
        if let Some(summary) = run.summary()? {
            return Ok(Some(Ended { run, summary, reused: true }));
        }
    }
    Ok(None)
}
