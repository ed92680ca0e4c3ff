//! Winograd's minimal filtering F(4×4, 3×3): 36 products for what takes 144, of numbers that are sums of inputs and
//! of weights.
//!
//! A *tile* is 4×4 outputs and the 6×6 pixels under them. Both it and the filter are taken for polynomials, and
//! evaluated at six points along each axis: there, the convolution is a product. Lavin and Gray (2016, "Fast
//! algorithms for convolutional neural networks", arXiv 1509.09308) have the method. The points here are 0, ±√½, ±√2
//! and infinity: Alam, Anderson, Barabasz and Gregg (2022, "Winograd convolution for deep neural networks: efficient
//! point selection", arXiv 2201.10369) show that c, −c, 1/c and −1/c round less than ±1 and ±2 do. The backward
//! passes are the adjoints of the same maps. Knows one tile, not where it is.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use std::f32::consts::{FRAC_1_SQRT_2 as NEAR, SQRT_2 as FAR};

use super::SIDE;
use crate::simd::Simd;

/// Side of a tile of outputs.
pub(super) const OUT: usize = 4;
/// Points along one axis, and pixels.
pub(super) const AXIS: usize = OUT + SIDE - 1;
/// Points of a tile.
pub(super) const POINTS: usize = AXIS * AXIS;

/// A linear map along one axis.
pub(super) trait Map<const FROM: usize, const TO: usize> {
    fn along<S: Simd>(s: S, x: [S::F; FROM]) -> [S::F; TO];
}

/// A map along both axes of a square: of its columns first, then of the rows that come out.
#[inline(always)]
pub(super) fn both<S: Simd, M: Map<FROM, TO>, const FROM: usize, const TO: usize>(
    s: S,
    square: [[S::F; FROM]; FROM],
) -> [[S::F; TO]; TO] {
    let zero = s.splat(0.0);
    let mut half = [[zero; FROM]; TO];
    for column in 0..FROM {
        let mut x = [zero; FROM];
        for row in 0..FROM {
            x[row] = square[row][column];
        }
        let found = M::along(s, x);
        for row in 0..TO {
            half[row][column] = found[row];
        }
    }
    let mut both = [[zero; TO]; TO];
    for row in 0..TO {
        both[row] = M::along(s, half[row]);
    }
    both
}

/// Values of filters at ±√½ and at ±√2 are multiplied by these: one over the product of a point's differences to the
/// others.
const NEAR_PART: f32 = -1.0 / 1.5;
const FAR_PART: f32 = 1.0 / 6.0;

/// `G g` of three taps.
pub(super) struct Filter;

impl Map<SIDE, AXIS> for Filter {
    #[inline(always)]
    fn along<S: Simd>(s: S, g: [S::F; SIDE]) -> [S::F; AXIS] {
        let near = s.mul(s.splat(NEAR_PART), s.fma(s.splat(0.5), g[2], g[0]));
        let near_odd = s.mul(s.splat(NEAR_PART * NEAR), g[1]);
        let far = s.mul(s.splat(FAR_PART), s.fma(s.splat(2.0), g[2], g[0]));
        let far_odd = s.mul(s.splat(FAR_PART * FAR), g[1]);
        [g[0], s.add(near, near_odd), s.sub(near, near_odd), s.add(far, far_odd), s.sub(far, far_odd), g[2]]
    }
}

/// `Gᵀ p`, the adjoint.
pub(super) struct FilterBack;

impl Map<AXIS, SIDE> for FilterBack {
    #[inline(always)]
    fn along<S: Simd>(s: S, p: [S::F; AXIS]) -> [S::F; SIDE] {
        let (near, near_odd) = (s.add(p[1], p[2]), s.sub(p[1], p[2]));
        let (far, far_odd) = (s.add(p[3], p[4]), s.sub(p[3], p[4]));
        [
            s.fma(s.splat(NEAR_PART), near, s.fma(s.splat(FAR_PART), far, p[0])),
            s.fma(s.splat(NEAR_PART * NEAR), near_odd, s.mul(s.splat(FAR_PART * FAR), far_odd)),
            s.fma(s.splat(0.5 * NEAR_PART), near, s.fma(s.splat(2.0 * FAR_PART), far, p[5])),
        ]
    }
}

