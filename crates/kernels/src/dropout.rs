//! Dropout as a function: which numbers are kept follows from where they are, never from a state.
//!
//! The generator mixes a counter with a key (the finalisers of `SplitMix64`, Steele et al., 2014, for the
//! keys, and a 32-bit multiply-xorshift hash for the elements).

use crate::simd::Simd;

/// Dropout of one layer in one training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    key: u64,
    /// Hashes below it are dropped.
    threshold: u32,
    scale: f32,
}

impl Dropout {
    /// Drops each number with probability `rate`, drawn from (seed, step, layer, sample, element).
    ///
    /// The sample is a number's index in the batch; the element is its
    /// place in the output of the sample, channels innermost.
    ///
    /// # Panics
    ///
    /// If the rate is not in `0.0..1.0`.
    #[must_use]
    pub fn new(rate: f32, seed: u64, step: u64, layer: u64) -> Self {
        assert!((0.0..1.0).contains(&rate), "rate: must be at least 0 and below 1, found {rate}");
        let key = mix(mix(mix(seed).wrapping_add(step)).wrapping_add(layer));
        Self { key, threshold: threshold(rate), scale: 1.0 / (1.0 - rate) }
    }

    /// The factor of the numbers that are kept: `1 / (1 - rate)`.
    #[must_use]
    #[inline]
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Whether a number is kept.
    #[must_use]
    pub fn keeps(&self, sample: usize, element: usize) -> bool {
        hash(element, self.key(sample)) >= self.threshold
    }

    /// The key of one sample, to be asked for once per sample.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the key are wanted")]
    #[inline]
    pub(crate) fn key(&self, sample: usize) -> SampleKey {
        let key = mix(self.key.wrapping_add(sample as u64));
        SampleKey { first: key as u32, second: (key >> 32) as u32 }
    }

    /// What is kept of the elements from `element` on.
    #[expect(clippy::inline_always, reason = "it is part of the kernels")]
    #[inline(always)]
    pub(crate) fn mask<S: Simd>(&self, s: S, key: SampleKey, element: usize) -> S::M {
        // The product of a sum, as the sum of the products: one is the same everywhere, the other the same in all lanes.
        let (lane, first) = (s.u_mul(s.u_iota(), s.u_splat(GOLDEN)), as_u32(element).wrapping_mul(GOLDEN));
        let z = s.u_xor(s.u_add(lane, s.u_splat(first)), s.u_splat(key.first));
        let z = s.u_xor(z, s.u_shr::<16>(z));
        let z = s.u_add(s.u_mul(z, s.u_splat(FACTOR_1)), s.u_splat(key.second));
        let z = s.u_xor(z, s.u_shr::<15>(z));
        let z = s.u_mul(z, s.u_splat(FACTOR_2));
        let z = s.u_xor(z, s.u_shr::<16>(z));
        s.u_ge(z, s.u_splat(self.threshold))
    }
}

/// The key of the elements of one sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampleKey {
    first: u32,
    second: u32,
}

const GOLDEN: u32 = 0x9E37_79B9;
const FACTOR_1: u32 = 0x7FEB_352D;
const FACTOR_2: u32 = 0x846C_A68B;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rate is in 0..1, so the product is in the range of u32"
)]
fn threshold(rate: f32) -> u32 {
    (f64::from(rate) * 4_294_967_296.0) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "samples have far fewer than 2^32 elements")]
#[inline]
fn as_u32(element: usize) -> u32 {
    element as u32
}

/// What [`Dropout::mask`] does for one element.
#[inline]
fn hash(element: usize, key: SampleKey) -> u32 {
    let z = as_u32(element).wrapping_mul(GOLDEN) ^ key.first;
    let z = (z ^ (z >> 16)).wrapping_mul(FACTOR_1).wrapping_add(key.second);
    let z = (z ^ (z >> 15)).wrapping_mul(FACTOR_2);
    z ^ (z >> 16)
}

fn mix(key: u64) -> u64 {
    let z = key.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
