//! Convolutions with fewer multiplications agree with the plain reference.

mod reference;

use kernels::conv::{ConvBlock, Layout, Padding, Pool, Winograd};
use kernels::{Activation, Isa};
use reference::{Conv, check_sums, draw};

#[test]
fn every_size_and_pool_agrees_with_the_reference() {
    for isa in Isa::available() {
        for (height, width) in [(2, 2), (4, 4), (5, 7), (9, 6), (3, 75)] {
            for pool in [Pool::None, Pool::Max2] {
                for activation in [Activation::Relu, Activation::Identity] {
                    let block = ConvBlock {
                        in_channels: 16,
                        out_channels: 64,
                        height,
                        width,
                        padding: Padding::Same,
                        activation,
                        pool,
                        input_layout: Layout::ChannelsLast,
                        output_layout: Layout::ChannelsLast,
                    };
                    let batch = 5;
                    let input = draw(batch * block.input_len(), 1);
                    let (weight, bias) = (draw(block.weight_len(), 2), draw(block.out_channels, 3));
                    let mut output = vec![f32::NAN; batch * block.output_len()];
                    let prepared = Winograd::new(block, isa, &weight, &bias).expect("it is covered");
                    prepared.forward(&input, &mut output);
                    let reference = Conv { block, batch, input: &input, weight: &weight, bias: &bias, dropout: None };
                    check_sums(&format!("{isa:?} {height}×{width} {pool:?}"), &output, &reference.outputs(), 1e-6);
                }
            }
        }
    }
}

#[test]
fn blocks_that_are_not_covered_are_declined() {
    let block = ConvBlock {
        in_channels: 64,
        out_channels: 64,
        height: 8,
        width: 8,
        padding: Padding::Same,
        activation: Activation::Relu,
        pool: Pool::None,
        input_layout: Layout::ChannelsLast,
        output_layout: Layout::ChannelsLast,
    };
    let covers = |block: ConvBlock| {
        let (weight, bias) = (vec![0.0; block.weight_len()], vec![0.0; block.out_channels]);
        Winograd::new(block, Isa::detect(), &weight, &bias).is_some()
    };
    assert!(covers(block));
    assert!(!covers(ConvBlock { padding: Padding::Valid, ..block }));
    assert!(!covers(ConvBlock { in_channels: 3, ..block }));
    assert!(!covers(ConvBlock { out_channels: 10, ..block }));
    assert!(!covers(ConvBlock { output_layout: Layout::ChannelsFirst, ..block }));
}
