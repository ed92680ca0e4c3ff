//! Transposition of matrices, in squares that stay in registers.

use crate::check_len;
use crate::isa::{self, Isa, Kernel};
use crate::simd::{SQUARE, Simd};

/// Transposes each of the matrices `[rows, columns]` that `from` holds.
pub(crate) fn transpose(isa: Isa, from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    isa::run(isa, Transpose { from, rows, columns, to });
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
        let (whole_rows, whole_columns) = (rows / SQUARE * SQUARE, columns / SQUARE * SQUARE);
        let len = rows * columns;
        for (from, to) in from.chunks_exact(len).zip(to.chunks_exact_mut(len)) {
            for row in (0..whole_rows).step_by(SQUARE) {
                for column in (0..whole_columns).step_by(SQUARE) {
                    // SAFETY: both matrices have `rows · columns` numbers, and the square lies inside them.
                    unsafe {
                        let from = from.as_ptr().add(row * columns + column);
                        s.transpose_square(from, columns, to.as_mut_ptr().add(column * rows + row), rows);
                    }
                }
            }
            for row in 0..rows {
                let first = if row < whole_rows { whole_columns } else { 0 };
                for column in first..columns {
                    to[column * rows + row] = from[row * columns + column];
                }
            }
        }
    }
}
