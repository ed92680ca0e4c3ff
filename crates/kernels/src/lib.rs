//! Fused forward and backward passes on the CPU for the blocks that image classifiers are built of.
//!
//! Everything here is a function over slices of f32: a [convolution block](conv), a [dense block](dense), a
//! [normalisation block](norm), [two of these as one](conv_norm), the [loss](loss) and the [update](optim) of the
//! parameters. The crate knows no network by name, holds no parameters and opens no file. What makes operations on
//! Burn's tensors of them is `burn_ext`, behind the feature `burn`, which is on unless told otherwise.
//!
//! What holds for every function:
//!
//! - The same input gives the same bytes at any number of threads. Sums over the batch are taken in
//!   an order that depends on shapes alone.
//! - [`Isa`] is chosen at run time and given as an argument.
//! - Lengths are checked against the shapes on entry; a mismatch is a panic that names the slice.
//! - [`Workspace`] holds the buffers of a block; a second call with the same shapes allocates nothing large.

#[cfg(feature = "burn")]
pub mod burn_ext;
pub mod conv;
pub mod conv_norm;
pub mod dense;
pub mod dropout;
mod ending;
mod groups;
mod isa;
pub mod loss;
pub mod norm;
pub mod optim;
#[cfg(feature = "burn")]
pub mod profile;
mod shared;
mod simd;
pub mod threads;
mod tile;
mod transpose;
mod workspace;

pub use isa::{Isa, VARIABLE};
pub use workspace::Workspace;

/// The non-linear function of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// None: the identity.
    Identity,
    /// `max(0, x)`. Its gradient at 0 is 0.
    Relu,
}

/// Panics with the slice's name if its length is not what the shapes make it.
fn check_len(name: &str, found: usize, expected: usize) {
    assert!(found == expected, "{name}: expected {expected} values, found {found}");
}
