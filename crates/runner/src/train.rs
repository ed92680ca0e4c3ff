//! The training loop: phases, epochs, steps, validation, early stopping, choice of the best weights.
//!
//! Takes values and tells an observer what happens; opens no file and prints nothing. It starts from any [`State`],
//! and shows the observer the state at every boundary from which it could go on.

mod epoch;
mod selection;
mod state;

use std::time::Instant;

use burn::{module::Module, tensor::Device};
use data::Loader;
use models::Model;

pub use selection::{Bar, Best, Selection};
pub use state::{Partial, State, Stored};

use crate::{
    backend::Backend,
    error::Error,
    evaluate::evaluate_watched,
    experiment::{Experiment, Phase, Select},
    loss::Loss,
    metrics::EpochRow,
};

/// What the observer is told. An error that it returns ends training.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step is done.
    Step(Step<'a>),
    /// A batch of the validation after an epoch is done; the state is the one before this validation.
    Validating(&'a State),
    /// An epoch is done and validated.
    Epoch {
        /// What it measured.
        row: &'a EpochRow,
        /// Whether its weights are the best so far.
        rank: Rank,
        /// The state that the next epoch starts from.
        state: &'a State,
    },
    /// The loss stopped being a number: training ends after this.
    Diverged(&'a State),
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
    /// The state that the next step starts from.
    pub state: &'a State,
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
    /// The state after the last step.
    pub state: State,
}

/// Trains through all phases of the experiment, from wherever `state` is.
///
/// The optimizer and its state go on from phase to phase. `loaders` has one entry per phase.
///
/// # Errors
///
/// [`Error::Diverged`] at the first loss that is not finite; whatever `observe` returns.
pub fn train(
    mut state: State,
    loaders: &[PhaseLoaders],
    experiment: &Experiment,
    backend: &Backend,
    observe: &mut dyn FnMut(Event<'_>) -> Result<(), Error>,
) -> Result<Trained, Error> {
    let plan = plan(loaders, &experiment.phases);
    let trainer = epoch::Trainer {
        clock: plan.iter().map(|(_, loaders)| loaders.train.num_batches()).collect(),
        experiment,
        device: backend.device.clone().autodiff(),
        timing: backend.timing,
    };
    let mut stopped_early = state.selection.exhausted();
    while stopped_early.is_none()
        && let Some(&(phase, loaders)) = plan.get(state.rows.len())
    {
        if let Err(error) = epoch(&trainer, &mut state, phase, loaders, &backend.device, observe) {
            if matches!(error, Error::Diverged { .. }) {
                observe(Event::Diverged(&state))?;
            }
            return Err(error);
        }
        stopped_early = state.selection.exhausted();
    }

    let best = state.selection.best();
    let best_epoch = best.map(|best| best.epoch);
    let (model, chosen_epoch) = match (experiment.training.select, best) {
        (Select::Best, Some(best)) => (best.model.clone(), best.epoch),
        _ => (state.model().valid(), state.rows.len()),
    };
    let rows = state.rows.clone();
    Ok(Trained { model, chosen_epoch, best_epoch, rows, stopped_early, state })
}

/// Trains for what is left of an epoch, validates it and compares it with those before.
fn epoch(
    trainer: &epoch::Trainer<'_>,
    state: &mut State,
    phase: &Phase,
    loaders: &PhaseLoaders,
    device: &Device,
    observe: &mut dyn FnMut(Event<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let unvalidated = trainer.epoch(state, &phase.name, &loaders.train, observe)?;
    let snapshot = state.model().valid();
    let row = validated(unvalidated, &snapshot, loaders.valid.as_ref(), trainer, device, &mut || {
        observe(Event::Validating(state))
    })?;
    // Weights that are no numbers are the best by nothing.
    let is_sound = row.valid_loss.is_none_or(f64::is_finite);
    let rank = if is_sound { state.selection.offer(&row, snapshot) } else { Rank::Other };
    state.partial = Partial::default();
    state.rows.push(row.clone());
    observe(Event::Epoch { row: &row, rank, state })?;
    match row.valid_loss.filter(|loss| !loss.is_finite()) {
        None => Ok(()),
        Some(loss) => {
            let (step, learning_rate) = (loaders.train.num_batches(), row.learning_rate);
            Err(Error::Diverged { epoch: row.epoch, step, loss, learning_rate })
        }
    }
}

/// Completes an epoch's row with its validation.
fn validated(
    row: EpochRow,
    model: &Model,
    valid: Option<&Loader>,
    trainer: &epoch::Trainer<'_>,
    device: &Device,
    after_batch: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<EpochRow, Error> {
    let Some(loader) = valid else { return Ok(row) };
    let start = Instant::now();
    let loss = Loss::evaluation(trainer.experiment);
    let tally = evaluate_watched(model, loader, row.epoch as u64, device, &loss, after_batch)?.tally;
    Ok(EpochRow {
        valid_loss: Some(tally.loss()),
        valid_accuracy: Some(tally.accuracy()),
        valid_seconds: start.elapsed().as_secs_f64(),
        ..row
    })
}

/// Every planned epoch's phase and loaders, in order.
fn plan<'a>(loaders: &'a [PhaseLoaders], phases: &'a [Phase]) -> Vec<(&'a Phase, &'a PhaseLoaders)> {
    phases.iter().zip(loaders).flat_map(|planned| std::iter::repeat_n(planned, planned.0.epochs)).collect()
}
