//! Products of matrices: a tile of the result stays in registers.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and vectors of a tile are counted alike in registers and in memory"
)]

use crate::simd::Simd;

/// Does some work with the most rows that fit into the registers and are left; `$rows` is how many, as a constant. Of 16
/// rows, and of 8, which are numbers of channels, half are taken: with two sums or four left, a processor would wait.
macro_rules! by_rows {
    ($simd:ty, $left:expr, $rows:ident => $work:expr) => {
        match $left {
            16 if <$simd>::WIDE => {
                const $rows: usize = 8;
                $work
            }
            12.. if <$simd>::WIDE => {
                const $rows: usize = 12;
                $work
            }
            8.. if <$simd>::WIDE => {
                const $rows: usize = 8;
                $work
            }
            8 => {
                const $rows: usize = 4;
                $work
            }
            6.. => {
                const $rows: usize = 6;
                $work
            }
            4.. => {
                const $rows: usize = 4;
                $work
            }
            2.. => {
                const $rows: usize = 2;
                $work
            }
            _ => {
                const $rows: usize = 1;
                $work
            }
        }
    };
}
pub(crate) use by_rows;

/// Rows of a tile, each of `Q` vectors.
pub(crate) type Tile<S, const P: usize, const Q: usize> = [[<S as Simd>::F; Q]; P];

/// Adds a product to a tile: row `p`, vector `q` gains `Σ a[p][i · a_step] · b[i · b_step + q · LANES ..]`
/// over `i` in `0..len`.
///
/// # Safety
///
/// All of those addresses must be readable.
#[inline(always)]
pub(crate) unsafe fn accumulate<S: Simd, const P: usize, const Q: usize>(
    s: S,
    tile: &mut Tile<S, P, Q>,
    len: usize,
    (a, a_step): ([*const f32; P], usize),
    (mut b, b_step): (*const f32, usize),
) {
    let mut i = 0;
    for _ in 0..len {
        // SAFETY: the caller promises the addresses of every `i` below `len`.
        unsafe {
            let mut right = [s.splat(0.0); Q];
            for q in 0..Q {
                right[q] = s.load(b.add(q * S::LANES));
            }
            for p in 0..P {
                let left = s.splat(*a[p].add(i));
                for q in 0..Q {
                    tile[p][q] = s.fma(left, right[q], tile[p][q]);
                }
            }
        }
        i += a_step;
        // The last step may lead past the end, where nothing is read.
        b = b.wrapping_add(b_step);
    }
}

/// Loads a tile from rows of `step` numbers.
///
/// # Safety
///
/// All rows must be readable.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd, const P: usize, const Q: usize>(
    s: S,
    from: *const f32,
    step: usize,
) -> Tile<S, P, Q> {
    let mut tile = [[s.splat(0.0); Q]; P];
    for p in 0..P {
        for q in 0..Q {
            // SAFETY: the caller promises the rows.
            tile[p][q] = unsafe { s.load(from.add(p * step + q * S::LANES)) };
        }
    }
    tile
}

/// Stores the first `columns` columns of a tile as rows of `step` numbers.
///
/// # Safety
///
/// All rows must be writable.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd, const P: usize, const Q: usize>(
    s: S,
    tile: &Tile<S, P, Q>,
    to: *mut f32,
    step: usize,
    columns: usize,
) {
    for p in 0..P {
        for q in 0..Q {
            if q * S::LANES < columns {
                // SAFETY: the caller promises the rows.
                unsafe { s.store_some(to.add(p * step + q * S::LANES), tile[p][q], columns - q * S::LANES) }
            }
        }
    }
}

/// What the sums of a product start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Zero; what the result held is ignored.
    Zero,
    /// What the result holds.
    Result,
}

/// The right matrix of a product, in panels of so many columns: one or two vectors.
#[derive(Clone, Copy)]
pub(crate) struct Panels {
    pub(crate) first: *const f32,
    /// Numbers from one panel to the next, and from one row to the next.
    pub(crate) panel_step: usize,
    pub(crate) row_step: usize,
    pub(crate) columns: usize,
}

