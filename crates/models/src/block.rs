//! The blocks that all networks here are built of: a convolution or a dense layer with everything that
//! belongs to it (bias, activation, batch norm, pooling, dropout), and the head.
//!
//! A block is a configuration, `init` and `forward`. It does not know which network it is in; the
//! [plan](crate::plan) of the network gives it its input size and its name.

mod activation;
mod batch_norm;
mod conv;
mod dense;
mod fused;
mod head;

pub use activation::Activation;
pub use batch_norm::{BatchNormConstants, BatchNormPlacement};
pub use conv::ConvBlock;
pub(crate) use conv::{ConvBlockConfig, ConvPadding, KERNEL_SIZE, POOL_SIZE};
pub(crate) use dense::DenseBlockConfig;
pub use dense::{Bias, DenseBlock};
pub use fused::Kernels;
pub(crate) use head::HeadConfig;
pub use head::{Head, HeadKind};

use burn::tensor::Tensor;

use crate::slot::Slot;

/// One operation of a network, with what decides its output size and its number of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Op {
    /// A 3×3 convolution with stride 1 and biases.
    Conv {
        channels: usize,
        padding: ConvPadding,
    },
    /// A dense layer.
    Linear {
        features: usize,
        bias: Bias,
    },
    /// The last dense layer.
    Head {
        num_classes: usize,
        kind: HeadKind,
        bias: Bias,
    },
    BatchNorm,
    Activation(Activation),
    /// Max-pooling over 2×2 pixels with stride 2; an odd last row or column is dropped.
    MaxPool,
    Dropout(f64),
    /// From `[channels, height, width]` to `[channels · height · width]`, channels outermost.
    Flatten,
    /// The mean of each channel.
    GlobalAverage,
}

/// The names of the parts of a block, empty where it has no such part.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockNames {
    /// The convolution or dense layer.
    pub(crate) layer: String,
    /// The batch norm.
    pub(crate) batch_norm: String,
    /// The pool.
    pub(crate) pool: String,
    /// The dropout, unless its rate is 0, since the summary has no row for that.
    pub(crate) dropout: String,
}

/// Applies dense blocks and the head to features, or to maps that are flattened.
pub(crate) fn classify<const D: usize>(blocks: &[DenseBlock], head: &Head, x: Tensor<D>) -> Tensor<2> {
    match blocks.split_first() {
        Some((first, rest)) => head.forward(rest.iter().fold(first.forward(x), |x, block| block.forward(x))),
        None => head.forward(x),
    }
}

/// A block of a network, whichever kind it is.
pub(crate) enum Block<'a> {
    Conv(&'a mut ConvBlock),
    Dense(&'a mut DenseBlock),
    Head(&'a mut Head),
}

impl<'a> Block<'a> {
    /// The tensors that the block holds, with the names they are stored under.
    pub(crate) fn slots(self) -> Vec<(String, Slot<'a>)> {
        match self {
            Self::Conv(block) => block.slots(),
            Self::Dense(block) => block.slots(),
            Self::Head(block) => block.slots(),
        }
    }

    pub(crate) fn set_kernels(self, kernels: Kernels) {
        match self {
            Self::Conv(block) => block.kernels = kernels,
            Self::Dense(block) => block.kernels = kernels,
            Self::Head(block) => block.kernels = kernels,
        }
    }
}
