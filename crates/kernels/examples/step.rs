//! Times a training step (forward, backward, Adam) of four small networks made of these blocks.
//!
//! `cargo run --release --example step [BATCH] [STEPS]`, with `RAYON_NUM_THREADS` and `KERNELS_ISA` as wanted.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "counts here are small")]

use std::time::Instant;

use kernels::conv::{self, ConvBlock, Layout, Padding, Pool};
use kernels::dense::{self, DenseBlock};
use kernels::dropout::Dropout;
use kernels::loss::softmax_cross_entropy;
use kernels::norm::{self, NormBlock, Statistics};
use kernels::optim::Adam;
use kernels::{Activation, Isa, Workspace};

const ADAM: Adam = Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0 };

#[derive(Clone, Copy)]
enum Block {
    Conv(ConvBlock),
    Dense(DenseBlock),
    Norm(NormBlock),
}

struct Parameter {
    values: Vec<f32>,
    gradients: Vec<f32>,
    moment_1: Vec<f32>,
    moment_2: Vec<f32>,
}

impl Parameter {
    fn new(len: usize, bound: f32, random: &mut impl FnMut() -> f32) -> Self {
        Self {
            values: (0..len).map(|_| (random() * 2.0 - 1.0) * bound).collect(),
            gradients: vec![0.0; len],
            moment_1: vec![0.0; len],
            moment_2: vec![0.0; len],
        }
    }
}

struct Layer {
    block: Block,
    rate: f32,
    weight: Parameter,
    bias: Parameter,
    output: Vec<f32>,
    codes: Vec<u8>,
    grad_output: Vec<f32>,
    statistics: Option<Statistics>,
    workspace: Workspace,
    /// Milliseconds forward and backward, of every step.
    times: [Vec<f64>; 2],
}

fn conv(channels: [usize; 2], size: usize, pool: Pool, output_layout: Layout) -> Block {
    let input_layout = if channels[0] == 1 { Layout::ChannelsFirst } else { Layout::ChannelsLast };
    Block::Conv(ConvBlock {
        in_channels: channels[0],
        out_channels: channels[1],
        height: size,
        width: size,
        padding: Padding::Valid,
        activation: Activation::Relu,
        pool,
        input_layout,
        output_layout,
    })
}

fn norm(channels: usize, size: usize, pool: Pool, output_layout: Layout) -> Block {
    let (height, width, epsilon, activation) = (size, size, 1e-3, Activation::Identity);
    Block::Norm(NormBlock { channels, height, width, epsilon, activation, pool, output_layout })
}

fn network(name: &str) -> Vec<(Block, f32)> {
    let dense = |inputs, outputs, activation| Block::Dense(DenseBlock { inputs, outputs, activation });
    match name {
        "cnn1" => vec![
            (conv([1, 32], 28, Pool::Max2, Layout::ChannelsFirst), 0.2),
            (dense(5408, 128, Activation::Relu), 0.0),
            (dense(128, 10, Activation::Identity), 0.0),
        ],
        "cnn3" => vec![
            (conv([1, 32], 28, Pool::Max2, Layout::ChannelsLast), 0.25),
            (conv([32, 64], 13, Pool::Max2, Layout::ChannelsLast), 0.25),
            (conv([64, 128], 5, Pool::None, Layout::ChannelsFirst), 0.4),
            (dense(1152, 128, Activation::Relu), 0.3),
            (dense(128, 10, Activation::Identity), 0.0),
        ],
        "cnn4" => {
            let (first, last) = (Layout::ChannelsFirst, Layout::ChannelsLast);
            vec![
                (conv([1, 32], 28, Pool::None, last), 0.0),
                (norm(32, 26, Pool::None, last), 0.0),
                (conv([32, 32], 26, Pool::None, last), 0.0),
                (norm(32, 24, Pool::Max2, last), 0.25),
                (conv([32, 64], 12, Pool::None, last), 0.0),
                (norm(64, 10, Pool::None, last), 0.25),
                (conv([64, 128], 10, Pool::None, last), 0.0),
                (norm(128, 8, Pool::Max2, first), 0.25),
                (dense(2048, 512, Activation::Relu), 0.0),
                (norm(512, 1, Pool::None, last), 0.5),
                (dense(512, 128, Activation::Relu), 0.0),
                (norm(128, 1, Pool::None, last), 0.5),
                (dense(128, 10, Activation::Identity), 0.0),
            ]
        }
        _ => vec![(dense(784, 128, Activation::Relu), 0.0), (dense(128, 10, Activation::Identity), 0.0)],
    }
}

