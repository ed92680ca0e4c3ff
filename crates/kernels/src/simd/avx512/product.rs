//! Tiles of products of matrices, in assembly: all sums stay in registers, and a loop has few instructions besides its
//! multiplications. What the compiler makes of the same sums takes up to twice as many, which costs time wherever another
//! thread of the same core wants some too.

use std::arch::asm;
use std::arch::x86_64::{__m512, _MM_HINT_ET0, _mm_prefetch, _mm512_loadu_ps, _mm512_setzero_ps, _mm512_storeu_ps};

/// Numbers in a vector.
const LANES: usize = 16;
/// Vectors of sums; four more hold a row of the right matrix, and one a number of the left one.
const SUMS: usize = 24;

/// A loop over terms with all sums as operands.
macro_rules! sum_up {
    ($sums:ident, [$($template:expr),*], $($operands:tt)*) => {
        asm!(
            $($template,)*
            $($operands)*
            inout("zmm0") $sums[0], inout("zmm1") $sums[1], inout("zmm2") $sums[2], inout("zmm3") $sums[3],
            inout("zmm4") $sums[4], inout("zmm5") $sums[5], inout("zmm6") $sums[6], inout("zmm7") $sums[7],
            inout("zmm8") $sums[8], inout("zmm9") $sums[9], inout("zmm10") $sums[10], inout("zmm11") $sums[11],
            inout("zmm12") $sums[12], inout("zmm13") $sums[13], inout("zmm14") $sums[14], inout("zmm15") $sums[15],
            inout("zmm16") $sums[16], inout("zmm17") $sums[17], inout("zmm18") $sums[18], inout("zmm19") $sums[19],
            inout("zmm20") $sums[20], inout("zmm21") $sums[21], inout("zmm22") $sums[22], inout("zmm23") $sums[23],
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _,
            options(readonly, nostack),
        )
    };
}

/// A row of six for one term: a number of the left matrix, spread over the lanes, times four vectors of the right one.
macro_rules! row_of_six {
    ($left:literal, $bytes:literal, $a:literal $b:literal $c:literal $d:literal) => {
        concat!(
            "vbroadcastss zmm28, dword ptr [",
            $left,
            " + ",
            $bytes,
            "]\n",
            "vfmadd231ps zmm",
            $a,
            ", zmm24, zmm28\n",
            "vfmadd231ps zmm",
            $b,
            ", zmm25, zmm28\n",
            "vfmadd231ps zmm",
            $c,
            ", zmm26, zmm28\n",
            "vfmadd231ps zmm",
            $d,
            ", zmm27, zmm28\n",
        )
    };
}

/// The six rows for the term so many bytes after the next one.
macro_rules! six_rows {
    ($bytes:literal) => {
        concat!(
            "vmovups zmm24, [{right}]\n",
            "vmovups zmm25, [{right} + 64]\n",
            "vmovups zmm26, [{right} + {panel_step}]\n",
            "vmovups zmm27, [{right} + {panel_step} + 64]\n",
            "add {right}, {right_step}\n",
            row_of_six!("{upper}", $bytes, 0 1 2 3),
            row_of_six!("{upper} + {row_step}", $bytes, 4 5 6 7),
            row_of_six!("{upper} + 2 * {row_step}", $bytes, 8 9 10 11),
            row_of_six!("{lower}", $bytes, 12 13 14 15),
            row_of_six!("{lower} + {row_step}", $bytes, 16 17 18 19),
            row_of_six!("{lower} + 2 * {row_step}", $bytes, 20 21 22 23),
        )
    };
}

