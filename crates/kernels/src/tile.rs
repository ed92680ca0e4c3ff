//! The inner loop of every product here: a tile of the result stays in registers.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and vectors of a tile are counted alike in registers and in memory"
)]

use crate::simd::Simd;

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
