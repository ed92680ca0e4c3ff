//! A dense layer with its bias, activation and dropout, forward and backward.
//!
//! Three products of matrices whose result is cut into tiles that stay in registers. The weights are
//! read as Burn's `Linear` has them, `[inputs, outputs]`. Images that lie with their channels last are
//! read so, and need not be copied into the order of the weights. Knows nothing of batch norm.

mod backward;
mod forward;
mod product;

pub use backward::Backward;
pub use forward::Forward;

use std::iter;
use std::ops::Range;

use crate::Activation;
use crate::isa::Isa;
use crate::workspace::round_up;

/// A dense block: what it is, not its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseBlock {
    /// Numbers of one sample's input.
    pub inputs: usize,
    /// Pixels of the image that these are, if its channels lie last; else 1. The weights go channel by channel, as the
    /// numbers of a flattened image do.
    pub pixels: usize,
    /// Units.
    pub outputs: usize,
    /// Activation after the bias.
    pub activation: Activation,
}

impl DenseBlock {
    /// Columns of a tile, for a product with so many columns.
    fn columns(isa: Isa, of: usize) -> usize {
        let lanes = isa.lanes();
        if of <= lanes { lanes } else { 2 * lanes }
    }

    /// Tasks that one thread takes at least. A small product is over before another thread has woken up.
    fn tasks_at_least(&self, batch: usize) -> usize {
        const SMALL: usize = 4 << 20;
        if batch * self.inputs * self.outputs < SMALL { usize::MAX } else { 1 }
    }

    /// Cuts inputs into those whose weights lie equally far apart.
    fn runs(&self, inputs: Range<usize>) -> impl Iterator<Item = Run> {
        let (pixels, channels) = (self.pixels, self.inputs / self.pixels);
        let mut next = inputs.start;
        iter::from_fn(move || {
            let (pixel, channel) = (next / channels, next % channels);
            let len = (channels - channel).min(inputs.end - next);
            let run = Run { offset: next - inputs.start, len, row: channel * pixels + pixel };
            next += len;
            (len > 0).then_some(run)
        })
    }

    /// Numbers from the weights of one input of a [`Run`] to those of the next.
    fn run_step(&self) -> usize {
        self.pixels * self.outputs
    }

    /// Outputs, padded to whole tiles.
    fn padded_outputs(&self, isa: Isa) -> usize {
        round_up(self.outputs, Self::columns(isa, self.outputs))
    }
}

/// Inputs that follow one another, of one pixel.
struct Run {
    /// How many come before them.
    offset: usize,
    len: usize,
    /// The row of weights of the first one.
    row: usize,
}

/// Rows of a result that are worth packing the right matrix for.
const MANY_ROWS: usize = 48;

/// Samples that one task goes through number by number: enough of them that another thread is worth waking.
fn samples_together(outputs: usize) -> usize {
    const NUMBERS: usize = 1 << 15;
    NUMBERS.div_ceil(outputs)
}