/// A product: `result[r][c] (+)= Σ left[r · row_step + i · term_step] · right[i][c]` over `i` in `0..terms`. Panels are
/// read as a whole; of the last one not all columns need be written.
///
/// # Safety
///
/// All of those addresses must be readable, and the result writable; whole panels of it, if the sums start from it.
#[inline(always)]
pub(crate) unsafe fn multiply<S: Simd>(
    s: S,
    (rows, terms): (usize, usize),
    left: (*const f32, usize, usize),
    right: Panels,
    (result, result_step, columns): (*mut f32, usize, usize),
    start: Start,
) {
    const ROWS: usize = 6;
    let (first, row_step, term_step) = left;
    let Panels { panel_step, row_step: right_step, columns: panel, .. } = right;
    let mut pairs = if term_step == 1 && panel == 2 * S::LANES { columns / (2 * panel) } else { 0 };
    let done = rows / ROWS * ROWS;
    'pairs: for pair in 0..pairs {
        for row in (0..done).step_by(ROWS) {
            let left = (first.wrapping_add(row * row_step), row_step);
            let right = (right.first.wrapping_add(2 * pair * panel_step), right_step, panel_step);
            let result = (result.wrapping_add(row * result_step + 2 * pair * panel), result_step);
            // SAFETY: the caller promises the addresses.
            if !unsafe { s.multiply_wide(terms, left, right, result, start == Start::Result) } {
                pairs = 0;
                break 'pairs;
            }
        }
    }
    for (index, column) in (0..columns).step_by(panel).enumerate() {
        let done = if index < 2 * pairs { done } else { 0 };
        let left = (first.wrapping_add(done * row_step), row_step, term_step);
        let right = (right.first.wrapping_add(index * panel_step), right_step);
        let own = panel.min(columns - column);
        let result = (result.wrapping_add(done * result_step + column), result_step, own);
        // SAFETY: as above.
        unsafe {
            if panel == S::LANES {
                multiply_panel::<S, 1>(s, (rows - done, terms), left, right, result, start);
            } else {
                multiply_panel::<S, 2>(s, (rows - done, terms), left, right, result, start);
            }
        }
    }
}

/// One block of `Q` vectors of columns of a product: `result[r][c] (+)= Σ left[r · row_step + i · term_step] ·
/// right[i · right_step + c]` over `i` in `0..terms`. The first `columns` are written.
///
/// # Safety
///
/// All of those addresses must be readable, and the result writable; whole vectors of it, if the sums start from it.
#[inline(always)]
unsafe fn multiply_panel<S: Simd, const Q: usize>(
    s: S,
    (rows, terms): (usize, usize),
    (left, row_step, term_step): (*const f32, usize, usize),
    right: (*const f32, usize),
    (result, result_step, columns): (*mut f32, usize, usize),
    start: Start,
) {
    let mut row = 0;
    while row < rows {
        let left = (left.wrapping_add(row * row_step), row_step, term_step);
        let result = (result.wrapping_add(row * result_step), result_step, columns);
        // SAFETY: no tile has more rows than are left; the caller promises the addresses.
        row += unsafe { by_rows!(S, rows - row, P => multiply_rows::<S, P, Q>(s, terms, left, right, result, start)) };
    }
}

#[inline(always)]
unsafe fn multiply_rows<S: Simd, const P: usize, const Q: usize>(
    s: S,
    terms: usize,
    (left, row_step, term_step): (*const f32, usize, usize),
    right: (*const f32, usize),
    (result, result_step, columns): (*mut f32, usize, usize),
    start: Start,
) -> usize {
    // SAFETY: the caller promises `P` rows, whole ones in the first case.
    unsafe {
        if columns == Q * S::LANES {
            let (left, result) = ((left, row_step, term_step), (result, result_step));
            if s.multiply_tile::<P, Q>(terms, left, right, result, start == Start::Result) {
                return P;
            }
        }
        let mut sums = match start {
            Start::Zero => [[s.splat(0.0); Q]; P],
            Start::Result => load::<S, P, Q>(s, result, result_step),
        };
        let mut rows = [left; P];
        for p in 0..P {
            rows[p] = left.wrapping_add(p * row_step);
        }
        accumulate::<S, P, Q>(s, &mut sums, terms, (rows, term_step), right);
        store::<S, P, Q>(s, &sums, result, result_step, columns);
    }
    P
}
