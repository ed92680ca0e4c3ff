//! Settings read and write as experiment files have them, and unknown keys are refused.

use data::{AugmentConfig, EraseFill, Normalize, Normalizer, Split};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, from_value, json, to_value};

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(setting: &T, value: Value) {
    assert_eq!(to_value(setting).expect("settings can be written"), value);
    assert_eq!(&from_value::<T>(value).expect("settings can be read"), setting);
}

fn check_refused<T: DeserializeOwned + std::fmt::Debug>(value: Value, message: &str) {
    let error = from_value::<T>(value).expect_err(message).to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn splits() {
    check(&Split::None, json!("none"));
    check(&Split::Fraction { valid: 0.25, seed: 7 }, json!({"fraction": {"valid": 0.25, "seed": 7}}));
    check(&Split::First { valid: 5000 }, json!({"first": {"valid": 5000}}));
    check(&Split::Fold { folds: 5, fold: 0, seed: 7 }, json!({"fold": {"folds": 5, "fold": 0, "seed": 7}}));
    check_refused::<Split>(json!({"first": {"valid": 1, "sed": 1}}), "unknown field `sed`");
    check_refused::<Split>(json!({"first": {}}), "missing field `valid`");
}

#[test]
fn normalisations() {
    check(&Normalize::PerFeature, json!("per_feature"));
    check_refused::<Normalize>(json!("minmax"), "unknown variant `minmax`");
    let constants = Normalizer::Standard { mean: 0.5, std: 2.0 };
    let expected = json!({"standard": {"mean": 0.5, "std": 2.0}});
    assert_eq!(to_value(constants).expect("constants can be written"), expected);
}

#[test]
fn augmentation() {
    let config: AugmentConfig =
        from_value(json!({"shift": 0.5, "erase": {"fill": "zero"}})).expect("everything else has a default");
    let erase = config.erase.expect("it is configured");
    assert_eq!((erase.fill, erase.probability.to_bits()), (EraseFill::Zero, 0.5f32.to_bits()));
    assert!(from_value::<AugmentConfig>(json!({})).expect("all have a default").is_identity());
    check_refused::<AugmentConfig>(json!({"rotate": 8}), "unknown field `rotate`");
    check_refused::<AugmentConfig>(json!({"erase": {"area": 1}}), "unknown field `area`");
}
