//! The blocks on `flex`'s tensors: slices in, slices out, without copies where memory allows.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::TensorData;

use super::{AdamCall, AdamTensors, ConvCall, DenseCall, FusedBackend, NormCall, UpdateBackend, norm};
use crate::conv::{self, ConvBlock, Layout};
use crate::norm::NormBlock;
use crate::{Isa, Workspace, dense};

pub(super) type Floats = FloatTensor<Flex>;

impl FusedBackend for Flex {
    fn fused_conv(images: Floats, weight: Floats, bias: Floats, call: ConvCall) -> Floats {
        conv_forward(&call, &images, &weight, &bias, Keep::Nothing).0
    }

    fn fused_dense(input: Floats, weight: Floats, bias: Floats, call: DenseCall) -> Floats {
        dense_forward(&call, &input, &weight, &bias)
    }

    fn fused_norm(images: Floats, gamma: Floats, beta: Floats, statistics: Floats, call: NormCall) -> Floats {
        norm::forward(&call, [&images, &gamma, &beta, &statistics], Keep::Nothing).0
    }
}

impl UpdateBackend for Flex {
    fn fused_statistics(images: Floats, block: NormBlock) -> Floats {
        norm::statistics(block, &images)
    }

    fn fused_adam(tensors: AdamTensors<Self>, call: AdamCall) -> AdamTensors<Self> {
        let AdamTensors { parameter, gradient, moment_1, moment_2 } = tensors;
        let [mut parameter, gradient, mut moment_1, mut moment_2] =
            [parameter, gradient, moment_1, moment_2].map(|tensor| contiguous(&tensor));
        call.adam.update(
            Isa::detect(),
            call.learning_rate,
            call.step,
            parameter.storage_mut(),
            floats(&gradient),
            moment_1.storage_mut(),
            moment_2.storage_mut(),
        );
        AdamTensors { parameter, gradient, moment_1, moment_2 }
    }
}

/// Whether a forward pass keeps what the backward pass needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Codes,
    Nothing,
}

/// Gradients of a block: input (if asked for), weight, bias.
pub(super) type Gradients = (Option<Floats>, Floats, Floats);

/// The output of a convolution block, and its codes.
pub(super) fn conv_forward(
    call: &ConvCall,
    images: &Floats,
    weight: &Floats,
    bias: &Floats,
    keep: Keep,
) -> (Floats, Arc<Vec<u8>>) {
    let (images, input_layout) = in_layout(images);
    let block = ConvBlock { input_layout, ..call.block };
    let input = floats(&images);
    let batch = input.len() / block.input_len();
    let len = batch * block.output_len();
    let mut output = vec![0.0; len];
    let mut codes = vec![0; if keep == Keep::Codes { len } else { 0 }];
    let (weight, bias) = (contiguous(weight), contiguous(bias));
    let slices = conv::Forward {
        input,
        weight: floats(&weight),
        bias: floats(&bias),
        dropout: call.dropout,
        output: &mut output,
        codes: (keep == Keep::Codes).then_some(&mut codes),
    };
    Workspace::lend(|workspace| block.forward(Isa::detect(), slices, workspace));
    let output = out_of_layout(output, batch, block.output_shape(), block.output_layout);
    (output, Arc::new(codes))
}

/// The gradients of a convolution block.
pub(super) fn conv_backward(
    call: &ConvCall,
    images: &Floats,
    weight: &Floats,
    codes: &[u8],
    gradient: &Floats,
    wants_input: Wants,
) -> Gradients {
    let (images, input_layout) = in_layout(images);
    // The codes are in no layout's order but their own, so that the gradient may come in either.
    let (gradient, output_layout) = in_layout(gradient);
    let block = ConvBlock { input_layout, output_layout, ..call.block };
    let input = floats(&images);
    let weight = contiguous(weight);
    let mut grad_input = vec![0.0; if wants_input == Wants::Input { input.len() } else { 0 }];
    let mut grad_weight = vec![0.0; block.weight_len()];
    let mut grad_bias = vec![0.0; block.out_channels];
    let slices = conv::Backward {
        input,
        weight: floats(&weight),
        codes,
        dropout: call.dropout,
        grad_output: floats(&gradient),
        grad_input: (wants_input == Wants::Input).then_some(&mut grad_input),
        grad_weight: &mut grad_weight,
        grad_bias: &mut grad_bias,
    };
    Workspace::lend(|workspace| block.backward(Isa::detect(), slices, workspace));
    let batch = input.len() / block.input_len();
    let shape = [block.in_channels, block.height, block.width];
    let grad_input = (wants_input == Wants::Input).then(|| out_of_layout(grad_input, batch, shape, input_layout));
    let weight_shape = [block.out_channels, block.in_channels, 3, 3];
    (grad_input, tensor(grad_weight, weight_shape), tensor(grad_bias, [block.out_channels]))
}