/// As [`Simd::multiply_wide`](crate::simd::Simd::multiply_wide).
///
/// # Safety
///
/// As there.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn six_rows_of_four(
    terms: usize,
    (left, row_step): (*const f32, usize),
    (right, right_step, panel_step): (*const f32, usize, usize),
    (result, result_step): (*mut f32, usize),
    adds: bool,
) {
    // SAFETY: the caller promises what is read and written.
    unsafe {
        let mut sums = start::<4>(6, terms, result, result_step, adds);
        sum_up!(
            sums,
            [
                "sub {terms}, 4",
                "jb 3f",
                "2:",
                six_rows!(0), six_rows!(4), six_rows!(8), six_rows!(12),
                "add {upper}, 16",
                "add {lower}, 16",
                "sub {terms}, 4",
                "jae 2b",
                "3:",
                "add {terms}, 4",
                "jz 5f",
                "4:",
                six_rows!(0),
                "add {upper}, 4",
                "add {lower}, 4",
                "dec {terms}",
                "jnz 4b",
                "5:"
            ],
            terms = inout(reg) terms => _,
            upper = inout(reg) left => _,
            lower = inout(reg) left.wrapping_add(3 * row_step) => _,
            row_step = in(reg) size_of::<f32>() * row_step,
            right = inout(reg) right => _,
            right_step = in(reg) size_of::<f32>() * right_step,
            panel_step = in(reg) size_of::<f32>() * panel_step,
        );
        finish::<4>(6, &sums, result, result_step);
    }
}

/// The same of twelve, with two vectors.
macro_rules! row_of_twelve {
    ($left:literal, $a:literal $b:literal) => {
        concat!(
            "vbroadcastss zmm28, dword ptr [",
            $left,
            "]\n",
            "vfmadd231ps zmm",
            $a,
            ", zmm24, zmm28\n",
            "vfmadd231ps zmm",
            $b,
            ", zmm25, zmm28\n",
        )
    };
}

/// A row of two vectors for one term: the number of the left matrix is spread over the lanes on its way from memory.
macro_rules! adjacent_row {
    ($row:literal, $a:literal $b:literal) => {
        concat!(
            "vfmadd231ps zmm",
            $a,
            ", zmm24, dword ptr [{left} + 4 * ",
            $row,
            "]{{1to16}}\n",
            "vfmadd231ps zmm",
            $b,
            ", zmm25, dword ptr [{left} + 4 * ",
            $row,
            "]{{1to16}}\n",
        )
    };
}

/// Rows of two vectors: what they do for a term, how they go on to the next, and the operands of both.
macro_rules! rows_of_two {
    (
        $name:ident($left:ident, $row_step:ident, $term_step:ident), $rows:literal,
        [$($row:expr),*], [$($next:literal),*], $($operands:tt)*
    ) => {
        /// As [`Simd::multiply_tile`](crate::simd::Simd::multiply_tile).
        ///
        /// # Safety
        ///
        /// As there.
        #[target_feature(enable = "avx512f")]
        pub(super) unsafe fn $name(
            terms: usize,
            ($left, $row_step, $term_step): (*const f32, usize, usize),
            (right, right_step): (*const f32, usize),
            (result, result_step): (*mut f32, usize),
            adds: bool,
        ) {
            // SAFETY: the caller promises what is read and written.
            unsafe {
                let mut sums = start::<2>($rows, terms, result, result_step, adds);
                sum_up!(
                    sums,
                    [
                        "test {terms}, {terms}",
                        "jz 3f",
                        "2:",
                        "vmovups zmm24, [{right}]",
                        "vmovups zmm25, [{right} + 64]",
                        "add {right}, {right_step}",
                        $($row,)*
                        $($next,)*
                        "dec {terms}",
                        "jnz 2b",
                        "3:"
                    ],
                    terms = inout(reg) terms => _,
                    right = inout(reg) right => _,
                    right_step = in(reg) size_of::<f32>() * right_step,
                    $($operands)*
                );
                finish::<2>($rows, &sums, result, result_step);
            }
        }
    };
}

