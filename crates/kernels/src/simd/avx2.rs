//! AVX2 with FMA: 8 lanes, conditions as lanes of ones and zeros.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "the intrinsics carry their instruction set in their names")
)]
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "every block is sound for the same reason: the token proves the instructions, and the \
              callers of loads and stores promise the addresses"
)]

use std::arch::x86_64::*;

use super::Simd;

/// Proof that the processor has AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn new() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const WIDE: bool = false;

    type F = __m256;
    type U = __m256i;
    type M = __m256;

    intrinsics! {
        splat(x: f32) -> Self::F = _mm256_set1_ps;
        add(a: Self::F, b: Self::F) -> Self::F = _mm256_add_ps;
        sub(a: Self::F, b: Self::F) -> Self::F = _mm256_sub_ps;
        mul(a: Self::F, b: Self::F) -> Self::F = _mm256_mul_ps;
        div(a: Self::F, b: Self::F) -> Self::F = _mm256_div_ps;
        sqrt(a: Self::F) -> Self::F = _mm256_sqrt_ps;
        fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F = _mm256_fmadd_ps;
        max(a: Self::F, b: Self::F) -> Self::F = _mm256_max_ps;
        u_add(a: Self::U, b: Self::U) -> Self::U = _mm256_add_epi32;
        u_mul(a: Self::U, b: Self::U) -> Self::U = _mm256_mullo_epi32;
        u_xor(a: Self::U, b: Self::U) -> Self::U = _mm256_xor_si256;
    }

    #[inline(always)]
    fn gt(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn not_le(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_NLE_UQ>(a, b) }
    }

    #[inline(always)]
    fn all(self) -> Self::M {
        unsafe { _mm256_castsi256_ps(_mm256_set1_epi32(-1)) }
    }

    #[inline(always)]
    fn both(self, a: Self::M, b: Self::M) -> Self::M {
        unsafe { _mm256_and_ps(a, b) }
    }

    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F {
        unsafe { _mm256_blendv_ps(no, yes, m) }
    }

    #[inline(always)]
    fn u_splat(self, x: u32) -> Self::U {
        unsafe { _mm256_set1_epi32(x.cast_signed()) }
    }

    #[inline(always)]
    fn u_iota(self) -> Self::U {
        unsafe { _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7) }
    }

    #[inline(always)]
    fn u_shr<const N: u32>(self, a: Self::U) -> Self::U {
        unsafe { _mm256_srl_epi32(a, _mm_cvtsi32_si128(N.cast_signed())) }
    }

    #[inline(always)]
    fn u_ge(self, a: Self::U, b: Self::U) -> Self::M {
        unsafe { _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a)) }
    }

    #[inline(always)]
    fn u_eq(self, a: Self::U, b: Self::U) -> Self::M {
        unsafe { _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)) }
    }

    #[inline(always)]
    fn u_select(self, m: Self::M, yes: Self::U, no: Self::U) -> Self::U {
        unsafe { _mm256_blendv_epi8(no, yes, _mm256_castps_si256(m)) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::F {
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: Self::F) {
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> Self::U {
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, x: Self::U) {
        unsafe {
            // 32 to 16 to 8 bits; the values are small, so that saturation does not happen.
            let low = _mm256_castsi256_si128(x);
            let high = _mm256_extracti128_si256::<1>(x);
            let words = _mm_packus_epi32(low, high);
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }

    #[inline(always)]
    fn pick(self, from: Self::F, indices: Self::U) -> Self::F {
        unsafe { _mm256_permutevar8x32_ps(from, indices) }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn transpose_square(self, from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        unsafe { transpose_square(from, from_step, to, to_step) }
    }
}

/// See [`Simd::transpose_square`]: pairs of rows, then of pairs, then of halves are interleaved.
///
/// # Safety
///
/// All rows must be readable and writable.
#[expect(clippy::many_single_char_names, reason = "the eight rows")]
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose_square(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
    unsafe {
        let row = |i: usize| _mm256_loadu_ps(from.add(i * from_step));
        let [a, b, c, d, e, f, g, h] = [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)];
        let low = |a, b| _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
        let high = |a, b| _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
        let fours = |pairs: [__m256d; 4]| {
            let [a, b, c, d] = pairs;
            [_mm256_unpacklo_pd(a, c), _mm256_unpackhi_pd(a, c), _mm256_unpacklo_pd(b, d), _mm256_unpackhi_pd(b, d)]
        };
        let upper = fours([low(a, b), high(a, b), low(c, d), high(c, d)]);
        let lower = fours([low(e, f), high(e, f), low(g, h), high(g, h)]);
        for i in 0..4 {
            let first = _mm256_permute2f128_pd::<0x20>(upper[i], lower[i]);
            let second = _mm256_permute2f128_pd::<0x31>(upper[i], lower[i]);
            _mm256_storeu_ps(to.add(i * to_step), _mm256_castpd_ps(first));
            _mm256_storeu_ps(to.add((i + 4) * to_step), _mm256_castpd_ps(second));
        }
    }
}
