//! Models move to another device and train there.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Int, Tensor};
use models::{HeadKind, Model, ModelConfig, VggConfig, to_safetensors};
use safetensors::SafeTensors;

use crate::{FASHION, a4, cnn1, cnn3, cnn4, forward_in_training, images, values, vgg_small};

const SEED: u64 = 11;

/// The bytes of every tensor, by name.
fn tensors(model: &Model) -> BTreeMap<String, Vec<u8>> {
    let bytes = to_safetensors(model).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors.map(|(name, view)| (name, view.data().to_vec())).collect()
}

fn train_one_step(model: Model, device: &Device) -> (Model, f32) {
    let device = device.clone().autodiff();
    let targets = Tensor::<1, Int>::from_ints([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &device);
    let logits = model.forward(images(10, FASHION, &device));
    let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let model = SgdConfig::new().init().step(0.1, model, gradients);
    (model, values(loss)[0])
}

fn check_training(device: &Device, configs: &[ModelConfig]) {
    for config in configs {
        let start = config.init_seeded(FASHION, 10, SEED);
        let before = tensors(&start);
        let model = start.fork(device).train();
        assert_eq!(model.devices(), std::slice::from_ref(device), "{config:?}");
        assert!(tensors(&model) == before, "{config:?}");
        let (model, loss) = train_one_step(model, device);
        assert!(loss.is_finite(), "{config:?}: {loss}");
        let after = tensors(&model.valid());
        for (name, bytes) in &before {
            // A dead unit has no gradient, a whole tensor of them would be a broken graph. Running
            // statistics change only because `valid` folds what the step left pending.
            assert!(after[name] != *bytes, "{config:?}: {name} did not change");
        }
    }
}

#[test]
fn models_train_on_flex() {
    let configs = [a4(HeadKind::Sigmoid), cnn1(), cnn3(), cnn4(), vgg_small()];
    check_training(&Device::flex(), &configs);
}

#[test]
fn models_train_on_ndarray() {
    #[expect(deprecated, reason = "the backend is part of the product for comparison")]
    let device = Device::ndarray();
    // Small, because the backend is slow: every kind of layer occurs.
    let vgg = VggConfig { stages: Some(vec![vec![4], vec![6, 8]]), ..VggConfig::default() };
    check_training(&device, &[a4(HeadKind::Sigmoid), ModelConfig::Vgg(vgg)]);
}

#[test]
fn devices_compute_the_same_logits() {
    #[expect(deprecated, reason = "the backend is part of the product for comparison")]
    let other = Device::ndarray();
    for (config, shape) in crate::every_kind() {
        let logits = |device: &Device| {
            let model = config.init_seeded(shape, 10, SEED).fork(device);
            values(model.forward(images(3, shape, device)))
        };
        for (a, b) in logits(&Device::flex()).iter().zip(logits(&other)) {
            assert!((a - b).abs() < 1e-4, "{config:?}: {a} {b}");
        }
    }
}

#[test]
fn valid_is_a_snapshot_of_the_running_statistics() {
    let model = cnn4().init_seeded(FASHION, 10, SEED).train();
    let (model, _) = train_one_step(model, &Device::flex());
    let snapshot = model.valid();
    let then = tensors(&snapshot);
    let (model, _) = train_one_step(model, &Device::flex());
    assert!(tensors(&snapshot) == then);
    assert!(tensors(&model)["bn1.running_mean"] != then["bn1.running_mean"]);
    // Writing the weights out does not disturb training.
    let Model::Cnn4(cnn4) = &model else {
        panic!("expected cnn4");
    };
    assert!(cnn4.conv1.conv.weight.val().is_require_grad());
}

#[test]
fn batch_norm_keeps_the_share_that_its_momentum_says() {
    let config = |momentum| {
        let constants = models::BatchNormConstants { epsilon: 1e-3, momentum };
        let config = models::Cnn4Config { batch_norm_constants: constants, ..models::Cnn4Config::default() };
        ModelConfig::Cnn4(config)
    };
    let running_mean = |momentum| {
        let model = config(momentum).init_seeded(FASHION, 10, SEED).train();
        forward_in_training(&model, 10, FASHION);
        let bytes = &tensors(&model)["bn1.running_mean"];
        let (words, _) = bytes.as_chunks::<4>();
        words.iter().map(|&word| f32::from_le_bytes(word)).collect::<Vec<f32>>()
    };
    // From zero, one step leaves (1 - momentum) of the batch's mean.
    let (whole, hundredth) = (running_mean(0.0), running_mean(0.99));
    for (whole, hundredth) in whole.iter().zip(hundredth) {
        assert!((whole * 0.01 - hundredth).abs() < 1e-6, "{whole} {hundredth}");
    }
    assert!(whole.iter().any(|mean| *mean > 0.0));
}
