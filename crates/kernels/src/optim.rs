//! Updates of parameters from their gradients.

use rayon::prelude::*;

use crate::check_len;
use crate::isa::{self, Isa, Kernel};
use crate::simd::Simd;
use crate::threads;

/// Parameters that one task updates. A parameter depends on no other, so that the split is free.
const TASK_LEN: usize = 1 << 13;

/// Tasks that one thread takes at least: fewer are over before another thread has woken up.
const TASKS_AT_LEAST: usize = 4;

/// A moment or velocity that is nearer to zero is zero. Of a parameter whose gradient has stopped, as that of a ReLU that
/// is never passed, it would else end among the smallest numbers there are, for good: these have fewer digits than
/// others, and many processors take far longer for them. No parameter moves by so little.
const SETTLED: f32 = 1e-36;
/// A gradient that is nearer to zero has no square among the numbers with all digits.
const NO_SQUARE: f32 = 1e-17;

/// Constants of Adam (Kingma and Ba, 2015, algorithm 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Decay of the mean of the gradient.
    pub beta_1: f32,
    /// Decay of the mean of its square.
    pub beta_2: f32,
    /// Added to the root.
    pub epsilon: f32,
    /// Decay of the parameters.
    pub weight_decay: f32,
    /// How they decay.
    pub decay: Decay,
}

/// The two ways in which Adam lets parameters decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// As a part of the gradient, so that the moments know of it.
    Gradient,
    /// Apart from it, by the learning rate: `AdamW` (Loshchilov and Hutter, 2019, algorithm 2).
    Decoupled,
}

impl Adam {
    /// Makes one step. `step` counts from 1.
    ///
    /// # Shapes
    ///
    /// - parameters, gradients and both moments: the same length
    ///
    /// # Panics
    ///
    /// If lengths do not match.
    #[expect(clippy::too_many_arguments, reason = "these are the inputs of the algorithm")]
    pub fn update(
        &self,
        isa: Isa,
        learning_rate: f64,
        step: u64,
        parameters: &mut [f32],
        gradients: &[f32],
        moment_1: &mut [f32],
        moment_2: &mut [f32],
    ) {
        check_len("gradients", gradients.len(), parameters.len());
        check_len("moment_1", moment_1.len(), parameters.len());
        check_len("moment_2", moment_2.len(), parameters.len());
        let constants = Constants::new(self, learning_rate, step);
        let tasks = parameters
            .par_chunks_mut(TASK_LEN)
            .zip(gradients.par_chunks(TASK_LEN))
            .zip(moment_1.par_chunks_mut(TASK_LEN))
            .zip(moment_2.par_chunks_mut(TASK_LEN))
            .with_min_len(TASKS_AT_LEAST);
        threads::for_each(tasks, |(((parameters, gradients), moment_1), moment_2)| {
            isa::run(isa, AdamTask { constants, parameters, gradients, moment_1, moment_2 });
        });
    }
}

#[derive(Debug, Clone, Copy)]
struct Constants {
    adam: Adam,
    /// What the gradient gains per unit of the parameter.
    penalty: f32,
    /// What is left of the parameter before it moves.
    kept: f32,
    /// Learning rate over the bias correction of the mean.
    rate: f32,
    /// One over the bias correction of the mean square.
    correction_2: f32,
}

impl Constants {
    #[expect(clippy::cast_possible_truncation, reason = "the constants are used as f32")]
    fn new(adam: &Adam, learning_rate: f64, step: u64) -> Self {
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        let correction = |beta: f32| 1.0 / (1.0 - f64::from(beta).powi(step));
        let (penalty, kept) = match adam.decay {
            Decay::Gradient => (adam.weight_decay, 1.0),
            Decay::Decoupled => (0.0, (1.0 - learning_rate * f64::from(adam.weight_decay)) as f32),
        };
        Self {
            adam: *adam,
            penalty,
            kept,
            rate: (learning_rate * correction(adam.beta_1)) as f32,
            correction_2: correction(adam.beta_2) as f32,
        }
    }
}

struct AdamTask<'a> {
    constants: Constants,
    parameters: &'a mut [f32],
    gradients: &'a [f32],
    moment_1: &'a mut [f32],
    moment_2: &'a mut [f32],
}

