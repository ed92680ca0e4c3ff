//! A 3×3 convolution with its bias, ReLU, batch norm, pooling and dropout.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Dropout, DropoutConfig, Initializer as Untouched, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use kernels::Activation as Function;
use kernels::conv::{Layout, Pool};

use super::batch_norm::normalize;
use super::{Activation, BatchNormConstants, BatchNormPlacement, BlockNames, Kernels, Op, fused};
use crate::activations::Observer;
use crate::initializer::{Draws, Fans};
use crate::slot::{self, Slot};

/// Side of every convolution kernel here, as in the networks' sources.
pub(crate) const KERNEL_SIZE: usize = 3;
/// Side and stride of every pool.
pub(crate) const POOL_SIZE: usize = 2;

/// What a convolution does at the border of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvPadding {
    /// The kernel stays inside: the output is two pixels smaller along each axis.
    Valid,
    /// Zeros around the image: the output has its size.
    Same,
}

/// Configuration of a [`ConvBlock`].
#[derive(Debug, Clone)]
pub(crate) struct ConvBlockConfig {
    pub(crate) channels: usize,
    pub(crate) padding: ConvPadding,
    pub(crate) batch_norm: BatchNormPlacement,
    pub(crate) constants: BatchNormConstants,
    pub(crate) pool: Option<MaxPool2dConfig>,
    pub(crate) dropout: Option<f64>,
    /// How the output lies in memory where the kernels decide: channels last, unless the plan flattens it.
    pub(crate) layout: Layout,
    /// Given by the plan of the network, as the names are.
    pub(crate) in_channels: usize,
    pub(crate) names: BlockNames,
}

impl ConvBlockConfig {
    /// A convolution with `channels` filters and ReLU, nothing else.
    pub(crate) fn new(channels: usize, padding: ConvPadding) -> Self {
        Self {
            channels,
            padding,
            batch_norm: BatchNormPlacement::None,
            constants: BatchNormConstants::default(),
            pool: None,
            dropout: None,
            layout: Layout::ChannelsLast,
            in_channels: 0,
            names: BlockNames::default(),
        }
    }

    pub(crate) fn with_batch_norm(mut self, placement: BatchNormPlacement, constants: BatchNormConstants) -> Self {
        self.batch_norm = placement;
        self.constants = constants;
        self
    }

    pub(crate) fn with_pool(mut self) -> Self {
        self.pool = Some(MaxPool2dConfig::new([POOL_SIZE; 2]));
        self
    }

    pub(crate) fn with_dropout(mut self, rate: f64) -> Self {
        self.dropout = Some(rate);
        self
    }

    /// The operations in their order, which [`ConvBlock::forward`] follows in effect.
    pub(crate) fn ops(&self) -> Vec<Op> {
        let norm = |here| (self.batch_norm == here).then_some(Op::BatchNorm);
        let conv = Op::Conv { channels: self.channels, padding: self.padding };
        [
            Some(conv),
            norm(BatchNormPlacement::BeforeActivation),
            Some(Op::Activation(Activation::Relu)),
            norm(BatchNormPlacement::AfterActivation),
            self.pool.as_ref().map(|_| Op::MaxPool),
            self.dropout.map(Op::Dropout),
            norm(BatchNormPlacement::AfterDropout),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(crate) fn init(&self, draws: &Draws, device: &Device) -> ConvBlock {
        let (inputs, outputs) = (self.in_channels, self.channels);
        let fans = Fans::new(KERNEL_SIZE * KERNEL_SIZE, inputs, outputs);
        let shape = [outputs, inputs, KERNEL_SIZE, KERNEL_SIZE];
        let name = &self.names.layer;
        let mut conv = Conv2dConfig::new([inputs, outputs], [KERNEL_SIZE; 2])
            .with_padding(match self.padding {
                ConvPadding::Valid => PaddingConfig2d::Valid,
                ConvPadding::Same => PaddingConfig2d::Same,
            })
            // Replaced below, before Burn would draw it.
            .with_initializer(Untouched::Zeros)
            .init(device);
        conv.weight = draws.kernel(&format!("{name}.weight"), shape, fans, device);
        conv.bias = Some(draws.bias(&format!("{name}.bias"), outputs, fans, device));
        let has_norm = self.batch_norm != BatchNormPlacement::None;
        ConvBlock {
            conv,
            norm: has_norm.then(|| self.constants.init(outputs, device)),
            pool: self.pool.as_ref().map(MaxPool2dConfig::init),
            dropout: self.dropout.map(|rate| DropoutConfig::new(rate).init()),
            placement: self.batch_norm,
            padding: self.padding,
            layout: self.layout,
            kernels: Kernels::default(),
            names: self.names.clone(),
        }
    }
}

/// A 3×3 convolution with stride 1, its bias and ReLU, and as configured: batch norm, 2×2 max-pooling
/// and dropout.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// The convolution.
    pub conv: Conv2d,
    /// The batch norm, if the block has one.
    pub norm: Option<BatchNorm>,
    /// The pooling, if the block ends with one.
    pub pool: Option<MaxPool2d>,
    /// The dropout, if the block has one.
    pub dropout: Option<Dropout>,
    #[module(skip)]
    placement: BatchNormPlacement,
    #[module(skip)]
    padding: ConvPadding,
    #[module(skip)]
    layout: Layout,
    #[module(skip)]
    pub(crate) kernels: Kernels,
    #[module(skip)]
    names: BlockNames,
}

impl ConvBlock {
    /// Applies the block.
    ///
    /// Dropout and the batch's own statistics act on autodiff devices only.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, in_channels, height, width]`
    /// - output: `[batch, channels, height', width']`, sizes as padding and pooling make them
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        if self.kernels.cover(&images.device()) { self.fused(images) } else { self.composed(images) }
    }

