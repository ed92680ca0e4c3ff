//! The way back through a convolution and its normalisation on tensors.

use burn::backend::tensor::FloatTensor;

use super::ConvNormCall;
use super::blocks::{Gradients, Wants, conv_name, floats, in_layout, in_order, out_of_layout};
use super::cpu::Cpu;
use super::memory::Recycled;
use super::norm::{channels_last, read};
use crate::conv::{ConvBlock, Layout};
use crate::conv_norm::{Backward, ConvNorm};
use crate::norm::NormBlock;
use crate::profile::timed;
use crate::{Isa, Workspace};

/// What the forward pass keeps.
#[derive(Debug, Clone)]
pub(super) struct Kept<T> {
    pub(super) images: T,
    pub(super) weight: T,
    pub(super) gamma: T,
    pub(super) convolved: T,
    pub(super) statistics: T,
}

/// The gradients of images (if asked for), weight, bias, gamma and beta.
pub(super) fn backward<B: Cpu>(
    call: &ConvNormCall,
    kept: &Kept<FloatTensor<B>>,
    codes: &Recycled,
    gradient: &FloatTensor<B>,
    wants_input: Wants,
) -> Gradients<B, 5> {
    let ConvNorm { conv, norm } = call.block;
    let (images, input_layout) = in_layout::<B>(&kept.images);
    let convolved = channels_last::<B>(&kept.convolved, [norm.height, norm.width]);
    let [_, height, width] = norm.output_shape();
    let gradient = channels_last::<B>(gradient, [height, width]);
    let [weight, gamma] = [&kept.weight, &kept.gamma].map(in_order::<B>);
    let block = ConvNorm {
        conv: ConvBlock { input_layout, ..conv },
        // The codes are in no layout's order but their own, so that the gradient may come in either.
        norm: NormBlock { output_layout: Layout::ChannelsLast, ..norm },
    };
    let input = floats::<B>(&images);
    let channels = conv.out_channels;
    let mut grad_input = (wants_input == Wants::Input).then(|| B::buffer(input.len()));
    let mut grad_weight = B::buffer(conv.weight_len());
    let [mut grad_bias, mut grad_gamma, mut grad_beta] = [(); 3].map(|()| B::buffer(channels));
    let slices = Backward {
        input,
        weight: floats::<B>(&weight),
        convolved: floats::<B>(&convolved),
        statistics: &read::<B>(&kept.statistics),
        gamma: floats::<B>(&gamma),
        codes: codes.as_ref(),
        dropout: call.dropout,
        grad_output: floats::<B>(&gradient),
        grad_input: grad_input.as_mut().map(AsMut::as_mut),
        grad_weight: grad_weight.as_mut(),
        grad_bias: grad_bias.as_mut(),
        grad_gamma: grad_gamma.as_mut(),
        grad_beta: grad_beta.as_mut(),
    };
    timed(
        || format!("{} + norm backward", conv_name(&conv)),
        || Workspace::lend(|workspace| block.backward(Isa::detect(), slices, workspace)),
    );
    let batch = input.len() / conv.input_len();
    let shape = [conv.in_channels, conv.height, conv.width];
    let of_channels = |buffer| Some(B::tensor(buffer, &[channels]));
    [
        grad_input.map(|gradient| out_of_layout::<B>(gradient, batch, shape, input_layout)),
        Some(B::tensor(grad_weight, &[channels, conv.in_channels, 3, 3])),
        of_channels(grad_bias),
        of_channels(grad_gamma),
        of_channels(grad_beta),
    ]
}
