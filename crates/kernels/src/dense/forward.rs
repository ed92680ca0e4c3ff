//! The forward pass of a dense block.

use std::ops::Range;

use rayon::prelude::*;

use super::product::{Pack, Product, Right, Target};
use super::{DenseBlock, MANY_ROWS, samples_together};
use crate::check_len;
use crate::dropout::Dropout;
use crate::ending::Ending;
use crate::isa::{self, Isa, Kernel};
use crate::simd::Simd;
use crate::threads;
use crate::tile::Start;
use crate::workspace::{Scratch, Workspace, round_up};

/// Terms of the sums that are taken before the next tile: as many rows of weights as stay in the first-level cache
/// while every tile uses them.
const TERMS: usize = 128;
/// A multiple of the rows of every tile.
const TILE_ROWS: usize = 12;

/// The slices of a forward pass.
///
/// # Shapes
///
/// - `input`: `[batch, inputs]`; inputs are `[channels, pixels]`, or `[pixels, channels]` where the block counts pixels
/// - `weight`: `[inputs, outputs]`
/// - `bias`: `[outputs]`
/// - `output`: `[batch, outputs]`
#[derive(Debug)]
pub struct Forward<'a> {
    /// Samples.
    pub input: &'a [f32],
    /// Weights of the layer.
    pub weight: &'a [f32],
    /// Its biases.
    pub bias: &'a [f32],
    /// Dropout of this step, in training.
    pub dropout: Option<Dropout>,
    /// Filled with the result.
    pub output: &'a mut [f32],
}

impl DenseBlock {
    /// Computes the output of the block.
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn forward(&self, isa: Isa, slices: Forward<'_>, workspace: &mut Workspace) {
        let Forward { input, weight, bias, dropout, output } = slices;
        let batch = input.len() / self.inputs;
        check_len("input", input.len(), batch * self.inputs);
        check_len("weight", weight.len(), self.inputs * self.outputs);
        check_len("bias", bias.len(), self.outputs);
        check_len("output", output.len(), batch * self.outputs);

        let grid = Grid::new(self, isa, batch);
        let panel = Self::columns(isa, self.outputs);
        let padded = self.padded_outputs(isa);
        let at_least = self.tasks_at_least(batch);
        // A small batch is not worth the copy that lets every tile read neighbouring numbers.
        let is_packed = padded != self.outputs || batch >= MANY_ROWS || self.pixels > 1;
        // One task per block of rows and columns, each with a buffer of its own.
        let sums = workspace.partials.floats(grid.tasks() * grid.task_len());
        let tasks = sums.par_chunks_mut(grid.task_len()).with_min_len(at_least).enumerate();
        threads::for_each(tasks, |(task, result)| {
            let (row, column) = grid.place(task);
            let own = grid.columns.min(self.outputs - column);
            for row in result.chunks_exact_mut(grid.columns) {
                row[..own].copy_from_slice(&bias[column..column + own]);
                row[own..].fill(0.0);
            }
            Scratch::with(|scratch| {
                for first in (0..self.inputs).step_by(TERMS) {
                    let terms = TERMS.min(self.inputs - first);
                    let right = if is_packed {
                        let packed = scratch.images.floats(terms * grid.columns);
                        let rows = self.weights_of(first..first + terms, weight);
                        isa::run(isa, Pack { rows, terms, first: column, panels: &mut *packed, columns: panel });
                        Right::packed(packed, terms, panel)
                    } else {
                        let numbers = &weight[first * self.outputs + column..];
                        Right { numbers, panel_step: panel, row_step: self.outputs, columns: panel }
                    };
                    let product = Product {
                        left: &input[row * self.inputs + first..],
                        row_step: self.inputs,
                        term_step: 1,
                        right,
                        terms,
                        result: Target::new(result, grid.columns),
                        rows: grid.rows.min(batch - row),
                        columns: round_up(own, panel),
                        start: Start::Result,
                    };
                    isa::run(isa, product);
                }
            });
        });
        let sums = &*sums;
        let together = samples_together(self.outputs);
        threads::for_each(output.par_chunks_mut(together * self.outputs).enumerate(), |(task, output)| {
            let first_sample = task * together;
            isa::run(isa, Finish { block: self, grid: &grid, sums, dropout, first_sample, output });
        });
    }

