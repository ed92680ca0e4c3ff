//! The blocks as operations on Burn's tensors, with autodiff steps of their own, on the `flex` backend.
//!
//! Which backends and shapes are covered is asked with [`supports`]; elsewhere the caller composes the
//! block of Burn's own operations. Knows no module and no parameter names.

mod autodiff;
mod flex;
mod norm;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};
use burn::tensor::{Device, Tensor};

use crate::conv::ConvBlock;
use crate::dense::DenseBlock;
use crate::dropout::Dropout;
use crate::norm::NormBlock;
use crate::optim::Adam;

/// Whether the operations here run on a device, with or without autodiff.
#[must_use]
pub fn supports(device: &Device) -> bool {
    *device == Device::flex()
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

/// Applies a dense block.
///
/// # Shapes
///
/// - input: `[batch, inputs]`
/// - weight: `[inputs, outputs]`, bias: `[outputs]`
/// - output: `[batch, outputs]`
///
/// # Panics
///
/// If shapes do not match the block, or the device is not [supported](supports).
#[must_use]
pub fn dense_block(
    block: DenseBlock,
    dropout: Option<Dropout>,
    input: Tensor<2>,
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

/// Makes one step of Adam on one parameter, in place where nobody else holds the tensors. Gives the
/// parameter and its two moments.
///
/// # Shapes
///
/// - all tensors: the same
///
/// # Panics
///
/// If shapes differ, or the device is not [supported](supports) or has autodiff.
#[must_use]
pub fn adam<const D: usize>(
    adam: Adam,
    learning_rate: f32,
    step: u64,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [moment_1, moment_2] = moments.map(Tensor::into_dispatch);
    let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
    let tensors = AdamTensors { parameter, gradient, moment_1, moment_2 };
    let call = AdamCall { adam, learning_rate, step };
    let result = <burn::backend::Dispatch as UpdateBackend>::fused_adam(tensors, call);
    let moments = [result.moment_1, result.moment_2].map(Tensor::from_dispatch);
    (Tensor::from_dispatch(result.parameter), moments)
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

/// The constants of one step of Adam.
#[derive(Debug, Clone, Copy)]
pub struct AdamCall {
    adam: Adam,
    learning_rate: f32,
    step: u64,
}

/// A parameter with what Adam needs for it.
#[derive(ExtensionType)]
pub struct AdamTensors<B: Backend> {
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    moment_1: FloatTensor<B>,
    moment_2: FloatTensor<B>,
}

/// Backends that run whole blocks.
#[backend_extension(Autodiff, Flex)]
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
}

/// Backends that run what autodiff has no part in.
#[backend_extension(Flex)]
pub trait UpdateBackend: Backend {
    /// See [`norm_statistics`].
    fn fused_statistics(images: FloatTensor<Self>, block: NormBlock) -> FloatTensor<Self>;

    /// See [`adam`].
    fn fused_adam(#[extension_type] tensors: AdamTensors<Self>, call: AdamCall) -> AdamTensors<Self>;
}
