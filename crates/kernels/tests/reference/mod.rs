//! The blocks once more in f64, as slowly and plainly as possible.

#![allow(
    dead_code,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "each test file uses a part of this; sizes are tiny"
)]

use std::env;

use kernels::Activation;
use kernels::conv::{ConvBlock, DEAD, Layout, Padding, Pool};
use kernels::dense::DenseBlock;
use kernels::dropout::Dropout;
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

/// The same cases every time, `cases` of them; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// Multiples of 1/8 from -1 to 1, so that sums are exact in f32 too, and equal pixels and zeros
/// before the activation are common.
pub(crate) fn draw(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) % 17
    };
    (0..len).map(|_| next() as f32 / 8.0 - 1.0).collect()
}

pub(crate) fn check_close(name: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        let bound = tolerance * (1.0 + expected.abs());
        assert!(error <= bound, "{name}[{i}]: expected {expected}, found {found}");
    }
}

fn index(layout: Layout, [channels, height, width]: [usize; 3], n: usize, [c, y, x]: [usize; 3]) -> usize {
    let image = n * channels * height * width;
    image
        + match layout {
            Layout::ChannelsFirst => (c * height + y) * width + x,
            Layout::ChannelsLast => (y * width + x) * channels + c,
        }
}

pub(crate) struct Conv<'a> {
    pub(crate) block: ConvBlock,
    pub(crate) batch: usize,
    pub(crate) input: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) dropout: Option<Dropout>,
}

pub(crate) struct Gradients {
    pub(crate) output: Vec<f64>,
    pub(crate) input: Vec<f64>,
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
}

impl Conv<'_> {
    /// Calls `f` with the input and weight index of every product of one convolved pixel.
    #[expect(clippy::many_single_char_names, reason = "coordinates")]
    fn products(&self, n: usize, [c, y, x]: [usize; 3], mut f: impl FnMut(usize, usize)) {
        let b = &self.block;
        let border = usize::from(b.padding == Padding::Same);
        for i in 0..b.in_channels {
            for (dy, dx) in (0..3).flat_map(|dy| (0..3).map(move |dx| (dy, dx))) {
                let (row, column) = (y + dy, x + dx);
                if row < border || column < border || row - border >= b.height || column - border >= b.width {
                    continue;
                }
                let shape = [b.in_channels, b.height, b.width];
                let at = index(b.input_layout, shape, n, [i, row - border, column - border]);
                f(at, ((c * b.in_channels + i) * 3 + dy) * 3 + dx);
            }
        }
    }

    fn convolved(&self, n: usize, at: [usize; 3]) -> Sum {
        let mut sum = Sum::default();
        sum.add(f64::from(self.bias[at[0]]));
        self.products(n, at, |x, w| sum.add(f64::from(self.input[x]) * f64::from(self.weight[w])));
        sum
    }

    /// Calls `f` with every output: its image, its place, and the convolved pixels that it is the largest of.
    fn for_each_output(&self, mut f: impl FnMut(usize, [usize; 3], &[[usize; 3]])) {
        let [channels, height, width] = self.block.output_shape();
        for n in 0..self.batch {
            for (c, y) in (0..channels).flat_map(|c| (0..height).map(move |y| (c, y))) {
                for x in 0..width {
                    let parts: Vec<_> = match self.block.pool {
                        Pool::None => vec![[c, y, x]],
                        Pool::Max2 => (0..4).map(|i| [c, 2 * y + i / 2, 2 * x + i % 2]).collect(),
                    };
                    f(n, [c, y, x], &parts);
                }
            }
        }
    }

    /// Whether dropout keeps an output, and what it is multiplied with.
    fn kept(&self, n: usize, [c, y, x]: [usize; 3]) -> f64 {
        let [channels, _, width] = self.block.output_shape();
        let Some(dropout) = self.dropout else { return 1.0 };
        let kept = dropout.keeps(n, (y * width + x) * channels + c);
        if kept { f64::from(dropout.scale()) } else { 0.0 }
    }

    /// The code of an output; of a block without codes each gradient goes back to its own pixel.
    fn code(&self, codes: &[u8], n: usize, at: [usize; 3]) -> u8 {
        if codes.is_empty() { 0 } else { codes[index(Layout::ChannelsLast, self.block.output_shape(), n, at)] }
    }

    /// Forward.
    pub(crate) fn outputs(&self) -> Vec<Sum> {
        let b = &self.block;
        let mut outputs = vec![Sum::default(); self.batch * b.output_len()];
        self.for_each_output(|n, at, parts| {
            let sums = parts.iter().map(|&part| self.convolved(n, part));
            let best = sums.reduce(|best, sum| if sum.value > best.value { sum } else { best }).expect("parts");
            let slope = if b.activation == Activation::Relu && best.value <= 0.0 { 0.0 } else { self.kept(n, at) };
            outputs[index(b.output_layout, b.output_shape(), n, at)] =
                Sum { value: best.value * slope, size: best.size * self.kept(n, at) };
        });
        outputs
    }

    /// The code of every output must be what the output and its sums say, but that sums which differ by no more than
    /// `slack` may be taken for equal. If there is none, the first of equal sums counts.
    pub(crate) fn check_codes(&self, output: &[f32], codes: &[u8], slack: f64) {
        let b = &self.block;
        self.for_each_output(|n, at, parts| {
            let sums: Vec<f64> = parts.iter().map(|&part| self.convolved(n, part).value).collect();
            let best = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let code = self.code(codes, n, at);
            if b.activation == Activation::Relu {
                let output = output[index(b.output_layout, b.output_shape(), n, at)];
                assert!((code == DEAD) == (output == 0.0), "{at:?}: code {code} of the output {output}");
            }
            if code == DEAD {
                let stopped = b.activation == Activation::Relu && best <= slack;
                assert!(stopped || self.kept(n, at) == 0.0, "{at:?} is dead at {best}");
                return;
            }
            let chosen = sums[usize::from(code)];
            assert!(self.kept(n, at) > 0.0, "{at:?} is dropped, and lives");
            assert!(b.activation == Activation::Identity || chosen > -slack, "{at:?} lives at {chosen}");
            assert!(chosen >= best - slack, "{at:?}: {code} is not the largest of {sums:?}");
            let first = sums.iter().position(|&sum| sum >= best);
            assert!(slack > 0.0 || first == Some(usize::from(code)), "{at:?}: {code} is not the first of {sums:?}");
        });
    }

    /// Backward, from the codes of a forward pass.
    pub(crate) fn gradients(&self, grad_output: &[f32], codes: &[u8]) -> ConvGradients {
        let b = &self.block;
        let mut all = ConvGradients {
            input: vec![Sum::default(); self.input.len()],
            weight: vec![Sum::default(); self.weight.len()],
            bias: vec![Sum::default(); b.out_channels],
        };
        self.for_each_output(|n, at, parts| {
            let code = self.code(codes, n, at);
            let out = index(b.output_layout, b.output_shape(), n, at);
            let gradient = f64::from(grad_output[out]);
            if code == DEAD && b.pool == Pool::Max2 {
                return;
            }
            // A tile mixes all of its pixels and taps, so that rounding is that of a tile whose gradients all live.
            let (scale, part) = match code {
                DEAD => (0.0, parts[0]),
                _ => (self.kept(n, at), parts[usize::from(code)]),
            };
            all.bias[at[0]].add(scale * gradient);
            self.products(n, part, |x, w| {
                all.input[x].add_scaled(gradient * f64::from(self.weight[w]), scale);
                all.weight[w].add_scaled(gradient * f64::from(self.input[x]), scale);
            });
        });
        all
    }
}

