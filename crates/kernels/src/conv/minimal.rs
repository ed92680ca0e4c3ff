//! Winograd's minimal filtering F(m×m, 3×3): (m + 2)² products for what takes 9 m², of numbers that are sums of inputs
//! and of weights.
//!
//! A *tile* is m×m outputs and the pixels under them, two more along each axis. Both it and the filter are taken for
//! polynomials, and evaluated at m + 2 points along each axis: there, the convolution is a product. Lavin and Gray (2016,
//! "Fast algorithms for convolutional neural networks", arXiv 1509.09308) have the method. The points here are pairs
//! ±p, infinity, and zero where that makes as many as are needed: Alam, Anderson, Barabasz and Gregg (2022, "Winograd
//! convolution for deep neural networks: efficient point selection", arXiv 2201.10369) show that such points, neither
//! far from each other nor from one, round less than small whole numbers do; and what ±p have in common is computed
//! once. The backward passes are the adjoints of the same maps. Knows one tile, not where it is.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(clippy::needless_range_loop, reason = "an index says both which point it is and what its factor is")]

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::mem::MaybeUninit;

use super::SIDE;
use crate::simd::Simd;

/// Sides of tiles there are, each with what a product of its points costs: those of the largest one do not fit into the
/// registers on their way.
pub(super) const SIDES: [(usize, usize); 3] = [(4, 10), (3, 10), (5, 11)];

/// Does some work for tiles with a side: `$out` is that, and `$axis` the points along one axis, as constants.
macro_rules! by_side {
    ($side:expr, $out:ident, $axis:ident => $work:expr) => {
        match $side {
            3 => {
                const $out: usize = 3;
                const $axis: usize = 5;
                $work
            }
            4 => {
                const $out: usize = 4;
                const $axis: usize = 6;
                $work
            }
            _ => {
                const $out: usize = 5;
                const $axis: usize = 7;
                $work
            }
        }
    };
}
pub(super) use by_side;

/// Points along one axis, and pixels.
pub(super) const fn axis(side: usize) -> usize {
    side + SIDE - 1
}

/// Pairs of points at most.
const MOST: usize = 3;

/// The finite points of an axis, and what follows from them: with `R(y) = Π (y − p²)`, a pair's values of an image are
/// its coefficients times those of `R(y) / (y − p²)`, with and without a `p`.
struct Points {
    /// How many pairs ±p there are.
    pairs: usize,
    /// 1 where zero is a point, else 0.
    zero: usize,
    /// The powers of each p, from the first on.
    powers: [[f32; 5]; MOST],
    /// Of each pair, the factors of the pixels that both points' values have in common, and of those that they have with
    /// opposite signs.
    same: [[f32; MOST]; MOST],
    opposite: [[f32; MOST]; MOST],
    /// The coefficients of R.
    all: [f32; MOST + 1],
    /// One over the product of a point's differences to the others: the values of filters are multiplied by these.
    parts: [f32; MOST],
    zero_part: f32,
}

impl Points {
    #[expect(clippy::cast_possible_truncation, reason = "constants are computed more exactly than they are used")]
    const fn new(axis: usize) -> Self {
        let (pairs, zero, p) = match axis {
            5 => (2, 0, [FRAC_1_SQRT_2, SQRT_2, 0.0]),
            6 => (2, 1, [FRAC_1_SQRT_2, SQRT_2, 0.0]),
            7 => (3, 0, [0.4, 0.9, 1.6]),
            _ => panic!("no such tile"),
        };
        let mut points = Self {
            pairs,
            zero,
            powers: [[0.0; 5]; MOST],
            same: [[0.0; MOST]; MOST],
            opposite: [[0.0; MOST]; MOST],
            all: [0.0; MOST + 1],
            parts: [0.0; MOST],
            zero_part: 0.0,
        };
        let all = product(p, pairs, MOST);
        let mut k = 0;
        while k <= pairs {
            points.all[k] = all[k] as f32;
            k += 1;
        }
        points.zero_part = (1.0 / all[0]) as f32;
        let mut i = 0;
        while i < pairs {
            let others = product(p, pairs, i);
            let (mut at, mut power) = (0.0, 1.0);
            let mut k = 0;
            while k < pairs {
                let (plain, times) = (others[k] as f32, (p[i] * others[k]) as f32);
                (points.same[i][k], points.opposite[i][k]) = if zero == 1 { (plain, times) } else { (times, plain) };
                at += others[k] * power;
                power *= p[i] * p[i];
                k += 1;
            }
            let powers = if zero == 1 { p[i] * p[i] } else { p[i] };
            points.parts[i] = (1.0 / (2.0 * powers * at)) as f32;
            let mut power = 1.0;
            let mut k = 0;
            while k < 5 {
                points.powers[i][k] = power as f32;
                power *= p[i];
                k += 1;
            }
            i += 1;
        }
        points
    }
}

