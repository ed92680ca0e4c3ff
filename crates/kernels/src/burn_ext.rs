//! The blocks as operations on Burn's tensors, with autodiff steps of their own, on `flex` and `ndarray`.
//!
//! Which backends and shapes are covered is asked with [`supports`]; elsewhere the caller composes the
//! block of Burn's own operations. Knows no module and no parameter names.

#![expect(deprecated, reason = "the suite keeps the backend that its users name")]

mod autodiff;
mod blocks;
mod conv_norm;
mod cpu;
mod loss;
mod memory;
mod norm;
mod update;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::{Device, Tensor};

pub use update::{AdamCall, AdamTensors, SgdCall, SgdTensors, adam, sgd};

use crate::conv::ConvBlock;
use crate::conv_norm::ConvNorm;
use crate::dense::DenseBlock;
use crate::dropout::Dropout;
use crate::norm::NormBlock;
use blocks::Keep;
use cpu::Cpu;

/// Whether the operations here run on a device, with or without autodiff.
#[must_use]
pub fn supports(device: &Device) -> bool {
    *device == Device::flex() || *device == Device::ndarray()
}

/// Applies a convolution block. Its input layout is found from the images; its output layout decides
/// how the output lies in memory, not its shape.
///
/// # Shapes
///
/// - images: `[batch, in_channels, height, width]`
/// - weight: `[out_channels, in_channels, 3, 3]`, bias: `[out_channels]`
/// - output: `[batch, out_channels, height', width']`, as [`ConvBlock::output_shape`] has them
///
/// # Panics
///
/// If shapes do not match the block, or the device is not [supported](supports).
#[must_use]
pub fn conv_block(
    block: ConvBlock,
    dropout: Option<Dropout>,
    images: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
) -> Tensor<4> {
    let [_, channels, height, width] = images.dims();
    let expected = [block.in_channels, block.height, block.width];
    assert!([channels, height, width] == expected, "images: expected {expected:?}, found {:?}", images.dims());
    let call = ConvCall { block, dropout };
    let (images, weight, bias) = (images.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<burn::backend::Dispatch as FusedBackend>::fused_conv(images, weight, bias, call))
}

/// Applies a dense block. The pixels of its input are found from that.
///
/// # Shapes
///
/// - input: `[batch, inputs]`, or the images `[batch, channels, height, width]` that are flattened to it, in either layout
/// - weight: `[inputs, outputs]`, bias: `[outputs]`
/// - output: `[batch, outputs]`
///
/// # Panics
///
/// If shapes do not match the block, or the device is not [supported](supports).
#[must_use]
pub fn dense_block<const D: usize>(
    block: DenseBlock,
    dropout: Option<Dropout>,
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Tensor<1>,
) -> Tensor<2> {
    let call = DenseCall { block, dropout };
    let (input, weight, bias) = (input.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<burn::backend::Dispatch as FusedBackend>::fused_dense(input, weight, bias, call))
}

/// The statistics of a batch, for [`norm_block`] and for the running ones.
///
/// # Shapes
///
/// - images: `[batch, channels, height, width]`, without autodiff
/// - output: `[2, channels]`, the mean and the variance (divided by the count)
///
/// # Panics
///
/// If shapes do not match the block, or the device is not [supported](supports).
#[must_use]
pub fn norm_statistics(block: NormBlock, images: Tensor<4>) -> Tensor<2> {
    Tensor::from_dispatch(<burn::backend::Dispatch as UpdateBackend>::fused_statistics(images.into_dispatch(), block))
}

