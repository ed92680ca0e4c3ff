//! Normalisation on tensors. Everything is channels last; other memory is copied first.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;

use super::NormCall;
use super::blocks::{Codes, Gradients, Keep, floats, in_order, out_of_layout};
use super::cpu::Cpu;
use super::memory::Recycled;
use crate::conv::Layout;
use crate::norm::{Backward, Forward, NormBlock, Statistics};
use crate::profile::timed;
use crate::{Isa, Workspace};

/// The mean and the variance of a batch, as `[2, channels]`.
pub(super) fn statistics<B: Cpu>(block: NormBlock, images: &FloatTensor<B>) -> FloatTensor<B> {
    let images = channels_last::<B>(images, [block.height, block.width]);
    let found = timed(
        || format!("{} statistics", name(&block)),
        || Workspace::lend(|workspace| block.statistics(Isa::detect(), floats::<B>(&images), workspace)),
    );
    let mut values = B::buffer(2 * block.channels);
    for (value, &exact) in values.as_mut().iter_mut().zip(found.mean.iter().chain(&found.variance)) {
        #[expect(clippy::cast_possible_truncation, reason = "tensors here are f32")]
        let rounded = exact as f32;
        *value = rounded;
    }
    B::tensor(values, &[2, block.channels])
}

/// The output of a normalisation block, and its codes. Takes images, gamma, beta and statistics.
pub(super) fn forward<B: Cpu>(call: &NormCall, tensors: [&FloatTensor<B>; 4], keep: Keep) -> (FloatTensor<B>, Codes) {
    let block = &call.block;
    let [images, gamma, beta, statistics] = tensors;
    let images = channels_last::<B>(images, [block.height, block.width]);
    let [gamma, beta] = [gamma, beta].map(in_order::<B>);
    let batch = floats::<B>(&images).len() / block.input_len();
    let len = batch * block.output_len();
    let mut output = B::buffer(len);
    let mut codes = keep.room(batch * block.codes_len(call.dropout));
    let slices = Forward {
        input: floats::<B>(&images),
        statistics: &read::<B>(statistics),
        gamma: floats::<B>(&gamma),
        beta: floats::<B>(&beta),
        dropout: call.dropout,
        output: output.as_mut(),
        codes: (keep == Keep::Codes).then(|| codes.bytes_mut()),
    };
    timed(
        || format!("{} forward", name(block)),
        || Workspace::lend(|workspace| block.forward(Isa::detect(), slices, workspace)),
    );
    (out_of_layout::<B>(output, batch, block.output_shape(), block.output_layout), Arc::new(codes))
}

/// The gradients of a normalisation block. Takes images, gamma, statistics and the output's gradient.
pub(super) fn backward<B: Cpu>(call: &NormCall, tensors: [&FloatTensor<B>; 4], codes: &Recycled) -> Gradients<B, 3> {
    let [images, gamma, statistics, gradient] = tensors;
    let [_, height, width] = call.block.output_shape();
    let images = channels_last::<B>(images, [call.block.height, call.block.width]);
    let gradient = channels_last::<B>(gradient, [height, width]);
    let gamma = in_order::<B>(gamma);
    // The codes are in no layout's order but their own, so that the gradient may come in either.
    let block = NormBlock { output_layout: Layout::ChannelsLast, ..call.block };
    let input = floats::<B>(&images);
    let mut grad_input = B::buffer(input.len());
    let mut grad_gamma = B::buffer(block.channels);
    let mut grad_beta = B::buffer(block.channels);
    let slices = Backward {
        input,
        statistics: &read::<B>(statistics),
        gamma: floats::<B>(&gamma),
        codes: codes.as_ref(),
        dropout: call.dropout,
        grad_output: floats::<B>(&gradient),
        grad_input: grad_input.as_mut(),
        grad_gamma: grad_gamma.as_mut(),
        grad_beta: grad_beta.as_mut(),
    };
    timed(
        || format!("{} backward", name(&block)),
        || Workspace::lend(|workspace| block.backward(Isa::detect(), slices, workspace)),
    );
    let batch = input.len() / block.input_len();
    let shape = [block.channels, block.height, block.width];
    let grad_input = out_of_layout::<B>(grad_input, batch, shape, Layout::ChannelsLast);
    let [grad_gamma, grad_beta] = [grad_gamma, grad_beta].map(|buffer| B::tensor(buffer, &[block.channels]));
    [Some(grad_input), Some(grad_gamma), Some(grad_beta)]
}

fn name(block: &NormBlock) -> String {
    format!("norm {} on {}×{}", block.channels, block.height, block.width)
}

/// Statistics from `[2, channels]`.
pub(super) fn read<B: Cpu>(statistics: &FloatTensor<B>) -> Statistics {
    let statistics = in_order::<B>(statistics);
    let values: Vec<f64> = floats::<B>(&statistics).iter().copied().map(f64::from).collect();
    let (mean, variance) = values.split_at(values.len() / 2);
    Statistics { mean: mean.to_vec(), variance: variance.to_vec() }
}

/// Images `[batch, channels, height, width]` in order, channels last.
pub(super) fn channels_last<B: Cpu>(images: &FloatTensor<B>, [height, width]: [usize; 2]) -> FloatTensor<B> {
    if height * width == 1 {
        return in_order::<B>(images);
    }
    in_order::<B>(&B::float_permute(images.clone(), &[0, 2, 3, 1]))
}
