//! What the networks compute: where dropout acts, what the heads mean.

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use models::{DenseConfig, HeadKind, ModelConfig};

use crate::{FASHION, a4, cnn1, cnn3, cnn4, every_kind, images, scratch, values};

#[test]
fn dropout_acts_on_autodiff_devices_only() {
    let plain = Device::flex();
    let training = Device::flex().autodiff();
    for config in [a4(HeadKind::Softmax), cnn1(), cnn3(), cnn4()] {
        let model = config.init_seeded(FASHION, 10, 3);
        let twice = |model: &models::Model, device: &Device| {
            [(); 2].map(|()| values(model.forward(images(4, FASHION, device))))
        };
        let [first, second] = twice(&model, &plain);
        assert_eq!(first, second, "{config:?}");
        let model = model.train();
        let [first, second] = twice(&model, &training);
        assert_ne!(first, second, "{config:?}");
        let [first, second] = twice(&model.valid(), &plain);
        assert_eq!(first, second, "{config:?}");
    }
}

#[test]
fn sigmoid_heads_share_the_probability_among_the_classes() {
    let network = |head| {
        let config = DenseConfig { hidden_sizes: vec![24], head, ..DenseConfig::default() };
        ModelConfig::Dense(config).init_seeded(FASHION, 10, 5)
    };
    let images = images(8, FASHION, &Device::flex());
    // Both networks have the same weights; the softmax head returns z itself. Large z saturate σ.
    let z = network(HeadKind::Softmax).forward(images.clone());
    let probabilities = softmax(network(HeadKind::Sigmoid).forward(images), 1);
    for (z, found) in rows(z).zip(rows(probabilities)) {
        let sigmoid: Vec<f64> = z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
        let sum: f64 = sigmoid.iter().sum();
        for (expected, found) in sigmoid.iter().map(|s| s / sum).zip(found) {
            assert!((expected - found).abs() < 1e-6, "{expected} {found}");
        }
    }
}

fn rows(tensor: Tensor<2>) -> impl Iterator<Item = Vec<f64>> {
    let [_, width] = tensor.dims();
    let values: Vec<f64> = tensor.into_data().iter::<f64>().collect();
    values.chunks(width).map(<[f64]>::to_vec).collect::<Vec<_>>().into_iter()
}

#[test]
fn sigmoid_heads_stay_finite_for_large_outputs() {
    let config = DenseConfig { hidden_sizes: vec![], head: HeadKind::Sigmoid, ..DenseConfig::default() };
    let model = ModelConfig::Dense(config).init_seeded(FASHION, 10, 5);
    // Raw pixels times a thousand: |z| in the tens of thousands.
    let images = images(4, FASHION, &Device::flex()).mul_scalar(255_000.0);
    assert!(values(model.forward(images)).iter().all(|x| x.is_finite()));
}

#[test]
fn a_softmax_over_sigmoids_leaves_every_class_some_probability() {
    let model = scratch().init_seeded(FASHION, 10, 5);
    assert_eq!(model.head(), HeadKind::SigmoidSoftmax);
    // The highest and the lowest outputs that there are: one sigmoid at 1, nine at 0.
    let mut outputs = [-1e30, -1e30, 1e30, -1e30, -1e30, -1e30, -1e30, -1e30, -1e30, -1e30];
    model.head().to_logits(&mut outputs);
    let probabilities = values(softmax(Tensor::<1>::from_floats(outputs, &Device::flex()), 0));
    let e = std::f32::consts::E;
    for (class, found) in probabilities.into_iter().enumerate() {
        let expected = if class == 2 { e / (e + 9.0) } else { 1.0 / (e + 9.0) };
        assert!((found - expected).abs() < 1e-6, "{class}: {found}, expected {expected}");
    }
    let mut outputs = [0.0, 3.0_f32.ln()];
    HeadKind::SigmoidSoftmax.to_logits(&mut outputs);
    assert!((outputs[0] - 0.5).abs() < 1e-7 && (outputs[1] - 0.75).abs() < 1e-7, "{outputs:?}");
}

#[test]
fn every_image_is_classified_on_its_own() {
    for (config, shape) in every_kind() {
        let model = config.init_seeded(shape, 10, 3);
        let batch = images(5, shape, &Device::flex());
        let together = values(model.forward(batch.clone()));
        let alone: Vec<f32> = (0..5).flat_map(|i| values(model.forward(batch.clone().narrow(0, i, 1)))).collect();
        for (a, b) in together.iter().zip(&alone) {
            assert!((a - b).abs() < 1e-4, "{config:?}: {a} {b}");
        }
    }
}
