//! Rows of a product of matrices.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use crate::isa::Kernel;
use crate::simd::Simd;
use crate::tile::{self, Start};

/// Terms of the sums that are taken before the next tile: as many rows of the right matrix as stay in
/// the second-level cache while every tile uses them.
const TERMS: usize = 512;

/// Adds to some columns of some rows: `result[r][c] += Σ left[r · row_step + i · term_step] · right[i][c]`.
pub(super) struct Product<'a> {
    /// Where the first row starts.
    pub(super) left: &'a [f32],
    pub(super) row_step: usize,
    pub(super) term_step: usize,
    /// `[terms]` rows of `right_step` numbers, of which the first `padded_columns` are read.
    pub(super) right: &'a [f32],
    pub(super) right_step: usize,
    pub(super) terms: usize,
    /// `[rows]` rows of `result_step` numbers, of which the first `columns` are written.
    pub(super) result: &'a mut [f32],
    pub(super) result_step: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// One or two vectors.
    pub(super) padded_columns: usize,
    /// All columns of a tile are written where the sums start from the result.
    pub(super) start: Start,
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if self.rows == 0 {
            return;
        }
        // The addresses below follow from these lengths.
        if self.terms > 0 {
            let last = (self.rows - 1) * self.row_step + (self.terms - 1) * self.term_step;
            assert!(last < self.left.len());
            assert!((self.terms - 1) * self.right_step + self.padded_columns <= self.right.len());
        }
        assert!(self.columns == self.padded_columns || self.start == Start::Zero && self.columns < self.padded_columns);
        assert!((self.rows - 1) * self.result_step + self.columns <= self.result.len());
        // SAFETY: the lengths are right.
        unsafe {
            if self.padded_columns == S::LANES {
                self.columns::<S, 1>(s);
            } else {
                assert!(self.padded_columns == 2 * S::LANES);
                self.columns::<S, 2>(s);
            }
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    unsafe fn columns<S: Simd, const Q: usize>(self, s: S) {
        // Sums can only be put down on the way where every column of a tile has its place.
        let most = if self.columns == self.padded_columns { TERMS } else { self.terms };
        let mut first = 0;
        loop {
            let terms = (self.terms - first).min(most);
            let start = if first > 0 { Start::Result } else { self.start };
            let left = (self.left.as_ptr().wrapping_add(first * self.term_step), self.row_step, self.term_step);
            let right = (self.right.as_ptr().wrapping_add(first * self.right_step), self.right_step);
            let result = (self.result.as_mut_ptr(), self.result_step, self.columns);
            // SAFETY: the lengths were checked in `run`.
            unsafe { tile::multiply::<S, Q>(s, (self.rows, terms), left, right, result, start) };
            first += terms;
            if first >= self.terms {
                return;
            }
        }
    }
}
