//! What a checkpoint holds: the state of training as a few files, and back.
//!
//! Tensors are safetensors, everything else is JSON; nothing in them can be executed. Bytes only: where they lie and
//! how they get there whole is the business of `run_dir`. Reading trusts nothing: sizes, names, shapes and counters
//! must fit the experiment, and weights must be numbers.

mod record;
mod tensors;

use std::collections::BTreeMap;

use burn::module::Module;
use models::Model;

use record::{BestRecord, SelectionRecord, VERSION};
pub use record::{Continuity, Record};

use crate::{
    backend::Backend,
    experiment::Experiment,
    metrics::EpochRow,
    optimizer::state::{OptimizerState, StateError},
    provenance::Fingerprint,
    run_dir::{CheckpointFiles, LogMark},
    train::{Best, Selection, State, Stored},
};

const RECORD: &str = "state.json";
const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const BEST: &str = "best.safetensors";

/// A state that cannot be stored, or files that are no state of this experiment.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The weights cannot be written or read.
    #[error("{file}: {source}")]
    Weights {
        /// Which weights.
        file: &'static str,
        /// What is wrong with them.
        source: models::WeightsError,
    },
    /// The optimizer's state cannot be written or read.
    #[error(transparent)]
    Optimizer(#[from] StateError),
    /// The optimizer's tensors are not safetensors.
    #[error("{OPTIMIZER}: {0}")]
    Tensors(#[from] safetensors::SafeTensorError),
    /// The record is not what this program writes.
    #[error("{RECORD}: {0}")]
    Record(String),
    /// A file is absent.
    #[error("{0}: missing")]
    Missing(&'static str),
}

impl CheckpointError {
    /// Whether the state holds numbers that are none: nothing worth keeping, and training is about to find out.
    #[must_use]
    pub fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::Weights { source: models::WeightsError::NonFinite { .. }, .. }
                | Self::Optimizer(StateError::Nan { .. })
        )
    }
}

/// What is stored beside the state of training.
#[derive(Clone, Debug)]
pub struct Context {
    /// What the state depends on.
    pub fingerprint: Fingerprint,
    /// How far the metrics files count.
    pub metrics: LogMark,
    /// Wall-clock seconds since the run was started, pauses left out.
    pub seconds: f64,
    /// Of these, writing checkpoints.
    pub checkpoint_seconds: f64,
}

/// Turns a state into files.
///
/// # Errors
///
/// [`CheckpointError`]; one that [is divergence](CheckpointError::is_divergence) if weights are not finite.
///
/// # Panics
///
/// Never: a record has a form in JSON.
pub fn encode(state: &State, context: &Context) -> Result<CheckpointFiles, CheckpointError> {
    let OptimizerState { tensors, numbers } = state.optimizer()?;
    let best = state.selection().best();
    let record = Record {
        version: VERSION,
        fingerprint: context.fingerprint.clone(),
        step: state.step(),
        epochs: state.rows().len(),
        partial: state.partial(),
        selection: SelectionRecord {
            best: best.map(|best| BestRecord { epoch: best.epoch, value: best.value }),
            bar: state.selection().bar(),
        },
        optimizer: numbers,
        metrics: context.metrics.clone(),
        seconds: context.seconds,
        checkpoint_seconds: context.checkpoint_seconds,
    };
    let mut text = serde_json::to_string_pretty(&record).expect("records have string keys");
    text.push('\n');
    let mut files = BTreeMap::from([
        (RECORD.to_owned(), text.into_bytes()),
        (MODEL.to_owned(), weights(MODEL, state.model())?),
        (OPTIMIZER.to_owned(), tensors::encode(&tensors)?),
    ]);
    if let Some(best) = best {
        files.insert(BEST.to_owned(), weights(BEST, &best.model)?);
    }
    Ok(files)
}

/// Reads the record alone.
///
/// # Errors
///
/// [`CheckpointError`] if it is absent or not what [`encode`] writes.
pub fn record(files: &CheckpointFiles) -> Result<Record, CheckpointError> {
    let bytes = files.get(RECORD).ok_or(CheckpointError::Missing(RECORD))?;
    Record::parse(bytes).map_err(CheckpointError::Record)
}

/// Turns files and the rows of the epochs that are done back into a state.
///
/// `template` is the experiment's model with any weights; `clock` the steps of every planned epoch,
/// with how strictly the counters are held against them.
///
/// # Errors
///
/// [`CheckpointError`] if anything does not fit.
pub fn decode(
    files: &CheckpointFiles,
    record: Record,
    rows: Vec<EpochRow>,
    template: &Model,
    (clock, continuity): (&[usize], Continuity),
    experiment: &Experiment,
    backend: &Backend,
) -> Result<State, CheckpointError> {
    record.check(&rows, clock, continuity).map_err(CheckpointError::Record)?;
    let file = |name| files.get(name).map(Vec::as_slice).ok_or(CheckpointError::Missing(name));
    let model = model(MODEL, template, file(MODEL)?)?;
    let tensors = tensors::decode(file(OPTIMIZER)?)?;
    let best = match record.selection.best {
        Some(BestRecord { epoch, value }) => {
            let model = self::model(BEST, template, file(BEST)?)?.fork(&backend.device).valid();
            Some(Best { epoch, value, model })
        }
        None => None,
    };
    let stored = Stored {
        model,
        optimizer: OptimizerState { tensors, numbers: record.optimizer },
        step: record.step,
        rows,
        partial: record.partial,
        selection: Selection::restore(&experiment.training, best, record.selection.bar),
    };
    Ok(State::restore(stored, experiment, backend)?)
}

fn weights(file: &'static str, model: &Model) -> Result<Vec<u8>, CheckpointError> {
    models::to_safetensors(model).map_err(|source| CheckpointError::Weights { file, source })
}

fn model(file: &'static str, template: &Model, bytes: &[u8]) -> Result<Model, CheckpointError> {
    models::from_safetensors(template.clone(), bytes).map_err(|source| CheckpointError::Weights { file, source })
}
