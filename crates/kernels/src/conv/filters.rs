//! Filters and their points ([`minimal`](super::minimal)): the way in and, for gradients, the way back.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use std::ops::Range;

use rayon::prelude::*;

use super::geometry::Geometry;
use super::minimal::{self, Filter, FilterBack, Steps, by_side};
use super::{SIDE, TAPS};
use crate::isa::{self, Isa, Kernel};
use crate::shared::Shared;
use crate::simd::{MAX_LANES, Simd};
use crate::threads;

/// Orders the points of weights as `[point][blocks of out channels][in channel][out channel]`, zeros where
/// there is no channel.
pub(super) fn pack_weights(geometry: &Geometry, isa: Isa, weight: &[f32], packed: &mut [f32]) {
    let (inputs, outputs) = (geometry.block.in_channels, geometry.block.out_channels);
    pack(
        isa,
        Pack {
            weight,
            columns: (outputs, inputs * TAPS),
            rows: (inputs, TAPS),
            panel: (geometry.columns, geometry.channels),
            tile: geometry.tile,
        },
        packed,
    );
}

/// Orders the points of weights as `[point][blocks of in channels][out channel][in channel]`, zeros where
/// there is no channel.
pub(super) fn pack_filters(geometry: &Geometry, isa: Isa, weight: &[f32], packed: &mut [f32]) {
    let (inputs, outputs) = (geometry.block.in_channels, geometry.block.out_channels);
    pack(
        isa,
        Pack {
            weight,
            columns: (inputs, TAPS),
            rows: (outputs, inputs * TAPS),
            panel: (geometry.grad_columns(), outputs),
            tile: geometry.tile,
        },
        packed,
    );
}

fn pack(isa: Isa, task: Pack<'_>, packed: &mut [f32]) {
    /// Rows of a task.
    const ROWS: usize = 16;
    let ((columns, _), (rows, _)) = (task.columns, task.rows);
    if !columns.is_multiple_of(task.panel.0) || rows < task.panel.1 {
        packed.fill(0.0);
    }
    let packed = Shared::new(packed);
    let blocks = rows.div_ceil(ROWS);
    let tasks = (0..columns.div_ceil(isa.lanes()) * blocks).into_par_iter().with_min_len(2);
    threads::for_each(tasks, |index| {
        let (first_column, first_row) = (index / blocks * isa.lanes(), index % blocks * ROWS);
        let rows = first_row..rows.min(first_row + ROWS);
        isa::run(isa, Block { task, first_column, rows, packed });
    });
}

/// Weights on their way to `[point][panel][row][column]`.
#[derive(Clone, Copy)]
struct Pack<'a> {
    weight: &'a [f32],
    /// How many columns there are, and numbers from the weights of one to those of the next.
    columns: (usize, usize),
    rows: (usize, usize),
    /// Columns and rows of a panel.
    panel: (usize, usize),
    /// The side of tiles.
    tile: usize,
}

/// A vector of columns of some rows.
struct Block<'a> {
    task: Pack<'a>,
    first_column: usize,
    rows: Range<usize>,
    /// Every block writes its own columns and rows.
    packed: Shared<'a>,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        by_side!(self.task.tile, _OUT, AXIS => self.transform::<S, AXIS>(s));
    }
}

impl Block<'_> {
    #[inline(always)]
    fn transform<S: Simd, const AXIS: usize>(self, s: S) {
        let Self { task, first_column: first, rows: own_rows, packed } = self;
        let Pack { weight, columns: (columns, column_step), rows: (rows, row_step), panel, .. } = task;
        // The addresses below follow from these lengths.
        assert!(weight.len() == columns * rows * TAPS && rows <= panel.1 && panel.0.is_multiple_of(S::LANES));
        assert!(first < columns && first.is_multiple_of(S::LANES) && own_rows.end <= rows);
        let point_step = packed.len() / (AXIS * AXIS);
        assert!(point_step >= columns.next_multiple_of(panel.0) * panel.1);
        let lanes = S::LANES.min(columns - first);
        for row in own_rows {
            let mut gathered = [[0.0; MAX_LANES]; TAPS];
            for lane in 0..lanes {
                let filter = &weight[(first + lane) * column_step + row * row_step..][..TAPS];
                for tap in 0..TAPS {
                    gathered[tap][lane] = filter[tap];
                }
            }
            let at = (first / panel.0 * panel.1 + row) * panel.0 + first % panel.0;
            // SAFETY: every point has room for whole panels.
            unsafe {
                let taps = Steps::<_, SIDE> { first: gathered.as_ptr().cast::<f32>(), step: MAX_LANES };
                let to = Steps::<_, AXIS> { first: packed.as_mut_ptr().add(at), step: point_step };
                minimal::both::<S, Filter, SIDE, AXIS>(s, taps, to);
            }
        }
    }
}

/// Writes the gradients of weights from the sums `[point][in channel][out channel]`.
pub(super) fn unpack_sums(geometry: &Geometry, isa: Isa, sums: &[f32], grad_weight: &mut [f32]) {
    let filters = geometry.lanes * geometry.block.in_channels * TAPS;
    threads::for_each(grad_weight.par_chunks_mut(filters).enumerate(), |(block, grad_weight)| {
        isa::run(isa, Unpack { geometry, sums, block, grad_weight });
    });
}

/// The gradients of a vector of filters.
struct Unpack<'a> {
    geometry: &'a Geometry,
    sums: &'a [f32],
    block: usize,
    grad_weight: &'a mut [f32],
}

impl Kernel for Unpack<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        by_side!(self.geometry.tile, _OUT, AXIS => self.transform::<S, AXIS>(s));
    }
}

impl Unpack<'_> {
    #[inline(always)]
    fn transform<S: Simd, const AXIS: usize>(self, s: S) {
        let Self { geometry, sums, block, grad_weight } = self;
        let (inputs, out_channels) = (geometry.block.in_channels, geometry.out_channels());
        let point_step = sums.len() / (AXIS * AXIS);
        // The addresses below follow from these lengths.
        assert!(S::LANES == geometry.lanes && (block + 1) * S::LANES <= out_channels);
        assert!(point_step >= geometry.channels * out_channels);
        for channel in 0..inputs {
            let mut taps = [[0.0; MAX_LANES]; TAPS];
            // SAFETY: there is a sum for every point, input channel and padded output channel.
            unsafe {
                let from = sums.as_ptr().add(channel * out_channels + block * S::LANES);
                let from = Steps::<_, AXIS> { first: from, step: point_step };
                let to = Steps::<_, SIDE> { first: taps.as_mut_ptr().cast::<f32>(), step: MAX_LANES };
                minimal::both::<S, FilterBack, AXIS, SIDE>(s, from, to);
            }
            for (lane, filter) in grad_weight.chunks_exact_mut(inputs * TAPS).enumerate() {
                for tap in 0..TAPS {
                    filter[channel * TAPS + tap] = taps[tap][lane];
                }
            }
        }
    }
}
