//! The vector operations that the kernels are written in, and their implementations.
//!
//! An implementation is a token: having one proves that the processor has the instructions, which is
//! why the arithmetic is safe. Loads and stores take addresses and are not.

/// Operations that are one intrinsic each, whose arguments are in the same order.
#[cfg(target_arch = "x86_64")]
macro_rules! intrinsics {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, $($argument: $kind),*) -> $result {
            unsafe { $intrinsic($($argument),*) }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Side of the squares that [`Simd::transpose_square`] transposes.
pub(crate) const SQUARE: usize = 8;

/// The largest [`Simd::LANES`].
pub(crate) const MAX_LANES: usize = 16;

/// Vectors of f32 (`F`), of u32 (`U`) and of conditions (`M`), all with [`Simd::LANES`] lanes.
#[expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
pub(crate) trait Simd: Copy + Send + Sync {
    /// Numbers in a vector.
    const LANES: usize;
    /// Whether there are 32 vector registers (16 otherwise).
    const WIDE: bool;

    type F: Copy;
    type U: Copy;
    type M: Copy;

    fn splat(self, x: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;
    /// `a · b + c`.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger one; `b` if either is not a number.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    fn gt(self, a: Self::F, b: Self::F) -> Self::M;
    /// Whether not `a <= b`: also where either is not a number.
    fn not_le(self, a: Self::F, b: Self::F) -> Self::M;
    fn all(self) -> Self::M;
    fn both(self, a: Self::M, b: Self::M) -> Self::M;
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F;

    fn u_splat(self, x: u32) -> Self::U;
    /// `0, 1, 2, …`
    fn u_iota(self) -> Self::U;
    fn u_add(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_mul(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_xor(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_shr<const N: u32>(self, a: Self::U) -> Self::U;
    fn u_ge(self, a: Self::U, b: Self::U) -> Self::M;
    fn u_eq(self, a: Self::U, b: Self::U) -> Self::M;
    fn u_select(self, m: Self::M, yes: Self::U, no: Self::U) -> Self::U;

    /// # Safety
    ///
    /// `LANES` numbers must be readable at `from`.
    unsafe fn load(self, from: *const f32) -> Self::F;
    /// # Safety
    ///
    /// `LANES` numbers must be writable at `to`.
    unsafe fn store(self, to: *mut f32, x: Self::F);
    /// # Safety
    ///
    /// `LANES` bytes must be readable at `from`.
    unsafe fn load_bytes(self, from: *const u8) -> Self::U;
    /// Stores the lowest byte of every lane.
    ///
    /// # Safety
    ///
    /// `LANES` bytes must be writable at `to`.
    unsafe fn store_bytes(self, to: *mut u8, x: Self::U);

    /// Loads `n` numbers; the other lanes are zero.
    ///
    /// # Safety
    ///
    /// `min(n, LANES)` numbers must be readable at `from`.
    #[inline(always)]
    unsafe fn load_some(self, from: *const f32, n: usize) -> Self::F {
        // SAFETY: all lanes are readable in the first case; in the second the copy reads `n` and the
        // buffer holds every lane.
        unsafe {
            if n >= Self::LANES {
                return self.load(from);
            }
            let mut lanes = [0.0; MAX_LANES];
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n);
            self.load(lanes.as_ptr())
        }
    }

    /// Stores the first `n` lanes.
    ///
    /// # Safety
    ///
    /// `min(n, LANES)` numbers must be writable at `to`.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, x: Self::F, n: usize) {
        // SAFETY: as for `load_some`.
        unsafe {
            if n >= Self::LANES {
                return self.store(to, x);
            }
            let mut lanes = [0.0; MAX_LANES];
            self.store(lanes.as_mut_ptr(), x);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, n);
        }
    }

    /// Loads `n` bytes; the other lanes are zero.
    ///
    /// # Safety
    ///
    /// `min(n, LANES)` bytes must be readable at `from`.
    #[inline(always)]
    unsafe fn load_some_bytes(self, from: *const u8, n: usize) -> Self::U {
        // SAFETY: as for `load_some`.
        unsafe {
            if n >= Self::LANES {
                return self.load_bytes(from);
            }
            let mut lanes = [0; MAX_LANES];
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n);
            self.load_bytes(lanes.as_ptr())
        }
    }

    /// Stores the lowest byte of the first `n` lanes.
    ///
    /// # Safety
    ///
    /// `min(n, LANES)` bytes must be writable at `to`.
    #[inline(always)]
    unsafe fn store_some_bytes(self, to: *mut u8, x: Self::U, n: usize) {
        // SAFETY: as for `load_some`.
        unsafe {
            if n >= Self::LANES {
                return self.store_bytes(to, x);
            }
            let mut lanes = [0; MAX_LANES];
            self.store_bytes(lanes.as_mut_ptr(), x);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, n);
        }
    }

    /// The lanes of a vector that the lowest bits of some indices name.
    fn pick(self, from: Self::F, indices: Self::U) -> Self::F;
    /// Four rows of four numbers, of which every one starts `step` numbers after the last; as many as there are lanes for.
    ///
    /// # Safety
    ///
    /// They must be readable.
    #[inline(always)]
    unsafe fn load_fours(self, from: *const f32, step: usize) -> Self::F {
        let mut lanes = [0.0; MAX_LANES];
        for (row, four) in lanes.chunks_exact_mut(4).enumerate() {
            // SAFETY: the caller promises the rows.
            unsafe { std::ptr::copy_nonoverlapping(from.add(row * step), four.as_mut_ptr(), 4) };
        }
        // SAFETY: there are as many numbers as lanes at most.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// Asks for the cache line of an address, which need not be one.
    #[inline(always)]
    fn prefetch(self, _at: *const f32) {}

    /// Computes a tile of a product of matrices, of six rows and four vectors, if there are better instructions for it
    /// than the compiler's: row `p`, vector `q` of the result is, or gains if it adds, `Σ left[p · row_step + i] · b[i][q]`
    /// over `i` in `0..terms`, where `b[i]` is two vectors at `right + i · right_step`, and two more `panel_step` after
    /// them. Where this says `false`, nothing was done.
    ///
    /// # Safety
    ///
    /// All of those addresses must be readable, and the result writable, in rows of `result_step` numbers.
    #[inline(always)]
    unsafe fn multiply_wide(
        self,
        _terms: usize,
        (_left, _row_step): (*const f32, usize),
        (_right, _right_step, _panel_step): (*const f32, usize, usize),
        (_result, _result_step): (*mut f32, usize),
        _adds: bool,
    ) -> bool {
        false
    }

    /// The same for a tile of `P` rows and `Q` vectors: row `p`, vector `q` is or gains
    /// `Σ left[p · row_step + i · term_step] · right[i · right_step + q · LANES ..]`.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(always)]
    unsafe fn multiply_tile<const P: usize, const Q: usize>(
        self,
        _terms: usize,
        (_left, _row_step, _term_step): (*const f32, usize, usize),
        (_right, _right_step): (*const f32, usize),
        (_result, _result_step): (*mut f32, usize),
        _adds: bool,
    ) -> bool {
        false
    }

    /// Transposes a square of 8×8 numbers between rows of `from_step` and of `to_step` numbers.
    ///
    /// # Safety
    ///
    /// All rows must be readable and writable.
    #[inline(always)]
    unsafe fn transpose_square(self, from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        for row in 0..SQUARE {
            for column in 0..SQUARE {
                // SAFETY: the caller promises the rows.
                unsafe { *to.add(column * to_step + row) = *from.add(row * from_step + column) };
            }
        }
    }
}
