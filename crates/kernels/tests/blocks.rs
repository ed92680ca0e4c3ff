//! Every block against the reference, on random shapes and every instruction set of this machine.

mod reference;

use std::sync::Arc;

use kernels::conv::{self, ConvBlock, Layout, OutputGradient, Padding, Pool};
use kernels::dense::{self, DenseBlock};
use kernels::dropout::Dropout;
use kernels::threads::Team;
use kernels::{Activation, Isa, Workspace};
use proptest::prelude::*;
use reference::{cases, check_close, check_sums, draw, largest};

/// What the blocks below are but for what they say.
const BLOCK: ConvBlock = ConvBlock {
    in_channels: 16,
    out_channels: 16,
    height: 8,
    width: 8,
    padding: Padding::Same,
    activation: Activation::Relu,
    pool: Pool::None,
    input_layout: Layout::ChannelsLast,
    output_layout: Layout::ChannelsLast,
};

/// Of the largest sum of absolute values. The points of the largest tiles may round more than a millionth of it away.
const TOLERANCE: f64 = 2e-6;

fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..=9, 15usize..=18, Just(32), 33usize..=50, Just(64)]
}

fn rate() -> impl Strategy<Value = Option<f32>> {
    prop_oneof![Just(None), Just(Some(0.25)), Just(Some(0.5))]
}

fn activation() -> impl Strategy<Value = Activation> {
    prop_oneof![Just(Activation::Relu), Just(Activation::Identity)]
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![Just(Layout::ChannelsFirst), Just(Layout::ChannelsLast)]
}

prop_compose! {
    fn conv_block()(
        (in_channels, out_channels) in (channels(), channels()),
        (height, width) in (4usize..=9, 4usize..=9),
        padding in prop_oneof![Just(Padding::Valid), Just(Padding::Same)],
        pool in prop_oneof![Just(Pool::None), Just(Pool::Max2)],
        activation in activation(),
        (input_layout, output_layout) in (layout(), layout()),
    ) -> ConvBlock {
        ConvBlock { in_channels, out_channels, height, width, padding, activation, pool, input_layout, output_layout }
    }
}

fn check_conv(isa: Isa, block: ConvBlock, batch: usize, rate: Option<f32>, seed: u64, workspace: &mut Workspace) {
    let dropout = rate.map(|rate| Dropout::new(rate, seed, 3, 1));
    let input = draw(batch * block.input_len(), seed);
    let weight = draw(block.weight_len(), seed + 1);
    let bias = draw(block.out_channels, seed + 2);
    let grad_output = draw(batch * block.output_len(), seed + 3);
    let slow = reference::Conv { block, batch, input: &input, weight: &weight, bias: &bias, dropout };
    let mut output = vec![f32::NAN; grad_output.len()];
    let mut codes = vec![255; batch * block.codes_len(dropout)];
    let forward = conv::Forward {
        input: &input,
        weight: &weight,
        bias: &bias,
        dropout,
        output: &mut output,
        codes: Some(&mut codes),
    };
    block.forward(isa, forward, workspace);
    let expected = slow.outputs();
    check_sums("output", &output, &expected, TOLERANCE);
    if dropout.is_none() {
        let mut again = vec![f32::NAN; output.len()];
        block.prepare(isa, &weight, &bias).forward(&input, &mut again);
        assert!(again == output, "prepared once it gives other bytes");
    }
    // The sums of so few channels are exact: these are never taken another way.
    slow.check_codes(&output, &codes, if block.in_channels <= 2 { 0.0 } else { TOLERANCE * largest(&expected) });
    let expected = slow.gradients(&grad_output, &codes);
    for with_grad_input in [true, false] {
        let mut grad_input = vec![f32::NAN; input.len()];
        let mut grad_weight = vec![f32::NAN; weight.len()];
        let mut grad_bias = vec![f32::NAN; bias.len()];
        let backward = conv::Backward {
            input: &input,
            weight: &weight,
            codes: &codes,
            dropout,
            grad_output: OutputGradient::Given(&grad_output),
            grad_input: with_grad_input.then_some(&mut grad_input),
            grad_weight: &mut grad_weight,
            grad_bias: &mut grad_bias,
        };
        block.backward(isa, backward, workspace);
        if with_grad_input {
            check_sums("grad_input", &grad_input, &expected.input, TOLERANCE);
        }
        check_sums("grad_weight", &grad_weight, &expected.weight, TOLERANCE);
        check_sums("grad_bias", &grad_bias, &expected.bias, TOLERANCE);
    }
}

