//! The backward pass of a dense block.

use rayon::prelude::*;

use super::product::Product;
use super::{DenseBlock, TASK_ROWS, pack_panels};
use crate::dropout::Dropout;
use crate::isa::{self, Isa};
use crate::tile::Start;
use crate::transpose::transpose;
use crate::workspace::{Scratch, Workspace, round_up};
use crate::{Activation, check_len};

/// The slices of a backward pass.
///
/// # Shapes
///
/// - `input`, `weight`, `output`: as in [`Forward`](super::Forward)
/// - `grad_output`, `grad_input`, `grad_weight`, `grad_bias`: as what they are the gradients of
#[derive(Debug)]
pub struct Backward<'a> {
    /// Samples of the forward pass.
    pub input: &'a [f32],
    /// Weights of the forward pass.
    pub weight: &'a [f32],
    /// Result of the forward pass.
    pub output: &'a [f32],
    /// Dropout of the forward pass.
    pub dropout: Option<Dropout>,
    /// Gradient of the output.
    pub grad_output: &'a [f32],
    /// Filled with the gradient of the input; the first layer does not need it.
    pub grad_input: Option<&'a mut [f32]>,
    /// Filled with the gradient of the weights.
    pub grad_weight: &'a mut [f32],
    /// Filled with the gradient of the biases.
    pub grad_bias: &'a mut [f32],
}

impl DenseBlock {
    /// Computes the gradients of the block.
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn backward(&self, isa: Isa, slices: Backward<'_>, workspace: &mut Workspace) {
        let Backward { input, weight, output, dropout, grad_output, grad_input, grad_weight, grad_bias } = slices;
        let batch = input.len() / self.inputs;
        check_len("input", input.len(), batch * self.inputs);
        check_len("weight", weight.len(), self.inputs * self.outputs);
        check_len("output", output.len(), batch * self.outputs);
        check_len("grad_output", grad_output.len(), batch * self.outputs);
        check_len("grad_weight", grad_weight.len(), self.inputs * self.outputs);
        check_len("grad_bias", grad_bias.len(), self.outputs);

        let padded = self.padded_outputs(isa);
        let gradients = workspace.gradients.floats(batch * padded);
        gradients
            .par_chunks_mut(padded)
            .zip(grad_output.par_chunks(self.outputs).zip(output.par_chunks(self.outputs)))
            .with_min_len(TASK_ROWS)
            .enumerate()
            .for_each(|(sample, (gradients, (grad_output, output)))| {
                let (own, rest) = gradients.split_at_mut(self.outputs);
                own.copy_from_slice(grad_output);
                rest.fill(0.0);
                self.mask(dropout, sample, output, own);
            });
        let gradients = &*gradients;
        grad_bias.fill(0.0);
        for gradients in gradients.chunks_exact(padded) {
            for (sum, gradient) in grad_bias.iter_mut().zip(gradients) {
                *sum += gradient;
            }
        }
        self.weight_gradient(isa, input, gradients, grad_weight, workspace.partials.floats(batch * padded));
        if let Some(grad_input) = grad_input {
            check_len("grad_input", grad_input.len(), input.len());
            self.input_gradient(isa, weight, gradients, grad_input, workspace.weights.floats(self.packed_len(isa)));
        }
    }

    /// Turns the gradient of one sample's output into that before dropout and activation.
    fn mask(&self, dropout: Option<Dropout>, sample: usize, output: &[f32], gradients: &mut [f32]) {
        match self.activation {
            Activation::Identity => {
                if let Some(dropout) = dropout {
                    dropout.apply(sample, gradients);
                }
            }
            // An output that was dropped is zero too.
            Activation::Relu => {
                let scale = dropout.map_or(1.0, |dropout| dropout.scale());
                for (gradient, &output) in gradients.iter_mut().zip(output) {
                    *gradient = if output > 0.0 { *gradient * scale } else { 0.0 };
                }
            }
        }
    }

    /// The input's transpose times the gradients, a few rows per task.
    fn weight_gradient(&self, isa: Isa, input: &[f32], gradients: &[f32], grad_weight: &mut [f32], panels: &mut [f32]) {
        let columns = Self::columns(isa, self.outputs);
        let padded = self.padded_outputs(isa);
        let batch = input.len() / self.inputs;
        if batch > 0 {
            pack_panels(gradients, padded, columns, panels, self.tasks_at_least(batch));
        }
        let panels = &*panels;
        let at_least = self.tasks_at_least(batch);
        grad_weight.par_chunks_mut(TASK_ROWS * self.outputs).with_min_len(at_least).enumerate().for_each(
            |(task, result)| {
                let (first, rows) = (task * TASK_ROWS, result.len() / self.outputs);
                Scratch::with(|scratch| {
                    // The inputs of this task, close together: a row of the whole input is far from the next.
                    let own = scratch.images.floats(batch * rows);
                    for (own, sample) in own.chunks_exact_mut(rows).zip(input.chunks_exact(self.inputs)) {
                        own.copy_from_slice(&sample[first..first + rows]);
                    }
                    for column in (0..padded).step_by(columns) {
                        let product = Product {
                            left: own,
                            row_step: 1,
                            term_step: rows,
                            right: &panels[column * batch..],
                            right_step: columns,
                            terms: batch,
                            result: &mut result[column..],
                            result_step: self.outputs,
                            rows,
                            columns: columns.min(self.outputs - column),
                            padded_columns: columns,
                            start: Start::Zero,
                        };
                        isa::run(isa, product);
                    }
                });
            },
        );
    }

    /// The gradients times the weights' transpose, a few samples per task.
    fn input_gradient(&self, isa: Isa, weight: &[f32], gradients: &[f32], grad_input: &mut [f32], packed: &mut [f32]) {
        /// Samples of a task: a multiple of every tile's rows, and so few that no thread is left with a long last one.
        const SAMPLES: usize = TASK_ROWS / 2;
        let columns = Self::columns(isa, self.inputs);
        let padded = self.padded_outputs(isa);
        let panel_len = self.outputs * columns;
        let at_least = self.tasks_at_least(grad_input.len() / self.inputs);
        packed.par_chunks_mut(panel_len).with_min_len(at_least).enumerate().for_each(|(block, panel)| {
            let rows = &weight[block * columns * self.outputs..];
            if let Some(rows) = rows.get(..panel_len) {
                return transpose(isa, rows, columns, self.outputs, panel);
            }
            panel.fill(0.0);
            for (column, row) in rows.chunks_exact(self.outputs).enumerate() {
                for (out, &value) in row.iter().enumerate() {
                    panel[out * columns + column] = value;
                }
            }
        });
        let packed = &*packed;
        grad_input
            .par_chunks_mut(SAMPLES * self.inputs)
            .zip(gradients.par_chunks(SAMPLES * padded))
            .with_min_len(at_least)
            .for_each(|(result, gradients)| {
                for (block, panel) in packed.chunks_exact(panel_len).enumerate() {
                    let column = block * columns;
                    let product = Product {
                        left: gradients,
                        row_step: padded,
                        term_step: 1,
                        right: panel,
                        right_step: columns,
                        terms: self.outputs,
                        rows: result.len() / self.inputs,
                        result: &mut result[column..],
                        result_step: self.inputs,
                        columns: columns.min(self.inputs - column),
                        padded_columns: columns,
                        start: Start::Zero,
                    };
                    isa::run(isa, product);
                }
            });
    }

    /// Numbers of the weights' transpose as panels.
    fn packed_len(&self, isa: Isa) -> usize {
        round_up(self.inputs, Self::columns(isa, self.inputs)) * self.outputs
    }
}
