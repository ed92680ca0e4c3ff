//! The same bytes at any number of threads.

mod reference;

use std::sync::Arc;

use kernels::conv::{self, ConvBlock, Layout, OutputGradient, Padding, Pool};
use kernels::dense::{self, DenseBlock};
use kernels::dropout::Dropout;
use kernels::norm::{self, NormBlock};
use kernels::threads::Team;
use kernels::{Activation, Isa, Workspace};
use reference::draw;

/// Numbers with many digits, whose sums depend on their order.
fn uneven(len: usize, seed: u64) -> Vec<f32> {
    draw(len, seed).iter().zip(draw(len, seed + 77)).map(|(a, b)| a / 3.0 + b / 700.0).collect()
}

fn check(name: &str, work: impl Fn() -> Vec<f32> + Sync) {
    let bytes = |threads: usize| -> Vec<u32> {
        let found = Arc::new(Team::new(threads)).install(&work);
        found.into_iter().map(f32::to_bits).collect()
    };
    let one = bytes(1);
    assert!(one.iter().any(|&bits| bits != 0), "{name}: all zero");
    for threads in [2, 3, 16] {
        assert!(bytes(threads) == one, "{name}: {threads} threads give other bytes than one");
    }
}

fn conv_block(isa: Isa, in_channels: usize, pool: Pool) -> Vec<f32> {
    let block = ConvBlock {
        in_channels,
        out_channels: 32,
        height: 11,
        width: 9,
        padding: Padding::Same,
        activation: Activation::Relu,
        pool,
        input_layout: Layout::ChannelsLast,
        output_layout: Layout::ChannelsFirst,
    };
    let batch = 61;
    let dropout = Some(Dropout::new(0.25, 1, 2, 3));
    let input = uneven(batch * block.input_len(), 1);
    let weight = uneven(block.weight_len(), 2);
    let bias = uneven(32, 3);
    let grad_output = uneven(batch * block.output_len(), 4);
    let mut output = vec![0.0; grad_output.len()];
    let mut codes = vec![0; grad_output.len()];
    let mut grad_input = vec![0.0; input.len()];
    let mut grad_weight = vec![0.0; weight.len()];
    let mut grad_bias = vec![0.0; 32];
    let mut workspace = Workspace::new();
    let forward = conv::Forward {
        input: &input,
        weight: &weight,
        bias: &bias,
        dropout,
        output: &mut output,
        codes: Some(&mut codes),
    };
    block.forward(isa, forward, &mut workspace);
    let backward = conv::Backward {
        input: &input,
        weight: &weight,
        codes: &codes,
        dropout,
        grad_output: OutputGradient::Given(&grad_output),
        grad_input: Some(&mut grad_input),
        grad_weight: &mut grad_weight,
        grad_bias: &mut grad_bias,
    };
    block.backward(isa, backward, &mut workspace);
    [output, grad_input, grad_weight, grad_bias].concat()
}

fn dense_block(isa: Isa) -> Vec<f32> {
    let block = DenseBlock { inputs: 700, pixels: 35, outputs: 90, activation: Activation::Relu };
    let batch = 133;
    let dropout = Some(Dropout::new(0.25, 1, 2, 3));
    let input = uneven(batch * block.inputs, 1);
    let weight = uneven(block.inputs * block.outputs, 2);
    let bias = uneven(block.outputs, 3);
    let grad_output = uneven(batch * block.outputs, 4);
    let mut output = vec![0.0; grad_output.len()];
    let mut grad_input = vec![0.0; input.len()];
    let mut grad_weight = vec![0.0; weight.len()];
    let mut grad_bias = vec![0.0; bias.len()];
    let mut workspace = Workspace::new();
    let forward = dense::Forward { input: &input, weight: &weight, bias: &bias, dropout, output: &mut output };
    block.forward(isa, forward, &mut workspace);
    let backward = dense::Backward {
        input: &input,
        weight: &weight,
        output: &output,
        dropout,
        grad_output: &grad_output,
        grad_input: Some(&mut grad_input),
        grad_weight: &mut grad_weight,
        grad_bias: &mut grad_bias,
    };
    block.backward(isa, backward, &mut workspace);
    [output, grad_input, grad_weight, grad_bias].concat()
}

fn norm_block(isa: Isa) -> Vec<f32> {
    let block = NormBlock {
        channels: 32,
        height: 11,
        width: 9,
        epsilon: 1e-3,
        activation: Activation::Relu,
        pool: Pool::Max2,
        output_layout: Layout::ChannelsFirst,
    };
    let batch = 61;
    let dropout = Some(Dropout::new(0.25, 1, 2, 3));
    let input = uneven(batch * block.input_len(), 1);
    let (gamma, beta) = (uneven(32, 2), uneven(32, 3));
    let grad_output = uneven(batch * block.output_len(), 4);
    let mut output = vec![0.0; grad_output.len()];
    let mut codes = vec![0; grad_output.len()];
    let mut grad_input = vec![0.0; input.len()];
    let mut grad_gamma = vec![0.0; 32];
    let mut grad_beta = vec![0.0; 32];
    let mut workspace = Workspace::new();
    let statistics = block.statistics(isa, &input, &mut workspace);
    let forward = norm::Forward {
        input: &input,
        statistics: &statistics,
        gamma: &gamma,
        beta: &beta,
        dropout,
        output: &mut output,
        codes: Some(&mut codes),
    };
    block.forward(isa, forward, &mut workspace);
    let backward = norm::Backward {
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
    [output, grad_input, grad_gamma, grad_beta].concat()
}

#[test]
fn conv_blocks_give_the_same_bytes_at_any_number_of_threads() {
    for isa in Isa::available() {
        for in_channels in [1, 32] {
            for pool in [Pool::None, Pool::Max2] {
                check(&format!("{isa:?} {in_channels} {pool:?}"), || conv_block(isa, in_channels, pool));
            }
        }
    }
}

#[test]
fn dense_blocks_give_the_same_bytes_at_any_number_of_threads() {
    for isa in Isa::available() {
        check(&format!("{isa:?}"), || dense_block(isa));
    }
}

#[test]
fn norm_blocks_give_the_same_bytes_at_any_number_of_threads() {
    for isa in Isa::available() {
        check(&format!("{isa:?}"), || norm_block(isa));
    }
}