/// Applies a normalisation block. A gradient is taken through the statistics too, as if they were
/// [the batch's own](norm_statistics); with running ones, use it on devices without autodiff.
///
/// # Shapes
///
/// - images: `[batch, channels, height, width]`; the output of a dense layer as `[batch, channels, 1, 1]`
/// - gamma, beta: `[channels]`
/// - statistics: `[2, channels]`
/// - output: `[batch, channels, height', width']`
///
/// # Panics
///
/// If shapes do not match the block, or the device is not [supported](supports).
#[must_use]
pub fn norm_block(
    block: NormBlock,
    dropout: Option<Dropout>,
    images: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    statistics: Tensor<2>,
) -> Tensor<4> {
    let call = NormCall { block, dropout };
    let (images, gamma, beta) = (images.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
    let statistics = statistics.into_dispatch();
    let output = <burn::backend::Dispatch as FusedBackend>::fused_norm(images, gamma, beta, statistics, call);
    Tensor::from_dispatch(output)
}

/// Applies a convolution and the normalisation that follows it, of which [`conv_block`] and [`norm_statistics`] have
/// found the first half: what is here is the second, and the way back through both at once.
///
/// # Shapes
///
/// - images: `[batch, in_channels, height, width]`
/// - convolved: what [`conv_block`] makes of them, without autodiff; statistics: `[2, channels]`, of that
/// - output: `[batch, channels, height', width']`
///
/// # Panics
///
/// If shapes do not match the blocks, or the device is not [supported](supports).
#[must_use]
pub fn conv_norm_block(
    block: ConvNorm,
    dropout: Option<Dropout>,
    images: Tensor<4>,
    parameters: ConvNormParameters,
    convolved: Tensor<4>,
    statistics: Tensor<2>,
) -> Tensor<4> {
    let call = ConvNormCall { block, dropout };
    let ConvNormParameters { weight, bias, gamma, beta } = parameters;
    Tensor::from_dispatch(<burn::backend::Dispatch as FusedBackend>::fused_conv_norm(
        images.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        convolved.into_dispatch(),
        statistics.into_dispatch(),
        call,
    ))
}

/// The parameters of a [`ConvNorm`].
#[derive(Debug, Clone)]
pub struct ConvNormParameters {
    /// `[out_channels, in_channels, 3, 3]`
    pub weight: Tensor<4>,
    /// `[out_channels]`
    pub bias: Tensor<1>,
    /// `[out_channels]`
    pub gamma: Tensor<1>,
    /// `[out_channels]`
    pub beta: Tensor<1>,
}

/// The mean cross-entropy of logits, with [label smoothing](crate::loss::softmax_cross_entropy).
///
/// # Shapes
///
/// - logits: `[batch, num_classes]`
/// - targets: `[batch]`, each below `num_classes`
/// - output: `[1]`
///
/// # Panics
///
/// If shapes do not match, a target is too large, or the device is not [supported](supports).
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, targets: Vec<u32>, label_smoothing: f32) -> Tensor<1> {
    let call = CrossEntropyCall { targets, label_smoothing };
    Tensor::from_dispatch(<burn::backend::Dispatch as FusedBackend>::fused_cross_entropy(logits.into_dispatch(), call))
}

/// A convolution block and what is drawn for one step.
#[derive(Debug, Clone, Copy)]
pub struct ConvCall {
    block: ConvBlock,
    dropout: Option<Dropout>,
}

/// A dense block and what is drawn for one step.
#[derive(Debug, Clone, Copy)]
pub struct DenseCall {
    block: DenseBlock,
    dropout: Option<Dropout>,
}

/// A normalisation block and what is drawn for one step.
#[derive(Debug, Clone, Copy)]
pub struct NormCall {
    block: NormBlock,
    dropout: Option<Dropout>,
}

/// A convolution with its normalisation, and what is drawn for one step.
#[derive(Debug, Clone, Copy)]
pub struct ConvNormCall {
    block: ConvNorm,
    dropout: Option<Dropout>,
}

impl ConvNormCall {
    /// The second half alone.
    fn norm(&self) -> NormCall {
        NormCall { block: self.block.norm, dropout: self.dropout }
    }
}

/// The targets of a batch.
#[derive(Debug, Clone)]
pub struct CrossEntropyCall {
    targets: Vec<u32>,
    label_smoothing: f32,
}

