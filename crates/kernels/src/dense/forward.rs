//! The forward pass of a dense block.

use rayon::prelude::*;

use super::product::{Pack, Product, Right, Target};
use super::{DenseBlock, MANY_ROWS};
use crate::dropout::Dropout;
use crate::isa::{self, Isa};
use crate::tile::Start;
use crate::workspace::{Scratch, Workspace, round_up};
use crate::{Activation, check_len};

/// Terms of the sums that are taken before the next tile: as many rows of weights as stay in the first-level cache
/// while every tile uses them.
const TERMS: usize = 128;
/// A multiple of the rows of every tile.
const TILE_ROWS: usize = 12;

/// The slices of a forward pass.
///
/// # Shapes
///
/// - `input`: `[batch, inputs]`
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
        let is_packed = padded != self.outputs || batch >= MANY_ROWS;
        // One task per block of rows and columns, each with a buffer of its own.
        let sums = workspace.partials.floats(grid.tasks() * grid.task_len());
        sums.par_chunks_mut(grid.task_len()).with_min_len(at_least).enumerate().for_each(|(task, result)| {
            let (row, column) = grid.place(task);
            let own = grid.columns.min(self.outputs - column);
            for row in result.chunks_exact_mut(grid.columns) {
                row[..own].copy_from_slice(&bias[column..column + own]);
                row[own..].fill(0.0);
            }
            Scratch::with(|scratch| {
                for first in (0..self.inputs).step_by(TERMS) {
                    let terms = TERMS.min(self.inputs - first);
                    let weight = &weight[first * self.outputs..][..terms * self.outputs];
                    let right = if is_packed {
                        let packed = scratch.images.floats(terms * grid.columns);
                        let (len, columns) = (self.outputs, panel);
                        isa::run(isa, Pack { matrix: weight, len, first: column, panels: &mut *packed, columns });
                        Right::packed(packed, terms, panel)
                    } else {
                        Right { numbers: &weight[column..], panel_step: panel, row_step: self.outputs, columns: panel }
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
        output.par_chunks_mut(self.outputs).with_min_len(MANY_ROWS).enumerate().for_each(|(sample, output)| {
            for (part, sums) in output.chunks_mut(grid.columns).zip(grid.parts(sums, sample)) {
                part.copy_from_slice(&sums[..part.len()]);
            }
            self.finish(dropout, sample, output);
        });
    }

    /// Activates and drops out one sample.
    fn finish(&self, dropout: Option<Dropout>, sample: usize, output: &mut [f32]) {
        if self.activation == Activation::Relu {
            for value in &mut *output {
                // What is not a number must stay visible.
                *value = if *value <= 0.0 { 0.0 } else { *value };
            }
        }
        if let Some(dropout) = dropout {
            dropout.apply(sample, output);
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
        let threads = rayon::current_num_threads();
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
