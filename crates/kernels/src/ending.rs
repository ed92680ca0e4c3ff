//! The end of a block: activation and dropout, and what the backward pass of images wants to know of them.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use crate::Activation;
use crate::conv::DEAD;
use crate::dropout::{Dropout, SampleKey};
use crate::simd::Simd;

/// The end of a block, for the outputs of one sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    activation: Activation,
    dropout: Option<(Dropout, SampleKey)>,
    /// The factor of what is kept.
    scale: f32,
}

impl Ending {
    pub(crate) fn new(activation: Activation, dropout: Option<Dropout>, sample: usize) -> Self {
        let scale = dropout.map_or(1.0, |dropout| dropout.scale());
        Self { activation, dropout: dropout.map(|dropout| (dropout, dropout.key(sample))), scale }
    }

    /// Whether it leaves everything as it is.
    pub(crate) fn is_nothing(&self) -> bool {
        self.activation == Activation::Identity && self.dropout.is_none()
    }

    /// The factor of what dropout keeps.
    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    /// What dropout keeps of a vector of outputs from `element` on.
    #[inline(always)]
    pub(crate) fn kept<S: Simd>(&self, s: S, element: usize) -> S::M {
        match self.dropout {
            Some((dropout, key)) => dropout.mask(s, key, element),
            None => s.all(),
        }
    }

    /// Activates and drops out a vector of outputs, of which some are kept; the code of those that end as zero is [`DEAD`].
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(&self, s: S, kept: S::M, value: S::F, code: S::U) -> (S::F, S::U) {
        // What is not a number must stay visible.
        let lives = match self.activation {
            Activation::Identity => kept,
            Activation::Relu => s.both(s.not_le(value, s.splat(0.0)), kept),
        };
        let value = s.mul(value, s.splat(self.scale));
        (s.select(lives, value, s.splat(0.0)), s.u_select(lives, code, s.u_splat(u32::from(DEAD))))
    }
}
