//! The sum of the parts' gradients, in the order of the parts.

use rayon::prelude::*;

use super::geometry::Geometry;
use super::{TAPS, filters};
use crate::isa::Isa;
use crate::threads;

/// Numbers of one part: the filters' gradients and the biases'.
pub(super) fn part_len(geometry: &Geometry) -> usize {
    geometry.sums_len() + geometry.out_channels()
}

/// How many parts a batch is cut into.
///
/// It depends on shapes alone, since the order of the sums does. A part costs a set of gradients to
/// clear, fill and add; more parts than this help only machines with more cores.
pub(super) fn num_parts(geometry: &Geometry, batch: usize) -> usize {
    let parts = match part_len(geometry) {
        0..=65_536 => 16,
        65_537..=524_288 => 8,
        _ => 4,
    };
    parts.min(batch)
}

/// Adds the parts up.
///
/// # Shapes
///
/// - `partials`: parts of [`part_len`]
/// - `grad_weight`: `[out_channels, in_channels, 3, 3]`
/// - `grad_bias`: `[out_channels]`
pub(super) fn add_parts(
    geometry: &Geometry,
    isa: Isa,
    partials: &mut [f32],
    grad_weight: &mut [f32],
    grad_bias: &mut [f32],
) {
    /// Numbers that one task adds up.
    const TASK_LEN: usize = 4096;
    let part_len = part_len(geometry);
    let (sums, rest) = partials.split_at_mut(part_len);
    threads::for_each(sums.par_chunks_mut(TASK_LEN).enumerate(), |(task, sums)| {
        for part in rest.chunks_exact(part_len) {
            let part = &part[task * TASK_LEN..][..sums.len()];
            for (sum, value) in sums.iter_mut().zip(part) {
                *sum += value;
            }
        }
    });
    let sums = &*sums;

    let (channels, inputs) = (geometry.channels, geometry.block.in_channels);
    let out_channels = geometry.out_channels();
    let (sums, bias) = sums.split_at(geometry.sums_len());
    grad_bias.copy_from_slice(&bias[..grad_bias.len()]);
    if geometry.transforms_backward() {
        return filters::unpack_sums(geometry, isa, sums, grad_weight);
    }
    let filters = grad_weight.par_chunks_mut(inputs * TAPS).with_min_len(8).enumerate();
    threads::for_each(filters, |(out, filter)| {
        let (from, step) = if geometry.sums_end_with_outputs() {
            (&sums[out..], out_channels)
        } else {
            (&sums[out * geometry.filter_len()..], 1)
        };
        for (channel, taps) in filter.chunks_exact_mut(TAPS).enumerate() {
            for (tap, value) in taps.iter_mut().enumerate() {
                *value = from[(tap * channels + channel) * step];
            }
        }
    });
}
