//! Batch normalisation against the reference, on every instruction set of this machine.

mod reference;

use kernels::conv::{Layout, Pool};
use kernels::dropout::Dropout;
use kernels::norm::{Backward, Forward, NormBlock};
use kernels::{Activation, Isa, Workspace};
use proptest::prelude::*;
use reference::{Gradients, cases, check_close, draw};

/// Forward and backward in f64. The gradients of gamma and beta are called weight and bias.
struct Slow<'a> {
    block: NormBlock,
    batch: usize,
    input: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    dropout: Option<Dropout>,
}

impl Slow<'_> {
    fn run(&self, grad_output: &[f32]) -> Gradients {
        let NormBlock { channels, height, width, .. } = self.block;
        let shape @ [_, out_height, out_width] = self.block.output_shape();
        let mut all = Gradients {
            output: vec![0.0; grad_output.len()],
            input: vec![0.0; self.input.len()],
            weight: vec![0.0; channels],
            bias: vec![0.0; channels],
        };
        let pixels = self.batch * height * width;
        let count = f64::from(u32::try_from(pixels).expect("few"));
        for c in 0..channels {
            let x: Vec<f64> = (0..pixels).map(|pixel| f64::from(self.input[pixel * channels + c])).collect();
            let mean = x.iter().sum::<f64>() / count;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            let deviation = (variance + f64::from(self.block.epsilon)).sqrt();
            let gamma = f64::from(self.gamma[c]);
            let value = |pixel: usize| (x[pixel] - mean) / deviation * gamma + f64::from(self.beta[c]);
            let mut gradients = vec![0.0; pixels];
            for n in 0..self.batch {
                for unit in 0..out_height * out_width {
                    let (y, x) = (unit / out_width, unit % out_width);
                    let at = |y: usize, x: usize| (n * height + y) * width + x;
                    let parts = match self.block.pool {
                        Pool::None => vec![at(y, x)],
                        Pool::Max2 => (0..4).map(|i| at(2 * y + i / 2, 2 * x + i % 2)).collect(),
                    };
                    let mut best = parts[0];
                    for part in parts {
                        if value(part) > value(best) {
                            best = part;
                        }
                    }
                    let lives = self.block.activation == Activation::Identity || value(best) > 0.0;
                    let mut slope = f64::from(u8::from(lives));
                    if let Some(dropout) = self.dropout {
                        let kept = dropout.keeps(n, unit * channels + c);
                        slope *= if kept { f64::from(dropout.scale()) } else { 0.0 };
                    }
                    let out = n * shape.iter().product::<usize>()
                        + match self.block.output_layout {
                            Layout::ChannelsFirst => c * out_height * out_width + unit,
                            Layout::ChannelsLast => unit * channels + c,
                        };
                    all.output[out] = value(best) * slope;
                    gradients[best] += f64::from(grad_output[out]) * slope;
                }
            }
            let normal = |pixel: usize| (x[pixel] - mean) / deviation;
            all.bias[c] = gradients.iter().sum();
            all.weight[c] = (0..pixels).map(|pixel| gradients[pixel] * normal(pixel)).sum();
            for (pixel, gradient) in gradients.iter().enumerate() {
                let rest = (all.bias[c] + normal(pixel) * all.weight[c]) / count;
                all.input[pixel * channels + c] = gamma / deviation * (gradient - rest);
            }
        }
        all
    }
}

fn check(isa: Isa, block: NormBlock, batch: usize, rate: Option<f32>, seed: u64) {
    let dropout = rate.map(|rate| Dropout::new(rate, seed, 3, 1));
    // A mean far from zero, as after a ReLU of large sums.
    let input: Vec<f32> = draw(batch * block.input_len(), seed).iter().map(|x| x + 5.0).collect();
    let gamma = draw(block.channels, seed + 1);
    let beta: Vec<f32> = draw(block.channels, seed + 2).iter().map(|x| x / 3.0 + 0.0137).collect();
    let grad_output = draw(batch * block.output_len(), seed + 3);
    let slow = Slow { block, batch, input: &input, gamma: &gamma, beta: &beta, dropout };
    let expected = slow.run(&grad_output);

    let mut workspace = Workspace::new();
    let statistics = block.statistics(isa, &input, &mut workspace);
    let mut output = vec![f32::NAN; grad_output.len()];
    let mut codes = vec![255; batch * block.codes_len(dropout)];
    let forward = Forward {
        input: &input,
        statistics: &statistics,
        gamma: &gamma,
        beta: &beta,
        dropout,
        output: &mut output,
        codes: Some(&mut codes),
    };
    block.forward(isa, forward, &mut workspace);
    check_close("output", &output, &expected.output, 2e-5);
    let mut grad_input = vec![f32::NAN; input.len()];
    let mut grad_gamma = vec![f32::NAN; block.channels];
    let mut grad_beta = vec![f32::NAN; block.channels];
    let backward = Backward {
        input: &input,
        statistics: &statistics,
        gamma: &gamma,
        codes: &codes,
        dropout,
        grad_output: &grad_output,
        grad_input: &mut grad_input,
        grad_gamma: &mut grad_gamma,
        grad_beta: &mut grad_beta,
    };
    block.backward(isa, backward, &mut workspace);
    check_close("grad_gamma", &grad_gamma, &expected.weight, 5e-5);
    check_close("grad_beta", &grad_beta, &expected.bias, 1e-5);
    check_close("grad_input", &grad_input, &expected.input, 1e-4);
}

prop_compose! {
    fn norm_block()(
        channels in 1usize..=40,
        (height, width) in (1usize..=7, 1usize..=7),
        pool in prop_oneof![Just(Pool::None), Just(Pool::Max2)],
        activation in prop_oneof![Just(Activation::Relu), Just(Activation::Identity)],
        output_layout in prop_oneof![Just(Layout::ChannelsFirst), Just(Layout::ChannelsLast)],
    ) -> NormBlock {
        let pool = if height < 2 || width < 2 { Pool::None } else { pool };
        NormBlock { channels, height, width, epsilon: 1e-3, activation, pool, output_layout }
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn norm_blocks_agree_with_the_reference(
        block in norm_block(), batch in 4usize..=9,
        rate in prop_oneof![Just(None), Just(Some(0.25))], seed in 0u64..1000,
    ) {
        for isa in Isa::available() {
            check(isa, block, batch, rate, seed);
        }
    }
}

#[test]
fn sums_over_several_parts_agree_with_the_reference() {
    for isa in Isa::available() {
        let (activation, output_layout) = (Activation::Identity, Layout::ChannelsLast);
        let block = |channels, size, pool| NormBlock {
            channels,
            height: size,
            width: size,
            epsilon: 1e-3,
            activation,
            pool,
            output_layout,
        };
        check(isa, block(32, 11, Pool::Max2), 21, Some(0.5), 4);
        check(isa, block(512, 1, Pool::None), 77, Some(0.5), 5);
    }
}