/// Both ways of a batch whose slices start `off` numbers after a cache line; what they come to.
fn at_offset(isa: Isa, block: ConvBlock, batch: usize, off: usize) -> [Vec<f32>; 4] {
    const LINE: usize = 16;
    let start = |room: &[f32]| room.as_ptr().align_offset(4 * LINE) + off;
    let room = |numbers: Vec<f32>| {
        let mut room = vec![f32::NAN; numbers.len() + 2 * LINE];
        let first = start(&room);
        room[first..first + numbers.len()].copy_from_slice(&numbers);
        (room, first)
    };
    let (input, first) = room(draw(batch * block.input_len(), 1));
    let input = &input[first..first + batch * block.input_len()];
    let (weight, bias) = (draw(block.weight_len(), 2), draw(block.out_channels, 3));
    let grad_output = draw(batch * block.output_len(), 4);
    let mut output = vec![f32::NAN; grad_output.len()];
    let mut codes = vec![255; batch * block.codes_len(None)];
    let (mut grad_input, first) = room(vec![f32::NAN; input.len()]);
    let mut grad_weight = vec![f32::NAN; weight.len()];
    let mut grad_bias = vec![f32::NAN; bias.len()];
    let mut workspace = Workspace::new();
    let (output_mut, codes_mut) = (&mut output, Some(codes.as_mut_slice()));
    let slices =
        conv::Forward { input, weight: &weight, bias: &bias, dropout: None, output: output_mut, codes: codes_mut };
    block.forward(isa, slices, &mut workspace);
    let slices = conv::Backward {
        input,
        weight: &weight,
        codes: &codes,
        dropout: None,
        grad_output: OutputGradient::Given(&grad_output),
        grad_input: Some(&mut grad_input[first..first + input.len()]),
        grad_weight: &mut grad_weight,
        grad_bias: &mut grad_bias,
    };
    block.backward(isa, slices, &mut workspace);
    [output, grad_input[first..first + input.len()].to_vec(), grad_weight, grad_bias]
}

fn check_dense(isa: Isa, block: DenseBlock, batch: usize, rate: Option<f32>, seed: u64, workspace: &mut Workspace) {
    let dropout = rate.map(|rate| Dropout::new(rate, seed, 3, 1));
    let input = draw(batch * block.inputs, seed);
    let weight = draw(block.inputs * block.outputs, seed + 1);
    let bias = draw(block.outputs, seed + 2);
    let grad_output = draw(batch * block.outputs, seed + 3);
    let slow = reference::Dense { block, batch, input: &input, weight: &weight, bias: &bias, dropout };
    let expected = slow.run(&grad_output);

    let mut output = vec![f32::NAN; grad_output.len()];
    let forward = dense::Forward { input: &input, weight: &weight, bias: &bias, dropout, output: &mut output };
    block.forward(isa, forward, workspace);
    check_close("output", &output, &expected.output, 1e-6);
    let mut grad_input = vec![f32::NAN; input.len()];
    let mut grad_weight = vec![f32::NAN; weight.len()];
    let mut grad_bias = vec![f32::NAN; bias.len()];
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
    block.backward(isa, backward, workspace);
    check_close("grad_input", &grad_input, &expected.input, 1e-5);
    check_close("grad_weight", &grad_weight, &expected.weight, 1e-5);
    check_close("grad_bias", &grad_bias, &expected.bias, 1e-5);
}

/// Does some work with one thread.
fn alone(work: impl FnOnce()) {
    Arc::new(Team::new(1)).install(work);
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn conv_blocks_agree_with_the_reference(
        block in conv_block(), batch in 1usize..=5, rate in rate(), seed in 0u64..1000,
    ) {
        for isa in Isa::available() {
            // The second call finds the buffers as the first has left them. Threads decide how many images go together.
            let mut workspace = Workspace::new();
            alone(|| check_conv(isa, block, batch, rate, seed, &mut workspace));
            check_conv(isa, block, batch, rate, seed + 9, &mut workspace);
        }
    }

    #[test]
    fn dense_blocks_agree_with_the_reference(
        // As images of so many pixels, channels last.
        (channels, pixels) in prop_oneof![
            (prop_oneof![1usize..=40, Just(64), 500usize..=600], Just(1)),
            (prop_oneof![1usize..=40, Just(16), Just(32), Just(64)], 2usize..=9),
        ],
        outputs in prop_oneof![1usize..=40, Just(64), Just(128)],
        batch in prop_oneof![1usize..=14, 45usize..=50],
        activation in activation(), rate in rate(), seed in 0u64..1000,
    ) {
        let block = DenseBlock { inputs: channels * pixels, pixels, outputs, activation };
        for isa in Isa::available() {
            check_dense(isa, block, batch, rate, seed, &mut Workspace::new());
        }
    }
}

