//! Exact numbers of parameters, as published, and the same numbers from the real modules.

use burn::module::Module;
use burn::tensor::Device;
use models::{DenseConfig, HeadKind, InputShape, ModelConfig, Totals, VggConfig, VggVariant};

use crate::{FASHION, a4, cnn1, cnn3, cnn4, dense, every_kind, images, scratch, vgg_small};

fn totals(config: &ModelConfig) -> Totals {
    config.summary(FASHION, 10).unwrap().totals()
}

#[test]
fn counts_are_the_published_ones() {
    let check = |config: &ModelConfig, parameters, non_trainable| {
        let totals = totals(config);
        let found = (totals.parameters, totals.non_trainable);
        assert_eq!(found, (parameters, non_trainable), "{config:?}");
        assert_eq!(totals.trainable, parameters - non_trainable);
    };
    check(&scratch(), 39_700, 0);
    check(&dense(&[128]), 101_770, 0);
    check(&dense(&[300, 100, 100, 100]), 286_810, 0);
    check(&a4(HeadKind::Softmax), 105_130, 105_130 - 104_778);
    check(&a4(HeadKind::Sigmoid), 105_130, 105_130 - 104_778);
    check(&cnn1(), 693_962, 0);
    check(&cnn3(), 241_546, 0);
    check(&cnn4(), 1_221_546, 1_792);
    // A4's grid search: dropout after every layer, no batch norm.
    let grid = |sizes: &[usize]| {
        ModelConfig::Dense(DenseConfig { hidden_sizes: sizes.to_vec(), dropout: 0.3, ..DenseConfig::default() })
    };
    check(&grid(&[20]), 15_910, 0);
    check(&grid(&[40, 20]), 32_430, 0);
    check(&grid(&[45, 30, 15]), 37_330, 0);
}

#[test]
fn layers_of_cnn4_count_as_published() {
    let summary = cnn4().summary(FASHION, 10).unwrap();
    let counts: Vec<usize> =
        summary.layers.iter().map(|layer| layer.parameters).filter(|&parameters| parameters > 0).collect();
    let published = [320, 128, 9_248, 128, 18_496, 256, 73_856, 512, 1_049_088, 2_048, 65_664, 512, 1_290];
    assert_eq!(counts, published);
}

#[test]
fn convolutional_bases_of_vgg_count_as_published() {
    let colour = InputShape { channels: 3, height: 150, width: 150 };
    let check = |variant, parameters: usize| {
        let config = ModelConfig::Vgg(VggConfig {
            variant: Some(variant),
            batch_norm: models::BatchNormPlacement::None,
            ..VggConfig::default()
        });
        let summary = config.summary(colour, 10).unwrap();
        let base = summary.layers.iter().take_while(|layer| layer.name.starts_with("features."));
        let found: usize = base.clone().map(|layer| layer.parameters).sum();
        assert_eq!(found, parameters, "{variant:?}");
        let maps = base.map(|layer| &layer.output_shape).last();
        assert_eq!(maps, Some(&vec![512, 4, 4]));
    };
    check(VggVariant::Vgg11, 9_220_480);
    check(VggVariant::Vgg13, 9_404_992);
    check(VggVariant::Vgg16, 14_714_688);
    check(VggVariant::Vgg19, 20_024_384);
}

#[test]
fn the_whole_vgg_counts_as_published() {
    let colour = InputShape { channels: 3, height: 224, width: 224 };
    let config = ModelConfig::Vgg(VggConfig {
        variant: Some(VggVariant::Vgg19),
        batch_norm: models::BatchNormPlacement::None,
        hidden_sizes: vec![4096, 4096],
        ..VggConfig::default()
    });
    let totals = config.summary(colour, 1000).unwrap().totals();
    assert_eq!(totals.parameters, 143_667_240);
}

#[test]
fn modules_hold_what_their_summaries_say() {
    for (config, shape) in every_kind() {
        let summary = config.summary(shape, 7).unwrap();
        let model = config.init_seeded(shape, 7, 1);
        // Burn counts the running statistics too.
        assert_eq!(model.num_params(), summary.totals().parameters, "{config:?}");
        let logits = model.forward(images(2, shape, &Device::flex()));
        assert_eq!(logits.dims(), [2, 7], "{config:?}");
        assert_eq!(summary.layers.last().unwrap().output_shape, [7]);
    }
}

#[test]
fn layers_without_biases_cost_what_they_hold() {
    let totals = totals(&scratch());
    assert_eq!(totals.multiply_adds, totals.parameters as u64);
}

#[test]
fn rows_name_every_layer_with_its_shape_and_cost() {
    let summary = cnn3().summary(FASHION, 10).unwrap();
    let rows: Vec<(&str, &str, &[usize], usize, u64)> =
        summary.layers.iter().map(|l| (&*l.name, &*l.kind, &*l.output_shape, l.parameters, l.multiply_adds)).collect();
    let expected: [(&str, &str, &[usize], usize, u64); 11] = [
        ("conv1", "conv2d 3x3, relu", &[32, 26, 26], 320, 194_688),
        ("pool1", "max_pool 2x2", &[32, 13, 13], 0, 0),
        ("dropout1", "dropout 0.25", &[32, 13, 13], 0, 0),
        ("conv2", "conv2d 3x3, relu", &[64, 11, 11], 18_496, 2_230_272),
        ("pool2", "max_pool 2x2", &[64, 5, 5], 0, 0),
        ("dropout2", "dropout 0.25", &[64, 5, 5], 0, 0),
        ("conv3", "conv2d 3x3, relu", &[128, 3, 3], 73_856, 663_552),
        ("dropout3", "dropout 0.4", &[128, 3, 3], 0, 0),
        ("flatten", "flatten", &[1_152], 0, 0),
        ("dense1", "linear, relu", &[128], 147_584, 147_456),
        ("dropout4", "dropout 0.3", &[128], 0, 0),
    ];
    assert_eq!(rows[..11], expected);
    assert_eq!(rows[11], ("head", "linear, softmax", &[10][..], 1_290, 1_280));
    assert_eq!(rows.len(), 12);
}

#[test]
fn vgg_layers_take_the_places_they_have_in_torchvision() {
    let names = |config: VggConfig| -> Vec<String> {
        let summary = ModelConfig::Vgg(config).summary(FASHION, 10).unwrap();
        let layers = summary.layers.into_iter().filter(|l| l.parameters > 0);
        layers.map(|layer| layer.name).collect()
    };
    let stages = Some(vec![vec![4], vec![8, 8]]);
    let plain = VggConfig {
        stages: stages.clone(),
        batch_norm: models::BatchNormPlacement::None,
        hidden_sizes: vec![5, 5],
        dropout: 0.0,
        ..VggConfig::default()
    };
    // conv, relu, pool; conv, relu, conv, relu, pool. Then linear, relu, dropout twice.
    let expected = ["features.0", "features.3", "features.5", "classifier.0", "classifier.3", "classifier.6"];
    assert_eq!(names(plain), expected);
    let normalised = VggConfig { stages, hidden_sizes: vec![], ..VggConfig::default() };
    let expected = ["features.0", "features.1", "features.4", "features.5", "features.7", "features.8", "classifier.0"];
    assert_eq!(names(normalised), expected);
}

#[test]
fn the_small_vgg_is_as_small_as_its_documentation_says() {
    let totals = totals(&vgg_small());
    assert_eq!(totals.parameters, 147_834);
    assert_eq!(totals.multiply_adds, 7_413_248);
}
