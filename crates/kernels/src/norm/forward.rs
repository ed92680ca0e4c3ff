//! The forward pass of a normalisation block.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use super::{NormBlock, PARTS, Statistics};
use crate::check_len;
use crate::conv::Layout;
use crate::dropout::Dropout;
use crate::ending::Ending;
use crate::groups::for_each_group;
use crate::isa::{self, Isa, Kernel};
use crate::simd::Simd;
use crate::transpose::transpose;
use crate::workspace::{Scratch, Workspace};

/// The slices of a forward pass.
///
/// # Shapes
///
/// - `input`: `[batch, height, width, channels]`
/// - `gamma`, `beta`: `[channels]`
/// - `output`: `[batch, …]` of the block's output shape, in its output layout
/// - `codes`: as `output`, always channels last, or empty: as many as [`NormBlock::codes_len`] says; not needed for
///   inference
#[derive(Debug)]
pub struct Forward<'a> {
    /// Images.
    pub input: &'a [f32],
    /// What to normalise by: the batch's own statistics, or in inference the running ones.
    pub statistics: &'a Statistics,
    /// Factor after the normalisation.
    pub gamma: &'a [f32],
    /// Added after that.
    pub beta: &'a [f32],
    /// Dropout of this step, in training.
    pub dropout: Option<Dropout>,
    /// Filled with the result.
    pub output: &'a mut [f32],
    /// Filled with what the backward pass needs, next to the input and the statistics.
    pub codes: Option<&'a mut [u8]>,
}

impl NormBlock {
    /// Computes the output of the block.
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn forward(&self, isa: Isa, slices: Forward<'_>, workspace: &mut Workspace) {
        let Forward { input, statistics, gamma, beta, dropout, output, codes } = slices;
        let (input_len, output_len) = (self.input_len(), self.output_len());
        let batch = input.len() / input_len;
        check_len("input", input.len(), batch * input_len);
        check_len("output", output.len(), batch * output_len);
        check_len("gamma", gamma.len(), self.channels);
        check_len("beta", beta.len(), self.channels);
        if let Some(codes) = &codes {
            check_len("codes", codes.len(), batch * self.codes_len(dropout));
        }
        let codes = codes.filter(|codes| !codes.is_empty());
        let (factor, offset) = workspace.bias.floats(2 * self.channels).split_at_mut(self.channels);
        for (channel, deviation) in statistics.deviations(self).enumerate() {
            let scale = f64::from(gamma[channel]) / deviation;
            factor[channel] = as_f32(scale);
            offset[channel] = as_f32(f64::from(beta[channel]) - scale * statistics.mean[channel]);
        }

        let (factor, offset) = (&*factor, &*offset);
        let (input, output) = ((input, input_len), (output, output_len));
        for_each_group(self.images_together(), input, output, codes, |first_sample, input, output, codes| {
            let run = |output: &mut [f32]| {
                let block = self;
                isa::run(isa, Images { block, first_sample, input, factor, offset, dropout, output, codes });
            };
            if self.output_layout == Layout::ChannelsLast {
                return run(output);
            }
            Scratch::with(|scratch| {
                let own = scratch.outputs.floats(output.len());
                run(own);
                transpose(isa, own, output_len / self.channels, self.channels, output);
            });
        });
    }
}

impl Statistics {
    /// The deviation of each channel, `√(variance + epsilon)`.
    pub(super) fn deviations(&self, block: &NormBlock) -> impl Iterator<Item = f64> {
        check_len("mean", self.mean.len(), block.channels);
        check_len("variance", self.variance.len(), block.channels);
        let epsilon = f64::from(block.epsilon);
        self.variance.iter().map(move |variance| (variance + epsilon).sqrt())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the kernels work in f32")]
pub(super) fn as_f32(value: f64) -> f32 {
    value as f32
}

/// A few images of one thread.
struct Images<'a> {
    block: &'a NormBlock,
    first_sample: usize,
    input: &'a [f32],
    factor: &'a [f32],
    offset: &'a [f32],
    dropout: Option<Dropout>,
    /// Channels last.
    output: &'a mut [f32],
    codes: Option<&'a mut [u8]>,
}

impl Kernel for Images<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (block, channels) = (self.block, self.block.channels);
        let (input_len, output_len) = (block.input_len(), block.output_len());
        let images = self.input.len() / input_len;
        // The addresses below follow from these lengths.
        assert!(self.output.len() == images * output_len);
        assert!(self.codes.as_ref().is_none_or(|codes| codes.len() == self.output.len()));
        assert!(self.factor.len() == channels && self.offset.len() == channels);
        for image in 0..images {
            let ending = Ending::new(block.activation, self.dropout, self.first_sample + image);
            for unit in 0..output_len / channels {
                let pixels = block.pixels(unit);
                for first in (0..channels).step_by(S::LANES) {
                    let left = channels - first;
                    let element = unit * channels + first;
                    let to = image * output_len + element;
                    // SAFETY: every pixel of the image and of the output has `left` channels from `first`.
                    unsafe {
                        let from = self.input.as_ptr().add(image * input_len + first);
                        let factor = s.load_some(self.factor.as_ptr().add(first), left);
                        let offset = s.load_some(self.offset.as_ptr().add(first), left);
                        let at = |pixel: usize| s.fma(s.load_some(from.add(pixel * channels), left), factor, offset);
                        let mut value = at(pixels[0]);
                        let mut code = s.u_splat(0);
                        for part in 1..block.parts() {
                            let other = at(pixels[part]);
                            code = s.u_select(s.gt(other, value), s.u_splat(PARTS[part]), code);
                            value = s.max(other, value);
                        }
                        let (value, code) = ending.apply(s, ending.kept(s, element), value, code);
                        s.store_some(self.output.as_mut_ptr().add(to), value, left);
                        if let Some(codes) = &mut self.codes {
                            s.store_some_bytes(codes.as_mut_ptr().add(to), code, left);
                        }
                    }
                }
            }
        }
    }
}
