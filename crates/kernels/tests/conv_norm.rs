//! A convolution and its batch norm backward as one: the same bytes as one after the other, which `blocks.rs` and
//! `norm.rs` hold against the reference.

mod reference;

use kernels::conv::{self, ConvBlock, Layout, OutputGradient, Padding, Pool};
use kernels::conv_norm::{self, ConvNorm};
use kernels::dropout::Dropout;
use kernels::norm::{self, NormBlock};
use kernels::{Activation, Isa, Workspace};
use proptest::prelude::*;
use reference::{cases, draw};

/// The gradients of input, weight, bias, gamma and beta.
type Gradients = [Vec<f32>; 5];

/// A batch on its way back, after the forward pass.
struct Batch {
    block: ConvNorm,
    dropout: Option<Dropout>,
    input: Vec<f32>,
    weight: Vec<f32>,
    convolved: Vec<f32>,
    conv_codes: Vec<u8>,
    statistics: norm::Statistics,
    gamma: Vec<f32>,
    codes: Vec<u8>,
    grad_output: Vec<f32>,
}

impl Batch {
    fn forward(isa: Isa, block: ConvNorm, batch: usize, rate: Option<f32>, seed: u64) -> Self {
        let mut workspace = Workspace::new();
        let ConvNorm { conv, norm } = block;
        let dropout = rate.map(|rate| Dropout::new(rate, seed, 3, 1));
        let input = draw(batch * conv.input_len(), seed);
        let weight = draw(conv.weight_len(), seed + 1);
        let bias = draw(conv.out_channels, seed + 2);
        let mut convolved = vec![f32::NAN; batch * conv.output_len()];
        let mut conv_codes = vec![255; batch * conv.codes_len(None)];
        let forward = conv::Forward {
            input: &input,
            weight: &weight,
            bias: &bias,
            dropout: None,
            output: &mut convolved,
            codes: Some(&mut conv_codes),
        };
        conv.forward(isa, forward, &mut workspace);
        let (gamma, beta) = (draw(norm.channels, seed + 3), draw(norm.channels, seed + 4));
        let statistics = norm.statistics(isa, &convolved, &mut workspace);
        let mut output = vec![f32::NAN; batch * norm.output_len()];
        let mut codes = vec![255; batch * norm.codes_len(dropout)];
        let forward = norm::Forward {
            input: &convolved,
            statistics: &statistics,
            gamma: &gamma,
            beta: &beta,
            dropout,
            output: &mut output,
            codes: Some(&mut codes),
        };
        norm.forward(isa, forward, &mut workspace);
        let grad_output = draw(output.len(), seed + 5);
        Self { block, dropout, input, weight, convolved, conv_codes, statistics, gamma, codes, grad_output }
    }

    /// Room for gradients, of which every number is to be written.
    fn room(&self) -> Gradients {
        let channels = self.gamma.len();
        [self.input.len(), self.weight.len(), channels, channels, channels].map(|len| vec![f32::NAN; len])
    }

    fn one_after_the_other(&self, isa: Isa) -> Gradients {
        let mut workspace = Workspace::new();
        let mut room = self.room();
        let [grad_input, grad_weight, grad_bias, grad_gamma, grad_beta] = &mut room;
        let mut between = vec![f32::NAN; self.convolved.len()];
        let slices = norm::Backward {
            input: &self.convolved,
            statistics: &self.statistics,
            gamma: &self.gamma,
            codes: &self.codes,
            dropout: self.dropout,
            grad_output: &self.grad_output,
            grad_input: &mut between,
            grad_gamma,
            grad_beta,
        };
        self.block.norm.backward(isa, slices, &mut workspace);
        let slices = conv::Backward {
            input: &self.input,
            weight: &self.weight,
            codes: &self.conv_codes,
            dropout: None,
            grad_output: OutputGradient::Given(&between),
            grad_input: Some(grad_input),
            grad_weight,
            grad_bias,
        };
        self.block.conv.backward(isa, slices, &mut workspace);
        room
    }

