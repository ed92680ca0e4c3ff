//! The inner loops of the backward pass without pooling where points of tiles are not the better way: of few input
//! channels, or of images that hardly fill a tile. Every gradient is visited, in tiles of a
//! product. About half of them are zero after the activation, too few to be worth looking for.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and vectors of a tile are counted alike in registers and in memory"
)]

use super::geometry::Geometry;
use super::sparse::Outputs;
use super::{SIDE, TAPS};
use crate::simd::Simd;
use crate::tile::{self, by_rows};

/// Writes the gradients at the convolution as `[units][out_channels]`, rows as long as whole tiles, and
/// adds them to the biases' gradients.
///
/// # Safety
///
/// `masked` must have a padded row for each of the outputs, `bias` one of them.
#[inline(always)]
pub(super) unsafe fn mask<S: Simd>(s: S, geometry: &Geometry, outputs: Outputs<'_>, masked: *mut f32, bias: *mut f32) {
    let (channels, padded) = (geometry.block.out_channels, geometry.out_channels());
    for first in (0..padded).step_by(S::LANES) {
        let left = channels.saturating_sub(first);
        // SAFETY: the caller promises the rows; loads of outputs stop at the last channel.
        unsafe {
            let mut sum = s.load(bias.add(first));
            for unit in 0..outputs.gradients.len() / channels {
                let at = unit * channels + first;
                let value = outputs.at(s, at, left);
                sum = s.add(sum, value);
                s.store(masked.add(unit * padded + first), value);
            }
            s.store(bias.add(first), sum);
        }
    }
}

/// Gradients at the convolution, and where the part of the images is that each belongs to.
#[derive(Clone, Copy)]
pub(super) struct Masked<'a> {
    pub(super) gradients: *const f32,
    pub(super) pixels: &'a [u32],
}

