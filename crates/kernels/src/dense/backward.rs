//! The backward pass of a dense block.

use std::ops::Range;

use rayon::prelude::*;

use super::product::{Pack, Product, Right, Target};
use super::{DenseBlock, samples_together};
use crate::dropout::Dropout;
use crate::ending::Ending;
use crate::isa::{self, Isa, Kernel};
use crate::shared::Shared;
use crate::simd::Simd;
use crate::threads;
use crate::tile::Start;
use crate::transpose::{Rows, transpose_rows};
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
        let together = samples_together(self.outputs);
        threads::for_each(gradients.par_chunks_mut(together * padded).enumerate(), |(task, gradients)| {
            let first_sample = task * together;
            let from = first_sample * self.outputs;
            let (output, grad_output) = (&output[from..], &grad_output[from..]);
            isa::run(isa, Mask { block: self, dropout, first_sample, output, grad_output, gradients, padded });
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

    /// The input's transpose times the gradients, a few rows per task.
    fn weight_gradient(&self, isa: Isa, input: &[f32], gradients: &[f32], grad_weight: &mut [f32], panels: &mut [f32]) {
        /// Rows of a task: a multiple of every tile's.
        const TOGETHER: usize = 96;
        let columns = Self::columns(isa, self.outputs);
        let padded = self.padded_outputs(isa);
        let batch = input.len() / self.inputs;
        let at_least = self.tasks_at_least(batch);
        let blocks = panels.par_chunks_mut((batch * columns).max(1)).with_min_len(at_least).enumerate();
        threads::for_each(blocks, |(block, panels)| {
            let (rows, first) = (gradients.chunks_exact(padded), block * columns);
            isa::run(isa, Pack { rows, terms: batch, first, panels, columns });
        });
        let panels = &*panels;
        let result = Shared::new(grad_weight);
        let tasks = (0..self.inputs.div_ceil(TOGETHER)).into_par_iter().with_min_len(at_least);
        threads::for_each(tasks, |task| {
            let first = task * TOGETHER;
            let rows = TOGETHER.min(self.inputs - first);
            Scratch::with(|scratch| {
                // The inputs of this task, close together: a row of the whole input is far from the next.
                let own = scratch.images.floats(batch * rows);
                let from = input.get(first..).unwrap_or_default();
                isa::run(isa, Copy { from, step: self.inputs, rows: own, len: rows });
                for column in (0..padded).step_by(columns) {
                    for run in self.runs(first..first + rows) {
                        let product = Product {
                            left: own.get(run.offset..).unwrap_or_default(),
                            row_step: 1,
                            term_step: rows,
                            right: Right::packed(&panels[column * batch..], batch, columns),
                            terms: batch,
                            // SAFETY: every task has rows of its own.
                            result: unsafe {
                                Target::shared(result.from(run.row * self.outputs + column), self.run_step())
                            },
                            rows: run.len,
                            columns: columns.min(self.outputs - column),
                            start: Start::Zero,
                        };
                        isa::run(isa, product);
                    }
                }
            });
        });
    }

    /// The gradients times the weights' transpose, a few columns per task.
    fn input_gradient(&self, isa: Isa, weight: &[f32], gradients: &[f32], grad_input: &mut [f32]) {
        let columns = Self::columns(isa, self.inputs);
        let padded = self.padded_outputs(isa);
        let rows = grad_input.len() / self.inputs;
        let at_least = self.tasks_at_least(rows);
        let result = Shared::new(grad_input);
        let together = 2 * columns;
        let tasks = (0..self.inputs.div_ceil(together)).into_par_iter().with_min_len(at_least);
        threads::for_each(tasks, |task| {
            let column = task * together;
            let own = together.min(self.inputs - column);
            Scratch::with(|scratch| {
                let panels = scratch.images.floats(round_up(own, columns) * self.outputs);
                self.pack_transposed(isa, weight, column..column + own, columns, panels);
                let product = Product {
                    left: gradients,
                    row_step: padded,
                    term_step: 1,
                    right: Right::packed(panels, self.outputs, columns),
                    terms: self.outputs,
                    // SAFETY: every task has columns of its own.
                    result: unsafe { Target::shared(result.from(column), self.inputs) },
                    rows,
                    columns: own,
                    start: Start::Zero,
                };
                isa::run(isa, product);
            });
        });
    }

    /// Packs the transpose of the weights of some inputs into panels of so many, zeros where there is none.
    fn pack_transposed(&self, isa: Isa, weight: &[f32], inputs: Range<usize>, columns: usize, panels: &mut [f32]) {
        for (panel, first) in panels.chunks_exact_mut(columns * self.outputs).zip(inputs.clone().step_by(columns)) {
            let end = inputs.end.min(first + columns);
            if end < first + columns {
                panel.fill(0.0);
            }
            for run in self.runs(first..end) {
                let rows = Rows { from: &weight[run.row * self.outputs..], step: self.run_step(), count: run.len };
                transpose_rows(isa, rows, self.outputs, &mut panel[run.offset..], columns);
            }
        }
    }
}

/// Turns the gradients of outputs into those before dropout and activation, in rows of whole vectors.
struct Mask<'a> {
    block: &'a DenseBlock,
    dropout: Option<Dropout>,
    first_sample: usize,
    output: &'a [f32],
    grad_output: &'a [f32],
    gradients: &'a mut [f32],
    padded: usize,
}

impl Kernel for Mask<'_> {
    #[expect(clippy::inline_always, reason = "the body must be compiled with the instruction set")]
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { block, dropout, first_sample, output, grad_output, gradients, padded } = self;
        assert!(padded.is_multiple_of(S::LANES) && padded >= block.outputs);
        let pairs = output.chunks_exact(block.outputs).zip(grad_output.chunks_exact(block.outputs));
        for (index, (gradients, (output, grad_output))) in gradients.chunks_exact_mut(padded).zip(pairs).enumerate() {
            // An output that was dropped is zero too, so that a ReLU's tells all; the identity's does not.
            let ending = Ending::new(block.activation, dropout, first_sample + index);
            for column in (0..padded).step_by(S::LANES) {
                let left = block.outputs.saturating_sub(column);
                // SAFETY: so many outputs are left; the gradients are whole vectors.
                unsafe {
                    let lives = match block.activation {
                        Activation::Identity => ending.kept(s, column),
                        Activation::Relu => s.gt(s.load_some(output.as_ptr().wrapping_add(column), left), s.splat(0.0)),
                    };
                    let gradient = s.load_some(grad_output.as_ptr().wrapping_add(column), left);
                    let gradient = s.mul(gradient, s.splat(ending.scale()));
                    s.store(gradients.as_mut_ptr().add(column), s.select(lives, gradient, s.splat(0.0)));
                }
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
