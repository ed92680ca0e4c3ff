//! Convolution and dense blocks on tensors: slices in, slices out, without copies where memory allows.

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;

use super::cpu::Cpu;
use super::memory::Recycled;
use super::{ConvCall, DenseCall};
use crate::conv::{self, ConvBlock, Layout, OutputGradient};
use crate::dense::DenseBlock;
use crate::profile::timed;
use crate::{Isa, Workspace, dense};

/// Whether a forward pass keeps what the backward pass needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Codes,
    Nothing,
}

impl Keep {
    /// Room for what is kept of so many codes.
    pub(super) fn room(self, codes: usize) -> Recycled {
        Recycled::new(if self == Self::Codes { codes } else { 0 })
    }
}

/// What a forward pass keeps: one byte per output, or nothing.
pub(super) type Codes = Arc<Recycled>;

/// Gradients of a block: input (if asked for), then its parameters in their order.
pub(super) type Gradients<B, const N: usize> = [Option<FloatTensor<B>>; N];

/// The output of a convolution block, and its codes.
pub(super) fn conv_forward<B: Cpu>(
    call: &ConvCall,
    [images, weight, bias]: [&FloatTensor<B>; 3],
    keep: Keep,
) -> (FloatTensor<B>, Codes) {
    let (images, input_layout) = in_layout::<B>(images);
    let block = ConvBlock { input_layout, ..call.block };
    let input = floats::<B>(&images);
    let batch = input.len() / block.input_len();
    let len = batch * block.output_len();
    let mut output = B::buffer(len);
    let mut codes = keep.room(batch * block.codes_len(call.dropout));
    let (weight, bias) = (in_order::<B>(weight), in_order::<B>(bias));
    let slices = conv::Forward {
        input,
        weight: floats::<B>(&weight),
        bias: floats::<B>(&bias),
        dropout: call.dropout,
        output: output.as_mut(),
        codes: (keep == Keep::Codes).then(|| codes.bytes_mut()),
    };
    timed(
        || format!("{} forward", conv_name(&block)),
        || Workspace::lend(|workspace| block.forward(Isa::detect(), slices, workspace)),
    );
    (out_of_layout::<B>(output, batch, block.output_shape(), block.output_layout), Arc::new(codes))
}

/// The gradients of a convolution block.
pub(super) fn conv_backward<B: Cpu>(
    call: &ConvCall,
    [images, weight, gradient]: [&FloatTensor<B>; 3],
    codes: &Recycled,
    wants_input: Wants,
) -> Gradients<B, 3> {
    let (images, input_layout) = in_layout::<B>(images);
    // The codes are in no layout's order but their own, so that the gradient may come in either.
    let (gradient, output_layout) = in_layout::<B>(gradient);
    let block = ConvBlock { input_layout, output_layout, ..call.block };
    let input = floats::<B>(&images);
    let weight = in_order::<B>(weight);
    let mut grad_input = (wants_input == Wants::Input).then(|| B::buffer(input.len()));
    let mut grad_weight = B::buffer(block.weight_len());
    let mut grad_bias = B::buffer(block.out_channels);
    let slices = conv::Backward {
        input,
        weight: floats::<B>(&weight),
        codes: codes.as_ref(),
        dropout: call.dropout,
        grad_output: OutputGradient::Given(floats::<B>(&gradient)),
        grad_input: grad_input.as_mut().map(AsMut::as_mut),
        grad_weight: grad_weight.as_mut(),
        grad_bias: grad_bias.as_mut(),
    };
    timed(
        || format!("{} backward", conv_name(&block)),
        || Workspace::lend(|workspace| block.backward(Isa::detect(), slices, workspace)),
    );
    let batch = input.len() / block.input_len();
    let shape = [block.in_channels, block.height, block.width];
    let grad_input = grad_input.map(|gradient| out_of_layout::<B>(gradient, batch, shape, input_layout));
    let grad_weight = B::tensor(grad_weight, &[block.out_channels, block.in_channels, 3, 3]);
    [grad_input, Some(grad_weight), Some(B::tensor(grad_bias, &[block.out_channels]))]
}

/// Whether the gradient of the input is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Input,
    Parameters,
}

impl Wants {
    /// What autodiff asks of a step, by the node of its input.
    pub(super) fn of<T>(input: Option<&T>) -> Self {
        if input.is_some() { Self::Input } else { Self::Parameters }
    }
}