/// The coefficients of `Π (y − p²)` over all pairs but one.
const fn product(p: [f64; MOST], pairs: usize, but: usize) -> [f64; MOST + 1] {
    let mut coefficients = [1.0, 0.0, 0.0, 0.0];
    let mut i = 0;
    while i < pairs {
        if i != but {
            let mut k = MOST;
            while k > 0 {
                coefficients[k] = coefficients[k - 1] - p[i] * p[i] * coefficients[k];
                k -= 1;
            }
            coefficients[0] *= -p[i] * p[i];
        }
        i += 1;
    }
    coefficients
}

/// The points of an axis.
struct At<const AXIS: usize>;

impl<const AXIS: usize> At<AXIS> {
    const POINTS: Points = Points::new(AXIS);
}

/// A linear map along one axis.
pub(super) trait Map<const FROM: usize, const TO: usize> {
    fn along<S: Simd>(s: S, x: [S::F; FROM]) -> [S::F; TO];
}

/// Where the vectors of a square come from. Not a closure, which nobody can ask to be inlined: on its own it would be
/// compiled without the instruction set.
pub(super) trait Source<S: Simd>: Copy {
    /// # Safety
    ///
    /// The square must be there.
    unsafe fn load(self, s: S, row: usize, column: usize) -> S::F;
}

/// Where they go.
pub(super) trait Sink<S: Simd>: Copy {
    /// # Safety
    ///
    /// The square must be there.
    unsafe fn store(self, s: S, row: usize, column: usize, value: S::F);
}

/// Squares in rows of `SIDE` vectors, each `step` numbers after the last.
#[derive(Clone, Copy)]
pub(super) struct Steps<P, const SIDE: usize> {
    pub(super) first: P,
    pub(super) step: usize,
}

impl<S: Simd, const SIDE: usize> Source<S> for Steps<*const f32, SIDE> {
    #[inline(always)]
    unsafe fn load(self, s: S, row: usize, column: usize) -> S::F {
        // SAFETY: as the caller promises.
        unsafe { s.load(self.first.add((row * SIDE + column) * self.step)) }
    }
}

impl<S: Simd, const SIDE: usize> Sink<S> for Steps<*mut f32, SIDE> {
    #[inline(always)]
    unsafe fn store(self, s: S, row: usize, column: usize, value: S::F) {
        // SAFETY: as the caller promises.
        unsafe { s.store(self.first.add((row * SIDE + column) * self.step), value) }
    }
}

/// A map along both axes of a square: of its columns first, then of the rows that come out.
///
/// # Safety
///
/// The squares must be there.
#[inline(always)]
pub(super) unsafe fn both<S: Simd, M: Map<FROM, TO>, const FROM: usize, const TO: usize>(
    s: S,
    from: impl Source<S>,
    to: impl Sink<S>,
) {
    let zero = s.splat(0.0);
    // In memory: a square has more vectors than a processor registers.
    let mut half = [[MaybeUninit::<S::F>::uninit(); FROM]; TO];
    for column in 0..FROM {
        let mut x = [zero; FROM];
        for row in 0..FROM {
            // SAFETY: as the caller promises.
            x[row] = unsafe { from.load(s, row, column) };
        }
        let found = M::along(s, x);
        for row in 0..TO {
            half[row][column].write(found[row]);
        }
    }
    for row in 0..TO {
        let mut x = [zero; FROM];
        for column in 0..FROM {
            // SAFETY: every column has been written.
            x[column] = unsafe { half[row][column].assume_init() };
        }
        let found = M::along(s, x);
        for column in 0..TO {
            // SAFETY: as the caller promises.
            unsafe { to.store(s, row, column, found[column]) };
        }
    }
}

/// `Σ factors[k] · x[first + 2k]` over the factors.
#[inline(always)]
fn every_other<S: Simd, const FROM: usize>(s: S, factors: &[f32], x: [S::F; FROM], first: usize) -> S::F {
    let last = factors.len() - 1;
    let mut sum = s.mul(s.splat(factors[last]), x[first + 2 * last]);
    for k in (0..last).rev() {
        sum = s.fma(s.splat(factors[k]), x[first + 2 * k], sum);
    }
    sum
}

/// The adjoint: `x[first + 2k] += factors[k] · value`.
#[inline(always)]
fn add_to_every_other<S: Simd, const TO: usize>(s: S, factors: &[f32], value: S::F, x: &mut [S::F; TO], first: usize) {
    for k in 0..factors.len() {
        x[first + 2 * k] = s.fma(s.splat(factors[k]), value, x[first + 2 * k]);
    }
}

/// `G g` of three taps.
pub(super) struct Filter;

impl<const AXIS: usize> Map<SIDE, AXIS> for Filter {
    #[inline(always)]
    fn along<S: Simd>(s: S, g: [S::F; SIDE]) -> [S::F; AXIS] {
        let points = const { &At::<AXIS>::POINTS };
        let mut found = [g[2]; AXIS];
        if points.zero == 1 {
            found[0] = s.mul(s.splat(points.zero_part), g[0]);
        }
        for i in 0..points.pairs {
            let (part, [_, p, p_2, ..]) = (points.parts[i], points.powers[i]);
            let even = s.fma(s.splat(part * p_2), g[2], s.mul(s.splat(part), g[0]));
            let odd = s.mul(s.splat(part * p), g[1]);
            let at = points.zero + 2 * i;
            (found[at], found[at + 1]) = (s.add(even, odd), s.sub(even, odd));
        }
        found
    }
}