/// Backends that run whole blocks.
#[backend_extension(Autodiff, Flex, NdArray)]
pub trait FusedBackend: Backend {
    /// See [`conv_block`].
    fn fused_conv(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: ConvCall,
    ) -> FloatTensor<Self>;

    /// See [`dense_block`].
    fn fused_dense(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: DenseCall,
    ) -> FloatTensor<Self>;

    /// See [`norm_block`].
    fn fused_norm(
        images: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        call: NormCall,
    ) -> FloatTensor<Self>;

    /// See [`conv_norm_block`].
    #[allow(clippy::too_many_arguments, reason = "tensors go one by one; the macro copies this to where it is none")]
    fn fused_conv_norm(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        convolved: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        call: ConvNormCall,
    ) -> FloatTensor<Self>;

    /// See [`cross_entropy`].
    fn fused_cross_entropy(logits: FloatTensor<Self>, call: CrossEntropyCall) -> FloatTensor<Self>;
}

/// Backends that run what autodiff has no part in.
#[backend_extension(Flex, NdArray)]
pub trait UpdateBackend: Backend {
    /// See [`norm_statistics`].
    fn fused_statistics(images: FloatTensor<Self>, block: NormBlock) -> FloatTensor<Self>;

    /// See [`adam`].
    fn fused_adam(#[extension_type] tensors: AdamTensors<Self>, call: AdamCall) -> AdamTensors<Self>;

    /// See [`sgd`].
    fn fused_sgd(#[extension_type] tensors: SgdTensors<Self>, call: SgdCall) -> SgdTensors<Self>;

    /// See [`sgd`].
    fn fused_descent(parameter: FloatTensor<Self>, gradient: FloatTensor<Self>, call: SgdCall) -> FloatTensor<Self>;
}

impl<B: Cpu> FusedBackend for B {
    fn fused_conv(
        images: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        call: ConvCall,
    ) -> FloatTensor<B> {
        blocks::conv_forward::<B>(&call, [&images, &weight, &bias], Keep::Nothing).0
    }

    fn fused_dense(
        input: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        call: DenseCall,
    ) -> FloatTensor<B> {
        blocks::dense_forward::<B>(&call, [&input, &weight, &bias])
    }

    fn fused_norm(
        images: FloatTensor<B>,
        gamma: FloatTensor<B>,
        beta: FloatTensor<B>,
        statistics: FloatTensor<B>,
        call: NormCall,
    ) -> FloatTensor<B> {
        norm::forward::<B>(&call, [&images, &gamma, &beta, &statistics], Keep::Nothing).0
    }

    fn fused_conv_norm(
        _images: FloatTensor<B>,
        _weight: FloatTensor<B>,
        _bias: FloatTensor<B>,
        gamma: FloatTensor<B>,
        beta: FloatTensor<B>,
        convolved: FloatTensor<B>,
        statistics: FloatTensor<B>,
        call: ConvNormCall,
    ) -> FloatTensor<B> {
        B::fused_norm(convolved, gamma, beta, statistics, call.norm())
    }

    fn fused_cross_entropy(logits: FloatTensor<B>, call: CrossEntropyCall) -> FloatTensor<B> {
        loss::cross_entropy::<B>(&call, &logits).0
    }
}

impl<B: Cpu> UpdateBackend for B {
    fn fused_statistics(images: FloatTensor<B>, block: NormBlock) -> FloatTensor<B> {
        norm::statistics::<B>(block, &images)
    }

    fn fused_adam(tensors: AdamTensors<B>, call: AdamCall) -> AdamTensors<B> {
        update::adam_in_place(tensors, call)
    }

    fn fused_sgd(tensors: SgdTensors<B>, call: SgdCall) -> SgdTensors<B> {
        update::sgd_in_place(tensors, call)
    }

    fn fused_descent(parameter: FloatTensor<B>, gradient: FloatTensor<B>, call: SgdCall) -> FloatTensor<B> {
        update::descent_in_place::<B>(parameter, &gradient, call)
    }
}
