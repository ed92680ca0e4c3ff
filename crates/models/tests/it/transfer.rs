//! A frozen base and its head: published counts, weights by name, and features that are the whole network's.

use std::io::Cursor;

use burn::module::Module;
use burn::tensor::Device;
use models::{
    BatchNormPlacement, InputShape, Kernels, Model, ModelConfig, TensorFile, TransferConfig, VggConfig, VggVariant,
    WeightsError, from_safetensors, to_safetensors,
};

use crate::{FASHION, images, values};

const COLOUR: InputShape = InputShape { channels: 3, height: 35, width: 64 };

/// A whole network, which is where a base gets its weights from.
fn network(variant: VggVariant, seed: u64) -> Model {
    let config = VggConfig {
        variant: Some(variant),
        batch_norm: BatchNormPlacement::None,
        hidden_sizes: vec![16],
        ..VggConfig::default()
    };
    ModelConfig::Vgg(config).init_seeded(COLOUR, 10, seed)
}

fn open(bytes: Vec<u8>) -> TensorFile<Cursor<Vec<u8>>> {
    TensorFile::open(Cursor::new(bytes)).unwrap()
}

#[test]
fn base_and_head_count_as_published() {
    let large = InputShape { channels: 3, height: 150, width: 150 };
    let small = InputShape { height: 64, width: 64, ..large };
    let check = |variant, input, base: usize, head: usize, features: [usize; 3]| {
        let config = TransferConfig::new(variant, "weights.safetensors");
        let [channels, height, width] = features;
        assert_eq!(config.features(input), Ok(InputShape { channels, height, width }));
        let config = ModelConfig::Transfer(config);
        let summary = config.summary(input, 10).unwrap();
        let totals = summary.totals();
        assert_eq!((totals.non_trainable, totals.trainable), (base, head), "{variant:?}");
        assert_eq!(config.init_seeded(input, 10, 1).num_params(), head, "the model is the head");
        for layer in &summary.layers {
            let is_frozen = layer.kind.ends_with("frozen");
            assert_eq!(is_frozen, layer.name.starts_with("features.") && layer.parameters > 0, "{layer:?}");
            assert_eq!(layer.non_trainable, if is_frozen { layer.parameters } else { 0 }, "{layer:?}");
        }
    };
    check(VggVariant::Vgg19, large, 20_024_384, 4_199_946, [512, 4, 4]);
    check(VggVariant::Vgg16, small, 14_714_688, 1_054_218, [512, 2, 2]);
}

#[test]
fn features_are_those_of_the_whole_network() {
    let whole = network(VggVariant::Vgg11, 3);
    let config = TransferConfig::new(VggVariant::Vgg11, "");
    let base = config.base(&mut open(to_safetensors(&whole).unwrap())).unwrap();
    let Model::Vgg(whole) = whole else { panic!("expected vgg") };
    let input = || images(3, COLOUR, &Device::flex());
    let features = base.forward(input());
    assert_eq!(features.dims(), [3, 512, 1, 2]);
    assert_eq!(values(features.clone()), values(whole.features(input())));
    let extracted = base.clone().extractor(COLOUR, &Device::flex()).forward(input());
    assert_eq!(extracted, values(features.clone()));
    let composed = values(base.with_kernels(Kernels::Composed).forward(input()));
    for (fused, composed) in values(features.clone()).into_iter().zip(composed) {
        assert!((fused - composed).abs() < 1e-4, "{fused} and {composed}");
    }
    let head = ModelConfig::Transfer(config).init_seeded(COLOUR, 10, 1);
    assert_eq!(head.forward(features).dims(), [3, 10]);
}

#[test]
fn weights_of_a_transfer_are_those_of_its_head() {
    let config = ModelConfig::Transfer(TransferConfig::new(VggVariant::Vgg11, ""));
    let bytes = to_safetensors(&config.init_seeded(COLOUR, 10, 1)).unwrap();
    let file = open(bytes.clone());
    let names: Vec<&str> = file.names().collect();
    assert_eq!(names, ["classifier.0.bias", "classifier.0.weight", "classifier.3.bias", "classifier.3.weight"]);
    assert_eq!(file.shape("classifier.0.weight"), Some(&[512, 1024][..]));
    let loaded = from_safetensors(config.init_seeded(COLOUR, 10, 2), &bytes).unwrap();
    assert!(to_safetensors(&loaded).unwrap() == bytes);
}

#[test]
fn everything_that_is_wrong_with_a_base_is_one_error() {
    let bytes = to_safetensors(&network(VggVariant::Vgg11, 3)).unwrap();
    let error = TransferConfig::new(VggVariant::Vgg13, "").base(&mut open(bytes)).unwrap_err();
    let WeightsError::Several { faults } = &error else { panic!("{error}") };
    let count = |kind: fn(&WeightsError) -> bool| faults.iter().filter(|&fault| kind(fault)).count();
    // Vgg13's convolutions are at 0 2 5 7 10 12 15 17 20 22, Vgg11's at 0 3 6 8 11 13 16 18.
    assert_eq!(count(|fault| matches!(fault, WeightsError::Missing { .. })), 2 * 9);
    assert_eq!(count(|fault| matches!(fault, WeightsError::Unexpected { .. })), 2 * 7);
    assert_eq!(faults.len(), 32);
    let said = error.to_string();
    for part in ["32 tensors", "features.2.weight: missing, expected [64, 64, 3, 3]", "features.18.bias: not a tensor"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("classifier"), "{said}");
}

#[test]
fn images_of_one_channel_are_refused_with_a_hint() {
    let config = ModelConfig::Transfer(TransferConfig::new(VggVariant::Vgg16, ""));
    let error = config.validate(FASHION, 10).unwrap_err();
    assert_eq!(error.field, "base");
    assert!(error.message.contains("data.normalize"), "{error}");
    let tiny = InputShape { channels: 3, height: 28, width: 28 };
    assert_eq!(config.validate(tiny, 10).unwrap_err().field, "base");
}
