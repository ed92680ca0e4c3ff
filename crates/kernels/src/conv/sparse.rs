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
use super::{DEAD, SIDE, TAPS};
use crate::simd::Simd;

/// The non-zero gradients of one output channel: where they are and what they are.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub(super) pixels: &'a [u32],
    pub(super) values: &'a [f32],
}

/// Gradients and codes of a few images, channels last.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a> {
    pub(super) gradients: &'a [f32],
    pub(super) codes: &'a [u8],
    pub(super) scale: f32,
}

/// Lists the gradients of one channel; gives their number and their sum.
///
/// # Safety
///
/// `channel` must be below the output channels, and `at` must hold a pixel for every part of every
/// output; `pixels` and `values` must be as long as there are outputs per channel, and one more.
#[inline(always)]
pub(super) unsafe fn list(
    geometry: &Geometry,
    outputs: Outputs<'_>,
    at: &[u32],
    channel: usize,
    pixels: &mut [u32],
    values: &mut [f32],
) -> (usize, f32) {
    let channels = geometry.block.out_channels;
    let mask = geometry.unit_pixels - 1;
    let (mut found, mut sum) = (0, 0.0);
    let mut index = channel;
    for unit in 0..outputs.gradients.len() / channels {
        // SAFETY: `index` is `unit · channels + channel`; `found` is at most `unit`.
        unsafe {
            let code = *outputs.codes.get_unchecked(index);
            let value = *outputs.gradients.get_unchecked(index) * outputs.scale;
            let lives = code < DEAD;
            let pixel = unit * geometry.unit_pixels + (usize::from(code) & mask);
            *pixels.get_unchecked_mut(found) = *at.get_unchecked(pixel);
            *values.get_unchecked_mut(found) = value;
            sum += if lives { value } else { 0.0 };
            found += usize::from(lives);
        }
        index += channels;
    }
    (found, sum)
}

/// Adds to one filter's gradient `[TAPS][channels]`: each value times the pixels under the kernel.
///
/// # Safety
///
/// Each pixel of the list must have its three rows of three pixels inside `images`; `channels` must be
/// a multiple of the lanes.
#[inline(always)]
pub(super) unsafe fn add_to_filter<S: Simd>(
    s: S,
    geometry: &Geometry,
    list: List<'_>,
    images: *const f32,
    filter: *mut f32,
) {
    let mut channel = 0;
    while channel < geometry.channels {
        // SAFETY: the caller promises the addresses; a step is made only where its channels are left.
        unsafe {
            let (images, filter) = (images.add(channel), filter.add(channel));
            if S::WIDE && geometry.channels - channel >= 2 * S::LANES {
                filter_columns::<S, 2>(s, geometry, list, images, filter);
                channel += 2 * S::LANES;
            } else {
                filter_columns::<S, 1>(s, geometry, list, images, filter);
                channel += S::LANES;
            }
        }
    }
}

#[inline(always)]
unsafe fn filter_columns<S: Simd, const Q: usize>(
    s: S,
    geometry: &Geometry,
    list: List<'_>,
    images: *const f32,
    filter: *mut f32,
) {
    let (channels, row) = (geometry.channels, geometry.width * geometry.channels);
    // SAFETY: as for `add_to_filter`.
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

/// Adds to the gradient of the images: each value times the filter `[TAPS][grad_channels]`.
///
/// # Safety
///
/// Each pixel of the list must have its three rows of three pixels inside `grad_images`.
#[inline(always)]
pub(super) unsafe fn add_to_images<S: Simd>(
    s: S,
    geometry: &Geometry,
    list: List<'_>,
    filter: *const f32,
    grad_images: *mut f32,
) {
    let mut channel = 0;
    while channel < geometry.grad_channels {
        // SAFETY: as for `add_to_filter`.
        unsafe {
            let (filter, grad_images) = (filter.add(channel), grad_images.add(channel));
            if S::WIDE && geometry.grad_channels - channel >= 2 * S::LANES {
                image_columns::<S, 2>(s, geometry, list, filter, grad_images);
                channel += 2 * S::LANES;
            } else {
                image_columns::<S, 1>(s, geometry, list, filter, grad_images);
                channel += S::LANES;
            }
        }
    }
}

#[inline(always)]
unsafe fn image_columns<S: Simd, const Q: usize>(
    s: S,
    geometry: &Geometry,
    list: List<'_>,
    filter: *const f32,
    grad_images: *mut f32,
) {
    let (channels, row) = (geometry.grad_channels, geometry.width * geometry.grad_channels);
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

/// The weight gradient where input channels are few: lanes are output channels, and nothing is skipped.
/// `filters` is `[TAPS · channels][out_channels]`, rows as long as whole tiles; the row after the last
/// is the gradient of the bias.
///
/// # Safety
///
/// `at` must hold a pixel for every part of every output, each with its three rows of three pixels
/// inside `images`.
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
                if geometry.unit_pixels == 4 {
                    few_columns::<S, 4>(s, geometry, outputs, at, (first, channel), images, filters);
                } else {
                    few_columns::<S, 1>(s, geometry, outputs, at, (first, channel), images, filters);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn few_columns<S: Simd, const PARTS: usize>(
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
    let scale = s.splat(outputs.scale);
    // SAFETY: as for `add_to_filters_of_few`; loads and stores of outputs stop at the last channel.
    unsafe {
        let filters = filters.add(channel * step);
        let mut sums: [[S::F; 1]; TAPS] = crate::tile::load::<S, TAPS, 1>(s, filters, channels * step);
        let mut total = zero;
        for unit in 0..outputs.gradients.len() / out_channels {
            let index = unit * out_channels + first;
            let gradient = s.load_some(outputs.gradients.as_ptr().add(index), left);
            let gradient = s.mul(gradient, scale);
            let code = s.load_some_bytes(outputs.codes.as_ptr().add(index), left);
            for part in 0..PARTS {
                let here = s.u_eq(code, s.u_splat([0, 1, 2, 3][part]));
                let value = s.select(here, gradient, zero);
                total = s.add(total, value);
                let pixel = *at.get_unchecked(unit * PARTS + part) as usize;
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
    packed.par_chunks_mut(TAPS * channels).zip(weight.par_chunks(inputs * TAPS)).with_min_len(8).for_each(
        |(packed, filter)| {
            packed.fill(0.0);
            for (channel, taps) in filter.chunks_exact(TAPS).enumerate() {
                for (tap, &value) in taps.iter().enumerate() {
                    packed[tap * channels + channel] = value;
                }
            }
        },
    );
}
