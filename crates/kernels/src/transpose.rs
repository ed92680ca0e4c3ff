//! Transposition of matrices, in squares that stay in registers.

use crate::check_len;
use crate::isa::{self, Isa, Kernel};
use crate::simd::{SQUARE, Simd};

/// Transposes each of the matrices `[rows, columns]` that `from` holds.
pub(crate) fn transpose(isa: Isa, from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    isa::run(isa, Transpose { from, rows, columns, to });
}

/// Transposes the first `columns` of some rows; `to` gets one row for each column, which start every `step` numbers.
pub(crate) fn transpose_rows(isa: Isa, rows: Rows<'_>, columns: usize, to: &mut [f32], step: usize) {
    isa::run(isa, TransposeRows { rows, columns, to, step });
}

/// So many rows that start every `step` numbers.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) from: &'a [f32],
    pub(crate) step: usize,
    pub(crate) count: usize,
}

struct Transpose<'a> {
    from: &'a [f32],
    rows: usize,
    columns: usize,
    to: &'a mut [f32],
}

impl Kernel for Transpose<'_> {
    #[expect(clippy::inline_always, reason = "the body must be compiled with the instruction set")]
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { from, rows, columns, to } = self;
        check_len("transposed", to.len(), from.len());
        let len = rows * columns;
        for (from, to) in from.chunks_exact(len).zip(to.chunks_exact_mut(len)) {
            let rows = Rows { from, step: columns, count: rows };
            TransposeRows { rows, columns, to, step: rows.count }.run(s);
        }
    }
}

struct TransposeRows<'a> {
    rows: Rows<'a>,
    columns: usize,
    to: &'a mut [f32],
    step: usize,
}

impl Kernel for TransposeRows<'_> {
    #[expect(clippy::inline_always, reason = "the body must be compiled with the instruction set")]
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows: Rows { from, step: from_step, count: rows }, columns, to, step } = self;
        if rows == 0 || columns == 0 {
            return;
        }
        assert!((rows - 1) * from_step + columns <= from.len() && (columns - 1) * step + rows <= to.len());
        let (whole_rows, whole_columns) = (rows / SQUARE * SQUARE, columns / SQUARE * SQUARE);
        for row in (0..whole_rows).step_by(SQUARE) {
            for column in (0..whole_columns).step_by(SQUARE) {
                // SAFETY: the square lies inside both matrices, whose lengths have been checked.
                unsafe {
                    let from = from.as_ptr().add(row * from_step + column);
                    s.transpose_square(from, from_step, to.as_mut_ptr().add(column * step + row), step);
                }
            }
        }
        for row in 0..rows {
            let first = if row < whole_rows { whole_columns } else { 0 };
            for column in first..columns {
                to[column * step + row] = from[row * from_step + column];
            }
        }
    }
}
