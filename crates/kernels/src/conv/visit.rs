//! One thread's way through the gradients of a few images: all of them, or only those that are not zero.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use super::backward::Task;
use super::full::Masked;
use super::minimal::{self, POINTS, Start};
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
            let taps = geometry.backward_taps();
            assert!(self.task.filters.len() == geometry.block.out_channels * taps * geometry.grad_channels);
        }
        if geometry.transforms_backward() {
            assert!(self.masked.len() == geometry.backward_work_len());
            // SAFETY: the lengths are right.
            return unsafe { self.transformed(s, images) };
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
    /// The gradients without pooling, by way of the points of tiles.
    #[inline(always)]
    unsafe fn transformed<S: Simd>(&mut self, s: S, images: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            match (self.task.geometry.columns == S::LANES, self.task.geometry.grad_columns() == S::LANES) {
                (true, true) => self.points::<S, 1, 1>(s, images),
                (true, false) => self.points::<S, 1, 2>(s, images),
                (false, true) => self.points::<S, 2, 1>(s, images),
                (false, false) => self.points::<S, 2, 2>(s, images),
            }
        }
    }

    /// The same with `Q` vectors of output channels, and `R` of input channels, in a block of columns.
    #[inline(always)]
    unsafe fn points<S: Simd, const Q: usize, const R: usize>(&mut self, s: S, images: usize) {
        let geometry = &self.task.geometry;
        let (channels, padded, room) = (geometry.channels, geometry.out_channels(), geometry.tiles_together());
        let (outputs, filters) = (self.outputs, self.task.filters.as_ptr());
        let (out_channels, input) = (geometry.block.out_channels, self.input.as_ptr());
        let sums = self.sums.as_mut_ptr();
        let image_points = self.masked.as_mut_ptr();
        let grad_images = self.grad_images.as_mut().map(|images| images.as_mut_ptr());
        let tiles = minimal::num_tiles(geometry, images);
        for first in (0..tiles).step_by(room) {
            let count = room.min(tiles - first);
            // SAFETY: `run` has checked the lengths that these addresses follow from.
            unsafe {
                let gradient_points = image_points.add(POINTS * room * channels);
                let grad_image_points = gradient_points.add(POINTS * room * padded);
                let bias = sums.add(POINTS * channels * padded);
                let block = (first, count);
                minimal::image_points(s, geometry, input, block, image_points, room);
                minimal::gradient_points(s, geometry, outputs, block, (gradient_points, room), bias);
                for point in 0..POINTS {
                    let image_points = image_points.add(point * room * channels).cast_const();
                    let gradient_points = gradient_points.add(point * room * padded).cast_const();
                    for column in (0..padded).step_by(geometry.columns) {
                        let right = (gradient_points.add(column), padded);
                        let sums = (sums.add(point * channels * padded + column), padded);
                        let left = (image_points, 1, channels);
                        minimal::multiply::<S, Q>(s, (channels, count), left, right, sums, Start::Result);
                    }
                    if grad_images.is_none() {
                        continue;
                    }
                    let columns = geometry.grad_columns();
                    for column in (0..channels).step_by(columns) {
                        let right = (filters.add((point * channels + column) * out_channels), columns);
                        let result = (grad_image_points.add(point * room * channels + column), channels);
                        let left = (gradient_points, padded, 1);
                        minimal::multiply::<S, R>(s, (count, out_channels), left, right, result, Start::Zero);
                    }
                }
                if let Some(images) = grad_images {
                    minimal::add_to_images(s, geometry, (grad_image_points, room), block, images);
                }
            }
        }
    }

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
