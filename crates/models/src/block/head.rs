//! The last dense layer, from features to logits.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Tensor};
use kernels::Activation as Function;
use serde::{Deserialize, Serialize};

use super::dense::{Bias, flat, linear};
use super::{Kernels, fused};
use crate::activations::Observer;
use crate::initializer::Draws;
use crate::slot::{self, Slot};

/// How the outputs `z` of the last layer become class probabilities.
///
/// A model returns logits, and a softmax turns logits into probabilities; but for
/// [`SigmoidSoftmax`](Self::SigmoidSoftmax), which [`to_logits`](Self::to_logits) turns into logits first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// Probabilities are the softmax of `z`: the logits are `z`.
    #[default]
    Softmax,
    /// Probabilities are `σ(z) / Σ σ(z)`: what Keras computes when categorical cross-entropy follows a
    /// sigmoid layer, since it scales the outputs to sum to one first. The logits are `log σ(z)`,
    /// because `softmax(log σ(z)) = σ(z) / Σ σ(z)`. That Keras clips probabilities near 0 and 1 is the
    /// loss's business.
    Sigmoid,
    /// A sigmoid for each class, for a loss that applies it: the network returns `z`. Probabilities are
    /// `softmax(σ(z))`, so that none of ten classes gets more than `e / (e + 9)`, 23 %: what
    /// `predict_proba` of a network written from scratch in `NumPy` computes.
    SigmoidSoftmax,
}

impl HeadKind {
    /// The name in experiment files and in the summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
            Self::SigmoidSoftmax => "sigmoid then softmax",
        }
    }

    /// Turns what a network with this head returns, in place, into logits: numbers whose softmax is the
    /// probabilities of the classes.
    pub fn to_logits(self, outputs: &mut [f32]) {
        match self {
            Self::Softmax | Self::Sigmoid => {}
            Self::SigmoidSoftmax => {
                for z in outputs {
                    *z = sigmoid(*z);
                }
            }
        }
    }
}

/// `1 / (1 + e⁻ᶻ)`; for large `-z` the exponential is infinite and the quotient zero.
fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

/// Configuration of a [`Head`]; size and name are given by the plan of the network.
#[derive(Debug, Clone)]
pub(crate) struct HeadConfig {
    pub(crate) in_features: usize,
    pub(crate) num_classes: usize,
    pub(crate) kind: HeadKind,
    pub(crate) bias: Bias,
    pub(crate) name: String,
}

impl HeadConfig {
    pub(crate) fn init(&self, draws: &Draws, device: &Device) -> Head {
        let sizes = [self.in_features, self.num_classes];
        Head {
            linear: linear(&self.name, sizes, self.bias, draws, device),
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
    /// Computes the outputs, which are logits but for [`HeadKind::SigmoidSoftmax`].
    ///
    /// # Shapes
    ///
    /// - x: as in [`DenseBlock::forward`](super::DenseBlock::forward)
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<2> {
        let z = if self.linear.bias.is_some() && self.kernels.cover(&x.device()) {
            fused::dense(&self.linear, Function::Identity, None, x)
        } else {
            self.linear.forward(flat(x))
        };
        match self.kind {
            HeadKind::Softmax | HeadKind::SigmoidSoftmax => z,
            HeadKind::Sigmoid => log_sigmoid(z),
        }
    }

    /// Computes the logits and notes them.
    pub(crate) fn observe(&self, x: Tensor<2>, observer: &mut Observer<'_>) -> Tensor<2> {
        let logits = self.forward(x);
        observer.see(&self.name, &logits);
        logits
    }

    /// How the outputs become probabilities.
    pub(crate) fn kind(&self) -> HeadKind {
        self.kind
    }

    /// The tensors that the head holds, with the names they are stored under.
    pub(crate) fn slots(&mut self) -> Vec<(String, Slot<'_>)> {
        slot::linear(&self.name, &mut self.linear)
    }
}
