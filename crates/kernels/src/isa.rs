//! Which instruction set the kernels run with: found once, at run time.
//!
//! It knows no kernel. One source is compiled once per instruction set; [`run`] picks the copy.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Portable, Simd};

/// An instruction set.
///
/// Results differ between instruction sets in the last bits (only some fuse a multiplication with
/// an addition); on one of them they are the same bytes at any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// 16 numbers at once, 32 registers (x86-64).
    Avx512,
    /// 8 numbers at once, 16 registers, with fused multiply-add (x86-64).
    Avx2,
    /// Whatever the compiler makes of plain code, 4 numbers at a time; on every machine.
    Portable,
}

/// Name of the variable that forces an instruction set: `avx512`, `avx2` or `portable`.
pub const VARIABLE: &str = "KERNELS_ISA";

impl Isa {
    /// The instruction sets of this machine, best first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let all = [Self::Avx512, Self::Avx2, Self::Portable];
        all.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The best instruction set of this machine, or the one that [`VARIABLE`] names. The variable is
    /// read once per process.
    ///
    /// # Panics
    ///
    /// If the variable names no instruction set, or one that this machine does not have.
    #[must_use]
    pub fn detect() -> Self {
        static CHOSEN: OnceLock<Isa> = OnceLock::new();
        *CHOSEN.get_or_init(|| match std::env::var(VARIABLE) {
            Ok(name) => Self::named(&name),
            Err(_) => Self::available()[0],
        })
    }

    /// Numbers in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 => 8,
            Self::Portable => 4,
        }
    }

    fn named(name: &str) -> Self {
        let isa = match name {
            "avx512" => Self::Avx512,
            "avx2" => Self::Avx2,
            "portable" => Self::Portable,
            _ => panic!("{VARIABLE}: expected avx512, avx2 or portable, found {name}"),
        };
        assert!(isa.is_available(), "{VARIABLE}: this machine has no {name}");
        isa
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }
}

/// A piece of work that is written once and compiled for every instruction set.
///
/// `run` must be `#[inline(always)]`, and so must be everything in it that touches vectors: only what
/// ends up inside the functions below is compiled with the instruction set.
pub(crate) trait Kernel {
    fn run<S: Simd>(self, simd: S);
}

/// Runs a kernel with an instruction set.
///
/// # Panics
///
/// If this machine does not have it.
pub(crate) fn run(isa: Isa, kernel: impl Kernel) {
    const MISSING: &str = "an instruction set that this machine does not have";
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            let simd = Avx512::new().expect(MISSING);
            // SAFETY: the token is only made where the processor has these features.
            unsafe { run_avx512(simd, kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            let simd = Avx2::new().expect(MISSING);
            // SAFETY: the token is only made where the processor has these features.
            unsafe { run_avx2(simd, kernel) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx512 | Isa::Avx2 => panic!("{MISSING}"),
        Isa::Portable => kernel.run(Portable),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn run_avx512(simd: Avx512, kernel: impl Kernel) {
    kernel.run(simd);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2(simd: Avx2, kernel: impl Kernel) {
    kernel.run(simd);
}