/// Whether the gradient of the input is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Input,
    Parameters,
}

/// The output of a dense block.
pub(super) fn dense_forward(call: &DenseCall, input: &Floats, weight: &Floats, bias: &Floats) -> Floats {
    let block = &call.block;
    let [input, weight, bias] = [input, weight, bias].map(contiguous);
    let batch = floats(&input).len() / block.inputs;
    let mut output = vec![0.0; batch * block.outputs];
    let slices = dense::Forward {
        input: floats(&input),
        weight: floats(&weight),
        bias: floats(&bias),
        dropout: call.dropout,
        output: &mut output,
    };
    Workspace::lend(|workspace| block.forward(Isa::detect(), slices, workspace));
    tensor(output, [batch, block.outputs])
}

/// The gradients of a dense block.
pub(super) fn dense_backward(
    call: &DenseCall,
    [input, weight, output, gradient]: [&Floats; 4],
    wants_input: Wants,
) -> Gradients {
    let block = &call.block;
    let [input, weight, output, gradient] = [input, weight, output, gradient].map(contiguous);
    let input = floats(&input);
    let mut grad_input = vec![0.0; if wants_input == Wants::Input { input.len() } else { 0 }];
    let mut grad_weight = vec![0.0; block.inputs * block.outputs];
    let mut grad_bias = vec![0.0; block.outputs];
    let slices = dense::Backward {
        input,
        weight: floats(&weight),
        output: floats(&output),
        dropout: call.dropout,
        grad_output: floats(&gradient),
        grad_input: (wants_input == Wants::Input).then_some(&mut grad_input),
        grad_weight: &mut grad_weight,
        grad_bias: &mut grad_bias,
    };
    Workspace::lend(|workspace| block.backward(Isa::detect(), slices, workspace));
    let batch = input.len() / block.inputs;
    let grad_input = (wants_input == Wants::Input).then(|| tensor(grad_input, [batch, block.inputs]));
    let weight_shape = [block.inputs, block.outputs];
    (grad_input, tensor(grad_weight, weight_shape), tensor(grad_bias, [block.outputs]))
}

/// A tensor of new numbers.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Floats {
    Floats::from_data(TensorData::new(values, shape))
}

/// The numbers of a contiguous tensor.
pub(super) fn floats(tensor: &Floats) -> &[f32] {
    tensor.as_slice().expect("tensors here are f32 and have been made contiguous")
}

/// The tensor itself if its numbers lie in the order of its shape and fill its memory, else a copy.
pub(super) fn contiguous(tensor: &Floats) -> Floats {
    let whole = tensor.as_slice::<f32>().is_some_and(|own| own.len() == tensor.storage::<f32>().len());
    if whole { tensor.clone() } else { tensor.to_contiguous() }
}

/// Images as contiguous numbers, in whichever of the two layouts they are in; a copy if in neither.
fn in_layout(images: &Floats) -> (Floats, Layout) {
    if images.as_slice::<f32>().is_some() {
        return (images.clone(), Layout::ChannelsFirst);
    }
    let channels_last = images.permute(&[0, 2, 3, 1]);
    if channels_last.as_slice::<f32>().is_some() {
        return (channels_last, Layout::ChannelsLast);
    }
    (images.to_contiguous(), Layout::ChannelsFirst)
}

/// Images `[batch, channels, height, width]` from numbers in a layout.
pub(super) fn out_of_layout(
    values: Vec<f32>,
    batch: usize,
    [channels, height, width]: [usize; 3],
    layout: Layout,
) -> Floats {
    match layout {
        Layout::ChannelsFirst => tensor(values, [batch, channels, height, width]),
        Layout::ChannelsLast => tensor(values, [batch, height, width, channels]).permute(&[0, 3, 1, 2]),
    }
}
