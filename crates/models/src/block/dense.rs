//! A dense layer with its bias, activation, batch norm and dropout.

use burn::module::Module;
use burn::nn::{BatchNorm, Dropout, DropoutConfig, Initializer as Untouched, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kernels::Activation as Function;
use serde::{Deserialize, Serialize};

use super::batch_norm::normalize;
use super::{Activation, BatchNormConstants, BatchNormPlacement, BlockNames, Kernels, Op, fused};
use crate::activations::Observer;
use crate::initializer::{Draws, Fans};
use crate::slot::{self, Slot};

/// Whether dense layers have biases. A boolean in experiment files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Bias {
    /// One for each unit. `true`.
    #[default]
    On,
    /// None. `false`.
    Off,
}

impl Bias {
    /// Biases of a layer with `units` units.
    pub(crate) fn count(self, units: usize) -> usize {
        match self {
            Self::On => units,
            Self::Off => 0,
        }
    }
}

impl From<bool> for Bias {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Bias> for bool {
    fn from(bias: Bias) -> Self {
        bias == Bias::On
    }
}

/// Configuration of a [`DenseBlock`].
#[derive(Debug, Clone)]
pub(crate) struct DenseBlockConfig {
    pub(crate) features: usize,
    pub(crate) bias: Bias,
    pub(crate) activation: Activation,
    pub(crate) batch_norm: BatchNormPlacement,
    pub(crate) constants: BatchNormConstants,
    pub(crate) dropout: f64,
    /// Given by the plan of the network, as the names are.
    pub(crate) in_features: usize,
    pub(crate) names: BlockNames,
}

impl DenseBlockConfig {
    /// A dense layer with `features` units, biases, ReLU and the given dropout; without batch norm.
    pub(crate) fn new(features: usize, dropout: f64) -> Self {
        Self {
            features,
            bias: Bias::On,
            activation: Activation::Relu,
            batch_norm: BatchNormPlacement::None,
            constants: BatchNormConstants::default(),
            dropout,
            in_features: 0,
            names: BlockNames::default(),
        }
    }

    pub(crate) fn with_bias(mut self, bias: Bias) -> Self {
        self.bias = bias;
        self
    }

    pub(crate) fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    pub(crate) fn with_batch_norm(mut self, placement: BatchNormPlacement, constants: BatchNormConstants) -> Self {
        self.batch_norm = placement;
        self.constants = constants;
        self
    }

    /// The operations in their order, which [`DenseBlock::forward`] follows.
    pub(crate) fn ops(&self) -> Vec<Op> {
        let norm = |here| (self.batch_norm == here).then_some(Op::BatchNorm);
        let linear = Op::Linear { features: self.features, bias: self.bias };
        [
            Some(linear),
            norm(BatchNormPlacement::BeforeActivation),
            Some(Op::Activation(self.activation)),
            norm(BatchNormPlacement::AfterActivation),
            // Also at rate 0, so that the rate does not change the names of what follows.
            Some(Op::Dropout(self.dropout)),
            norm(BatchNormPlacement::AfterDropout),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(crate) fn init(&self, draws: &Draws, device: &Device) -> DenseBlock {
        let has_norm = self.batch_norm != BatchNormPlacement::None;
        DenseBlock {
            linear: linear(&self.names.layer, [self.in_features, self.features], self.bias, draws, device),
            norm: has_norm.then(|| self.constants.init(self.features, device)),
            dropout: DropoutConfig::new(self.dropout).init(),
            activation: self.activation,
            placement: self.batch_norm,
            kernels: Kernels::default(),
            names: self.names.clone(),
        }
    }
}

/// Initialises a dense layer from `[inputs, outputs]`, which is also how Burn lays out its weights.
pub(super) fn linear(name: &str, [inputs, outputs]: [usize; 2], bias: Bias, draws: &Draws, device: &Device) -> Linear {
    let fans = Fans::new(1, inputs, outputs);
    let mut linear = LinearConfig::new(inputs, outputs)
        // Replaced below, before Burn would draw it.
        .with_initializer(Untouched::Zeros)
        .init(device);
    let weight = format!("{name}.weight");
    linear.weight = draws.kernel(&weight, [inputs, outputs], fans, device);
    linear.bias = match bias {
        Bias::On => Some(draws.bias(&format!("{name}.bias"), outputs, fans, device)),
        Bias::Off => None,
    };
    linear
}

/// One row of features for each sample, channels outermost.
pub(super) fn flat<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    x.flatten(1, D - 1)
}

/// A dense layer with its activation, and as configured: bias, batch norm and dropout.
#[derive(Module, Debug)]
pub struct DenseBlock {
    /// The dense layer.
    pub linear: Linear,
    /// The batch norm, if the block has one.
    pub norm: Option<BatchNorm>,
    /// The dropout, which may have rate 0.
    pub dropout: Dropout,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    placement: BatchNormPlacement,
    #[module(skip)]
    pub(crate) kernels: Kernels,
    #[module(skip)]
    names: BlockNames,
}

impl DenseBlock {
    /// Applies the block.
    ///
    /// Dropout and the batch's own statistics act on autodiff devices only.
    ///
    /// # Shapes
    ///
    /// - x: `[batch, in_features]`, or maps `[batch, channels, height, width]`, which are flattened, channels outermost
    /// - output: `[batch, features]`
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<2> {
        // The kernels know layers with biases, and read maps as they lie.
        let is_known = self.linear.bias.is_some() && self.kernels.cover(&x.device());
        if is_known { self.fused(x) } else { self.finish(self.linear.forward(flat(x))) }
    }

