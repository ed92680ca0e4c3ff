//! The crate as its users see it: configurations, counts, seeds, devices and weights of every model.

mod activations;
mod behaviour;
mod configs;
mod counts;
mod devices;
mod fused;
mod pth;
mod seeds;
mod torch;
mod transfer;
mod weights;

use burn::tensor::{Device, Tensor, TensorData};
use models::{
    Activation, BatchNormPlacement, Bias, Bounds, Cnn1Config, Cnn3Config, Cnn4Config, DenseConfig, HeadKind,
    Initializer, InputShape, Model, ModelConfig, Reduction, VggConfig, VggVariant,
};

const FASHION: InputShape = InputShape { channels: 1, height: 28, width: 28 };

/// A4's network: three hidden layers, each with ReLU, dropout and batch norm in this order.
fn a4(head: HeadKind) -> ModelConfig {
    ModelConfig::Dense(DenseConfig {
        hidden_sizes: vec![128, 24, 24],
        dropout: 0.3,
        batch_norm: BatchNormPlacement::AfterDropout,
        head,
        ..DenseConfig::default()
    })
}

/// A0's network: one hidden layer, sigmoids, no biases.
fn scratch() -> ModelConfig {
    ModelConfig::Dense(DenseConfig {
        hidden_sizes: vec![50],
        bias: Bias::Off,
        activation: Activation::Sigmoid,
        head: HeadKind::SigmoidSoftmax,
        initializer: Initializer::Uniform(Bounds { low: -1.0, high: 1.0 }),
        ..DenseConfig::default()
    })
}

fn dense(hidden_sizes: &[usize]) -> ModelConfig {
    ModelConfig::Dense(DenseConfig { hidden_sizes: hidden_sizes.to_vec(), ..DenseConfig::default() })
}

fn cnn1() -> ModelConfig {
    ModelConfig::Cnn1(Cnn1Config::default())
}

fn cnn3() -> ModelConfig {
    ModelConfig::Cnn3(Cnn3Config::default())
}

fn cnn4() -> ModelConfig {
    ModelConfig::Cnn4(Cnn4Config::default())
}

fn vgg_small() -> ModelConfig {
    ModelConfig::Vgg(VggConfig::default())
}

/// Every kind of model, with images that fit it: all activations, heads, reductions and places of the
/// batch norm occur.
fn every_kind() -> Vec<(ModelConfig, InputShape)> {
    let colour = InputShape { channels: 3, height: 32, width: 33 };
    let mut models = vec![
        (a4(HeadKind::Softmax), FASHION),
        (a4(HeadKind::Sigmoid), FASHION),
        (dense(&[]), FASHION),
        (scratch(), FASHION),
        (ModelConfig::Dense(DenseConfig { bias: Bias::Off, ..DenseConfig::default() }), FASHION),
        (cnn1(), FASHION),
        (cnn3(), FASHION),
        (cnn3(), colour),
        (cnn4(), FASHION),
        (vgg_small(), FASHION),
    ];
    for activation in [
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softmax,
        Activation::Gelu,
        Activation::Silu,
    ] {
        let config = DenseConfig { hidden_sizes: vec![30, 20], activation, ..DenseConfig::default() };
        models.push((ModelConfig::Dense(config), FASHION));
    }
    for batch_norm in [
        BatchNormPlacement::None,
        BatchNormPlacement::BeforeActivation,
        BatchNormPlacement::AfterActivation,
        BatchNormPlacement::AfterDropout,
    ] {
        let config = DenseConfig { hidden_sizes: vec![30, 20], batch_norm, ..DenseConfig::default() };
        models.push((ModelConfig::Dense(config), FASHION));
        let config = VggConfig {
            stages: Some(vec![vec![4], vec![6, 8]]),
            batch_norm,
            reduction: Reduction::GlobalAverage,
            hidden_sizes: vec![],
            ..VggConfig::default()
        };
        models.push((ModelConfig::Vgg(config), colour));
    }
    let vgg11 = VggConfig {
        variant: Some(VggVariant::Vgg11),
        batch_norm: BatchNormPlacement::None,
        hidden_sizes: vec![16, 16],
        ..VggConfig::default()
    };
    models.push((ModelConfig::Vgg(vgg11), colour));
    models
}

/// Images that differ from each other and from pixel to pixel, between 0 and 1.
fn images(batch: usize, shape: InputShape, device: &Device) -> Tensor<4> {
    let InputShape { channels, height, width } = shape;
    let len = u32::try_from(batch * channels * height * width).unwrap();
    let values: Vec<f32> =
        (0..len).map(|i| f32::from(u16::try_from(i.wrapping_mul(2_654_435_761) >> 20).unwrap()) / 4096.0).collect();
    Tensor::from_data(TensorData::new(values, [batch, channels, height, width]), device)
}

/// One forward pass in training: it leaves an update of every running statistic pending.
fn forward_in_training(model: &Model, batch: usize, shape: InputShape) {
    drop(model.forward(images(batch, shape, &Device::flex().autodiff())));
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
