//! The forward pass of a dense block.

use rayon::prelude::*;

use super::product::Product;
use super::{DenseBlock, TASK_ROWS, pack_panels};
use crate::dropout::Dropout;
use crate::isa::{self, Isa};
use crate::tile::Start;
use crate::workspace::Workspace;
use crate::{Activation, check_len};

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

        let columns = Self::columns(isa, self.outputs);
        let padded = self.padded_outputs(isa);
        // A small batch is not worth the copy that lets every tile read neighbouring numbers.
        let (weight, panel_start, right_step) = if padded == self.outputs && batch < TASK_ROWS {
            (weight, columns, padded)
        } else {
            let packed = workspace.weights.floats(self.inputs * padded);
            pack_panels(weight, self.outputs, columns, packed, self.tasks_at_least(batch));
            (&*packed, self.inputs * columns, columns)
        };
        // One task per block of rows and columns, each with a buffer of its own.
        let blocks = padded / columns;
        let task_len = TASK_ROWS * columns;
        let sums = workspace.partials.floats(batch.div_ceil(TASK_ROWS) * blocks * task_len);
        sums.par_chunks_mut(task_len).with_min_len(self.tasks_at_least(batch)).enumerate().for_each(
            |(task, result)| {
                let (row, column) = (task / blocks * TASK_ROWS, task % blocks * columns);
                let rows = TASK_ROWS.min(batch - row);
                let own = columns.min(self.outputs - column);
                for row in result.chunks_exact_mut(columns) {
                    row[..own].copy_from_slice(&bias[column..column + own]);
                    row[own..].fill(0.0);
                }
                let product = Product {
                    left: &input[row * self.inputs..],
                    row_step: self.inputs,
                    term_step: 1,
                    right: &weight[task % blocks * panel_start..],
                    right_step,
                    terms: self.inputs,
                    result,
                    result_step: columns,
                    rows,
                    columns,
                    padded_columns: columns,
                    start: Start::Result,
                };
                isa::run(isa, product);
            },
        );
        let sums = &*sums;
        output.par_chunks_mut(self.outputs).with_min_len(TASK_ROWS).enumerate().for_each(|(sample, output)| {
            let task = sample / TASK_ROWS * blocks;
            for (block, part) in output.chunks_mut(columns).enumerate() {
                let row = (task + block) * task_len + sample % TASK_ROWS * columns;
                part.copy_from_slice(&sums[row..row + part.len()]);
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
