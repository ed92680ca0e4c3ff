//! `[optimizer]`: which rule updates the weights, with Keras's defaults.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::checks::Checks;

/// The update rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam (Kingma & Ba 2015, arXiv 1412.6980).
    Adam(Adam),
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101).
    #[serde(rename = "adamw")]
    AdamW(AdamW),
}

/// Settings of SGD; defaults from <https://keras.io/api/optimizers/sgd>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Learning rate that the schedule scales. Default 0.01.
    pub learning_rate: f64,
    /// Share of the last update that is kept, in [0, 1). Default 0.
    pub momentum: f64,
    /// Nesterov's form of momentum. Default false.
    pub nesterov: bool,
    /// L2 penalty added to the gradient. Default 0.
    pub weight_decay: f64,
}

/// Settings of Adam; defaults from <https://keras.io/api/optimizers/adam>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Learning rate that the schedule scales. Default 0.001.
    pub learning_rate: f64,
    /// Decay of the mean of gradients, in [0, 1). Default 0.9.
    pub beta_1: f64,
    /// Decay of the mean of squared gradients, in [0, 1). Default 0.999.
    pub beta_2: f64,
    /// Added to the denominator. Default 1e-7.
    pub epsilon: f64,
    /// L2 penalty added to the gradient. Default 0.
    pub weight_decay: f64,
}

/// Settings of `AdamW`; defaults from <https://keras.io/api/optimizers/adamw>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Learning rate that the schedule scales. Default 0.001.
    pub learning_rate: f64,
    /// Decay of the mean of gradients, in [0, 1). Default 0.9.
    pub beta_1: f64,
    /// Decay of the mean of squared gradients, in [0, 1). Default 0.999.
    pub beta_2: f64,
    /// Added to the denominator. Default 1e-7.
    pub epsilon: f64,
    /// Share of the weights that is taken off per step and unit of learning rate. Default 0.004.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { learning_rate: 0.01, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0 }
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.004 }
    }
}

impl Optimizer {
    /// The learning rate that the schedule scales.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sgd(sgd) => sgd.learning_rate,
            Self::Adam(adam) => adam.learning_rate,
            Self::AdamW(adam) => adam.learning_rate,
        }
    }

    /// λ of the term λ·w that is added to gradients; none where weights decay by themselves.
    #[must_use]
    pub fn l2_penalty(&self) -> f64 {
        match self {
            Self::Sgd(sgd) => sgd.weight_decay,
            Self::Adam(adam) => adam.weight_decay,
            Self::AdamW(_) => 0.0,
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let positive = (Bound::Excluded(0.0), Bound::Unbounded);
        checks.within("optimizer.learning_rate", self.learning_rate(), positive);
        match *self {
            Self::Sgd(Sgd { momentum, nesterov, weight_decay, .. }) => {
                checks.within("optimizer.momentum", momentum, 0.0..1.0);
                checks.within("optimizer.weight_decay", weight_decay, 0.0..);
                if nesterov && momentum == 0.0 {
                    checks.fail("optimizer.nesterov", "needs momentum above 0");
                }
            }
            Self::Adam(Adam { beta_1, beta_2, epsilon, weight_decay, .. })
            | Self::AdamW(AdamW { beta_1, beta_2, epsilon, weight_decay, .. }) => {
                checks.within("optimizer.beta_1", beta_1, 0.0..1.0);
                checks.within("optimizer.beta_2", beta_2, 0.0..1.0);
                checks.within("optimizer.epsilon", epsilon, positive);
                checks.within("optimizer.weight_decay", weight_decay, 0.0..);
            }
        }
    }
}
