//! The blocks once more in f64, as slowly and plainly as possible.

#![allow(
    dead_code,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "each test file uses a part of this; sizes are tiny"
)]

use kernels::Activation;
use kernels::conv::{ConvBlock, Layout, Padding, Pool};
use kernels::dense::DenseBlock;
use kernels::dropout::Dropout;

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

    fn convolved(&self, n: usize, at: [usize; 3]) -> f64 {
        let mut sum = f64::from(self.bias[at[0]]);
        self.products(n, at, |x, w| sum += f64::from(self.input[x]) * f64::from(self.weight[w]));
        sum
    }

    /// Forward and backward.
    pub(crate) fn run(&self, grad_output: &[f32]) -> Gradients {
        let b = &self.block;
        let shape @ [channels, height, width] = b.output_shape();
        let mut all = Gradients {
            output: vec![0.0; self.batch * b.output_len()],
            input: vec![0.0; self.input.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; channels],
        };
        for n in 0..self.batch {
            for c in 0..channels {
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let parts: Vec<_> = match b.pool {
                        Pool::None => vec![[c, y, x]],
                        Pool::Max2 => (0..4).map(|i| [c, 2 * y + i / 2, 2 * x + i % 2]).collect(),
                    };
                    let mut best = parts[0];
                    for &part in &parts {
                        if self.convolved(n, part) > self.convolved(n, best) {
                            best = part;
                        }
                    }
                    let value = self.convolved(n, best);
                    let mut slope = f64::from(u8::from(b.activation == Activation::Identity || value > 0.0));
                    if let Some(dropout) = self.dropout {
                        let kept = dropout.keeps(n, (y * width + x) * channels + c);
                        slope *= if kept { f64::from(dropout.scale()) } else { 0.0 };
                    }
                    let out = index(b.output_layout, shape, n, [c, y, x]);
                    all.output[out] = value * slope;
                    let gradient = f64::from(grad_output[out]) * slope;
                    all.bias[c] += gradient;
                    self.products(n, best, |x, w| {
                        all.input[x] += gradient * f64::from(self.weight[w]);
                        all.weight[w] += gradient * f64::from(self.input[x]);
                    });
                }
            }
        }
        all
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
        let DenseBlock { inputs, outputs, activation } = self.block;
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
                    value += f64::from(self.input[n * inputs + i]) * f64::from(self.weight[i * outputs + o]);
                }
                let mut slope = f64::from(u8::from(activation == Activation::Identity || value > 0.0));
                if let Some(dropout) = self.dropout {
                    slope *= if dropout.keeps(n, o) { f64::from(dropout.scale()) } else { 0.0 };
                }
                all.output[n * outputs + o] = value * slope;
                let gradient = f64::from(grad_output[n * outputs + o]) * slope;
                all.bias[o] += gradient;
                for i in 0..inputs {
                    all.input[n * inputs + i] += gradient * f64::from(self.weight[i * outputs + o]);
                    all.weight[i * outputs + o] += gradient * f64::from(self.input[n * inputs + i]);
                }
            }
        }
        all
    }
}
