//! A dense layer with its bias, activation and dropout, forward and backward.
//!
//! Three products of matrices whose result is cut into tiles that stay in registers. The weights are
//! read as Burn's `Linear` has them, `[inputs, outputs]`. Knows nothing of batch norm.

mod backward;
mod forward;
mod product;

pub use backward::Backward;
pub use forward::Forward;

use crate::Activation;
use crate::isa::Isa;
use crate::workspace::round_up;

/// A dense block: what it is, not its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseBlock {
    /// Numbers of one sample's input.
    pub inputs: usize,
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

    /// Outputs, padded to whole tiles.
    fn padded_outputs(&self, isa: Isa) -> usize {
        round_up(self.outputs, Self::columns(isa, self.outputs))
    }
}

/// Rows of a result that are worth packing the right matrix for, or waking another thread.
const MANY_ROWS: usize = 48;
