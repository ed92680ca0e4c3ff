//! A dense layer with its bias, activation and dropout, forward and backward.
//!
//! Three products of matrices whose result is cut into tiles that stay in registers. The weights are
//! read as Burn's `Linear` has them, `[inputs, outputs]`. Knows nothing of batch norm.

mod backward;
mod forward;
mod product;

pub use backward::Backward;
pub use forward::Forward;

use rayon::prelude::*;

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

/// Cuts a matrix with rows of `len` into panels of so many columns, zeros where there is no column. The rows of a
/// long matrix are so far apart that they compete for the same few lines of the caches.
fn pack_panels(matrix: &[f32], len: usize, columns: usize, panels: &mut [f32], at_least: usize) {
    let rows = matrix.len() / len;
    panels.par_chunks_mut(rows * columns).with_min_len(at_least).enumerate().for_each(|(block, panel)| {
        let first = block * columns;
        let own = columns.min(len - first);
        for (to, from) in panel.chunks_exact_mut(columns).zip(matrix.chunks_exact(len)) {
            to[..own].copy_from_slice(&from[first..first + own]);
            to[own..].fill(0.0);
        }
    });
}

/// Rows of a result that are worth packing the right matrix for, or waking another thread.
const MANY_ROWS: usize = 48;