/// `Gᵀ p`, the adjoint.
pub(super) struct FilterBack;

impl<const AXIS: usize> Map<AXIS, SIDE> for FilterBack {
    #[inline(always)]
    fn along<S: Simd>(s: S, p: [S::F; AXIS]) -> [S::F; SIDE] {
        let points = const { &At::<AXIS>::POINTS };
        let zero = s.splat(0.0);
        let mut g = [zero, zero, p[AXIS - 1]];
        if points.zero == 1 {
            g[0] = s.mul(s.splat(points.zero_part), p[0]);
        }
        for i in 0..points.pairs {
            let (part, [_, power_1, power_2, ..]) = (points.parts[i], points.powers[i]);
            let at = points.zero + 2 * i;
            let (even, odd) = (s.add(p[at], p[at + 1]), s.sub(p[at], p[at + 1]));
            g[0] = s.fma(s.splat(part), even, g[0]);
            g[1] = s.fma(s.splat(part * power_1), odd, g[1]);
            g[2] = s.fma(s.splat(part * power_2), even, g[2]);
        }
        g
    }
}

/// `Bᵀ d` of the pixels.
pub(super) struct Image;

impl<const AXIS: usize> Map<AXIS, AXIS> for Image {
    #[inline(always)]
    fn along<S: Simd>(s: S, d: [S::F; AXIS]) -> [S::F; AXIS] {
        let points = const { &At::<AXIS>::POINTS };
        let (pairs, zero) = (points.pairs, points.zero);
        let mut found = [d[0]; AXIS];
        if zero == 1 {
            found[0] = every_other(s, &points.all[..=pairs], d, 0);
        }
        for i in 0..pairs {
            let same = every_other(s, &points.same[i][..pairs], d, 2 * zero);
            let opposite = every_other(s, &points.opposite[i][..pairs], d, 1);
            let at = zero + 2 * i;
            (found[at], found[at + 1]) = (s.add(same, opposite), s.sub(same, opposite));
        }
        found[AXIS - 1] = every_other(s, &points.all[..=pairs], d, zero);
        found
    }
}

/// `B n`, the adjoint.
pub(super) struct ImageBack;

impl<const AXIS: usize> Map<AXIS, AXIS> for ImageBack {
    #[inline(always)]
    fn along<S: Simd>(s: S, n: [S::F; AXIS]) -> [S::F; AXIS] {
        let points = const { &At::<AXIS>::POINTS };
        let (pairs, zero) = (points.pairs, points.zero);
        let mut d = [s.splat(0.0); AXIS];
        if zero == 1 {
            add_to_every_other(s, &points.all[..=pairs], n[0], &mut d, 0);
        }
        for i in 0..pairs {
            let at = zero + 2 * i;
            let (same, opposite) = (s.add(n[at], n[at + 1]), s.sub(n[at], n[at + 1]));
            add_to_every_other(s, &points.same[i][..pairs], same, &mut d, 2 * zero);
            add_to_every_other(s, &points.opposite[i][..pairs], opposite, &mut d, 1);
        }
        add_to_every_other(s, &points.all[..=pairs], n[AXIS - 1], &mut d, zero);
        d
    }
}

/// `Aᵀ m` of the points.
pub(super) struct Output;

impl<const AXIS: usize, const OUT: usize> Map<AXIS, OUT> for Output {
    #[inline(always)]
    fn along<S: Simd>(s: S, m: [S::F; AXIS]) -> [S::F; OUT] {
        let points = const { &At::<AXIS>::POINTS };
        let mut y = [s.splat(0.0); OUT];
        if points.zero == 1 {
            y[0] = m[0];
        }
        y[OUT - 1] = m[AXIS - 1];
        for i in 0..points.pairs {
            let at = points.zero + 2 * i;
            let (even, odd) = (s.add(m[at], m[at + 1]), s.sub(m[at], m[at + 1]));
            for j in 0..OUT {
                y[j] = s.fma(s.splat(points.powers[i][j]), if j % 2 == 0 { even } else { odd }, y[j]);
            }
        }
        y
    }
}

/// `A y`, the adjoint.
pub(super) struct OutputBack;

impl<const OUT: usize, const AXIS: usize> Map<OUT, AXIS> for OutputBack {
    #[inline(always)]
    fn along<S: Simd>(s: S, y: [S::F; OUT]) -> [S::F; AXIS] {
        let points = const { &At::<AXIS>::POINTS };
        let mut found = [y[0]; AXIS];
        found[AXIS - 1] = y[OUT - 1];
        for i in 0..points.pairs {
            let (mut even, mut odd) = (y[0], s.mul(s.splat(points.powers[i][1]), y[1]));
            for j in 2..OUT {
                let sum = if j % 2 == 0 { &mut even } else { &mut odd };
                *sum = s.fma(s.splat(points.powers[i][j]), y[j], *sum);
            }
            let at = points.zero + 2 * i;
            (found[at], found[at + 1]) = (s.add(even, odd), s.sub(even, odd));
        }
        found
    }
}