    /// The rows of the weights of some inputs.
    fn weights_of<'a>(&self, inputs: Range<usize>, weight: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        let (outputs, step) = (self.outputs, self.run_step());
        self.runs(inputs)
            .flat_map(move |run| weight[run.row * outputs..].chunks(step).take(run.len).map(move |row| &row[..outputs]))
    }
}

/// Activates and drops out some samples.
struct Finish<'a> {
    block: &'a DenseBlock,
    grid: &'a Grid,
    sums: &'a [f32],
    dropout: Option<Dropout>,
    first_sample: usize,
    output: &'a mut [f32],
}

impl Kernel for Finish<'_> {
    #[expect(clippy::inline_always, reason = "the body must be compiled with the instruction set")]
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { block, grid, sums, dropout, first_sample, output } = self;
        assert!(grid.columns.is_multiple_of(S::LANES));
        for (index, output) in output.chunks_exact_mut(block.outputs).enumerate() {
            let sample = first_sample + index;
            let ending = Ending::new(block.activation, dropout, sample);
            for (part, (output, sums)) in output.chunks_mut(grid.columns).zip(grid.parts(sums, sample)).enumerate() {
                for column in (0..output.len()).step_by(S::LANES) {
                    let kept = ending.kept(s, part * grid.columns + column);
                    // SAFETY: there are whole vectors of sums; as many outputs are left as are stored.
                    unsafe {
                        let value = s.load(sums[column..].as_ptr());
                        let (value, _) = ending.apply(s, kept, value, s.u_splat(0));
                        s.store_some(output.as_mut_ptr().add(column), value, output.len() - column);
                    }
                }
            }
        }
    }
}

/// How the sums are shared out to tasks: in blocks of rows, and of columns where there are more threads than those.
struct Grid {
    batch: usize,
    /// Rows and columns of a block.
    rows: usize,
    columns: usize,
    /// Blocks of columns.
    blocks: usize,
}

impl Grid {
    fn new(block: &DenseBlock, isa: Isa, batch: usize) -> Self {
        /// Rows whose sums and terms stay in the second-level cache, and columns with the weights of the terms.
        const MOST: [usize; 2] = [192, 128];
        let threads = threads::count();
        let rows = round_up(batch.div_ceil(threads), TILE_ROWS).clamp(MANY_ROWS, MOST[0]);
        let panel = DenseBlock::columns(isa, block.outputs);
        let padded = block.padded_outputs(isa);
        let columns = padded * batch.div_ceil(rows) / threads / panel * panel;
        let columns = columns.clamp(panel, padded.min(MOST[1]).max(panel));
        Self { batch, rows, columns, blocks: padded.div_ceil(columns) }
    }

    fn tasks(&self) -> usize {
        self.batch.div_ceil(self.rows) * self.blocks
    }

    fn task_len(&self) -> usize {
        self.rows * self.columns
    }

    /// The first row and the first column of a task.
    fn place(&self, task: usize) -> (usize, usize) {
        (task / self.blocks * self.rows, task % self.blocks * self.columns)
    }

    /// One row of all sums, in parts of one block each.
    fn parts<'a>(&self, sums: &'a [f32], row: usize) -> impl Iterator<Item = &'a [f32]> {
        let first = row / self.rows * self.blocks * self.task_len() + row % self.rows * self.columns;
        let (len, step) = (self.columns, self.task_len());
        (0..self.blocks).map(move |block| &sums[first + block * step..][..len])
    }
}
