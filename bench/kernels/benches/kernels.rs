//! Single kernels at the shapes of the suite's networks, a batch at a time.
//!
//! A throughput is of images, or of parameters where there are none. `KERNELS_ISA` forces an instruction set,
//! `RAYON_NUM_THREADS` a number of threads; a name after `--` chooses kernels.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use kernels::conv::{self, ConvBlock, Layout, OutputGradient, Padding, Pool};
use kernels::dense::{self, DenseBlock};
use kernels::dropout::Dropout;
use kernels::norm::{self, NormBlock};
use kernels::optim::{Adam, Decay};
use kernels::{Activation, Isa, Workspace, loss};

const BATCH: usize = 256;

/// Numbers around zero that follow no pattern.
fn numbers(len: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32::from(u16::try_from(state >> 48).expect("16 bits")) / 32_768.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, elements: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(elements.try_into().expect("a count")));
    group
}

fn convolutions(criterion: &mut Criterion) {
    let valid = |[in_channels, out_channels, side]: [usize; 3], pool| ConvBlock {
        in_channels,
        out_channels,
        height: side,
        width: side,
        padding: Padding::Valid,
        activation: Activation::Relu,
        pool,
        input_layout: Layout::ChannelsLast,
        output_layout: Layout::ChannelsLast,
    };
    let same = |shape| ConvBlock { padding: Padding::Same, ..valid(shape, Pool::None) };
    let blocks = [
        valid([1, 32, 28], Pool::Max2),
        valid([32, 64, 13], Pool::Max2),
        valid([64, 128, 5], Pool::None),
        valid([32, 32, 26], Pool::None),
        valid([64, 128, 10], Pool::None),
        same([16, 16, 28]),
        same([64, 64, 7]),
    ];
    for block in blocks {
        let ConvBlock { in_channels, out_channels, height, width, padding, pool, .. } = block;
        let name = format!("conv {in_channels} to {out_channels} on {height}x{width}, {padding:?}, {pool:?}");
        let mut group = group(criterion, &name, BATCH);
        let (isa, mut workspace) = (Isa::detect(), Workspace::new());
        let dropout = Some(Dropout::new(0.25, 1, 0, 0));
        let (input, weight) = (numbers(BATCH * block.input_len()), numbers(block.weight_len()));
        let (bias, grad_output) = (numbers(out_channels), numbers(BATCH * block.output_len()));
        let mut output = vec![0.0; grad_output.len()];
        let mut codes = vec![0; BATCH * block.codes_len(dropout)];
        let mut forward = || {
            let (output, codes) = (&mut output, Some(codes.as_mut_slice()));
            let slices = conv::Forward { input: &input, weight: &weight, bias: &bias, dropout, output, codes };
            block.forward(isa, black_box(slices), &mut workspace);
        };
        // Also where only the backward pass is asked for.
        forward();
        group.bench_function("forward", |bencher| bencher.iter(&mut forward));
        let prepared = block.prepare(isa, &weight, &bias);
        group.bench_function("prepared", |bencher| bencher.iter(|| prepared.forward(black_box(&input), &mut output)));
        let mut grad_input = vec![0.0; input.len()];
        let (mut grad_weight, mut grad_bias) = (vec![0.0; weight.len()], vec![0.0; out_channels]);
        group.bench_function("backward", |bencher| {
            bencher.iter(|| {
                let slices = conv::Backward {
                    input: &input,
                    weight: &weight,
                    codes: &codes,
                    dropout,
                    grad_output: OutputGradient::Given(&grad_output),
                    // The first layer's is nobody's.
                    grad_input: (in_channels > 1).then_some(grad_input.as_mut_slice()),
                    grad_weight: &mut grad_weight,
                    grad_bias: &mut grad_bias,
                };
                block.backward(isa, black_box(slices), &mut workspace);
            });
        });
    }
}

