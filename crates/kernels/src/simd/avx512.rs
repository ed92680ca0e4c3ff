//! AVX-512: 16 lanes, conditions in mask registers.

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

mod product;

use std::arch::x86_64::*;

use super::Simd;

/// Proof that the processor has AVX-512 (with AVX2 and FMA).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn new() -> Option<Self> {
        let found =
            is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const WIDE: bool = true;

    type F = __m512;
    type U = __m512i;
    type M = __mmask16;

    intrinsics! {
        splat(x: f32) -> Self::F = _mm512_set1_ps;
        add(a: Self::F, b: Self::F) -> Self::F = _mm512_add_ps;
        sub(a: Self::F, b: Self::F) -> Self::F = _mm512_sub_ps;
        mul(a: Self::F, b: Self::F) -> Self::F = _mm512_mul_ps;
        div(a: Self::F, b: Self::F) -> Self::F = _mm512_div_ps;
        sqrt(a: Self::F) -> Self::F = _mm512_sqrt_ps;
        fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F = _mm512_fmadd_ps;
        max(a: Self::F, b: Self::F) -> Self::F = _mm512_max_ps;
        u_add(a: Self::U, b: Self::U) -> Self::U = _mm512_add_epi32;
        u_mul(a: Self::U, b: Self::U) -> Self::U = _mm512_mullo_epi32;
        u_xor(a: Self::U, b: Self::U) -> Self::U = _mm512_xor_si512;
    }

    #[inline(always)]
    fn gt(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn not_le(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(a, b) }
    }

    #[inline(always)]
    fn all(self) -> Self::M {
        __mmask16::MAX
    }

    #[inline(always)]
    fn both(self, a: Self::M, b: Self::M) -> Self::M {
        a & b
    }

    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F {
        unsafe { _mm512_mask_blend_ps(m, no, yes) }
    }

    #[inline(always)]
    fn u_splat(self, x: u32) -> Self::U {
        unsafe { _mm512_set1_epi32(x.cast_signed()) }
    }

    #[inline(always)]
    fn u_iota(self) -> Self::U {
        unsafe { _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }
    }

    #[inline(always)]
    fn u_shr<const N: u32>(self, a: Self::U) -> Self::U {
        unsafe { _mm512_srli_epi32::<N>(a) }
    }

    #[inline(always)]
    fn u_ge(self, a: Self::U, b: Self::U) -> Self::M {
        unsafe { _mm512_cmpge_epu32_mask(a, b) }
    }

    #[inline(always)]
    fn u_eq(self, a: Self::U, b: Self::U) -> Self::M {
        unsafe { _mm512_cmpeq_epi32_mask(a, b) }
    }

    #[inline(always)]
    fn u_select(self, m: Self::M, yes: Self::U, no: Self::U) -> Self::U {
        unsafe { _mm512_mask_blend_epi32(m, no, yes) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::F {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: Self::F) {
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> Self::U {
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, x: Self::U) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(x)) }
    }

    #[inline(always)]
    unsafe fn load_some(self, from: *const f32, n: usize) -> Self::F {
        unsafe { _mm512_maskz_loadu_ps(first_lanes(n), from) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, x: Self::F, n: usize) {
        unsafe { _mm512_mask_storeu_ps(to, first_lanes(n), x) }
    }

    #[inline(always)]
    unsafe fn store_some_bytes(self, to: *mut u8, x: Self::U, n: usize) {
        unsafe { _mm512_mask_cvtepi32_storeu_epi8(to.cast(), first_lanes(n), x) }
    }

    #[inline(always)]
    fn pick(self, from: Self::F, indices: Self::U) -> Self::F {
        unsafe { _mm512_permutexvar_ps(indices, from) }
    }

    #[inline(always)]
    unsafe fn load_fours(self, from: *const f32, step: usize) -> Self::F {
        unsafe {
            let rows = _mm512_castps128_ps512(_mm_loadu_ps(from));
            let rows = _mm512_insertf32x4::<1>(rows, _mm_loadu_ps(from.add(step)));
            let rows = _mm512_insertf32x4::<2>(rows, _mm_loadu_ps(from.add(2 * step)));
            _mm512_insertf32x4::<3>(rows, _mm_loadu_ps(from.add(3 * step)))
        }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn multiply_wide(
        self,
        terms: usize,
        left: (*const f32, usize),
        right: (*const f32, usize, usize),
        result: (*mut f32, usize),
        adds: bool,
    ) -> bool {
        unsafe { product::six_rows_of_four(terms, left, right, result, adds) };
        true
    }

    #[inline(always)]
    unsafe fn multiply_tile<const P: usize, const Q: usize>(
        self,
        terms: usize,
        left: (*const f32, usize, usize),
        right: (*const f32, usize),
        result: (*mut f32, usize),
        adds: bool,
    ) -> bool {
        let (_, row_step, term_step) = left;
        unsafe {
            match (P, Q, row_step, term_step) {
                (12, 2, 1, _) => product::twelve_adjacent_rows(terms, left, right, result, adds),
                (8, 2, 1, _) => product::eight_adjacent_rows(terms, left, right, result, adds),
                (12, 2, _, 1) => product::twelve_rows_apart(terms, left, right, result, adds),
                _ => return false,
            }
        }
        true
    }

    #[inline(always)]
    unsafe fn transpose_square(self, from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        unsafe { super::avx2::transpose_square(from, from_step, to, to_step) }
    }
}

/// A condition that holds in the first `n` lanes; what is not loaded or stored is not touched either.
#[inline(always)]
fn first_lanes(n: usize) -> __mmask16 {
    if n >= Avx512::LANES { !0 } else { !(!0 << n) }
}
