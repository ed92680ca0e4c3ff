//! Configurations as experiment files write them, and what is said about bad ones.

use models::{
    BatchNormConstants, Bias, Cnn1Config, Cnn3Config, Cnn4Config, DenseConfig, InputShape, ModelConfig, VggConfig,
    VggVariant,
};
use serde_json::json;

use crate::{FASHION, every_kind, scratch};

#[test]
fn configurations_survive_a_round_trip() {
    for (config, _) in every_kind() {
        let written = serde_json::to_value(&config).unwrap();
        let keys: Vec<&String> = written.as_object().unwrap().keys().collect();
        assert_eq!(keys, [config.name()]);
        assert_eq!(serde_json::from_value::<ModelConfig>(written).unwrap(), config);
    }
}

#[test]
fn a_name_alone_is_the_default() {
    for (name, expected) in [
        ("dense", ModelConfig::Dense(DenseConfig::default())),
        ("cnn1", ModelConfig::Cnn1(Cnn1Config::default())),
        ("cnn3", ModelConfig::Cnn3(Cnn3Config::default())),
        ("cnn4", ModelConfig::Cnn4(Cnn4Config::default())),
        ("vgg", ModelConfig::Vgg(VggConfig::default())),
    ] {
        let config: ModelConfig = serde_json::from_value(json!({ name: {} })).unwrap();
        assert_eq!(config, expected);
        assert_eq!(config.name(), name);
    }
}

#[test]
fn settings_are_written_as_in_the_documentation() {
    let config: ModelConfig = serde_json::from_value(json!({ "dense": {
        "hidden_sizes": [128, 24, 24],
        "activation": "relu",
        "dropout": 0.3,
        "batch_norm": "after_dropout",
        "batch_norm_constants": { "epsilon": 1e-5, "momentum": 0.9 },
        "head": "sigmoid",
        "initializer": "pytorch",
    }}))
    .unwrap();
    let ModelConfig::Dense(config) = config else {
        panic!("expected dense, found {config:?}");
    };
    assert_eq!(config.bias, Bias::On);
    let constants = BatchNormConstants { epsilon: 1e-5, momentum: 0.9 };
    assert_eq!(config.batch_norm_constants, constants);
    let config: ModelConfig = serde_json::from_value(json!({ "dense": {
        "hidden_sizes": [50],
        "bias": false,
        "activation": "sigmoid",
        "head": "sigmoid_softmax",
        "initializer": { "uniform": { "low": -1.0, "high": 1.0 } },
    }}))
    .unwrap();
    assert_eq!(config, scratch());
    let config: ModelConfig = serde_json::from_value(json!({ "vgg": { "variant": "vgg16" } })).unwrap();
    let expected = VggConfig { variant: Some(VggVariant::Vgg16), ..VggConfig::default() };
    assert_eq!(config, ModelConfig::Vgg(expected));
}

#[test]
fn unknown_settings_are_rejected() {
    for bad in [
        json!({ "cnn3": { "droput": [0.1, 0.1, 0.1, 0.1] } }),
        json!({ "cnn3": { "dropout": [0.1, 0.1, 0.1] } }),
        json!({ "dense": { "activation": "rely" } }),
        json!({ "cnn2": {} }),
        json!({ "vgg": { "variant": "vgg12" } }),
    ] {
        let result: Result<ModelConfig, _> = serde_json::from_value(bad.clone());
        assert!(result.is_err(), "{bad}");
    }
}

#[test]
fn errors_name_the_field_and_what_was_found() {
    let check = |config: serde_json::Value, shape: InputShape, expected: &str| {
        let config: ModelConfig = serde_json::from_value(config).unwrap();
        let error = config.validate(shape, 10).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(config.summary(shape, 10).unwrap_err(), error);
    };
    let square = |side| InputShape { channels: 1, height: side, width: side };
    check(
        json!({ "dense": { "hidden_sizes": [300, 0] } }),
        FASHION,
        "hidden_sizes[1]: must be between 1 and 16384, found 0",
    );
    check(json!({ "dense": { "dropout": 1.0 } }), FASHION, "dropout: must be at least 0 and below 1, found 1");
    check(
        json!({ "cnn3": { "dropout": [0.1, 0.1, -0.5, 0.1] } }),
        FASHION,
        "dropout[2]: must be at least 0 and below 1, found -0.5",
    );
    check(
        json!({ "cnn4": { "batch_norm_constants": { "epsilon": 0.0 } } }),
        FASHION,
        "batch_norm_constants.epsilon: must be above 0, found 0",
    );
    check(
        json!({ "cnn4": { "batch_norm_constants": { "momentum": 1.5 } } }),
        FASHION,
        "batch_norm_constants.momentum: must be between 0 and 1, found 1.5",
    );
    check(
        json!({ "cnn1": { "initializer": { "uniform": { "low": 1.0, "high": 0.5 } } } }),
        FASHION,
        "initializer.high: must be above low, 1, found 0.5",
    );
    check(
        json!({ "cnn3": {} }),
        square(15),
        "kind: a 3x3 convolution without padding needs at least 3x3 pixels, found 2x2",
    );
    check(
        json!({ "vgg": { "variant": "vgg16" } }),
        FASHION,
        "variant: a 2x2 pool needs at least 2x2 pixels, found 1x1",
    );
    check(
        json!({ "vgg": { "stages": [[4], [4], [4], [4], [4]] } }),
        FASHION,
        "stages[4]: a 2x2 pool needs at least 2x2 pixels, found 1x1",
    );
    check(json!({ "vgg": { "stages": [[4], []] } }), FASHION, "stages[1]: must hold at least one number of channels");
    check(json!({ "vgg": { "stages": [[4, 0]] } }), FASHION, "stages[0][1]: must be between 1 and 16384, found 0");
    check(json!({ "vgg": { "stages": [] } }), FASHION, "stages: must hold at least one stage");
    check(
        json!({ "vgg": { "stages": [[4]], "variant": "vgg11" } }),
        FASHION,
        "stages: must not be given together with variant",
    );
    check(
        json!({ "dense": { "hidden_sizes": [16384, 16384, 16384, 16384, 16384] } }),
        FASHION,
        "hidden_sizes[4]: makes a network of more than 1000000000 parameters",
    );
    check(json!({ "dense": {} }), square(0), "input.height: must be between 1 and 16384, found 0");
}

#[test]
fn numbers_that_are_none_are_rejected() {
    for bad in [f64::NAN, f64::INFINITY] {
        let config = ModelConfig::Cnn1(Cnn1Config { dropout: bad, ..Cnn1Config::default() });
        assert_eq!(config.validate(FASHION, 10).unwrap_err().field, "dropout");
        let config = ModelConfig::Cnn4(Cnn4Config {
            batch_norm_constants: BatchNormConstants { epsilon: bad, momentum: 0.9 },
            ..Cnn4Config::default()
        });
        let error = config.validate(FASHION, 10).unwrap_err();
        assert_eq!(error.field, "batch_norm_constants.epsilon");
    }
}

#[test]
fn the_largest_sizes_do_not_overflow() {
    let widest = InputShape { channels: 16_384, height: 16_384, width: 16_384 };
    for (config, _) in every_kind() {
        // A sum that wrapped around would look like a small network.
        match config.summary(widest, 16_384) {
            Err(error) => assert!(error.message.ends_with("parameters"), "{error}"),
            Ok(summary) => assert!(summary.totals().multiply_adds > 1 << 40, "{config:?}"),
        }
    }
}
