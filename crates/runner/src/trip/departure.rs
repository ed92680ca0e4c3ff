//! Where training starts from: from drawn weights, or from a checkpoint.

use models::Model;

use super::{Changes, Prepared};
use crate::{
    checkpoint::{self, CheckpointError, Continuity, Record},
    error::Error,
    experiment::Experiment,
    provenance::Fingerprint,
    run_dir::{CheckpointFiles, LogMark, RunDir},
    train::State,
};

/// A state, and what belongs to it outside of `train`.
pub(super) struct Departure {
    pub(super) state: State,
    /// How far the metrics files count.
    pub(super) metrics: LogMark,
    /// Wall-clock seconds that the run has taken so far.
    pub(super) seconds: f64,
    /// Of these, writing checkpoints.
    pub(super) checkpoint_seconds: f64,
    /// The checkpoint that it comes from.
    pub(super) checkpoint: Option<u64>,
}

/// A checkpoint that was found damaged.
pub(super) struct Damaged {
    pub(super) number: u64,
    pub(super) message: String,
}

/// What was found in a run directory.
pub(super) struct Found {
    pub(super) departure: Departure,
    pub(super) damaged: Vec<Damaged>,
    /// Changes since the run was started, all of them accepted.
    pub(super) changes: Vec<String>,
}

impl Departure {
    /// From drawn weights.
    pub(super) fn first(prepared: &Prepared<'_>) -> Self {
        Self {
            state: State::new(prepared.drawn_model(), prepared.experiment, &prepared.backend),
            metrics: LogMark::default(),
            seconds: 0.0,
            checkpoint_seconds: 0.0,
            checkpoint: None,
        }
    }

    /// Where that is, for people.
    pub(super) fn place(&self) -> String {
        let (epochs, steps) = (self.state.rows().len(), self.state.partial().steps);
        match (self.checkpoint, steps) {
            (None, _) => "from the beginning: there is no checkpoint yet".to_owned(),
            (Some(number), 0) => format!("after epoch {epochs} (checkpoint {number})"),
            (Some(number), steps) => format!("in epoch {}, after step {steps} (checkpoint {number})", epochs + 1),
        }
    }
}

/// Finds the newest intact checkpoint, or the beginning if there has been none.
pub(super) fn find(run: &RunDir, prepared: &Prepared<'_>, changes: Changes) -> Result<Found, Error> {
    let mut damaged = Vec::new();
    for number in run.checkpoints()? {
        let read = read(run, number, prepared);
        let (files, record) = match read {
            Ok(read) => read,
            Err(message) => {
                damaged.push(Damaged { number, message });
                continue;
            }
        };
        let accepted = accept(run, &record.fingerprint, &prepared.fingerprint, changes)?;
        let continuity = if accepted.is_empty() { Continuity::Exact } else { Continuity::Changed };
        match depart(run, number, &files, record, prepared, continuity) {
            Ok(departure) => return Ok(Found { departure, damaged, changes: accepted }),
            Err(message) => damaged.push(Damaged { number, message }),
        }
    }
    if !damaged.is_empty() {
        let messages: Vec<String> = damaged.into_iter().map(|it| it.message).collect();
        let message = format!("no checkpoint can be used:\n  {}", messages.join("\n  "));
        return Err(Error::Malformed { path: run.path().to_owned(), message });
    }
    let environment: Recorded = run.environment()?;
    let accepted = accept(run, &environment.fingerprint, &prepared.fingerprint, changes)?;
    Ok(Found { departure: Departure::first(prepared), damaged, changes: accepted })
}

/// The part of `environment.json` that is read again.
#[derive(serde::Deserialize)]
struct Recorded {
    fingerprint: Fingerprint,
}

/// Writes down what the run depends on from now on.
pub(super) fn record_changes(run: &RunDir, prepared: &Prepared<'_>) -> Result<(), Error> {
    run.write_environment(&prepared.environment(&run.config_path()))?;
    run.write_config(&prepared.experiment.to_toml())
}

fn accept(run: &RunDir, then: &Fingerprint, now: &Fingerprint, changes: Changes) -> Result<Vec<String>, Error> {
    let differences = Fingerprint::differences(then, now);
    match changes {
        Changes::Refuse if !differences.is_empty() => Err(Error::Changed { path: run.path().to_owned(), differences }),
        _ => Ok(differences),
    }
}

fn read(run: &RunDir, number: u64, prepared: &Prepared<'_>) -> Result<(CheckpointFiles, Record), String> {
    // Weights, two moments of them and a maximum at most, and some words.
    let limit = prepared.model.totals().parameters as u64 * 16 + (16 << 20);
    let files = run.read_checkpoint(number, limit).map_err(|error| error.to_string())?;
    let record = checkpoint::record(&files).map_err(|error| at(run, number, &error))?;
    Ok((files, record))
}

fn depart(
    run: &RunDir,
    number: u64,
    files: &CheckpointFiles,
    record: Record,
    prepared: &Prepared<'_>,
    continuity: Continuity,
) -> Result<Departure, String> {
    let Record { metrics, seconds, checkpoint_seconds, .. } = record.clone();
    // Cuts off the rows that came after the checkpoint.
    run.metrics_log(&metrics).map_err(|error| error.to_string())?;
    let rows = run.metrics().map_err(|error| error.to_string())?;
    let (template, clock): (Model, Vec<usize>) = (prepared.drawn_model(), clock(prepared.experiment, prepared));
    let state = checkpoint::decode(
        files,
        record,
        rows,
        &template,
        (&clock, continuity),
        prepared.experiment,
        &prepared.backend,
    )
    .map_err(|error| at(run, number, &error))?;
    Ok(Departure { state, metrics, seconds, checkpoint_seconds, checkpoint: Some(number) })
}

/// Steps of every planned epoch.
fn clock(experiment: &Experiment, prepared: &Prepared<'_>) -> Vec<usize> {
    let loaders = prepared.data.loaders(experiment);
    let phases = experiment.phases.iter().zip(&loaders);
    phases.flat_map(|(phase, loaders)| std::iter::repeat_n(loaders.train.num_batches(), phase.epochs)).collect()
}

fn at(run: &RunDir, number: u64, error: &CheckpointError) -> String {
    format!("{}: {error}", run.checkpoint_path(number).display())
}