    /// Two kernels at most where the activation is a ReLU, as in a convolution's block; else the dense layer alone.
    fn fused<const D: usize>(&self, x: Tensor<D>) -> Tensor<2> {
        let dropout = Some(&self.dropout);
        match (self.activation, self.placement, &self.norm) {
            (Activation::Relu, BatchNormPlacement::BeforeActivation, Some(norm)) => {
                let x = fused::dense(&self.linear, Function::Identity, None, x);
                fused::Norm { function: Function::Relu, dropout, ..fused::Norm::of_units(norm) }.units(x)
            }
            (Activation::Relu, BatchNormPlacement::AfterActivation, Some(norm)) => {
                let x = fused::dense(&self.linear, Function::Relu, None, x);
                fused::Norm { dropout, ..fused::Norm::of_units(norm) }.units(x)
            }
            (Activation::Relu, BatchNormPlacement::AfterDropout, Some(norm)) => {
                fused::Norm::of_units(norm).units(fused::dense(&self.linear, Function::Relu, dropout, x))
            }
            (Activation::Relu, ..) => fused::dense(&self.linear, Function::Relu, dropout, x),
            _ => self.finish(fused::dense(&self.linear, Function::Identity, None, x)),
        }
    }

    /// What follows the dense layer.
    fn finish(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.normalize(BatchNormPlacement::BeforeActivation, x);
        let x = self.activation.forward(x);
        let x = self.normalize(BatchNormPlacement::AfterActivation, x);
        let x = self.dropout.forward(x);
        self.normalize(BatchNormPlacement::AfterDropout, x)
    }

    /// Applies the block operation by operation, in the order of [`DenseBlockConfig::ops`], without dropout.
    pub(crate) fn observe(&self, x: Tensor<2>, observer: &mut Observer<'_>) -> Tensor<2> {
        let mut x = self.linear.forward(x);
        if self.placement == BatchNormPlacement::BeforeActivation {
            observer.see(&self.names.layer, &x);
            x = self.normalize(self.placement, x);
            x = self.activation.forward(x);
            observer.see(&self.names.batch_norm, &x);
        } else {
            x = self.activation.forward(x);
            observer.see(&self.names.layer, &x);
        }
        if self.placement == BatchNormPlacement::AfterActivation {
            x = self.normalize(self.placement, x);
            observer.see(&self.names.batch_norm, &x);
        }
        observer.see(&self.names.dropout, &x);
        if self.placement == BatchNormPlacement::AfterDropout {
            x = self.normalize(self.placement, x);
            observer.see(&self.names.batch_norm, &x);
        }
        x
    }

    fn normalize(&self, here: BatchNormPlacement, x: Tensor<2>) -> Tensor<2> {
        normalize(self.norm.as_ref(), self.placement, here, x)
    }

    /// The tensors that the block holds, with the names they are stored under.
    pub(crate) fn slots(&mut self) -> Vec<(String, Slot<'_>)> {
        let names = &self.names;
        let mut slots = slot::linear(&names.layer, &mut self.linear);
        if let Some(norm) = &mut self.norm {
            slots.extend(slot::batch_norm(&names.batch_norm, norm));
        }
        slots
    }
}