#[test]
fn sums_longer_than_a_cache_block_agree_with_the_reference() {
    for isa in Isa::available() {
        for (inputs, pixels, outputs, batch) in [(1100, 1, 20, 3), (1100, 11, 20, 3), (20, 1, 1100, 3), (7, 1, 5, 1100)]
        {
            let block = DenseBlock { inputs, pixels, outputs, activation: Activation::Relu };
            check_dense(isa, block, batch, None, 5, &mut Workspace::new());
        }
    }
}

#[test]
fn pooled_grey_images_agree_with_the_reference() {
    for isa in Isa::available() {
        for (out_channels, padding) in
            [(17, Padding::Valid), (32, Padding::Valid), (40, Padding::Same), (70, Padding::Same)]
        {
            for (activation, rate) in
                [(Activation::Relu, Some(0.25)), (Activation::Relu, None), (Activation::Identity, None)]
            {
                let block = ConvBlock {
                    in_channels: 1,
                    out_channels,
                    height: 9,
                    width: 8,
                    padding,
                    activation,
                    pool: Pool::Max2,
                    ..BLOCK
                };
                check_conv(isa, block, 11, rate, 7, &mut Workspace::new());
            }
        }
    }
}

#[test]
fn few_living_gradients_among_many_agree_with_the_reference() {
    // Rounding is that of the whole tile, whatever of it is left after the activation and the dropout.
    let block = ConvBlock {
        in_channels: 32,
        out_channels: 1,
        height: 4,
        width: 5,
        input_layout: Layout::ChannelsFirst,
        output_layout: Layout::ChannelsFirst,
        ..BLOCK
    };
    for isa in Isa::available() {
        check_conv(isa, block, 1, Some(0.25), 63, &mut Workspace::new());
    }
}

#[test]
fn every_part_of_a_batch_is_summed() {
    // More tiles than are transformed together, some of them with the first ones of the next image.
    let tiles = ConvBlock { height: 26, width: 27, ..BLOCK };
    for isa in Isa::available() {
        alone(|| check_conv(isa, tiles, 33, None, 5, &mut Workspace::new()));
    }
    let block = ConvBlock {
        out_channels: 24,
        height: 5,
        width: 6,
        pool: Pool::Max2,
        input_layout: Layout::ChannelsFirst,
        output_layout: Layout::ChannelsFirst,
        ..BLOCK
    };
    for isa in Isa::available() {
        for batch in [15, 16, 17, 40] {
            check_conv(isa, block, batch, Some(0.5), 5, &mut Workspace::new());
        }
    }
}

#[test]
fn images_are_read_and_gradients_written_where_they_lie_or_copied_to_the_same_bytes() {
    for isa in Isa::available() {
        for padding in [Padding::Valid, Padding::Same] {
            let block = ConvBlock {
                in_channels: 32,
                height: 15,
                width: 14,
                padding,
                activation: Activation::Identity,
                ..BLOCK
            };
            let aligned = at_offset(isa, block, 9, 0);
            assert!(aligned.iter().flatten().all(|value| value.is_finite()), "{isa:?} {padding:?}");
            assert!(aligned == at_offset(isa, block, 9, 1), "{isa:?} {padding:?}: other bytes off a cache line");
            // The same numbers as where everything is compared with the reference, on tiles with others all around.
            check_conv(isa, block, 2, None, 1, &mut Workspace::new());
        }
    }
}

#[test]
fn a_batch_of_nothing_has_no_gradients() {
    for isa in Isa::available() {
        for pool in [Pool::None, Pool::Max2] {
            let block = ConvBlock { pool, ..BLOCK };
            check_conv(isa, block, 0, None, 1, &mut Workspace::new());
        }
    }
}

#[test]
fn of_equal_pixels_the_first_counts_on_every_way() {
    for (isa, pool) in Isa::available().into_iter().flat_map(|isa| [Pool::None, Pool::Max2].map(|pool| (isa, pool))) {
        for (channels, side) in [(1, 9), (3, 4), (16, 4), (32, 11)] {
            let block = ConvBlock { in_channels: channels, out_channels: 24, height: side, width: side, pool, ..BLOCK };
            let (input, weight) = (draw(2 * block.input_len(), 1), vec![0.0; block.weight_len()]);
            // Every sum is the bias.
            for (bias, code) in [(0.125, 0), (0.0, conv::DEAD), (-0.125, conv::DEAD)] {
                let mut output = vec![f32::NAN; 2 * block.output_len()];
                let mut codes = vec![255; output.len()];
                let slices = conv::Forward {
                    input: &input,
                    weight: &weight,
                    bias: &[bias; 24],
                    dropout: None,
                    output: &mut output,
                    codes: Some(&mut codes),
                };
                block.forward(isa, slices, &mut Workspace::new());
                assert!(codes.iter().all(|&found| found == code), "{isa:?} {block:?}: {codes:?}");
                assert_eq!(output, vec![f32::max(bias, 0.0); output.len()], "{isa:?} {block:?}");
            }
        }
    }
}
