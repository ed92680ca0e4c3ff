//! The inner loops of the backward pass. After the activation, pooling and dropout most of the
//! gradients at the convolution are exactly zero; only the others are visited.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and vectors of a tile are counted alike in registers and in memory"
)]

use rayon::prelude::*;

use super::geometry::Geometry;
use super::points::WINDOW;
use super::{DEAD, SIDE, TAPS, grey};
use crate::simd::Simd;
use crate::threads;

/// The non-zero gradients of one output channel: where they are and what they are.
#[derive(Clone, Copy)]
struct List<'a> {
    pixels: &'a [u32],
    values: &'a [f32],
}

/// Lists of all output channels, one after the other.
pub(super) struct Lists<'a> {
    /// At least as many as there are outputs, and one more.
    pub(super) pixels: &'a mut [u32],
    /// As many.
    pub(super) values: &'a mut [f32],
    /// Where the list of each channel ends.
    pub(super) ends: &'a mut [usize],
}

impl Lists<'_> {
    /// # Safety
    ///
    /// The channel must have been listed.
    #[inline(always)]
    unsafe fn of(&self, channel: usize) -> List<'_> {
        // SAFETY: the caller promises that the ends are such.
        unsafe {
            let first = if channel == 0 { 0 } else { *self.ends.get_unchecked(channel - 1) };
            let range = first..*self.ends.get_unchecked(channel);
            List { pixels: self.pixels.get_unchecked(range.clone()), values: self.values.get_unchecked(range) }
        }
    }
}

/// Gradients and codes of a few images, channels last; no codes where every gradient goes back to its own pixel.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a> {
    pub(super) gradients: &'a [f32],
    pub(super) codes: &'a [u8],
    pub(super) scale: f32,
}

impl Outputs<'_> {
    /// The gradients of a vector of outputs, wherever they go.
    ///
    /// # Safety
    ///
    /// The outputs must have `left` gradients from `at` on.
    #[inline(always)]
    pub(super) unsafe fn gradient_at<S: Simd>(&self, s: S, at: usize, left: usize) -> S::F {
        // SAFETY: as the caller promises.
        unsafe { s.mul(s.load_some(self.gradients.as_ptr().wrapping_add(at), left), s.splat(self.scale)) }
    }

    /// The gradients of a vector of outputs without pooling, zero where they stop.
    ///
    /// # Safety
    ///
    /// The outputs must have `left` gradients from `at` on, and as many codes if they have any.
    #[inline(always)]
    pub(super) unsafe fn at<S: Simd>(&self, s: S, at: usize, left: usize) -> S::F {
        // SAFETY: as the caller promises.
        unsafe {
            let gradient = self.gradient_at(s, at, left);
            if self.codes.is_empty() {
                return gradient;
            }
            let code = s.load_some_bytes(self.codes.as_ptr().wrapping_add(at), left);
            s.select(s.u_eq(code, s.u_splat(u32::from(DEAD))), s.splat(0.0), gradient)
        }
    }
}

/// Adds the gradients of every channel to `bias`.
///
/// # Safety
///
/// There must be a code for every output, and `bias` hold whole vectors.
#[inline(always)]
pub(super) unsafe fn add_to_bias<S: Simd>(s: S, geometry: &Geometry, outputs: Outputs<'_>, bias: *mut f32) {
    let channels = geometry.block.out_channels;
    for channel in (0..channels).step_by(S::LANES) {
        let mut sum = s.splat(0.0);
        // SAFETY: as the caller promises; loads stop at the last channel.
        unsafe {
            for unit in 0..outputs.gradients.len() / channels {
                sum = s.add(sum, outputs.at(s, unit * channels + channel, channels - channel));
            }
            let bias = bias.add(channel);
            s.store(bias, s.add(s.load(bias), sum));
        }
    }
}

/// Lists the gradients of every channel.
///
/// # Safety
///
/// There must be a code for every output, and a pixel in `at` for every part of it; the lists must be as long as they
/// say.
#[inline(always)]
pub(super) unsafe fn list(geometry: &Geometry, outputs: Outputs<'_>, at: &[u32], lists: &mut Lists<'_>) {
    let channels = geometry.block.out_channels;
    let mask = geometry.unit_pixels - 1;
    let mut found = 0;
    for channel in 0..channels {
        let mut index = channel;
        for unit in 0..outputs.gradients.len() / channels {
            // SAFETY: `index` is `unit · channels + channel`; no more are found than there are outputs.
            unsafe {
                let code = *outputs.codes.get_unchecked(index);
                let value = *outputs.gradients.get_unchecked(index) * outputs.scale;
                let lives = code < DEAD;
                let pixel = unit * geometry.unit_pixels + (usize::from(code) & mask);
                *lists.pixels.get_unchecked_mut(found) = *at.get_unchecked(pixel);
                *lists.values.get_unchecked_mut(found) = value;
                // Not a branch: which ones live cannot be guessed.
                found += usize::from(lives);
            }
            index += channels;
        }
        // SAFETY: the caller promises an end for every channel.
        unsafe { *lists.ends.get_unchecked_mut(channel) = found };
    }
}

