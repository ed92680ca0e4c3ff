//! What training goes on from: everything that the next step depends on, and what has been measured so far.

use std::fmt;

use burn::{module::Module, optim::ModuleOptimizer, tensor::Device};
use models::Model;
use serde::{Deserialize, Serialize};

use super::Selection;
use crate::{
    backend::Backend,
    experiment::Experiment,
    metrics::{EpochRow, Mean, Tally},
    optimizer::{
        self, Update,
        state::{self, OptimizerState, StateError},
    },
};

/// The state of training between two steps.
///
/// The rest of what a step depends on is a function of the experiment and of the counters here: the order of the
/// images, their augmentation, dropout, the learning rate.
pub struct State {
    /// Away only while the optimizer has it.
    pub(super) model: Option<Model>,
    pub(super) optimizer: ModuleOptimizer,
    /// Steps done over all phases.
    pub(super) step: usize,
    /// Rows of the epochs that are done.
    pub(super) rows: Vec<EpochRow>,
    /// The epoch in progress.
    pub(super) partial: Partial,
    pub(super) selection: Selection,
}

/// What has been done of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// Steps done, all of which `tally` counts.
    pub steps: usize,
    /// Loss and accuracy over them.
    pub tally: Tally,
    /// What `loss.monitor` asks for, over them.
    #[serde(default)]
    pub error: Mean,
    /// Learning rate of the last one.
    #[serde(with = "crate::metrics::exact")]
    pub learning_rate: f64,
    /// Wall-clock seconds that they took.
    #[serde(with = "crate::metrics::exact")]
    pub seconds: f64,
}

/// A state in pieces that can be stored.
#[derive(Debug)]
pub struct Stored {
    /// The weights as they are trained, on any device.
    pub model: Model,
    /// What the optimizer remembers.
    pub optimizer: OptimizerState,
    /// Steps done over all phases.
    pub step: usize,
    /// Rows of the epochs that are done.
    pub rows: Vec<EpochRow>,
    /// The epoch in progress.
    pub partial: Partial,
    /// The best epoch so far and how long it has stood.
    pub selection: Selection,
}

impl State {
    /// The state before the first step.
    #[must_use]
    pub fn new(model: Model, experiment: &Experiment, backend: &Backend) -> Self {
        Self {
            model: Some(trainable(model, backend)),
            optimizer: optimizer(experiment, &backend.device),
            step: 0,
            rows: Vec::new(),
            partial: Partial::default(),
            selection: Selection::new(&experiment.training),
        }
    }

    /// The state that was stored.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the optimizer's state does not fit the model or the experiment's optimizer.
    pub fn restore(stored: Stored, experiment: &Experiment, backend: &Backend) -> Result<Self, StateError> {
        let Stored { model, optimizer: kept, step, rows, partial, selection } = stored;
        let model = trainable(model, backend);
        let optimizer = state::restore(optimizer(experiment, &backend.device), &model, kept)?;
        Ok(Self { model: Some(model), optimizer, step, rows, partial, selection })
    }

    /// The model as it is trained. Copies share running statistics with it; `valid()` of it is on its own.
    ///
    /// # Panics
    ///
    /// Never: the optimizer has given the model back whenever anybody can ask.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.model.as_ref().expect("the optimizer has given the model back")
    }

    /// What the optimizer remembers.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn optimizer(&self) -> Result<OptimizerState, StateError> {
        state::save(&self.optimizer, self.model())
    }

    /// Steps done over all phases.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Rows of the epochs that are done.
    #[must_use]
    pub fn rows(&self) -> &[EpochRow] {
        &self.rows
    }

    /// The epoch in progress.
    #[must_use]
    pub fn partial(&self) -> Partial {
        self.partial
    }

    /// The best epoch so far and how long it has stood.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, rows, partial, .. } = self;
        f.debug_struct("State").field("step", step).field("epochs", &rows.len()).field("partial", partial).finish()
    }
}

fn trainable(model: Model, backend: &Backend) -> Model {
    model.fork(&backend.device.clone().autodiff()).train()
}

fn optimizer(experiment: &Experiment, device: &Device) -> ModuleOptimizer {
    let training = &experiment.training;
    let update = Update::on(device, training.kernels);
    optimizer::init(&experiment.optimizer, training.gradient_clipping.as_ref(), device, update)
}
