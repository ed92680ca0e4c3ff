//! The backward pass of a dense block.

use rayon::prelude::*;

use super::product::{Pack, Product, Right, Target};
use super::{DenseBlock, MANY_ROWS};
use crate::dropout::Dropout;
use crate::isa::{self, Isa, Kernel};
use crate::shared::Shared;
use crate::simd::Simd;
use crate::tile::Start;
use crate::transpose::transpose;
use crate::workspace::{Scratch, Workspace, round_up};
use crate::{Activation, check_len};

/// Numbers in a cache line.
const LINE: usize = 16;

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
            .with_min_len(MANY_ROWS)
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
            self.input_gradient(isa, weight, gradients, grad_input);
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
        /// Rows of a task: a multiple of every tile's.
        const TOGETHER: usize = 96;
        let columns = Self::columns(isa, self.outputs);
        let padded = self.padded_outputs(isa);
        let batch = input.len() / self.inputs;
        let at_least = self.tasks_at_least(batch);
        panels.par_chunks_mut((batch * columns).max(1)).with_min_len(at_least).enumerate().for_each(
            |(block, panels)| {
                isa::run(isa, Pack { matrix: gradients, len: padded, first: block * columns, panels, columns });
            },
        );
        let panels = &*panels;
        grad_weight.par_chunks_mut(TOGETHER * self.outputs).with_min_len(at_least).enumerate().for_each(
            |(task, result)| {
                let (first, rows) = (task * TOGETHER, result.len() / self.outputs);
                Scratch::with(|scratch| {
                    // The inputs of this task, close together: a row of the whole input is far from the next.
                    let own = scratch.images.floats(batch * rows);
                    let from = input.get(first..).unwrap_or_default();
                    isa::run(isa, Copy { from, step: self.inputs, rows: own, len: rows });
                    for column in (0..padded).step_by(columns) {
                        let product = Product {
                            left: own,
                            row_step: 1,
                            term_step: rows,
                            right: Right::packed(&panels[column * batch..], batch, columns),
                            terms: batch,
                            result: Target::new(&mut result[column..], self.outputs),
                            rows,
                            columns: columns.min(self.outputs - column),
                            start: Start::Zero,
                        };
                        isa::run(isa, product);
                    }
                });
            },
        );
    }

    /// The gradients times the weights' transpose, a few columns per task.
    fn input_gradient(&self, isa: Isa, weight: &[f32], gradients: &[f32], grad_input: &mut [f32]) {
        let columns = Self::columns(isa, self.inputs);
        let padded = self.padded_outputs(isa);
        let rows = grad_input.len() / self.inputs;
        let at_least = self.tasks_at_least(rows);
        let result = Shared::new(grad_input);
        weight.par_chunks(2 * columns * self.outputs).with_min_len(at_least).enumerate().for_each(|(task, weight)| {
            let column = task * 2 * columns;
            let own = weight.len() / self.outputs;
            Scratch::with(|scratch| {
                let panels = scratch.images.floats(round_up(own, columns) * self.outputs);
                pack_transposed(isa, weight, self.outputs, columns, panels);
                let product = Product {
                    left: gradients,
                    row_step: padded,
                    term_step: 1,
                    right: Right::packed(panels, self.outputs, columns),
                    terms: self.outputs,
                    // SAFETY: every task has columns of its own.
                    result: unsafe { Target::columns_from(column, result, self.inputs) },
                    rows,
                    columns: own,
                    start: Start::Zero,
                };
                isa::run(isa, product);
            });
        });
    }
}

/// Packs the transpose of a matrix with rows of `len` into panels of so many columns, zeros where there is none.
fn pack_transposed(isa: Isa, matrix: &[f32], len: usize, columns: usize, panels: &mut [f32]) {
    for (panel, rows) in panels.chunks_exact_mut(columns * len).zip(matrix.chunks(columns * len)) {
        if rows.len() == panel.len() {
            transpose(isa, rows, columns, len, panel);
            continue;
        }
        panel.fill(0.0);
        for (column, row) in rows.chunks_exact(len).enumerate() {
            for (term, &value) in row.iter().enumerate() {
                panel[term * columns + column] = value;
            }
        }
    }
}

/// Copies rows of `len` numbers, which start every `step`, to where they lie one after the other.
struct Copy<'a> {
    from: &'a [f32],
    step: usize,
    rows: &'a mut [f32],
    len: usize,
}

impl Kernel for Copy<'_> {
    #[expect(clippy::inline_always, reason = "the body must be compiled with the instruction set")]
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (to, from) in self.rows.chunks_exact_mut(self.len).zip(self.from.chunks(self.step)) {
            to.copy_from_slice(&from[..self.len]);
            // The numbers after them are wanted next, and too far apart for the processor to guess.
            for ahead in (self.len..2 * self.len).step_by(LINE) {
                s.prefetch(from.as_ptr().wrapping_add(ahead));
            }
        }
    }
}