/// The output of a dense block.
pub(super) fn dense_forward<B: Cpu>(call: &DenseCall, tensors: [&FloatTensor<B>; 3]) -> FloatTensor<B> {
    let [input, weight, bias] = tensors;
    let (input, block) = samples::<B>(call.block, input);
    let (weight, bias) = (in_order::<B>(weight), in_order::<B>(bias));
    let batch = floats::<B>(&input).len() / block.inputs;
    let mut output = B::buffer(batch * block.outputs);
    let slices = dense::Forward {
        input: floats::<B>(&input),
        weight: floats::<B>(&weight),
        bias: floats::<B>(&bias),
        dropout: call.dropout,
        output: output.as_mut(),
    };
    timed(
        || format!("dense {} → {} forward", block.inputs, block.outputs),
        || Workspace::lend(|workspace| block.forward(Isa::detect(), slices, workspace)),
    );
    B::tensor(output, &[batch, block.outputs])
}

/// The gradients of a dense block. Takes input, weight, output and the output's gradient.
pub(super) fn dense_backward<B: Cpu>(
    call: &DenseCall,
    tensors: [&FloatTensor<B>; 4],
    wants_input: Wants,
) -> Gradients<B, 3> {
    let [given, weight, output, gradient] = tensors;
    let (input, block) = samples::<B>(call.block, given);
    let [weight, output, gradient] = [weight, output, gradient].map(in_order::<B>);
    let input = floats::<B>(&input);
    let mut grad_input = (wants_input == Wants::Input).then(|| B::buffer(input.len()));
    let mut grad_weight = B::buffer(block.inputs * block.outputs);
    let mut grad_bias = B::buffer(block.outputs);
    let slices = dense::Backward {
        input,
        weight: floats::<B>(&weight),
        output: floats::<B>(&output),
        dropout: call.dropout,
        grad_output: floats::<B>(&gradient),
        grad_input: grad_input.as_mut().map(AsMut::as_mut),
        grad_weight: grad_weight.as_mut(),
        grad_bias: grad_bias.as_mut(),
    };
    timed(
        || format!("dense {} → {} backward", block.inputs, block.outputs),
        || Workspace::lend(|workspace| block.backward(Isa::detect(), slices, workspace)),
    );
    let batch = input.len() / block.inputs;
    let grad_input = grad_input.map(|gradient| match given.shape()[..] {
        [_, channels, height, width] => {
            let layout = if block.pixels == 1 { Layout::ChannelsFirst } else { Layout::ChannelsLast };
            out_of_layout::<B>(gradient, batch, [channels, height, width], layout)
        }
        _ => B::tensor(gradient, &[batch, block.inputs]),
    });
    let grad_weight = B::tensor(grad_weight, &[block.inputs, block.outputs]);
    [grad_input, Some(grad_weight), Some(B::tensor(grad_bias, &[block.outputs]))]
}

pub(super) fn conv_name(block: &ConvBlock) -> String {
    let ConvBlock { in_channels, out_channels, height, width, .. } = block;
    format!("conv {in_channels} → {out_channels} on {height}×{width}")
}

/// The numbers of a tensor that is in order.
pub(super) fn floats<B: Cpu>(tensor: &FloatTensor<B>) -> &[f32] {
    B::floats(tensor).expect("tensors here are f32 and have been brought into order")
}

/// The tensor itself if its numbers lie in the order of its shape, else a copy.
pub(super) fn in_order<B: Cpu>(tensor: &FloatTensor<B>) -> FloatTensor<B> {
    if B::floats(tensor).is_some() { tensor.clone() } else { B::copied(tensor) }
}

/// The samples of a dense block in order, and the block that reads them so: images may have their channels last.
fn samples<B: Cpu>(block: DenseBlock, input: &FloatTensor<B>) -> (FloatTensor<B>, DenseBlock) {
    let [_, _, height, width] = input.shape()[..] else {
        return (in_order::<B>(input), DenseBlock { pixels: 1, ..block });
    };
    let (input, layout) = in_layout::<B>(input);
    let pixels = match layout {
        Layout::ChannelsFirst => 1,
        Layout::ChannelsLast => height * width,
    };
    (input, DenseBlock { pixels, ..block })
}

/// Images in order, in whichever of the two layouts they are in; a copy if in neither.
pub(super) fn in_layout<B: Cpu>(images: &FloatTensor<B>) -> (FloatTensor<B>, Layout) {
    if B::floats(images).is_some() {
        return (images.clone(), Layout::ChannelsFirst);
    }
    let channels_last = B::float_permute(images.clone(), &[0, 2, 3, 1]);
    if B::floats(&channels_last).is_some() {
        return (channels_last, Layout::ChannelsLast);
    }
    (B::copied(images), Layout::ChannelsFirst)
}

/// Images `[batch, channels, height, width]` from numbers in a layout.
pub(super) fn out_of_layout<B: Cpu>(
    buffer: B::Buffer,
    batch: usize,
    [channels, height, width]: [usize; 3],
    layout: Layout,
) -> FloatTensor<B> {
    match layout {
        Layout::ChannelsFirst => B::tensor(buffer, &[batch, channels, height, width]),
        Layout::ChannelsLast => B::float_permute(B::tensor(buffer, &[batch, height, width, channels]), &[0, 3, 1, 2]),
    }
}
