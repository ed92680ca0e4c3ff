//! Normalisation on `flex`'s tensors. Everything is channels last; other memory is copied first.

use std::sync::Arc;

use super::NormCall;
use super::flex::{Floats, Gradients, Keep, contiguous, floats, out_of_layout, tensor};
use crate::conv::Layout;
use crate::norm::{Backward, Forward, NormBlock, Statistics};
use crate::{Isa, Workspace};

/// The mean and the variance of a batch, as `[2, channels]`.
pub(super) fn statistics(block: NormBlock, images: &Floats) -> Floats {
    let images = channels_last(images, [block.height, block.width]);
    let found = Workspace::lend(|workspace| block.statistics(Isa::detect(), floats(&images), workspace));
    #[expect(clippy::cast_possible_truncation, reason = "tensors here are f32")]
    let values = found.mean.iter().chain(&found.variance).map(|&value| value as f32).collect();
    tensor(values, [2, block.channels])
}

/// The output of a normalisation block, and its codes. Takes images, gamma, beta and statistics.
pub(super) fn forward(call: &NormCall, tensors: [&Floats; 4], keep: Keep) -> (Floats, Arc<Vec<u8>>) {
    let block = &call.block;
    let [images, gamma, beta, statistics] = tensors;
    let images = channels_last(images, [block.height, block.width]);
    let [gamma, beta] = [gamma, beta].map(contiguous);
    let batch = floats(&images).len() / block.input_len();
    let len = batch * block.output_len();
    let mut output = vec![0.0; len];
    let mut codes = vec![0; if keep == Keep::Codes { len } else { 0 }];
    let slices = Forward {
        input: floats(&images),
        statistics: &read(statistics),
        gamma: floats(&gamma),
        beta: floats(&beta),
        dropout: call.dropout,
        output: &mut output,
        codes: (keep == Keep::Codes).then_some(&mut codes),
    };
    Workspace::lend(|workspace| block.forward(Isa::detect(), slices, workspace));
    (out_of_layout(output, batch, block.output_shape(), block.output_layout), Arc::new(codes))
}

/// The gradients of a normalisation block. Takes images, gamma, statistics and the output's gradient.
pub(super) fn backward(call: &NormCall, tensors: [&Floats; 4], codes: &[u8]) -> Gradients {
    let [images, gamma, statistics, gradient] = tensors;
    let [_, height, width] = call.block.output_shape();
    let images = channels_last(images, [call.block.height, call.block.width]);
    let gradient = channels_last(gradient, [height, width]);
    let gamma = contiguous(gamma);
    // The codes are in no layout's order but their own, so that the gradient may come in either.
    let block = NormBlock { output_layout: Layout::ChannelsLast, ..call.block };
    let input = floats(&images);
    let mut grad_input = vec![0.0; input.len()];
    let mut grad_gamma = vec![0.0; block.channels];
    let mut grad_beta = vec![0.0; block.channels];
    let slices = Backward {
        input,
        statistics: &read(statistics),
        gamma: floats(&gamma),
        codes,
        dropout: call.dropout,
        grad_output: floats(&gradient),
        grad_input: &mut grad_input,
        grad_gamma: &mut grad_gamma,
        grad_beta: &mut grad_beta,
    };
    Workspace::lend(|workspace| block.backward(Isa::detect(), slices, workspace));
    let batch = input.len() / block.input_len();
    let shape = [block.channels, block.height, block.width];
    let grad_input = out_of_layout(grad_input, batch, shape, Layout::ChannelsLast);
    (Some(grad_input), tensor(grad_gamma, [block.channels]), tensor(grad_beta, [block.channels]))
}

/// Statistics from `[2, channels]`.
fn read(statistics: &Floats) -> Statistics {
    let statistics = contiguous(statistics);
    let values: Vec<f64> = floats(&statistics).iter().copied().map(f64::from).collect();
    let (mean, variance) = values.split_at(values.len() / 2);
    Statistics { mean: mean.to_vec(), variance: variance.to_vec() }
}

/// Images `[batch, channels, height, width]` as contiguous numbers, channels last.
fn channels_last(images: &Floats, [height, width]: [usize; 2]) -> Floats {
    if height * width == 1 {
        return contiguous(images);
    }
    let images = images.permute(&[0, 2, 3, 1]);
    if images.as_slice::<f32>().is_some() { images } else { images.to_contiguous() }
}
