//! The last dense layer, from features to logits.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Tensor};
use kernels::Activation as Function;
use serde::{Deserialize, Serialize};

use super::dense::linear;
use super::{Kernels, fused};
use crate::activations::Observer;
use crate::initializer::Draws;
use crate::slot::{self, Slot};

/// How the outputs `z` of the last layer become class probabilities.
///
/// Every model returns logits, and a softmax turns logits into probabilities, whichever the head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// Probabilities are the softmax of `z`: the logits are `z`.
    #[default]
    Softmax,
    /// Probabilities are `σ(z) / Σ σ(z)`: what Keras computes when categorical cross-entropy follows a
    /// sigmoid layer, since it scales the outputs to sum to one first. The logits are `log σ(z)`,
    /// because `softmax(log σ(z)) = σ(z) / Σ σ(z)`.
    Sigmoid,
}

impl HeadKind {
    /// The name in experiment files and in the summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
        }
    }
}

/// Configuration of a [`Head`]; size and name are given by the plan of the network.
#[derive(Debug, Clone)]
pub(crate) struct HeadConfig {
    pub(crate) in_features: usize,
    pub(crate) num_classes: usize,
    pub(crate) kind: HeadKind,
    pub(crate) name: String,
}

impl HeadConfig {
    pub(crate) fn init(&self, draws: &Draws, device: &Device) -> Head {
        let sizes = [self.in_features, self.num_classes];
        Head {
            linear: linear(&self.name, sizes, draws, device),
            kind: self.kind,
            kernels: Kernels::default(),
            name: self.name.clone(),
        }
    }
}

/// The last dense layer of a network.
#[derive(Module, Debug)]
pub struct Head {
    /// The dense layer.
    pub linear: Linear,
    #[module(skip)]
    kind: HeadKind,
    #[module(skip)]
    pub(crate) kernels: Kernels,
    #[module(skip)]
    name: String,
}

impl Head {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - x: `[batch, in_features]`
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let z = if self.kernels.cover(&x.device()) {
            fused::dense(&self.linear, Function::Identity, None, x)
        } else {
            self.linear.forward(x)
        };
        match self.kind {
            HeadKind::Softmax => z,
            HeadKind::Sigmoid => log_sigmoid(z),
        }
    }

    /// Computes the logits and notes them.
    pub(crate) fn observe(&self, x: Tensor<2>, observer: &mut Observer<'_>) -> Tensor<2> {
        let logits = self.forward(x);
        observer.see(&self.name, &logits);
        logits
    }

    /// The tensors that the head holds, with the names they are stored under.
    pub(crate) fn slots(&mut self) -> Vec<(String, Slot<'_>)> {
        slot::linear(&self.name, &mut self.linear)
    }
}