rows_of_two!(
    twelve_rows_apart(left, row_step, _term_step),
    12,
    [
        row_of_twelve!("{first}", 0 1),
        row_of_twelve!("{first} + {row_step}", 2 3),
        row_of_twelve!("{first} + 2 * {row_step}", 4 5),
        row_of_twelve!("{second}", 6 7),
        row_of_twelve!("{second} + {row_step}", 8 9),
        row_of_twelve!("{second} + 2 * {row_step}", 10 11),
        row_of_twelve!("{third}", 12 13),
        row_of_twelve!("{third} + {row_step}", 14 15),
        row_of_twelve!("{third} + 2 * {row_step}", 16 17),
        row_of_twelve!("{fourth}", 18 19),
        row_of_twelve!("{fourth} + {row_step}", 20 21),
        row_of_twelve!("{fourth} + 2 * {row_step}", 22 23)
    ],
    ["add {first}, 4", "add {second}, 4", "add {third}, 4", "add {fourth}, 4"],
    first = inout(reg) left => _,
    second = inout(reg) left.wrapping_add(3 * row_step) => _,
    third = inout(reg) left.wrapping_add(6 * row_step) => _,
    fourth = inout(reg) left.wrapping_add(9 * row_step) => _,
    row_step = in(reg) size_of::<f32>() * row_step,
);
rows_of_two!(
    twelve_adjacent_rows(left, _row_step, term_step),
    12,
    [
        adjacent_row!(0, 0 1),
        adjacent_row!(1, 2 3),
        adjacent_row!(2, 4 5),
        adjacent_row!(3, 6 7),
        adjacent_row!(4, 8 9),
        adjacent_row!(5, 10 11),
        adjacent_row!(6, 12 13),
        adjacent_row!(7, 14 15),
        adjacent_row!(8, 16 17),
        adjacent_row!(9, 18 19),
        adjacent_row!(10, 20 21),
        adjacent_row!(11, 22 23)
    ],
    ["add {left}, {term_step}"],
    left = inout(reg) left => _,
    term_step = in(reg) size_of::<f32>() * term_step,
);
rows_of_two!(
    eight_adjacent_rows(left, _row_step, term_step),
    8,
    [
        adjacent_row!(0, 0 1),
        adjacent_row!(1, 2 3),
        adjacent_row!(2, 4 5),
        adjacent_row!(3, 6 7),
        adjacent_row!(4, 8 9),
        adjacent_row!(5, 10 11),
        adjacent_row!(6, 12 13),
        adjacent_row!(7, 14 15)
    ],
    ["add {left}, {term_step}"],
    left = inout(reg) left => _,
    term_step = in(reg) size_of::<f32>() * term_step,
);

/// What the sums of rows of `Q` vectors start from. Where they are long, and what is there is not read, it is asked for: it
/// can come to the cache meanwhile.
///
/// # Safety
///
/// The rows must be readable if it adds.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn start<const Q: usize>(
    rows: usize,
    terms: usize,
    result: *const f32,
    step: usize,
    adds: bool,
) -> [__m512; SUMS] {
    const LONG: usize = 64;
    let mut sums = [_mm512_setzero_ps(); SUMS];
    if !adds && terms < LONG {
        return sums;
    }
    for (index, sum) in sums.iter_mut().take(rows * Q).enumerate() {
        let at = result.wrapping_add(index / Q * step + index % Q * LANES);
        // SAFETY: the caller promises the rows; a prefetch promises nothing.
        unsafe {
            if adds {
                *sum = _mm512_loadu_ps(at);
            } else {
                _mm_prefetch::<_MM_HINT_ET0>(at.cast());
            }
        }
    }
    sums
}

/// Stores rows of `Q` vectors.
///
/// # Safety
///
/// The rows must be writable.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn finish<const Q: usize>(rows: usize, sums: &[__m512; SUMS], result: *mut f32, step: usize) {
    for (index, &sum) in sums.iter().take(rows * Q).enumerate() {
        // SAFETY: the caller promises the rows.
        unsafe { _mm512_storeu_ps(result.add(index / Q * step + index % Q * LANES), sum) };
    }
}
