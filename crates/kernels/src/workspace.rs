//! Buffers that live across steps, aligned to cache lines.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// The buffers of one block: packed weights and partial gradients.
///
/// They grow to what the block needs and stay; what they hold between calls means nothing.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Weights in the order that a kernel reads them.
    pub(crate) weights: Buffer,
    /// Biases, padded to whole vectors.
    pub(crate) bias: Buffer,
    /// Sums over a part of the batch, or tiles of a product.
    pub(crate) partials: Buffer,
    /// Gradients at the output of the dense layer.
    pub(crate) gradients: Buffer,
    /// Positions of pixels.
    pub(crate) offsets: Vec<u32>,
}

impl Workspace {
    /// An empty workspace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lends a workspace that earlier calls have grown, for callers that have no place to keep one.
    pub fn lend<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        static FREE: Mutex<Vec<Workspace>> = Mutex::new(Vec::new());
        let free = || FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = free().pop().unwrap_or_default();
        let result = work(&mut workspace);
        free().push(workspace);
        result
    }
}

/// What one thread needs while it works on a few images.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) images: Buffer,
    pub(crate) outputs: Buffer,
    /// Room for the points of tiles, or for gradients at the convolution.
    pub(crate) work: Buffer,
    pub(crate) grad_images: Buffer,
    /// Outputs before pooling.
    pub(crate) convolved: Buffer,
    /// Gradients at the pixels of each channel, where those pixels are, and where each channel's end.
    pub(crate) values: Vec<f32>,
    pub(crate) pixels: Vec<u32>,
    pub(crate) ends: Vec<usize>,
}

impl Scratch {
    /// Lends this thread's scratch. Not to be nested.
    pub(crate) fn with<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        SCRATCH.with_borrow_mut(f)
    }
}

/// Numbers whose first one starts a cache line.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; Self::LEN]);

impl Line {
    const LEN: usize = 16;
}

impl Buffer {
    /// The first `len` numbers, whatever they are.
    pub(crate) fn floats(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(Line::LEN);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([0.0; Line::LEN]));
        }
        // SAFETY: a line is exactly 16 numbers without padding, and there are enough lines; the
        // borrow of `self` keeps them alive and unshared.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }

    /// The first `len` numbers, of a buffer that holds them.
    pub(crate) fn filled(&self, len: usize) -> &[f32] {
        assert!(len <= self.capacity());
        // SAFETY: as for `floats`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }

    /// How many numbers there are without growing.
    pub(crate) fn capacity(&self) -> usize {
        self.lines.len() * Line::LEN
    }

    /// The first `len` bytes.
    #[cfg(feature = "burn")]
    pub(crate) fn bytes(&self, len: usize) -> &[u8] {
        assert!(len <= 4 * self.capacity());
        // SAFETY: a line is 64 bytes without padding, and there are enough lines; the borrow of `self`
        // keeps them alive.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }

    /// The first `len` bytes, whatever they are.
    #[cfg(feature = "burn")]
    pub(crate) fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        let floats = self.floats(len.div_ceil(4));
        // SAFETY: there are at least `len` bytes, all bit patterns are numbers, and the borrow of `self`
        // keeps them alive and unshared.
        unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), len) }
    }

    /// The first `len` numbers, set to zero.
    pub(crate) fn zeros(&mut self, len: usize) -> &mut [f32] {
        let floats = self.floats(len);
        floats.fill(0.0);
        floats
    }
}

/// Rounds up to a multiple.
pub(crate) const fn round_up(n: usize, multiple: usize) -> usize {
    n.div_ceil(multiple) * multiple
}