/// Adds to the filters' gradients `[out_channels][TAPS][channels]`: each value times the pixels under the kernel.
///
/// A few columns of all pixels stay in the first-level cache while all lists are gone through.
///
/// # Safety
///
/// All channels must be listed. Each pixel of a list must have its three rows of three pixels inside `images`;
/// `channels` must be a multiple of the lanes.
#[inline(always)]
pub(super) unsafe fn add_to_filters<S: Simd>(
    s: S,
    geometry: &Geometry,
    lists: &Lists<'_>,
    images: *const f32,
    filters: *mut f32,
) {
    let mut channel = 0;
    while channel < geometry.channels {
        // SAFETY: the caller promises the addresses; a step is made only where its channels are left.
        unsafe {
            let (images, filters) = (images.add(channel), filters.add(channel));
            let wide = S::WIDE && geometry.channels - channel >= 2 * S::LANES;
            for out in 0..geometry.block.out_channels {
                let filter = filters.add(out * geometry.filter_len());
                match (wide, geometry.channels == 2 * S::LANES) {
                    (true, true) => filter_columns::<S, 2, true>(s, geometry, lists.of(out), images, filter),
                    (true, false) => filter_columns::<S, 2, false>(s, geometry, lists.of(out), images, filter),
                    (false, _) => filter_columns::<S, 1, false>(s, geometry, lists.of(out), images, filter),
                }
            }
            channel += if wide { 2 * S::LANES } else { S::LANES };
        }
    }
}

/// `ALL` tells the compiler that there are no other columns: pixels are a known number of bytes apart then, and an
/// instruction can both reach one and compute with it.
#[inline(always)]
unsafe fn filter_columns<S: Simd, const Q: usize, const ALL: bool>(
    s: S,
    geometry: &Geometry,
    list: List<'_>,
    images: *const f32,
    filter: *mut f32,
) {
    let channels = if ALL { Q * S::LANES } else { geometry.channels };
    let row = geometry.width * channels;
    // SAFETY: as for `add_to_filters`.
    unsafe {
        let mut sums: [[S::F; Q]; TAPS] = crate::tile::load::<S, TAPS, Q>(s, filter, channels);
        for (&pixel, &value) in list.pixels.iter().zip(list.values) {
            let value = s.splat(value);
            let first = images.add(pixel as usize * channels);
            let rows = [first, first.add(row), first.add(2 * row)];
            for tap in 0..TAPS {
                for q in 0..Q {
                    let x = s.load(rows[tap / SIDE].add(tap % SIDE * channels + q * S::LANES));
                    sums[tap][q] = s.fma(value, x, sums[tap][q]);
                }
            }
        }
        crate::tile::store::<S, TAPS, Q>(s, &sums, filter, channels, Q * S::LANES);
    }
}

/// Adds to the gradient of the images: each value times the filter of `[out_channels][TAPS][grad_channels]`.
///
/// # Safety
///
/// All channels must be listed. Each pixel of a list must have its three rows of three pixels inside `grad_images`.
#[inline(always)]
pub(super) unsafe fn add_to_images<S: Simd>(
    s: S,
    geometry: &Geometry,
    lists: &Lists<'_>,
    filters: *const f32,
    grad_images: *mut f32,
) {
    let mut channel = 0;
    while channel < geometry.grad_channels {
        // SAFETY: as for `add_to_filters`.
        unsafe {
            let (filters, grad_images) = (filters.add(channel), grad_images.add(channel));
            let wide = geometry.grad_channels - channel >= 2 * S::LANES;
            for out in 0..geometry.block.out_channels {
                let filter = filters.add(out * TAPS * geometry.grad_channels);
                match (wide, geometry.grad_channels == 2 * S::LANES) {
                    (true, true) => image_columns::<S, 2, true>(s, geometry, lists.of(out), filter, grad_images),
                    (true, false) => image_columns::<S, 2, false>(s, geometry, lists.of(out), filter, grad_images),
                    (false, _) => image_columns::<S, 1, false>(s, geometry, lists.of(out), filter, grad_images),
                }
            }
            channel += if wide { 2 * S::LANES } else { S::LANES };
        }
    }
}