fn build(name: &str, batch: usize) -> Vec<Layer> {
    let mut random = random();
    let build = |(block, rate)| {
        let (weight_len, fan_in, bias_len, output_len) = match block {
            Block::Conv(b) => (b.weight_len(), 9 * b.in_channels, b.out_channels, b.output_len()),
            Block::Dense(b) => (b.inputs * b.outputs, b.inputs, b.outputs, b.outputs),
            Block::Norm(b) => (b.channels, 1, b.channels, b.output_len()),
        };
        let bound = 1.0 / (fan_in as f32).sqrt();
        let mut layer = Layer {
            block,
            rate,
            weight: Parameter::new(weight_len, bound, &mut random),
            bias: Parameter::new(bias_len, bound, &mut random),
            output: vec![0.0; batch * output_len],
            codes: vec![0; batch * output_len],
            grad_output: vec![0.0; batch * output_len],
            statistics: None,
            workspace: Workspace::new(),
            times: [vec![], vec![]],
        };
        if matches!(block, Block::Norm(_)) {
            layer.weight.values.fill(1.0);
            layer.bias.values.fill(0.0);
        }
        layer
    };
    network(name).into_iter().map(build).collect()
}

/// An endless stream of numbers in 0..1.
fn random() -> impl FnMut() -> f32 {
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0
    }
}

/// As many images of 28×28 pixels, with their classes: from the folder of IDX files that `DATA_DIR` names, or
/// stripes with noise. How many gradients are zero depends on what there is to learn.
fn samples(batch: usize, random: &mut impl FnMut() -> f32) -> (Vec<f32>, Vec<u32>) {
    if let Ok(dir) = std::env::var("DATA_DIR") {
        let read = |name: &str| std::fs::read(format!("{dir}/{name}")).expect("the folder holds the training files");
        let (pixels, labels) = (read("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte"));
        let images = pixels[16..].iter().take(batch * 784).map(|&pixel| f32::from(pixel) / 255.0).collect();
        return (images, labels[8..].iter().take(batch).map(|&label| u32::from(label)).collect());
    }
    let targets: Vec<u32> = (0..batch).map(|i| (i % 10) as u32).collect();
    let images = (0..batch * 784).map(|i| {
        let (image, row) = (i / 784, i % 784 / 28);
        let stripe = f32::from(u8::from(row * 10 / 28 == image % 10));
        0.5 * stripe + 0.5 * random()
    });
    (images.collect(), targets)
}

fn timed(times: &mut Vec<f64>, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    times.push(start.elapsed().as_secs_f64() * 1e3);
}

impl Layer {
    fn dropout(&self, step: u64, index: usize) -> Option<Dropout> {
        (self.rate > 0.0).then(|| Dropout::new(self.rate, 42, step, index as u64))
    }

    fn forward(&mut self, isa: Isa, dropout: Option<Dropout>, input: &[f32]) {
        let Self { weight, bias, output, codes, statistics, workspace, .. } = self;
        let (weight, bias) = (&weight.values, &bias.values);
        timed(&mut self.times[0], || match &self.block {
            Block::Conv(block) => {
                let slices = conv::Forward { input, weight, bias, dropout, output, codes: Some(codes) };
                block.forward(isa, slices, workspace);
            }
            Block::Dense(block) => {
                let slices = dense::Forward { input, weight, bias, dropout, output };
                block.forward(isa, slices, workspace);
            }
            Block::Norm(block) => {
                let statistics = statistics.insert(block.statistics(isa, input, workspace));
                let (gamma, beta, codes) = (weight, bias, Some(&mut codes[..]));
                let slices = norm::Forward { input, statistics, gamma, beta, dropout, output, codes };
                block.forward(isa, slices, workspace);
            }
        });
    }

