//! What lies in `results/reference/`.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use models::Kernels;
use serde::Deserialize;

use crate::{
    error::Error,
    experiment::{self, Experiment, Overrides, Xor},
    metrics::{EpochRow, Spread, median},
    run_dir::{RunDir, Summary, Times},
    sweep::{folder, ranking::Ranking},
};

/// What the names of runs with Burn's operations say before their seed.
pub(super) const COMPOSED: &str = "-composed";

/// A run that is kept.
#[derive(Clone, Debug)]
pub(super) struct KeptRun {
    /// Name of its folder.
    pub(super) name: String,
    pub(super) summary: Summary,
    /// None of an exclusive or, and where its configuration is of an older form that can no longer be read.
    pub(super) experiment: Option<Experiment>,
    /// The same of an exclusive or.
    pub(super) xor: Option<Xor>,
    pub(super) machine: Option<Machine>,
    /// Its epochs, or those of them that were written.
    pub(super) rows: Vec<EpochRow>,
    /// Seconds of training and validation of an epoch.
    pub(super) epoch_seconds: f64,
    /// Names of its pictures.
    pub(super) plots: Vec<String>,
}

impl KeptRun {
    pub(super) fn last_epoch(&self) -> Option<&EpochRow> {
        self.rows.last()
    }

    /// The first epoch of the last phase.
    pub(super) fn first_epoch(&self) -> Option<&EpochRow> {
        first_of_last_phase(&self.rows)
    }

    /// What its experiment asks to run its blocks; by the name of its folder where that cannot be read.
    fn kernels(&self) -> Kernels {
        let named = if self.name.contains(COMPOSED) { Kernels::Composed } else { Kernels::Fused };
        self.experiment.as_ref().map_or(named, |it| it.training.kernels)
    }
}

/// What of `environment.json` the table says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: Option<String>,
    pub(super) threads: usize,
    pub(super) adapter: Option<String>,
    /// Of a network on frozen features: the weights that these came from.
    pub(super) features: Option<Base>,
}

/// As in `AMD EPYC, 2 threads`.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let processor = self.adapter.as_ref().or(self.cpu.as_ref()).map_or("unknown", String::as_str);
        write!(f, "{processor}, {} threads", self.threads)
    }
}

/// The weights of a frozen base.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Base {
    pub(super) weights: String,
    pub(super) weights_sha256: String,
}

/// A sweep that is kept.
#[derive(Clone, Debug)]
pub(super) struct KeptSweep {
    /// Name of its folder.
    pub(super) name: String,
    pub(super) ranking: Ranking,
    pub(super) machine: Option<Machine>,
}

/// Everything that is kept, by name of folder.
#[derive(Clone, Debug, Default)]
pub(super) struct References {
    pub(super) runs: Vec<KeptRun>,
    pub(super) sweeps: Vec<KeptSweep>,
}

impl References {
    /// Reads a folder of references; nothing, if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let mut found = Self::default();
        if !folder.is_dir() {
            return Ok(found);
        }
        let entries = fs::read_dir(folder).map_err(Error::io("cannot list", folder))?;
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
        paths.sort_by_key(|path| sort_key(path));
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if let Some(ranking) = folder::ranking(&path)? {
                found.sweeps.push(KeptSweep { name, ranking, machine: machine(&path)? });
            } else if path.join("config.toml").is_file()
                && let run = RunDir::open(&path)?
                && let Some(summary) = run.summary()?
            {
                let rows = run.metrics()?;
                let config = run.config_path();
                let xor = experiment::load_xor(&config, &Overrides::default()).ok().flatten();
                let experiment = experiment::load(&config, &Overrides::default()).ok();
                found.runs.push(KeptRun {
                    name,
                    epoch_seconds: epoch_seconds(&rows, &summary.seconds, summary.epochs),
                    summary,
                    experiment: experiment.map(|resolved| resolved.experiment),
                    xor: xor.map(|resolved| resolved.experiment),
                    machine: machine(&path)?,
                    rows,
                    plots: plots(&path.join("plots"))?,
                });
            }
        }
        Ok(found)
    }

    /// The runs of an experiment, by seed.
    pub(super) fn of(&self, experiment: &str) -> Vec<&KeptRun> {
        self.by(Kernels::Fused, experiment)
    }

    /// The runs of an experiment that were composed of Burn's operations, by seed.
    pub(super) fn composed(&self, experiment: &str) -> Vec<&KeptRun> {
        self.by(Kernels::Composed, experiment)
    }

    fn by(&self, kernels: Kernels, experiment: &str) -> Vec<&KeptRun> {
        let wanted = |run: &&KeptRun| run.summary.experiment == experiment && run.kernels() == kernels;
        self.runs.iter().filter(wanted).collect()
    }

    /// The sweep of an experiment.
    pub(super) fn sweep_of(&self, experiment: &str) -> Option<&KeptSweep> {
        self.sweeps.iter().find(|sweep| sweep.ranking.experiment == experiment)
    }
}

