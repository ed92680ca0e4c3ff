//! One thread's way through the gradients of a few images: all of them, or only those that are not zero.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use super::backward::Task;
use super::full::Masked;
use super::reduce::part_len;
use super::sparse::{List, Outputs};
use super::{Pool, TAPS, full, sparse};
use crate::isa::Kernel;
use crate::simd::Simd;

/// A few images of a part.
pub(super) struct Group<'a> {
    pub(super) task: &'a Task<'a>,
    /// Channels last, bordered.
    pub(super) input: &'a [f32],
    pub(super) outputs: Outputs<'a>,
    /// Gradients at the convolution, without pooling.
    pub(super) masked: &'a mut [f32],
    pub(super) values: &'a mut [f32],
    pub(super) pixels: &'a mut [u32],
    pub(super) sums: &'a mut [f32],
    /// Channels last, bordered, zero at first.
    pub(super) grad_images: Option<&'a mut [f32]>,
}

impl Kernel for Group<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let geometry = &self.task.geometry;
        let outputs = self.outputs;
        let images = self.input.len() / geometry.image_len();
        let units = images * geometry.units;
        // The addresses below follow from these lengths.
        assert!(self.input.len() == images * geometry.image_len() && S::LANES == geometry.lanes);
        assert!(outputs.gradients.len() == units * geometry.block.out_channels);
        assert!(outputs.codes.len() == outputs.gradients.len());
        assert!(self.task.pixels.len() >= units * geometry.unit_pixels);
        assert!(self.values.len() > units && self.pixels.len() > units);
        assert!(self.sums.len() == part_len(geometry));
        if let Some(grad_images) = &self.grad_images {
            assert!(grad_images.len() == images * geometry.grad_image_len());
            assert!(self.task.filters.len() == geometry.block.out_channels * TAPS * geometry.grad_channels);
        }
        if geometry.block.pool == Pool::None {
            assert!(self.masked.len() == units * geometry.out_channels());
            // SAFETY: the lengths are right.
            return unsafe { self.all_channels(s, units) };
        }
        if geometry.has_few_channels() {
            let filters = self.sums.as_mut_ptr();
            // SAFETY: the lengths are right.
            unsafe {
                sparse::add_to_filters_of_few(s, geometry, outputs, self.task.pixels, self.input.as_ptr(), filters);
            }
            if self.grad_images.is_none() {
                return;
            }
        }
        for channel in 0..geometry.block.out_channels {
            // SAFETY: the lengths are right, and the channel exists.
            unsafe { self.channel(s, channel) };
        }
    }
}

impl Group<'_> {
    /// The gradients without pooling.
    #[inline(always)]
    unsafe fn all_channels<S: Simd>(&mut self, s: S, units: usize) {
        let geometry = &self.task.geometry;
        // SAFETY: the lengths were checked in `run`.
        unsafe {
            let filters = self.sums.as_mut_ptr();
            let bias = filters.add(geometry.filter_len() * geometry.out_channels());
            full::mask(s, geometry, self.outputs, self.masked.as_mut_ptr(), bias);
            let pixels = self.task.pixels.get_unchecked(..units);
            let masked = Masked { gradients: self.masked.as_ptr(), pixels };
            full::add_to_filters(s, geometry, masked, self.input.as_ptr(), filters);
            if let Some(grad_images) = &mut self.grad_images {
                let filters = self.task.filters.as_ptr();
                full::add_to_images(s, geometry, masked, filters, grad_images.as_mut_ptr());
            }
        }
    }

    /// The gradients of one output channel.
    #[inline(always)]
    unsafe fn channel<S: Simd>(&mut self, s: S, channel: usize) {
        let geometry = &self.task.geometry;
        // SAFETY: the lengths were checked in `run`; the caller promises the channel.
        unsafe {
            let (found, sum) =
                sparse::list(geometry, self.outputs, self.task.pixels, channel, self.pixels, self.values);
            let list = List { pixels: self.pixels.get_unchecked(..found), values: self.values.get_unchecked(..found) };
            if !geometry.has_few_channels() {
                let sums = self.sums.as_mut_ptr();
                *sums.add(geometry.filter_len() * geometry.out_channels() + channel) += sum;
                let filter = sums.add(channel * geometry.filter_len());
                sparse::add_to_filter(s, geometry, list, self.input.as_ptr(), filter);
            }
            if let Some(grad_images) = &mut self.grad_images {
                let filter = self.task.filters.as_ptr().add(channel * TAPS * geometry.grad_channels);
                sparse::add_to_images(s, geometry, list, filter, grad_images.as_mut_ptr());
            }
        }
    }
}
