//! One fit: train, validate, and nothing else. No figures, no weights, no test part.

use std::{sync::Arc, time::Instant};

use data::{Dataset, Loader};
use serde::{Deserialize, Serialize};

use super::plan::{Fit, Settings};
use crate::{
    backend::Backend,
    error::Error,
    evaluate::evaluate,
    experiment::{Experiment, Resolved, Select},
    loss::Loss,
    metrics::EpochRow,
    pipeline::TrainingData,
    train::{self, Event, State, Trained},
};

/// What a fit came to: `fits/<trial>-<fold>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitRecord {
    /// Which one.
    #[serde(flatten)]
    pub fit: Fit,
    /// What its trial changes in the experiment.
    pub settings: Settings,
    /// What it measured; none if it diverged.
    pub scores: Option<Scores>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Wall-clock seconds, validation included.
    pub seconds: f64,
    /// Every epoch's row. Epochs are validated only where something depends on it.
    pub epochs: Vec<EpochRow>,
}

/// What a fit measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean cross-entropy on the part held out, in nats, of the chosen epoch's weights.
    pub valid_loss: f64,
    /// Accuracy on the part held out.
    pub valid_accuracy: f64,
    /// Mean training loss of the chosen epoch.
    pub train_loss: f64,
    /// Training accuracy of the chosen epoch.
    pub train_accuracy: f64,
    /// The chosen epoch.
    pub epoch: usize,
    /// Parameters of the network.
    pub parameters: usize,
}

/// Trains on one division of the training part and judges what comes of it.
///
/// A loss that is not finite ends the fit, not the sweep: the record says so.
///
/// # Errors
///
/// [`Error::Data`] if the division leaves a part empty, [`Error::Config`] if the network does not fit the images.
pub fn run(
    fit: Fit,
    settings: &Settings,
    resolved: &Resolved,
    dataset: &Arc<Dataset>,
    backend: &Backend,
) -> Result<FitRecord, Error> {
    let start = Instant::now();
    let data = TrainingData::divide(Arc::clone(dataset), &resolved.experiment.data)?;
    let mut epochs = Vec::new();
    let trained = scores(resolved, &data, backend, &mut epochs);
    let (scores, failure) = match trained {
        Ok(scores) => (Some(scores), None),
        Err(error @ Error::Diverged { .. }) => (None, Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let (settings, seconds) = (settings.clone(), start.elapsed().as_secs_f64());
    Ok(FitRecord { fit, settings, scores, failure, seconds, epochs })
}

fn scores(
    resolved: &Resolved,
    data: &TrainingData,
    backend: &Backend,
    epochs: &mut Vec<EpochRow>,
) -> Result<Scores, Error> {
    let experiment = &resolved.experiment;
    let (input, num_classes) = (data.input_shape(), data.dataset.num_classes());
    let summary = experiment
        .model
        .summary(input, num_classes)
        .map_err(|fault| resolved.invalid(&format!("model.{}", fault.field), &fault.message))?;
    let model = experiment.model.init_seeded(input, num_classes, experiment.training.seed);
    let model = model.with_kernels(experiment.training.kernels);

    let mut loaders = data.loaders(experiment);
    let held_out = held_out(experiment, &mut loaders);
    let trained = train::train(State::new(model, experiment, backend), &loaders, experiment, backend, &mut |event| {
        if let Event::Epoch { row, .. } = event {
            epochs.push(row.clone());
        }
        Ok(())
    })?;
    let (valid_loss, valid_accuracy) = judged(&trained, held_out.as_ref(), backend, &Loss::evaluation(experiment))?;
    let row = &trained.rows[trained.chosen_epoch - 1];
    Ok(Scores {
        valid_loss,
        valid_accuracy,
        train_loss: row.train_loss,
        train_accuracy: row.train_accuracy,
        epoch: trained.chosen_epoch,
        parameters: summary.totals().parameters,
    })
}

/// Takes the validation out of the epochs where nothing but the last one's counts: it is a large part of the work of a
/// small network.
fn held_out(experiment: &Experiment, loaders: &mut [train::PhaseLoaders]) -> Option<Loader> {
    let depends = experiment.training.select == Select::Best || experiment.training.early_stopping.is_some();
    if depends {
        return None;
    }
    loaders.iter_mut().filter_map(|phase| phase.valid.take()).last()
}

/// Loss and accuracy of the chosen weights on the part held out.
fn judged(trained: &Trained, held_out: Option<&Loader>, backend: &Backend, loss: &Loss) -> Result<(f64, f64), Error> {
    let epoch = trained.chosen_epoch;
    let row = &trained.rows[epoch - 1];
    let (loss, accuracy) = match held_out {
        Some(loader) => {
            let tally = evaluate(&trained.model, loader, epoch as u64, &backend.device, loss).tally;
            (tally.loss(), tally.accuracy())
        }
        None => (row.valid_loss.unwrap_or(f64::NAN), row.valid_accuracy.unwrap_or(f64::NAN)),
    };
    if loss.is_finite() {
        return Ok((loss, accuracy));
    }
    // The weights grew beyond use in the very last steps.
    Err(Error::Diverged { epoch, step: 0, loss, learning_rate: row.learning_rate })
}