/// A sum, and the sum of its terms' absolute values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    value: f64,
    size: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        self.add_scaled(term, 1.0);
    }

    /// Adds a term with a factor; in size it counts at least as without.
    fn add_scaled(&mut self, term: f64, scale: f64) {
        self.value += scale * term;
        self.size += scale.max(1.0) * term.abs();
    }
}

pub(crate) struct ConvGradients {
    pub(crate) input: Vec<Sum>,
    pub(crate) weight: Vec<Sum>,
    pub(crate) bias: Vec<Sum>,
}

/// The largest size: what rounding errors are to be compared with where a sum is made of others beside it.
pub(crate) fn largest(sums: &[Sum]) -> f64 {
    sums.iter().map(|sum| sum.size).fold(0.0, f64::max)
}

pub(crate) fn check_sums(name: &str, found: &[f32], expected: &[Sum], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let bound = tolerance * largest(expected);
    for (i, (&found, sum)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - sum.value).abs();
        assert!(error <= bound, "{name}[{i}]: expected {}, found {found}, off by {error} of {bound}", sum.value);
    }
}

pub(crate) struct Dense<'a> {
    pub(crate) block: DenseBlock,
    pub(crate) batch: usize,
    pub(crate) input: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) dropout: Option<Dropout>,
}

impl Dense<'_> {
    /// Forward and backward.
    pub(crate) fn run(&self, grad_output: &[f32]) -> Gradients {
        let DenseBlock { inputs, pixels, outputs, activation } = self.block;
        // Channels last where there are pixels, while the weights go channel by channel.
        let channels = inputs / pixels;
        let weight = |i: usize, o: usize| (i % channels * pixels + i / channels) * outputs + o;
        let mut all = Gradients {
            output: vec![0.0; self.batch * outputs],
            input: vec![0.0; self.input.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; outputs],
        };
        for n in 0..self.batch {
            for o in 0..outputs {
                let mut value = f64::from(self.bias[o]);
                for i in 0..inputs {
                    value += f64::from(self.input[n * inputs + i]) * f64::from(self.weight[weight(i, o)]);
                }
                let mut slope = f64::from(u8::from(activation == Activation::Identity || value > 0.0));
                if let Some(dropout) = self.dropout {
                    slope *= if dropout.keeps(n, o) { f64::from(dropout.scale()) } else { 0.0 };
                }
                all.output[n * outputs + o] = value * slope;
                let gradient = f64::from(grad_output[n * outputs + o]) * slope;
                all.bias[o] += gradient;
                for i in 0..inputs {
                    all.input[n * inputs + i] += gradient * f64::from(self.weight[weight(i, o)]);
                    all.weight[weight(i, o)] += gradient * f64::from(self.input[n * inputs + i]);
                }
            }
        }
        all
    }
}