    /// Two kernels at most: the convolution and what follows it, and from the batch norm on another.
    fn fused(&self, images: Tensor<4>) -> Tensor<4> {
        let pool = if self.pool.is_some() { Pool::Max2 } else { Pool::None };
        let dropout = self.dropout.as_ref();
        let whole = fused::Conv {
            layer: &self.conv,
            padding: self.padding,
            function: Function::Relu,
            pool,
            dropout,
            layout: self.layout,
        };
        let Some(norm) = self.norm.as_ref() else { return whole.forward(images) };
        // In between, pixels stay channels last: nothing has to be copied.
        let first = fused::Conv { layout: Layout::ChannelsLast, ..whole };
        let bare = fused::Norm {
            layer: norm,
            function: Function::Identity,
            pool: Pool::None,
            dropout: None,
            layout: self.layout,
        };
        match self.placement {
            BatchNormPlacement::BeforeActivation => {
                let first = fused::Conv { function: Function::Identity, pool: Pool::None, dropout: None, ..first };
                fused::Norm { function: Function::Relu, pool, dropout, ..bare }.after(&first, images)
            }
            BatchNormPlacement::AfterActivation => {
                let first = fused::Conv { pool: Pool::None, dropout: None, ..first };
                fused::Norm { pool, dropout, ..bare }.after(&first, images)
            }
            BatchNormPlacement::AfterDropout => bare.after(&first, images),
            BatchNormPlacement::None => whole.forward(images),
        }
    }

    fn composed(&self, images: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(images);
        let x = self.normalize(BatchNormPlacement::BeforeActivation, x);
        // Rectifying and taking the maximum commute, in value and in gradient: with the pool first, the
        // ReLU has a quarter of the pixels left to do.
        let x = match self.placement {
            BatchNormPlacement::AfterActivation => {
                let x = Activation::Relu.forward(x);
                self.pool(self.normalize(BatchNormPlacement::AfterActivation, x))
            }
            _ => Activation::Relu.forward(self.pool(x)),
        };
        let x = match &self.dropout {
            Some(dropout) => dropout.forward(x),
            None => x,
        };
        self.normalize(BatchNormPlacement::AfterDropout, x)
    }

    /// Applies the block operation by operation, in the order of [`ConvBlockConfig::ops`], without dropout.
    pub(crate) fn observe(&self, images: Tensor<4>, observer: &mut Observer<'_>) -> Tensor<4> {
        let mut x = self.conv.forward(images);
        if self.placement == BatchNormPlacement::BeforeActivation {
            observer.see(&self.names.layer, &x);
            x = self.normalize(self.placement, x);
            x = Activation::Relu.forward(x);
            observer.see(&self.names.batch_norm, &x);
        } else {
            x = Activation::Relu.forward(x);
            observer.see(&self.names.layer, &x);
        }
        if self.placement == BatchNormPlacement::AfterActivation {
            x = self.normalize(self.placement, x);
            observer.see(&self.names.batch_norm, &x);
        }
        x = self.pool(x);
        observer.see(&self.names.pool, &x);
        observer.see(&self.names.dropout, &x);
        if self.placement == BatchNormPlacement::AfterDropout {
            x = self.normalize(self.placement, x);
            observer.see(&self.names.batch_norm, &x);
        }
        x
    }

    fn pool(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.pool {
            Some(pool) => pool.forward(x),
            None => x,
        }
    }

    fn normalize(&self, here: BatchNormPlacement, x: Tensor<4>) -> Tensor<4> {
        normalize(self.norm.as_ref(), self.placement, here, x)
    }

    /// The tensors that the block holds, with the names they are stored under.
    pub(crate) fn slots(&mut self) -> Vec<(String, Slot<'_>)> {
        let names = &self.names;
        let mut slots = slot::conv2d(&names.layer, &mut self.conv);
        if let Some(norm) = &mut self.norm {
            slots.extend(slot::batch_norm(&names.batch_norm, norm));
        }
        slots
    }
}
