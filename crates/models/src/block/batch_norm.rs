//! Where a block normalises its units, and with which constants.

use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::FieldError;

/// Where in a block the batch norm stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNormPlacement {
    /// There is none.
    #[default]
    None,
    /// Between the layer and its activation, as in torchvision's VGG.
    BeforeActivation,
    /// Straight after the activation, before pooling and dropout.
    AfterActivation,
    /// At the end of the block, after dropout.
    AfterDropout,
}

/// The constants of batch norm. The defaults are those of Keras.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNormConstants {
    /// Added to the variance before the square root is taken.
    pub epsilon: f64,
    /// The share of the running statistics that a training step keeps, in the sense of Keras. Burn and
    /// PyTorch call the complement momentum: 0.99 here is their 0.01.
    pub momentum: f64,
}

impl Default for BatchNormConstants {
    fn default() -> Self {
        Self { epsilon: 1e-3, momentum: 0.99 }
    }
}

impl BatchNormConstants {
    /// Checks the ranges; `field` is the path of these constants.
    pub(crate) fn validate(&self, field: &str) -> Result<(), FieldError> {
        let Self { epsilon, momentum } = self;
        if !(epsilon.is_finite() && *epsilon > 0.0) {
            let message = format!("must be above 0, found {epsilon}");
            return Err(FieldError::new(format!("{field}.epsilon"), message));
        }
        if !(0.0..=1.0).contains(momentum) {
            let message = format!("must be between 0 and 1, found {momentum}");
            return Err(FieldError::new(format!("{field}.momentum"), message));
        }
        Ok(())
    }

    /// Initialises a batch norm: scale 1, shift 0, running mean 0, running variance 1.
    pub(crate) fn init(&self, num_features: usize, device: &Device) -> BatchNorm {
        let norm = BatchNormConfig::new(num_features)
            .with_epsilon(self.epsilon)
            .with_momentum(1.0 - self.momentum)
            .init(device);
        // Burn initialises parameters at their first use; a model from here is complete at once.
        let _ = (norm.gamma.val(), norm.beta.val());
        norm
    }
}

/// Normalises `x` if the block's batch norm stands at `here`.
pub(crate) fn normalize<const D: usize>(
    norm: Option<&BatchNorm>,
    placement: BatchNormPlacement,
    here: BatchNormPlacement,
    x: Tensor<D>,
) -> Tensor<D> {
    match norm {
        Some(norm) if placement == here => norm.forward(x),
        _ => x,
    }
}
