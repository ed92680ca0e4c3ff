//! One thread's way through the gradients of a few images: all of them, or only those that are not zero.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use super::backward::Task;
use super::full::Masked;
use super::minimal::by_side;
use super::reduce::part_len;
use super::sparse::{Lists, Outputs};
use super::{Pool, full, points, sparse};
use crate::isa::Kernel;
use crate::simd::Simd;
use crate::tile::{self, Panels, Start};

/// A few images of a part.
pub(super) struct Group<'a> {
    pub(super) task: &'a Task<'a>,
    /// Channels last, with the geometry's border.
    pub(super) input: &'a [f32],
    pub(super) outputs: Outputs<'a>,
    /// Room for the points of tiles, or for the gradients at the convolution without pooling.
    pub(super) work: &'a mut [f32],
    /// Room for the gradients that are not zero, with pooling.
    pub(super) lists: Lists<'a>,
    pub(super) sums: &'a mut [f32],
    /// Whether these are the first images of the part, by way of points.
    pub(super) start: Start,
    /// As the input; zero at first, except by way of points, which write all of it.
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
        let needs_codes = geometry.pools() || !outputs.codes.is_empty();
        assert!(!needs_codes || outputs.codes.len() == outputs.gradients.len());
        assert!(self.sums.len() == part_len(geometry));
        if let Some(grad_images) = &self.grad_images {
            assert!(grad_images.len() == images * geometry.grad_image_len());
            assert!(self.task.filters.len() == geometry.filters_len());
        }
        if geometry.transforms_backward() {
            assert!(self.work.len() == geometry.backward_work_len());
            // SAFETY: the lengths are right.
            return unsafe { by_side!(geometry.tile, OUT, AXIS => self.transformed::<S, OUT, AXIS>(s, images)) };
        }
        assert!(self.task.pixels.len() >= units * geometry.unit_pixels);
        if geometry.block.pool == Pool::None {
            assert!(self.work.len() == units * geometry.out_channels());
            // SAFETY: the lengths are right.
            return unsafe { self.all_channels(s, units) };
        }
        let lists = &mut self.lists;
        assert!(lists.values.len() > outputs.gradients.len() && lists.pixels.len() > outputs.gradients.len());
        assert!(lists.ends.len() == geometry.block.out_channels);
        let (input, sums) = (self.input.as_ptr(), self.sums.as_mut_ptr());
        let filters = self.task.filters.as_ptr();
        let grad_images = self.grad_images.map(<[f32]>::as_mut_ptr);
        // SAFETY: the lengths are right, and every channel is listed before the lists are used.
        unsafe {
            if geometry.has_few_channels() {
                sparse::add_to_filters_of_few(s, geometry, outputs, self.task.pixels, input, sums);
                if grad_images.is_some() {
                    sparse::list(geometry, outputs, self.task.pixels, lists);
                }
            } else {
                let bias = sums.add(geometry.sums_len());
                sparse::add_to_bias(s, geometry, outputs, bias);
                sparse::list(geometry, outputs, self.task.pixels, lists);
                sparse::add_to_filters(s, geometry, lists, input, sums);
            }
            if let Some(grad_images) = grad_images {
                sparse::add_to_images(s, geometry, lists, filters, grad_images);
            }
        }
    }
}

impl Group<'_> {
    /// The gradients without pooling, by way of the points of tiles.
    #[inline(always)]
    unsafe fn transformed<S: Simd, const OUT: usize, const AXIS: usize>(&mut self, s: S, images: usize) {
        let geometry = &self.task.geometry;
        let (channels, padded) = (geometry.channels, geometry.out_channels());
        let (image_step, gradient_step) = (geometry.point_step(channels), geometry.point_step(padded));
        let points = geometry.num_points();
        let (sum_step, filter_step) = (geometry.sums_len() / points, geometry.filters_len() / points);
        let (outputs, filters) = (self.outputs, self.task.filters.as_ptr());
        let (out_channels, input) = (geometry.block.out_channels, self.input.as_ptr());
        let sums = self.sums.as_mut_ptr();
        let image_points = self.work.as_mut_ptr();
        let grad_images = self.grad_images.as_mut().map(|images| images.as_mut_ptr());
        for (first, count) in geometry.shares(images) {
            let start = if first == 0 { self.start } else { Start::Result };
            // SAFETY: `run` has checked the lengths that these addresses follow from.
            unsafe {
                let gradient_points = image_points.add(points * image_step);
                let grad_image_points = gradient_points.add(points * gradient_step);
                let bias = sums.add(geometry.sums_len());
                let block = (first, count);
                points::image_points::<S, AXIS>(s, geometry, input, block, image_points);
                points::gradient_points::<S, OUT, AXIS>(s, geometry, outputs, block, gradient_points, bias);
                for point in 0..points {
                    let image_points = image_points.add(point * image_step).cast_const();
                    let gradient_points = gradient_points.add(point * gradient_step).cast_const();
                    let right = Panels {
                        first: gradient_points,
                        panel_step: geometry.columns,
                        row_step: padded,
                        columns: geometry.columns,
                    };
                    let result = (sums.add(point * sum_step), padded, padded);
                    tile::multiply(s, (channels, count), (image_points, 1, channels), right, result, start);
                    if grad_images.is_none() {
                        continue;
                    }
                    let columns = geometry.grad_columns();
                    let right = Panels {
                        first: filters.add(point * filter_step),
                        panel_step: columns * out_channels,
                        row_step: columns,
                        columns,
                    };
                    let result = (grad_image_points.add(point * image_step), channels, channels);
                    let left = (gradient_points, padded, 1);
                    tile::multiply(s, (count, out_channels), left, right, result, Start::Zero);
                }
                if let Some(images) = grad_images {
                    points::write_images::<S, AXIS>(s, geometry, grad_image_points, block, images);
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
            let bias = filters.add(geometry.sums_len());
            full::mask(s, geometry, self.outputs, self.work.as_mut_ptr(), bias);
            let pixels = self.task.pixels.get_unchecked(..units);
            let masked = Masked { gradients: self.work.as_ptr(), pixels };
            full::add_to_filters(s, geometry, masked, self.input.as_ptr(), filters);
            if let Some(grad_images) = &mut self.grad_images {
                let filters = self.task.filters.as_ptr();
                full::add_to_images(s, geometry, masked, filters, grad_images.as_mut_ptr());
            }
        }
    }
}