    fn backward(&mut self, isa: Isa, dropout: Option<Dropout>, input: &[f32], grad_input: Option<&mut [f32]>) {
        let Self { weight, bias, output, codes, grad_output, statistics, workspace, .. } = self;
        let (grad_weight, grad_bias) = (&mut weight.gradients, &mut bias.gradients);
        let weight = &weight.values;
        timed(&mut self.times[1], || match &self.block {
            Block::Conv(block) => {
                let slices =
                    conv::Backward { input, weight, codes, dropout, grad_output, grad_input, grad_weight, grad_bias };
                block.backward(isa, slices, workspace);
            }
            Block::Dense(block) => {
                let slices =
                    dense::Backward { input, weight, output, dropout, grad_output, grad_input, grad_weight, grad_bias };
                block.backward(isa, slices, workspace);
            }
            Block::Norm(block) => {
                let statistics = statistics.as_ref().expect("the forward pass came first");
                let grad_input = grad_input.expect("a normalisation is never the first block");
                let (gamma, grad_gamma, grad_beta) = (weight, grad_weight, grad_bias);
                let slices = norm::Backward {
                    input,
                    statistics,
                    gamma,
                    codes,
                    dropout,
                    grad_output,
                    grad_input,
                    grad_gamma,
                    grad_beta,
                };
                block.backward(isa, slices, workspace);
            }
        });
    }
}

fn step(isa: Isa, layers: &mut [Layer], images: &[f32], targets: &[u32], step: u64, rest: &mut [Vec<f64>; 2]) -> f64 {
    for index in 0..layers.len() {
        let dropout = layers[index].dropout(step, index);
        let (before, here) = layers.split_at_mut(index);
        let input = before.last().map_or(images, |layer| &layer.output);
        here[0].forward(isa, dropout, input);
    }
    let mut loss = 0.0;
    timed(&mut rest[0], || {
        let last = layers.last_mut().expect("there are layers");
        loss = softmax_cross_entropy(&last.output, targets, 10, 0.0, &mut last.grad_output);
    });
    for index in (0..layers.len()).rev() {
        let dropout = layers[index].dropout(step, index);
        let (before, here) = layers.split_at_mut(index);
        match before.last_mut() {
            Some(layer) => here[0].backward(isa, dropout, &layer.output, Some(&mut layer.grad_output)),
            None => here[0].backward(isa, dropout, images, None),
        }
    }
    timed(&mut rest[1], || {
        for layer in layers {
            for p in [&mut layer.weight, &mut layer.bias] {
                ADAM.update(isa, 1e-3, step, &mut p.values, &p.gradients, &mut p.moment_1, &mut p.moment_2);
            }
        }
    });
    loss
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times[times.len() / 4..].to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Of a busy machine, the fastest time says more.
fn fastest(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|x| x.parse::<usize>().expect("arguments are numbers"));
    let batch = arguments.next().unwrap_or(256);
    let steps = arguments.next().unwrap_or(60);
    let isa = Isa::detect();
    println!("{isa:?}, {} threads, batch {batch}", rayon::current_num_threads());
    let mut random = random();
    let (images, targets) = samples(batch, &mut random);
    for name in ["cnn3", "cnn1", "cnn4", "dense_128"]
        .into_iter()
        .filter(|name| std::env::var("NET").map_or(true, |only| only == *name))
    {
        let mut layers = build(name, batch);
        let mut all = vec![];
        let mut rest = [vec![], vec![]];
        let mut losses = vec![];
        for index in 1..=steps {
            let start = Instant::now();
            losses.push(step(isa, &mut layers, &images, &targets, index as u64, &mut rest));
            all.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let fastest_step = fastest(&all);
        println!(
            "{name}: {:.2} ms a step (fastest {fastest_step:.2}), loss {:.3} to {:.3}",
            median(&all),
            losses[0],
            losses[steps - 1]
        );
        for (index, layer) in layers.iter().enumerate() {
            let [forward, backward] = &layer.times;
            let alive = layer.codes.iter().filter(|&&code| code < 4).count() as f64 / layer.codes.len() as f64;
            println!(
                "  block {index} ({alive:.2} alive): forward {:6.2} ms (fastest {:.2}), backward {:6.2} ({:.2})",
                median(forward),
                fastest(forward),
                median(backward),
                fastest(backward)
            );
        }
        println!("  loss {:.2} ms, Adam {:.2}", median(&rest[0]), median(&rest[1]));
    }
}