/// Adds to the filters' gradients, `[TAPS · channels][out_channels]`, rows as long as whole tiles.
///
/// # Safety
///
/// Each pixel must have its three rows of three pixels inside `images`, and a padded row of gradients.
#[inline(always)]
pub(super) unsafe fn add_to_filters<S: Simd>(
    s: S,
    geometry: &Geometry,
    masked: Masked<'_>,
    images: *const f32,
    filters: *mut f32,
) {
    let padded = geometry.out_channels();
    let row_len = SIDE * geometry.channels;
    for column in (0..padded).step_by(geometry.columns) {
        for side in 0..SIDE {
            // SAFETY: the caller promises the addresses.
            unsafe {
                let masked = Masked { gradients: masked.gradients.add(column), ..masked };
                let images = images.add(side * geometry.width * geometry.channels);
                let filters = filters.add(side * row_len * padded + column);
                if geometry.columns == S::LANES {
                    filter_rows::<S, 1>(s, geometry, masked, images, filters);
                } else {
                    filter_rows::<S, 2>(s, geometry, masked, images, filters);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn filter_rows<S: Simd, const Q: usize>(
    s: S,
    geometry: &Geometry,
    masked: Masked<'_>,
    images: *const f32,
    filters: *mut f32,
) {
    let rows = SIDE * geometry.channels;
    let mut row = 0;
    while row < rows {
        // SAFETY: no tile has more rows than are left.
        row += unsafe {
            let (images, filters) = (images.add(row), filters.add(row * geometry.out_channels()));
            by_rows!(S, rows - row, P => filter_tile::<S, P, Q>(s, geometry, masked, images, filters))
        };
    }
}

#[inline(always)]
unsafe fn filter_tile<S: Simd, const P: usize, const Q: usize>(
    s: S,
    geometry: &Geometry,
    masked: Masked<'_>,
    images: *const f32,
    filters: *mut f32,
) -> usize {
    let padded = geometry.out_channels();
    let mut gradients = masked.gradients;
    // SAFETY: the caller promises the addresses.
    unsafe {
        let mut sums = tile::load::<S, P, Q>(s, filters, padded);
        for &pixel in masked.pixels {
            let image = images.add(pixel as usize * geometry.channels);
            let mut right = [s.splat(0.0); Q];
            for q in 0..Q {
                right[q] = s.load(gradients.add(q * S::LANES));
            }
            for p in 0..P {
                let left = s.splat(*image.add(p));
                for q in 0..Q {
                    sums[p][q] = s.fma(left, right[q], sums[p][q]);
                }
            }
            gradients = gradients.wrapping_add(padded);
        }
        tile::store::<S, P, Q>(s, &sums, filters, padded, Q * S::LANES);
    }
    P
}

/// Orders weights as `[tap][blocks of in channels][out channel][in channel]`, zeros where there is no
/// channel.
pub(super) fn pack_filters(geometry: &Geometry, weight: &[f32], packed: &mut [f32]) {
    let (inputs, outputs) = (geometry.block.in_channels, geometry.block.out_channels);
    let (channels, columns) = (geometry.grad_channels, geometry.grad_columns());
    packed.fill(0.0);
    for (out, filter) in weight.chunks_exact(inputs * TAPS).enumerate() {
        for (channel, taps) in filter.chunks_exact(TAPS).enumerate() {
            let (block, column) = (channel / columns, channel % columns);
            for (tap, &value) in taps.iter().enumerate() {
                packed[((tap * channels / columns + block) * outputs + out) * columns + column] = value;
            }
        }
    }
}

/// Adds to the gradient of the images.
///
/// # Safety
///
/// Each pixel must have its three rows of three pixels inside `grad_images`, and a padded row of
/// gradients; `filters` must be as [`pack_filters`] makes them.
#[inline(always)]
pub(super) unsafe fn add_to_images<S: Simd>(
    s: S,
    geometry: &Geometry,
    masked: Masked<'_>,
    mut filters: *const f32,
    grad_images: *mut f32,
) {
    let columns = geometry.grad_columns();
    for tap in 0..TAPS {
        let at = (tap / SIDE * geometry.width + tap % SIDE) * geometry.grad_channels;
        for column in (0..geometry.grad_channels).step_by(columns) {
            // SAFETY: the caller promises the addresses.
            unsafe {
                let grad_images = grad_images.add(at + column);
                if columns == S::LANES {
                    image_rows::<S, 1>(s, geometry, masked, filters, grad_images);
                } else {
                    image_rows::<S, 2>(s, geometry, masked, filters, grad_images);
                }
            }
            filters = filters.wrapping_add(geometry.block.out_channels * columns);
        }
    }
}

#[inline(always)]
unsafe fn image_rows<S: Simd, const Q: usize>(
    s: S,
    geometry: &Geometry,
    masked: Masked<'_>,
    filters: *const f32,
    grad_images: *mut f32,
) {
    let units = masked.pixels.len();
    let mut unit = 0;
    while unit < units {
        // SAFETY: no tile has more rows than there are outputs left.
        unit += unsafe {
            by_rows!(S, units - unit, P => image_tile::<S, P, Q>(s, geometry, masked, unit, filters, grad_images))
        };
    }
}

#[inline(always)]
unsafe fn image_tile<S: Simd, const P: usize, const Q: usize>(
    s: S,
    geometry: &Geometry,
    masked: Masked<'_>,
    unit: usize,
    filters: *const f32,
    grad_images: *mut f32,
) -> usize {
    // SAFETY: the caller promises `P` outputs from `unit` on, and the addresses.
    unsafe {
        let mut sums = [[s.splat(0.0); Q]; P];
        let mut rows = [masked.gradients.add(unit * geometry.out_channels()); P];
        for (p, row) in rows.iter_mut().enumerate() {
            *row = row.add(p * geometry.out_channels());
        }
        let terms = geometry.block.out_channels;
        tile::accumulate::<S, P, Q>(s, &mut sums, terms, (rows, 1), (filters, Q * S::LANES));
        for p in 0..P {
            let pixel = *masked.pixels.get_unchecked(unit + p) as usize;
            let to = grad_images.add(pixel * geometry.grad_channels);
            for q in 0..Q {
                let to = to.add(q * S::LANES);
                s.store(to, s.add(s.load(to), sums[p][q]));
            }
        }
    }
    P
}
