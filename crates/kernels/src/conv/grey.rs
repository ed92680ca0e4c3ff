//! Grey images with pooling, the first layer of many networks, on processors with 32 registers of 16 lanes.
//!
//! There are so few products for each output that everything else counts as much: what is the same for all outputs is
//! found before the loops, and what is dropped is drawn before the products, which do not wait for it. The pixels under a
//! window fill a vector, of which the way back picks.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(clippy::needless_range_loop, reason = "vectors are counted alike in registers and in memory")]

use super::geometry::Geometry;
use super::points::WINDOW;
use super::sparse::Outputs;
use super::tiles::{Group, largest};
use super::{SIDE, TAPS};
use crate::simd::Simd;
use crate::tile;

/// Pixels along each side of what a window's outputs are taken from.
pub(super) const PATCH: usize = WINDOW + SIDE - 1;

/// The forward pass, for one block of columns.
///
/// # Safety
///
/// Lengths must be as `Group::run` asks for, every output have its patch inside the bordered image, and the block a panel
/// of weights.
#[inline(always)]
pub(super) unsafe fn windows<S: Simd, const Q: usize>(s: S, group: &mut Group<'_>, block: usize) {
    let task = group.task;
    let geometry = &task.geometry;
    let (width, units, channels) = (geometry.width, geometry.units, geometry.block.out_channels);
    let first = block * geometry.columns;
    let images = group.units / units;
    let mut output = group.output.as_mut_ptr().wrapping_add(first);
    let mut codes = group.codes.as_mut().map(|codes| codes.as_mut_ptr().wrapping_add(first));
    // SAFETY: the caller promises the addresses; as many channels are left as are stored.
    unsafe {
        let weights = task.weights.as_ptr().add(first * geometry.filter_len());
        let weights = tile::load::<S, TAPS, Q>(s, weights, geometry.columns);
        let [bias] = tile::load::<S, 1, Q>(s, task.bias.as_ptr().add(first), 0);
        for image in 0..images {
            let ending = task.ending(group.first_sample + image);
            let corners = task.offsets.get_unchecked(image * units * WINDOW * WINDOW..);
            for unit in 0..units {
                let mut kept = [s.all(); Q];
                for q in 0..Q {
                    kept[q] = ending.kept(s, unit * channels + first + q * S::LANES);
                }
                let patch = group.input.as_ptr().add(*corners.get_unchecked(unit * WINDOW * WINDOW) as usize);
                let sums = convolve(s, patch, width, &weights, bias);
                for q in 0..Q {
                    let (value, code) = largest(s, [sums[0][q], sums[1][q], sums[2][q], sums[3][q]]);
                    let (value, code) = ending.apply(s, kept[q], value, code);
                    let left = channels.saturating_sub(first + q * S::LANES);
                    s.store_some(output.wrapping_add(q * S::LANES), value, left);
                    if let Some(codes) = codes {
                        s.store_some_bytes(codes.wrapping_add(q * S::LANES), code, left);
                    }
                }
                output = output.wrapping_add(channels);
                codes = codes.map(|codes| codes.wrapping_add(channels));
            }
        }
    }
}

/// The convolution with its bias at the four pixels of a window, row by row.
#[inline(always)]
unsafe fn convolve<S: Simd, const Q: usize>(
    s: S,
    patch: *const f32,
    width: usize,
    weights: &[[S::F; Q]; TAPS],
    bias: [S::F; Q],
) -> [[S::F; Q]; WINDOW * WINDOW] {
    let mut sums = [bias; WINDOW * WINDOW];
    for y in 0..PATCH {
        for x in 0..PATCH {
            // SAFETY: the caller promises the patch.
            let pixel = s.splat(unsafe { *patch.add(y * width + x) });
            for row in 0..WINDOW {
                for column in 0..WINDOW {
                    if (row..row + SIDE).contains(&y) && (column..column + SIDE).contains(&x) {
                        let weights = &weights[(y - row) * SIDE + x - column];
                        let sum = &mut sums[row * WINDOW + column];
                        for q in 0..Q {
                            sum[q] = s.fma(pixel, weights[q], sum[q]);
                        }
                    }
                }
            }
        }
    }
    sums
}

/// Adds to the filters' gradients of one vector of channels and to their biases', as
/// [`add_to_filters_of_few`](super::sparse::add_to_filters_of_few). A vector holds all pixels under an output: every lane
/// picks those that its own part of the window was made of.
///
/// # Safety
///
/// As there, with as many lanes as a patch has pixels.
#[inline(always)]
pub(super) unsafe fn add_to_filters<S: Simd>(
    s: S,
    geometry: &Geometry,
    outputs: Outputs<'_>,
    at: &[u32],
    first: usize,
    images: *const f32,
    filters: *mut f32,
) {
    let out_channels = geometry.block.out_channels;
    let (step, left) = (geometry.out_channels(), out_channels - first);
    // SAFETY: as for `add_to_filters_of_few`; loads of outputs stop at the last channel.
    unsafe {
        let mut sums: [[S::F; 1]; TAPS] = tile::load::<S, TAPS, 1>(s, filters, step);
        let mut total = s.splat(0.0);
        for unit in 0..outputs.gradients.len() / out_channels {
            let index = unit * out_channels + first;
            let value = outputs.at(s, index, left);
            total = s.add(total, value);
            let code = s.load_some_bytes(outputs.codes.as_ptr().add(index), left);
            let row = s.u_shr::<1>(code);
            // Row by row: the second part of a window is one pixel further, the third a row of the patch.
            let part = s.u_add(code, s.u_add(row, row));
            let patch = *at.get_unchecked(unit * WINDOW * WINDOW) as usize;
            let patch = s.load_fours(images.add(patch), geometry.width);
            for tap in 0..TAPS {
                let pixel = s.u_splat([0, 1, 2, 4, 5, 6, 8, 9, 10][tap]);
                let x = s.pick(patch, s.u_add(part, pixel));
                sums[tap][0] = s.fma(x, value, sums[tap][0]);
            }
        }
        tile::store::<S, TAPS, 1>(s, &sums, filters, step, S::LANES);
        let bias = filters.add(TAPS * step);
        s.store(bias, s.add(s.load(bias), total));
    }
}
