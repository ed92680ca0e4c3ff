//! A stream of random numbers that belongs to one named tensor of one run.
//!
//! Burn's generators are global to a backend: two models initialised at the same time would take
//! numbers from each other. Here the numbers are a function of (seed, name) and nothing else, so they
//! are the same in any order, on any thread and for every backend.

/// Increment and mixing constants of `SplitMix64` (Steele, Lea and Flood, 2014, "Fast splittable
/// pseudorandom number generators").
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Offset and prime of the 64-bit FNV-1a hash, which turns a name into a number.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The generator.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let name = name.bytes().fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        // Mixed once more: neighbouring seeds must not give neighbouring states.
        Self { state: mix(mix(seed.wrapping_add(GAMMA)) ^ name) }
    }

    /// Draws uniformly from `[-bound, bound)`.
    pub(crate) fn uniform(&mut self, bound: f64) -> f64 {
        (2.0 * self.unit() - 1.0) * bound
    }

    /// Draws from a normal distribution with mean 0 and deviation 1, again and again until the number
    /// is within two deviations.
    pub(crate) fn truncated_normal(&mut self) -> f64 {
        loop {
            // Box and Muller, 1958. `1 - u` is never zero, so that the logarithm is finite.
            let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
            let normal = radius * (std::f64::consts::TAU * self.unit()).cos();
            if normal.abs() <= 2.0 {
                return normal;
            }
        }
    }

    /// Draws uniformly from `[0, 1)`, in steps of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        self.state = self.state.wrapping_add(GAMMA);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exactly what an f64 holds")]
        let bits = (mix(self.state) >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_published_sequence() {
        // The first outputs of SplitMix64 from state 0, as its authors' reference code prints them.
        let mut state = 0_u64;
        let outputs = [(); 3].map(|()| {
            state = state.wrapping_add(GAMMA);
            mix(state)
        });
        let expected = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!(outputs, expected);
    }

    #[test]
    fn seeds_and_names_give_streams_of_their_own() {
        let first = |seed, name| Stream::new(seed, name).unit();
        let draws =
            [first(0, "conv1.weight"), first(1, "conv1.weight"), first(0, "conv1.bias"), first(0, "conv2.weight")];
        for (i, a) in draws.iter().enumerate() {
            for b in &draws[i + 1..] {
                assert!((a - b).abs() > 1e-9, "{draws:?}");
            }
        }
    }
}
