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

    /// Outputs, padded to whole tiles.
    fn padded_outputs(&self, isa: Isa) -> usize {
        round_up(self.outputs, Self::columns(isa, self.outputs))
    }
}

/// Rows of a result that one task computes: a multiple of every tile's.
const TASK_ROWS: usize = 48;