/// Names of the files of a folder, if there is one.
fn plots(folder: &Path) -> Result<Vec<String>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(Error::io("cannot list", folder))?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// `-s2` before `-s10`.
fn sort_key(path: &Path) -> (String, u64) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match name.rsplit_once("-s").and_then(|(stem, seed)| Some((stem.to_owned(), seed.parse().ok()?))) {
        Some((stem, seed)) => (stem, seed),
        None => (name, 0),
    }
}

fn machine(run: &Path) -> Result<Option<Machine>, Error> {
    let path = run.join("environment.json");
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
    serde_json::from_str(&text).map(Some).map_err(|error| Error::Malformed { path, message: error.to_string() })
}

/// Test accuracy of some runs.
pub(super) fn accuracy(runs: &[&KeptRun]) -> Option<Spread> {
    Spread::of(runs.iter().map(|run| run.summary.test_accuracy))
}

/// Test loss of some runs.
pub(super) fn loss(runs: &[&KeptRun]) -> Option<Spread> {
    Spread::of(runs.iter().map(|run| run.summary.test_loss))
}

/// Seconds of training and validation per epoch.
pub(super) fn seconds_per_epoch(runs: &[&KeptRun]) -> Option<Spread> {
    Spread::of(runs.iter().map(|run| run.epoch_seconds))
}

fn first_of_last_phase(rows: &[EpochRow]) -> Option<&EpochRow> {
    rows.chunk_by(|one, next| one.phase == next.phase).last()?.first()
}

/// The median over epochs, so that a machine which slept or was busy for a while counts for nothing; the mean where rows
/// are not epochs.
fn epoch_seconds(rows: &[EpochRow], whole: &Times, epochs: usize) -> f64 {
    let median = median(rows.iter().map(|row| row.train_seconds + row.valid_seconds));
    #[expect(clippy::cast_precision_loss, reason = "epoch counts stay far below 2^52")]
    median.filter(|_| rows.len() == epochs).unwrap_or_else(|| (whole.train + whole.valid) / epochs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seconds: &[f64]) -> Vec<EpochRow> {
        let row = |(epoch, &train_seconds)| EpochRow {
            epoch,
            phase: "all".to_owned(),
            train_loss: 1.0,
            train_accuracy: 0.5,
            valid_loss: None,
            valid_accuracy: None,
            learning_rate: 0.1,
            train_seconds,
            valid_seconds: 1.0,
            images_per_second: 1.0,
            train_error: None,
        };
        (1..).zip(seconds).map(row).collect()
    }

    #[test]
    fn the_first_epoch_is_that_of_the_last_phase() {
        let phases = |rows: &mut [EpochRow]| {
            for (row, phase) in rows.iter_mut().zip(["plain", "plain", "augmented", "augmented"]) {
                phase.clone_into(&mut row.phase);
            }
        };
        let mut two = rows(&[1.0; 4]);
        phases(&mut two);
        for (rows, expected) in [(two, Some(3)), (rows(&[1.0; 3]), Some(1)), (rows(&[]), None)] {
            assert_eq!(first_of_last_phase(&rows).map(|row| row.epoch), expected);
        }
    }

    #[test]
    fn an_epoch_that_was_held_up_does_not_count() {
        let whole = Times { train: 12.0, ..Times::default() };
        for (seconds, expected) in [(&[2.0, 900.0, 3.0][..], 4.0), (&[2.0, 3.0], 3.5), (&[5.0], 6.0)] {
            let found = epoch_seconds(&rows(seconds), &whole, seconds.len());
            assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        }
        let of_several = epoch_seconds(&rows(&[1.0]), &whole, 300);
        assert!((of_several - 0.04).abs() < 1e-12, "{of_several}");
    }
}