impl Kernel for AdamTask<'_> {
    #[expect(clippy::inline_always, reason = "the body must be compiled with the instruction set")]
    #[expect(clippy::many_single_char_names, reason = "the names of the paper")]
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Constants { adam, penalty, kept, rate, correction_2 } = self.constants;
        let (beta_1, rest_1) = (s.splat(adam.beta_1), s.splat(1.0 - adam.beta_1));
        let (beta_2, rest_2) = (s.splat(adam.beta_2), s.splat(1.0 - adam.beta_2));
        let len = self.parameters.len();
        for i in (0..len).step_by(S::LANES) {
            let n = len - i;
            // SAFETY: all four slices have `len` numbers, so `n` are left from `i` on.
            unsafe {
                let (p_at, m_at, v_at) = (
                    self.parameters.as_mut_ptr().add(i),
                    self.moment_1.as_mut_ptr().add(i),
                    self.moment_2.as_mut_ptr().add(i),
                );
                let p = s.load_some(p_at, n);
                let g = s.load_some(self.gradients.as_ptr().add(i), n);
                let g = s.fma(p, s.splat(penalty), g);
                let m = settle(s, s.fma(beta_1, s.load_some(m_at, n), s.mul(rest_1, g)), SETTLED);
                let heard = settle(s, g, NO_SQUARE);
                let v = s.fma(beta_2, s.load_some(v_at, n), s.mul(rest_2, s.mul(heard, heard)));
                let v = settle(s, v, SETTLED);
                let root = s.sqrt(s.mul(v, s.splat(correction_2)));
                let move_by = s.div(s.mul(m, s.splat(rate)), s.add(root, s.splat(adam.epsilon)));
                s.store_some(p_at, s.fma(p, s.splat(kept), s.mul(move_by, s.splat(-1.0))), n);
                s.store_some(m_at, m, n);
                s.store_some(v_at, v, n);
            }
        }
    }
}

/// What is nearer to zero than `least` becomes zero; what is not a number stays visible.
#[expect(clippy::inline_always, reason = "it is part of the kernel")]
#[inline(always)]
fn settle<S: Simd>(s: S, x: S::F, least: f32) -> S::F {
    let zero = s.splat(0.0);
    let magnitude = s.max(x, s.sub(zero, x));
    s.select(s.gt(s.splat(least), magnitude), zero, x)
}

/// Stochastic gradient descent with momentum as Keras has it: `v ← momentum · v + g`, and
/// the parameters move by `v` (with Nesterov by `g + momentum · v`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Decay of the velocity; 0 for none.
    pub momentum: f32,
    /// What the parameters move by.
    pub kind: Momentum,
    /// Decay of the parameters, as a part of the gradient.
    pub weight_decay: f32,
}

/// The two kinds of momentum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Momentum {
    /// Moves by the velocity.
    Plain,
    /// Moves by the velocity as it will be (Sutskever et al., 2013).
    Nesterov,
}

impl Sgd {
    /// Makes one step.
    ///
    /// # Shapes
    ///
    /// - parameters, gradients and velocity: the same length; without momentum there is no velocity
    ///
    /// # Panics
    ///
    /// If lengths do not match, or a velocity is there or missing against the momentum.
    pub fn update(&self, learning_rate: f64, parameters: &mut [f32], gradients: &[f32], velocity: Option<&mut [f32]>) {
        #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
        let learning_rate = learning_rate as f32;
        check_len("gradients", gradients.len(), parameters.len());
        assert!(velocity.is_some() == self.has_velocity(), "velocity: expected with a momentum alone");
        let pairs = parameters.par_chunks_mut(TASK_LEN).zip(gradients.par_chunks(TASK_LEN));
        let Some(velocity) = velocity else {
            return threads::for_each(pairs.with_min_len(TASKS_AT_LEAST), |(parameters, gradients)| {
                for (p, &g) in parameters.iter_mut().zip(gradients) {
                    *p -= learning_rate * (g + self.weight_decay * *p);
                }
            });
        };
        check_len("velocity", velocity.len(), gradients.len());
        let triples = pairs.zip(velocity.par_chunks_mut(TASK_LEN)).with_min_len(TASKS_AT_LEAST);
        threads::for_each(triples, |((parameters, gradients), velocity)| {
            for ((p, &g), v) in parameters.iter_mut().zip(gradients).zip(velocity) {
                let g = g + self.weight_decay * *p;
                *v = self.momentum * *v + g;
                if v.abs() < SETTLED {
                    *v = 0.0;
                }
                *p -= learning_rate
                    * match self.kind {
                        Momentum::Plain => *v,
                        Momentum::Nesterov => g + self.momentum * *v,
                    };
            }
        });
    }

    /// Whether the rule remembers anything from step to step.
    #[must_use]
    pub fn has_velocity(&self) -> bool {
        self.momentum > 0.0
    }
}
