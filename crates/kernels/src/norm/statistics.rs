//! Sums over the batch per channel, in an order that depends on shapes alone.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use rayon::prelude::*;

use super::{NormBlock, Statistics};
use crate::check_len;
use crate::isa::{self, Isa, Kernel};
use crate::simd::Simd;
use crate::threads;
use crate::workspace::{Buffer, Workspace};

impl NormBlock {
    /// The statistics of a batch.
    ///
    /// Sums are taken in f32 over a few thousand numbers around the first pixel's value, and those in
    /// f64, so that a large mean costs no digits of the variance.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, height, width, channels]`
    ///
    /// # Panics
    ///
    /// If the input is empty or no whole number of images.
    #[must_use]
    pub fn statistics(&self, isa: Isa, input: &[f32], workspace: &mut Workspace) -> Statistics {
        let batch = input.len() / self.input_len();
        check_len("input", input.len(), batch * self.input_len());
        assert!(batch > 0, "input: expected at least one image");
        let shift = &input[..self.channels];
        let images = input.par_chunks(self.images_together() * self.input_len());
        let [sums, squares] = add_parts(&mut workspace.partials, self.channels, images, |input, sums| {
            isa::run(isa, Moments { input, shift, sums });
        });
        let count = as_f64(input.len() / self.channels);
        let moments = shift.iter().zip(sums.iter().zip(&squares));
        let (mean, variance) = moments
            .map(|(&shift, (sum, square))| {
                let mean = sum / count;
                (mean + f64::from(shift), (square / count - mean * mean).max(0.0))
            })
            .unzip();
        Statistics { mean, variance }
    }
}

/// Two sums per channel, `[sums, squares or products]`: each part into its own `[2, channels]`, then all of
/// them in f64 in their order.
pub(super) fn add_parts<T: Send>(
    partials: &mut Buffer,
    channels: usize,
    parts: impl IndexedParallelIterator<Item = T>,
    add: impl Fn(T, &mut [f32]) + Sync,
) -> [Vec<f64>; 2] {
    let partials = partials.zeros(parts.len() * 2 * channels);
    threads::for_each(partials.par_chunks_mut(2 * channels).zip(parts), |(sums, part)| add(part, sums));
    let mut totals = [vec![0.0; channels], vec![0.0; channels]];
    for sums in partials.chunks_exact(2 * channels) {
        for (totals, sums) in totals.iter_mut().zip(sums.chunks_exact(channels)) {
            for (total, &sum) in totals.iter_mut().zip(sums) {
                *total += f64::from(sum);
            }
        }
    }
    totals
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Sums and sums of squares of the channels of some pixels, less a shift.
struct Moments<'a> {
    input: &'a [f32],
    shift: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Moments<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let channels = self.shift.len();
        assert!(self.sums.len() == 2 * channels);
        for first in (0..channels).step_by(S::LANES) {
            let left = channels - first;
            let (mut sum, mut square) = (s.splat(0.0), s.splat(0.0));
            // SAFETY: every row of the input, the shift and both rows of sums have `left` numbers from
            // `first` on.
            unsafe {
                let shift = s.mul(s.splat(-1.0), s.load_some(self.shift.as_ptr().add(first), left));
                for row in self.input.chunks_exact(channels) {
                    let x = s.add(s.load_some(row.as_ptr().add(first), left), shift);
                    sum = s.add(sum, x);
                    square = s.fma(x, x, square);
                }
                s.store_some(self.sums.as_mut_ptr().add(first), sum, left);
                s.store_some(self.sums.as_mut_ptr().add(channels + first), square, left);
            }
        }
    }
}
