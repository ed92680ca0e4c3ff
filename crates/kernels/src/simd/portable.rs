//! Plain arrays: 4 lanes, the width that every 64-bit processor has registers for.
//!
//! Products are rounded before they are added: without an instruction for it, a fused multiply-add is
//! a slow library call.

#![expect(
    clippy::inline_always,
    reason = "the compiler turns arrays into vectors only where it sees all of their uses"
)]
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "every block is sound for the same reason: the callers promise the addresses"
)]

use std::cmp::Ordering;

use super::Simd;

/// Nothing to prove: there is no special instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip<A: Copy, B: Copy, C>(a: [A; 4], b: [B; 4], f: impl Fn(A, B) -> C) -> [C; 4] {
    // Spelled out: the compiler does not always see through `from_fn`.
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    const LANES: usize = 4;
    const WIDE: bool = false;

    type F = [f32; 4];
    type U = [u32; 4];
    type M = [bool; 4];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        [x; 4]
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        [a[0].sqrt(), a[1].sqrt(), a[2].sqrt(), a[3].sqrt()]
    }

    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        zip(zip(a, b, |a, b| a * b), c, |ab, c| ab + c)
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn gt(self, a: Self::F, b: Self::F) -> Self::M {
        zip(a, b, |a, b| a > b)
    }

    #[inline(always)]
    fn not_le(self, a: Self::F, b: Self::F) -> Self::M {
        // Where either is not a number, neither is less than, nor equal to, the other.
        zip(a, b, |a, b| a.partial_cmp(&b).is_none_or(Ordering::is_gt))
    }

    #[inline(always)]
    fn all(self) -> Self::M {
        [true; Self::LANES]
    }

    #[inline(always)]
    fn both(self, a: Self::M, b: Self::M) -> Self::M {
        zip(a, b, |a, b| a && b)
    }

    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F {
        zip(m, zip(yes, no, |yes, no| (yes, no)), |m, (yes, no)| if m { yes } else { no })
    }

    #[inline(always)]
    fn pick(self, from: Self::F, indices: Self::U) -> Self::F {
        indices.map(|index| from[index as usize % 4])
    }

    #[inline(always)]
    fn u_splat(self, x: u32) -> Self::U {
        [x; 4]
    }

    #[inline(always)]
    fn u_iota(self) -> Self::U {
        [0, 1, 2, 3]
    }

    #[inline(always)]
    fn u_add(self, a: Self::U, b: Self::U) -> Self::U {
        zip(a, b, u32::wrapping_add)
    }

    #[inline(always)]
    fn u_mul(self, a: Self::U, b: Self::U) -> Self::U {
        zip(a, b, u32::wrapping_mul)
    }

    #[inline(always)]
    fn u_xor(self, a: Self::U, b: Self::U) -> Self::U {
        zip(a, b, |a, b| a ^ b)
    }

    #[inline(always)]
    fn u_shr<const N: u32>(self, a: Self::U) -> Self::U {
        zip(a, a, |a, _| a >> N)
    }

    #[inline(always)]
    fn u_ge(self, a: Self::U, b: Self::U) -> Self::M {
        zip(a, b, |a, b| a >= b)
    }

    #[inline(always)]
    fn u_eq(self, a: Self::U, b: Self::U) -> Self::M {
        zip(a, b, |a, b| a == b)
    }

    #[inline(always)]
    fn u_select(self, m: Self::M, yes: Self::U, no: Self::U) -> Self::U {
        zip(m, zip(yes, no, |yes, no| (yes, no)), |m, (yes, no)| if m { yes } else { no })
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::F {
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: Self::F) {
        unsafe { to.cast::<[f32; 4]>().write_unaligned(x) }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> Self::U {
        let bytes = unsafe { from.cast::<[u8; 4]>().read_unaligned() };
        zip(bytes, bytes, |byte, _| u32::from(byte))
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, x: Self::U) {
        let bytes = zip(x, x, |x, _| x.to_le_bytes()[0]);
        unsafe { to.cast::<[u8; 4]>().write_unaligned(bytes) }
    }
}