fn dense_layers(criterion: &mut Criterion) {
    for (inputs, pixels, outputs) in [(784, 1, 128), (1152, 9, 128), (2048, 16, 512), (5408, 169, 128)] {
        let mut group = group(criterion, &format!("dense {inputs} to {outputs}"), BATCH);
        let block = DenseBlock { inputs, pixels, outputs, activation: Activation::Relu };
        let (isa, mut workspace) = (Isa::detect(), Workspace::new());
        let dropout = Some(Dropout::new(0.5, 1, 0, 0));
        let (input, weight) = (numbers(BATCH * inputs), numbers(inputs * outputs));
        let (bias, grad_output) = (numbers(outputs), numbers(BATCH * outputs));
        let mut output = vec![0.0; grad_output.len()];
        let mut forward = || {
            let output = &mut output;
            let slices = dense::Forward { input: &input, weight: &weight, bias: &bias, dropout, output };
            block.forward(isa, black_box(slices), &mut workspace);
        };
        forward();
        group.bench_function("forward", |bencher| bencher.iter(&mut forward));
        let mut grad_input = vec![0.0; input.len()];
        let (mut grad_weight, mut grad_bias) = (vec![0.0; weight.len()], vec![0.0; outputs]);
        group.bench_function("backward", |bencher| {
            bencher.iter(|| {
                let slices = dense::Backward {
                    input: &input,
                    weight: &weight,
                    output: &output,
                    dropout,
                    grad_output: &grad_output,
                    grad_input: Some(&mut grad_input),
                    grad_weight: &mut grad_weight,
                    grad_bias: &mut grad_bias,
                };
                block.backward(isa, black_box(slices), &mut workspace);
            });
        });
    }
}

fn normalisations(criterion: &mut Criterion) {
    for (channels, side, pool) in [(32, 26, Pool::None), (128, 8, Pool::Max2), (512, 1, Pool::None)] {
        let mut group = group(criterion, &format!("norm {channels} on {side}x{side}, {pool:?}"), BATCH);
        let block = NormBlock {
            channels,
            height: side,
            width: side,
            epsilon: 1e-3,
            activation: Activation::Relu,
            pool,
            output_layout: Layout::ChannelsLast,
        };
        let (isa, mut workspace) = (Isa::detect(), Workspace::new());
        let (input, gamma) = (numbers(BATCH * block.input_len()), numbers(channels));
        let (beta, grad_output) = (numbers(channels), numbers(BATCH * block.output_len()));
        group.bench_function("statistics", |bencher| {
            bencher.iter(|| block.statistics(isa, black_box(&input), &mut workspace));
        });
        let statistics = block.statistics(isa, &input, &mut workspace);
        let mut output = vec![0.0; grad_output.len()];
        let mut codes = vec![0; BATCH * block.codes_len(None)];
        let mut forward = || {
            let slices = norm::Forward {
                input: &input,
                statistics: &statistics,
                gamma: &gamma,
                beta: &beta,
                dropout: None,
                output: &mut output,
                codes: Some(&mut codes),
            };
            block.forward(isa, black_box(slices), &mut workspace);
        };
        forward();
        group.bench_function("forward", |bencher| bencher.iter(&mut forward));
        let mut grad_input = vec![0.0; input.len()];
        let (mut grad_gamma, mut grad_beta) = (vec![0.0; channels], vec![0.0; channels]);
        group.bench_function("backward", |bencher| {
            bencher.iter(|| {
                let slices = norm::Backward {
                    input: &input,
                    statistics: &statistics,
                    gamma: &gamma,
                    codes: &codes,
                    dropout: None,
                    grad_output: &grad_output,
                    grad_input: &mut grad_input,
                    grad_gamma: &mut grad_gamma,
                    grad_beta: &mut grad_beta,
                };
                block.backward(isa, black_box(slices), &mut workspace);
            });
        });
    }
}

fn ends(criterion: &mut Criterion) {
    let logits = numbers(BATCH * 10);
    let targets: Vec<u32> = (0..10).cycle().take(BATCH).collect();
    let mut gradient = vec![0.0; logits.len()];
    group(criterion, "loss of 10 classes", BATCH).bench_function("both", |bencher| {
        bencher.iter(|| loss::softmax_cross_entropy(black_box(&logits), &targets, 10, 0.0, &mut gradient));
    });

    // As many as cnn3 has.
    let len = 241_546;
    let (mut parameters, gradients) = (numbers(len), numbers(len));
    let (mut first, mut second) = (vec![0.0; len], vec![0.0; len]);
    let adam = Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0, decay: Decay::Decoupled };
    group(criterion, "adam", len).bench_function("update", |bencher| {
        bencher.iter(|| {
            let gradients = black_box(&gradients);
            adam.update(Isa::detect(), 1e-3, 10, &mut parameters, gradients, &mut first, &mut second);
        });
    });
}

criterion_group!(benches, convolutions, dense_layers, normalisations, ends);
criterion_main!(benches);