/// `Bᵀ d` of six pixels.
pub(super) struct Image;

impl Map<AXIS, AXIS> for Image {
    #[inline(always)]
    fn along<S: Simd>(s: S, d: [S::F; AXIS]) -> [S::F; AXIS] {
        let spread = s.splat(-2.5);
        let near = s.fma(s.splat(-2.0), d[2], d[4]);
        let near_odd = s.fma(s.splat(-FAR), d[1], s.mul(s.splat(NEAR), d[3]));
        let far = s.fma(s.splat(-0.5), d[2], d[4]);
        let far_odd = s.fma(s.splat(-NEAR), d[1], s.mul(s.splat(FAR), d[3]));
        [
            s.fma(spread, d[2], s.add(d[0], d[4])),
            s.add(near, near_odd),
            s.sub(near, near_odd),
            s.add(far, far_odd),
            s.sub(far, far_odd),
            s.fma(spread, d[3], s.add(d[1], d[5])),
        ]
    }
}

/// `B n`, the adjoint.
pub(super) struct ImageBack;

impl Map<AXIS, AXIS> for ImageBack {
    #[inline(always)]
    fn along<S: Simd>(s: S, n: [S::F; AXIS]) -> [S::F; AXIS] {
        let spread = s.splat(-2.5);
        let (near, near_odd) = (s.add(n[1], n[2]), s.sub(n[1], n[2]));
        let (far, far_odd) = (s.add(n[3], n[4]), s.sub(n[3], n[4]));
        [
            n[0],
            s.fma(s.splat(-FAR), near_odd, s.fma(s.splat(-NEAR), far_odd, n[5])),
            s.fma(spread, n[0], s.fma(s.splat(-2.0), near, s.mul(s.splat(-0.5), far))),
            s.fma(spread, n[5], s.fma(s.splat(NEAR), near_odd, s.mul(s.splat(FAR), far_odd))),
            s.add(n[0], s.add(near, far)),
            n[5],
        ]
    }
}

/// `Aᵀ m` of six points.
pub(super) struct Output;

impl Map<AXIS, OUT> for Output {
    #[inline(always)]
    fn along<S: Simd>(s: S, m: [S::F; AXIS]) -> [S::F; OUT] {
        let (near, near_odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (far, far_odd) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        [
            s.add(m[0], s.add(near, far)),
            s.fma(s.splat(FAR), far_odd, s.mul(s.splat(NEAR), near_odd)),
            s.fma(s.splat(2.0), far, s.mul(s.splat(0.5), near)),
            s.fma(s.splat(2.0 * FAR), far_odd, s.fma(s.splat(0.5 * NEAR), near_odd, m[5])),
        ]
    }
}

/// `A y`, the adjoint.
pub(super) struct OutputBack;

impl Map<OUT, AXIS> for OutputBack {
    #[inline(always)]
    fn along<S: Simd>(s: S, y: [S::F; OUT]) -> [S::F; AXIS] {
        let near = s.fma(s.splat(0.5), y[2], y[0]);
        let near_odd = s.fma(s.splat(0.5 * NEAR), y[3], s.mul(s.splat(NEAR), y[1]));
        let far = s.fma(s.splat(2.0), y[2], y[0]);
        let far_odd = s.fma(s.splat(2.0 * FAR), y[3], s.mul(s.splat(FAR), y[1]));
        [y[0], s.add(near, near_odd), s.sub(near, near_odd), s.add(far, far_odd), s.sub(far, far_odd), y[3]]
    }
}
