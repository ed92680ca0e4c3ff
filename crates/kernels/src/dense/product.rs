//! Products of matrices.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use crate::isa::Kernel;
use crate::shared::Shared;
use crate::simd::Simd;
use crate::tile::{self, Panels, Start};

/// Terms of the sums that are taken before the next tile: as many rows of the right matrix as stay in
/// the caches while every tile uses them.
pub(super) const TERMS: usize = 256;

/// Computes some columns of some rows: `result[r][c] (+)= Σ left[r · row_step + i · term_step] · right[i][c]`.
pub(super) struct Product<'a> {
    /// Where the first row starts.
    pub(super) left: &'a [f32],
    pub(super) row_step: usize,
    pub(super) term_step: usize,
    pub(super) right: Right<'a>,
    pub(super) terms: usize,
    pub(super) result: Target<'a>,
    pub(super) rows: usize,
    /// Columns that are written: whole panels where the sums start from the result.
    pub(super) columns: usize,
    pub(super) start: Start,
}

/// The matrix on the right: panels of columns with a row for every term.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) numbers: &'a [f32],
    /// Numbers from one panel to the next, and from one row to the next.
    pub(super) panel_step: usize,
    pub(super) row_step: usize,
    /// Columns of a panel: one or two vectors, all of which are read.
    pub(super) columns: usize,
}

impl<'a> Right<'a> {
    /// Panels that lie one after the other.
    pub(super) fn packed(numbers: &'a [f32], terms: usize, columns: usize) -> Self {
        Self { numbers, panel_step: terms * columns, row_step: columns, columns }
    }
}

/// Where a result goes: some columns of rows of `step` numbers.
pub(super) struct Target<'a> {
    numbers: Shared<'a>,
    step: usize,
}

impl<'a> Target<'a> {
    /// Rows that nobody else has.
    pub(super) fn new(rows: &'a mut [f32], step: usize) -> Self {
        Self { numbers: Shared::new(rows), step }
    }

    /// Rows of which others write something too, from the first number on.
    ///
    /// # Safety
    ///
    /// While this is used, nobody else may use the columns that are written.
    pub(super) unsafe fn shared(rows: Shared<'a>, step: usize) -> Self {
        Self { numbers: rows, step }
    }
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        let panel = self.right.columns;
        let is_whole = self.columns.is_multiple_of(panel);
        // The addresses below follow from these lengths.
        if self.terms > 0 {
            let last = (self.rows - 1) * self.row_step + (self.terms - 1) * self.term_step;
            assert!(last < self.left.len());
            let last = (self.columns - 1) / panel * self.right.panel_step + (self.terms - 1) * self.right.row_step;
            assert!(last + panel <= self.right.numbers.len());
        }
        assert!(panel == S::LANES || panel == 2 * S::LANES);
        assert!(is_whole || self.start == Start::Zero);
        assert!((self.rows - 1) * self.result.step + self.columns <= self.result.numbers.len());
        // Sums can only be put down on the way where every column of a tile has its place.
        let most = if is_whole { TERMS } else { self.terms };
        let mut first = 0;
        loop {
            let terms = (self.terms - first).min(most);
            let left = (self.left.as_ptr().wrapping_add(first * self.term_step), self.row_step, self.term_step);
            let right = Panels {
                first: self.right.numbers.as_ptr().wrapping_add(first * self.right.row_step),
                panel_step: self.right.panel_step,
                row_step: self.right.row_step,
                columns: panel,
            };
            let result = (self.result.numbers.as_mut_ptr(), self.result.step, self.columns);
            let start = if first > 0 { Start::Result } else { self.start };
            // SAFETY: the lengths are right.
            unsafe { tile::multiply(s, (self.rows, terms), left, right, result, start) };
            first += terms;
            if first >= self.terms {
                return;
            }
        }
    }
}

/// Packs some columns of rows into panels of so many, zeros where there is no column. The rows of a long matrix are
/// so far apart that they compete for the same few lines of the caches.
pub(super) struct Pack<'a, I> {
    /// Rows of equal length.
    pub(super) rows: I,
    /// How many there are.
    pub(super) terms: usize,
    /// The first column that is packed.
    pub(super) first: usize,
    pub(super) panels: &'a mut [f32],
    pub(super) columns: usize,
}

impl<'a, I: Iterator<Item = &'a [f32]>> Kernel for Pack<'a, I> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, terms, first, panels, columns } = self;
        let packed = panels.len() / terms.max(1);
        assert!(columns.is_multiple_of(S::LANES) && packed.is_multiple_of(columns));
        for (term, row) in rows.take(terms).enumerate() {
            let row = &row[first..];
            for panel in (0..packed).step_by(columns) {
                let to = &mut panels[terms * panel + term * columns..][..columns];
                for (index, to) in to.chunks_exact_mut(S::LANES).enumerate() {
                    let column = panel + index * S::LANES;
                    let left = row.len().saturating_sub(column);
                    // SAFETY: so many columns are left, and `to` is a vector.
                    unsafe { s.store(to.as_mut_ptr(), s.load_some(row.as_ptr().wrapping_add(column), left)) };
                }
            }
        }
    }
}