/// `ALL` as for [`filter_columns`].
#[inline(always)]
unsafe fn image_columns<S: Simd, const Q: usize, const ALL: bool>(
    s: S,
    geometry: &Geometry,
    list: List<'_>,
    filter: *const f32,
    grad_images: *mut f32,
) {
    let channels = if ALL { Q * S::LANES } else { geometry.grad_channels };
    let row = geometry.width * channels;
    // SAFETY: as for `add_to_images`.
    unsafe {
        let weights: [[S::F; Q]; TAPS] = crate::tile::load::<S, TAPS, Q>(s, filter, channels);
        for (&pixel, &value) in list.pixels.iter().zip(list.values) {
            let value = s.splat(value);
            let first = grad_images.add(pixel as usize * channels);
            let rows = [first, first.add(row), first.add(2 * row)];
            for tap in 0..TAPS {
                for q in 0..Q {
                    let at = rows[tap / SIDE].add(tap % SIDE * channels + q * S::LANES);
                    s.store(at, s.fma(value, weights[tap][q], s.load(at)));
                }
            }
        }
    }
}

/// The weight gradient with pooling where input channels are few: lanes are output channels, and nothing is skipped.
/// `filters` is `[TAPS · channels][out_channels]`, rows as long as whole tiles; the row after the last
/// is the gradient of the bias.
///
/// # Safety
///
/// There must be a code for every output, and in `at` a pixel for every part of it, each with its three rows of three
/// pixels inside `images`.
#[inline(always)]
pub(super) unsafe fn add_to_filters_of_few<S: Simd>(
    s: S,
    geometry: &Geometry,
    outputs: Outputs<'_>,
    at: &[u32],
    images: *const f32,
    filters: *mut f32,
) {
    for first in (0..geometry.block.out_channels).step_by(S::LANES) {
        for channel in 0..geometry.channels {
            // SAFETY: the caller promises the addresses.
            unsafe {
                let (images, filters) = (images.add(channel), filters.add(first));
                if S::LANES >= grey::PATCH * grey::PATCH && geometry.channels == 1 {
                    grey::add_to_filters(s, geometry, outputs, at, first, images, filters);
                } else {
                    few_columns(s, geometry, outputs, at, (first, channel), images, filters);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn few_columns<S: Simd>(
    s: S,
    geometry: &Geometry,
    outputs: Outputs<'_>,
    at: &[u32],
    (first, channel): (usize, usize),
    images: *const f32,
    filters: *mut f32,
) {
    let out_channels = geometry.block.out_channels;
    let (channels, row) = (geometry.channels, geometry.width * geometry.channels);
    let (step, left) = (geometry.out_channels(), out_channels - first);
    let zero = s.splat(0.0);
    // SAFETY: as for `add_to_filters_of_few`; loads and stores of outputs stop at the last channel.
    unsafe {
        let filters = filters.add(channel * step);
        let mut sums: [[S::F; 1]; TAPS] = crate::tile::load::<S, TAPS, 1>(s, filters, channels * step);
        let mut total = zero;
        for unit in 0..outputs.gradients.len() / out_channels {
            let index = unit * out_channels + first;
            let gradient = outputs.gradient_at(s, index, left);
            let code = s.load_some_bytes(outputs.codes.as_ptr().add(index), left);
            for part in 0..WINDOW * WINDOW {
                let here = s.u_eq(code, s.u_splat([0, 1, 2, 3][part]));
                let value = s.select(here, gradient, zero);
                total = s.add(total, value);
                let pixel = *at.get_unchecked(unit * WINDOW * WINDOW + part) as usize;
                let pixel = images.add(pixel * channels);
                for tap in 0..TAPS {
                    let x = *pixel.add(tap / SIDE * row + tap % SIDE * channels);
                    sums[tap][0] = s.fma(s.splat(x), value, sums[tap][0]);
                }
            }
        }
        crate::tile::store::<S, TAPS, 1>(s, &sums, filters, channels * step, S::LANES);
        if channel == 0 {
            let bias = filters.add(TAPS * channels * step);
            s.store(bias, s.add(s.load(bias), total));
        }
    }
}

/// Orders weights as `[out_channels][tap][in channel]`, zeros where there is no channel.
pub(super) fn pack_filters(geometry: &Geometry, weight: &[f32], packed: &mut [f32]) {
    let (inputs, channels) = (geometry.block.in_channels, geometry.grad_channels);
    let filters = packed.par_chunks_mut(TAPS * channels).zip(weight.par_chunks(inputs * TAPS)).with_min_len(8);
    threads::for_each(filters, |(packed, filter)| {
        packed.fill(0.0);
        for (channel, taps) in filter.chunks_exact(TAPS).enumerate() {
            for (tap, &value) in taps.iter().enumerate() {
                packed[tap * channels + channel] = value;
            }
        }
    });
}
