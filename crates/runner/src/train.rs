//! The training loop: phases, epochs, steps, validation, early stopping, choice of the best weights.
//!
//! Takes values and tells an observer what happens; opens no file and prints nothing.

mod epoch;
mod selection;

use std::time::Instant;

use burn::{module::Module, tensor::Device};
use data::Loader;
use models::Model;

pub use selection::Selection;

use crate::{
    backend::Backend,
    error::Error,
    evaluate::evaluate,
    experiment::{Experiment, Phase, Select},
    loss::Loss,
    metrics::EpochRow,
    optimizer,
};

/// What the observer is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step is done.
    Step(Step<'a>),
    /// An epoch is done and validated.
    Epoch {
        /// What it measured.
        row: &'a EpochRow,
        /// Whether its weights are the best so far.
        rank: Rank,
    },
}

/// How an epoch compares with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The best by the experiment's metric.
    Best,
    /// Not better than an earlier one, or nothing to compare by.
    Other,
}

/// Progress within an epoch.
#[derive(Debug)]
pub struct Step<'a> {
    /// Name of the phase.
    pub phase: &'a str,
    /// Epoch, from 1 over all phases.
    pub epoch: usize,
    /// Epochs planned in all phases.
    pub epochs: usize,
    /// Step within the epoch, from 1.
    pub step: usize,
    /// Steps of this epoch.
    pub steps: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Accuracy of the epoch so far.
    pub accuracy: f64,
}

/// The training and validation loaders of one phase.
#[derive(Debug)]
pub struct PhaseLoaders {
    /// Training batches.
    pub train: Loader,
    /// Validation batches, if the experiment has a validation part.
    pub valid: Option<Loader>,
}

/// How training ended.
#[derive(Debug)]
pub struct Trained {
    /// The chosen weights, in validation mode on the plain device.
    pub model: Model,
    /// The epoch that the chosen weights come from.
    pub chosen_epoch: usize,
    /// The best epoch by the experiment's metric; none without a validation part.
    pub best_epoch: Option<usize>,
    /// Every epoch's row.
    pub rows: Vec<EpochRow>,
    /// Why training ended before its last planned epoch, if it did.
    pub stopped_early: Option<String>,
}

/// Trains `model` through all phases of the experiment.
///
/// The optimizer and its state go on from phase to phase. `loaders` has one entry per phase.
///
/// # Errors
///
/// [`Error::Diverged`] at the first loss that is not finite; whatever `observe` returns.
pub fn train(
    model: Model,
    loaders: &[PhaseLoaders],
    experiment: &Experiment,
    backend: &Backend,
    observe: &mut dyn FnMut(Event<'_>) -> Result<(), Error>,
) -> Result<Trained, Error> {
    let device = backend.device.clone().autodiff();
    let mut trainer = epoch::Trainer {
        model: model.fork(&device).train(),
        optimizer: optimizer::init(&experiment.optimizer, experiment.training.gradient_clipping.as_ref()),
        clock: clock(loaders, &experiment.phases),
        experiment,
        device,
        timing: backend.timing,
        step: 0,
    };
    let loss = Loss::evaluation(experiment);
    let mut selection = Selection::new(&experiment.training);
    let mut rows: Vec<EpochRow> = Vec::new();
    let mut stopped_early = None;

    'phases: for (phase, loaders) in experiment.phases.iter().zip(loaders) {
        for _ in 0..phase.epochs {
            let epoch = rows.len() + 1;
            let unvalidated = trainer.epoch(epoch, &phase.name, &loaders.train, observe)?;
            let snapshot = trainer.model.valid();
            let row = validated(unvalidated, &snapshot, loaders.valid.as_ref(), &backend.device, &loss);
            let rank = selection.offer(&row, snapshot);
            observe(Event::Epoch { row: &row, rank })?;
            if let Some(loss) = row.valid_loss.filter(|loss| !loss.is_finite()) {
                let (step, learning_rate) = (loaders.train.num_batches(), row.learning_rate);
                return Err(Error::Diverged { epoch, step, loss, learning_rate });
            }
            rows.push(row);
            stopped_early = selection.exhausted();
            if stopped_early.is_some() {
                break 'phases;
            }
        }
    }

    let best_epoch = selection.best_epoch();
    let (model, chosen_epoch) = match (experiment.training.select, selection.into_best()) {
        (Select::Best, Some((model, epoch))) => (model, epoch),
        _ => (trainer.model.valid(), rows.len()),
    };
    Ok(Trained { model, chosen_epoch, best_epoch, rows, stopped_early })
}

/// Completes an epoch's row with its validation.
fn validated(row: EpochRow, model: &Model, valid: Option<&Loader>, device: &Device, loss: &Loss) -> EpochRow {
    let Some(loader) = valid else { return row };
    let start = Instant::now();
    let tally = evaluate(model, loader, row.epoch as u64, device, loss).tally;
    EpochRow {
        valid_loss: Some(tally.loss()),
        valid_accuracy: Some(tally.accuracy()),
        valid_seconds: start.elapsed().as_secs_f64(),
        ..row
    }
}

/// Steps of every planned epoch, in order.
fn clock(loaders: &[PhaseLoaders], phases: &[Phase]) -> Vec<usize> {
    phases
        .iter()
        .zip(loaders)
        .flat_map(|(phase, loaders)| std::iter::repeat_n(loaders.train.num_batches(), phase.epochs))
        .collect()
}
