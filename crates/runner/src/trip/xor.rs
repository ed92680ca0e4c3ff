//! The short trip of an experiment with the exclusive or: train, write, draw. Takes milliseconds.

use std::{path::Path, time::Instant};

use serde::Serialize;

use super::{Finished, status::now};
use crate::{
    error::Error,
    experiment::ResolvedXor,
    metrics::{Confusion, EpochRow},
    progress::Display,
    provenance::Environment,
    report::{self, Formats},
    run_dir::{Claim, Existing, LogMark, RunDir, RunName, State, Status, Summary, TestScores, Times},
    xor::{self, INPUTS, Pass, TARGETS, Weights},
};

/// What computes: the same on every machine.
const BACKEND: &str = "f64";

/// What to run, and where its results go.
#[derive(Debug)]
pub struct Request<'a> {
    /// The experiment.
    pub resolved: &'a ResolvedXor,
    /// The file that it was read from.
    pub source: &'a Path,
    /// The folder that holds a folder per experiment.
    pub results_dir: &'a Path,
    /// Name of the run directory; none for `<UTC time>-f64`.
    pub run_name: Option<&'a str>,
    /// What happens to a run that has this name already.
    pub existing: Existing,
    /// What figures are written as.
    pub formats: Formats,
}

/// What the network has learnt: `xor.json`.
#[derive(Debug, Serialize)]
struct Learnt {
    rows: Vec<Row>,
    initial_weights: Weights,
    weights: Weights,
}

#[derive(Debug, Serialize)]
struct Row {
    inputs: [f64; 2],
    target: f64,
    output: f64,
    predicted: usize,
}

/// Trains on the four rows and leaves a run directory with metrics, outputs, weights, summary and curves.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Plot`]; [`Error::Diverged`] if the error stops being a number.
pub fn run(request: &Request<'_>, display: &Display) -> Result<Finished, Error> {
    let start = Instant::now();
    let experiment = &request.resolved.experiment;
    let stem = || format!("{}-{BACKEND}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let name = request.run_name.map_or_else(|| RunName::Generated(stem()), |name| RunName::Given(name.to_owned()));
    let run = Claim::take(request.results_dir, &experiment.name, &name, request.existing)?.begin()?;
    let mut status = Status {
        state: State::Running,
        process: std::process::id(),
        started: now(),
        updated: now(),
        epochs_done: 0,
        epochs_planned: experiment.training.epochs,
        message: None,
    };
    run.write_status(&status)?;
    let finished = fill(request, &run, display, start).and_then(|summary| {
        report::draw(&run, request.formats)?;
        Ok(summary)
    });
    status.updated = now();
    match &finished {
        Ok(summary) => (status.state, status.epochs_done) = (State::Done, summary.epochs),
        Err(error) => {
            let diverged = matches!(error, Error::Diverged { .. });
            status.state = if diverged { State::Diverged } else { State::Failed };
            status.message = Some(error.to_string());
        }
    }
    // After a failure, the failure is what counts, whether or not it can be written down.
    match (finished, run.write_status(&status)) {
        (Ok(summary), Ok(())) => Ok(Finished { run, summary, seconds: start.elapsed().as_secs_f64() }),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

fn fill(request: &Request<'_>, run: &RunDir, display: &Display, start: Instant) -> Result<Summary, Error> {
    let experiment = &request.resolved.experiment;
    let training = &experiment.training;
    run.write_environment(&Environment::without_data(request.source, BACKEND))?;
    run.write_config(&request.resolved.to_toml())?;
    display.say(&format!("{}: {} weights, {} epochs of four rows", experiment.name, Weights::COUNT, training.epochs));

    let mut log = run.metrics_log(&LogMark::default())?;
    let mut since = Instant::now();
    let weights = xor::train(Weights::PUBLISHED, &training.rule(), training.epochs, |epoch, pass| {
        let loss = pass.mean_squared_error();
        if !loss.is_finite() {
            let learning_rate = training.learning_rate;
            return Err(Error::Diverged { epoch: epoch + 1, step: 1, loss, learning_rate });
        }
        if epoch % training.log_every == 0 {
            let row = row(epoch + 1, pass, training.learning_rate, since);
            since = Instant::now();
            log.append(&row)?;
        }
        // Ten times in a run, as the article prints it.
        if epoch % training.epochs.div_ceil(10) == 0 {
            display.say(&format!("after {epoch:>6} updates: sum of errors {:.8e}", pass.error_sum()));
        }
        Ok(())
    })?;
    let train_seconds = start.elapsed().as_secs_f64();

    let pass = xor::forward(&weights);
    run.write_learnt(&Learnt {
        rows: (0..4)
            .map(|row| Row {
                inputs: INPUTS[row],
                target: TARGETS[row],
                output: pass.outputs[row],
                predicted: pass.predicted()[row],
            })
            .collect(),
        initial_weights: Weights::PUBLISHED,
        weights,
    })?;
    for (inputs, output) in INPUTS.iter().zip(pass.outputs) {
        display.say(&format!("{inputs:?} → {output:.6}"));
    }
    let summary = summary(&experiment.name, training.epochs, &pass, train_seconds);
    run.write_summary(&summary)?;
    Ok(summary)
}

/// What an epoch's forward pass came to, before its update.
fn row(epoch: usize, pass: &Pass, learning_rate: f64, since: Instant) -> EpochRow {
    let train_seconds = since.elapsed().as_secs_f64();
    EpochRow {
        epoch,
        phase: "train".to_owned(),
        train_loss: pass.mean_squared_error(),
        train_accuracy: accuracy(pass),
        valid_loss: None,
        valid_accuracy: None,
        learning_rate,
        train_seconds,
        valid_seconds: 0.0,
        images_per_second: 0.0,
        train_error: Some(pass.error_sum()),
    }
}

fn summary(name: &str, epochs: usize, pass: &Pass, train_seconds: f64) -> Summary {
    let classes = ["0", "1"].map(String::from);
    let confusion = Confusion::new(2, classified(pass));
    #[expect(clippy::cast_precision_loss, reason = "epoch counts stay far below 2^52")]
    let rows_seen = 4.0 * epochs as f64;
    Summary {
        experiment: name.to_owned(),
        backend: BACKEND.to_owned(),
        seed: 42,
        test_loss: pass.mean_squared_error(),
        test_accuracy: accuracy(pass),
        test: TestScores::new(confusion.scores(&classes)),
        chosen_epoch: epochs,
        best_epoch: None,
        epochs,
        stopped_early: None,
        samples: [4, 0, 4],
        parameters: Weights::COUNT,
        non_trainable_parameters: 0,
        seconds: Times { total: train_seconds, train: train_seconds, ..Times::default() },
        images_per_second: rows_seen / train_seconds,
    }
}

/// True and predicted class of each row.
fn classified(pass: &Pass) -> impl Iterator<Item = (usize, usize)> {
    TARGETS.map(|target| usize::from(target >= 0.5)).into_iter().zip(pass.predicted())
}

fn accuracy(pass: &Pass) -> f64 {
    classified(pass).map(|(target, predicted)| if target == predicted { 0.25 } else { 0.0 }).sum()
}