    fn as_one(&self, isa: Isa, wants_input: bool) -> Gradients {
        let mut room = self.room();
        let [grad_input, grad_weight, grad_bias, grad_gamma, grad_beta] = &mut room;
        let slices = conv_norm::Backward {
            input: &self.input,
            weight: &self.weight,
            convolved: &self.convolved,
            statistics: &self.statistics,
            gamma: &self.gamma,
            codes: &self.codes,
            dropout: self.dropout,
            grad_output: &self.grad_output,
            grad_input: wants_input.then_some(grad_input),
            grad_weight,
            grad_bias,
            grad_gamma,
            grad_beta,
        };
        self.block.backward(isa, slices, &mut Workspace::new());
        room
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn check(isa: Isa, block: ConvNorm, batch: usize, rate: Option<f32>, seed: u64) {
    let batch = Batch::forward(isa, block, batch, rate, seed);
    let expected = batch.one_after_the_other(isa);
    assert!(expected.iter().flatten().all(|value| !value.is_nan()));
    assert!(expected[1].iter().any(|&value| value != 0.0), "every gradient is zero");
    for wants_input in [true, false] {
        let found = batch.as_one(isa, wants_input);
        let names = ["grad_input", "grad_weight", "grad_bias", "grad_gamma", "grad_beta"];
        for (index, name) in names.into_iter().enumerate().skip(usize::from(!wants_input)) {
            assert!(bits(&found[index]) == bits(&expected[index]), "{name} has other bytes on {isa:?}: {block:?}");
        }
    }
}

prop_compose! {
    fn conv_norm()(
        (in_channels, out_channels) in (prop_oneof![1usize..=9, 15usize..=34], prop_oneof![1usize..=18, Just(32)]),
        (height, width) in (5usize..=9, 5usize..=9),
        padding in prop_oneof![Just(Padding::Valid), Just(Padding::Same)],
        pool in prop_oneof![Just(Pool::None), Just(Pool::Max2)],
        rectified in any::<bool>(),
        input_layout in prop_oneof![Just(Layout::ChannelsFirst), Just(Layout::ChannelsLast)],
    ) -> ConvNorm {
        // The ReLU stands before the norm, or after it.
        let [before, after] = if rectified {
            [Activation::Relu, Activation::Identity]
        } else {
            [Activation::Identity, Activation::Relu]
        };
        let output_layout = Layout::ChannelsLast;
        let conv = ConvBlock {
            in_channels, out_channels, height, width, padding, activation: before, pool: Pool::None, input_layout,
            output_layout,
        };
        let [channels, height, width] = conv.output_shape();
        let norm = NormBlock { channels, height, width, epsilon: 1e-3, activation: after, pool, output_layout };
        ConvNorm { conv, norm }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn as_one_they_give_the_same_bytes(
        block in conv_norm(), batch in 2usize..=9, rate in prop_oneof![Just(None), Just(Some(0.25))],
        seed in 0u64..1000,
    ) {
        for isa in Isa::available() {
            check(isa, block, batch, rate, seed);
        }
    }
}

/// More images than one part of the batch takes, and than are worked on together.
#[test]
fn parts_of_a_batch_find_their_own_gradients() {
    let conv = ConvBlock {
        in_channels: 16,
        out_channels: 32,
        height: 14,
        width: 14,
        padding: Padding::Same,
        activation: Activation::Relu,
        pool: Pool::None,
        input_layout: Layout::ChannelsLast,
        output_layout: Layout::ChannelsLast,
    };
    let norm = NormBlock {
        channels: 32,
        height: 14,
        width: 14,
        epsilon: 1e-3,
        activation: Activation::Identity,
        pool: Pool::Max2,
        output_layout: Layout::ChannelsLast,
    };
    for isa in Isa::available() {
        check(isa, ConvNorm { conv, norm }, 131, Some(0.25), 5);
    }
}

#[test]
#[should_panic(expected = "without a pool between")]
fn a_pool_between_the_two_is_refused() {
    let conv = ConvBlock {
        in_channels: 1,
        out_channels: 4,
        height: 8,
        width: 8,
        padding: Padding::Same,
        activation: Activation::Relu,
        pool: Pool::Max2,
        input_layout: Layout::ChannelsLast,
        output_layout: Layout::ChannelsLast,
    };
    let norm = NormBlock {
        channels: 4,
        height: 4,
        width: 4,
        epsilon: 1e-3,
        activation: Activation::Identity,
        pool: Pool::None,
        output_layout: Layout::ChannelsLast,
    };
    let isa = Isa::Portable;
    let batch = Batch::forward(isa, ConvNorm { conv, norm }, 2, None, 1);
    batch.as_one(isa, true);
}
