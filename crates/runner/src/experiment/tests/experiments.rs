//! Every experiment of the suite is what the tutorials describe.

use std::{collections::BTreeSet, fs, path::Path};

use burn::module::Module as _;
use data::Normalize;
use models::{HeadKind, ModelConfig};

use super::{
    super::{Augmentation, NormalizeFit, Overrides, Resolved, Select, load, load_xor},
    check_round_trip, repository,
};

/// Name, parameters, batch size, and epochs of each phase. A new experiment needs a row here.
const EXPERIMENTS: &[(&str, usize, usize, &[usize])] = &[
    ("ann_digits", 105_130, 100, &[30]),
    ("ann_digits_corrected", 105_130, 100, &[30]),
    ("ann_fashion", 105_130, 100, &[30]),
    ("ann_fashion_corrected", 105_130, 100, &[30]),
    ("cnn1", 693_962, 256, &[10]),
    ("cnn1_aug", 693_962, 256, &[10, 50]),
    ("cnn1_aug_as_published", 693_962, 256, &[10, 50]),
    ("cnn3", 241_546, 256, &[10]),
    ("cnn3_aug", 241_546, 256, &[10, 50]),
    ("cnn3_aug_as_published", 241_546, 256, &[10, 50]),
    ("cnn4", 1_221_546, 256, &[10]),
    ("cnn4_aug", 1_221_546, 256, &[10, 50]),
    ("cnn4_aug_as_published", 1_221_546, 256, &[10, 50]),
    ("dense_128", 101_770, 32, &[5]),
    ("dense_deep", 286_810, 32, &[10]),
    ("grid_digits", 32_430, 256, &[30]),
    ("grid_digits_corrected", 32_430, 256, &[30]),
    ("grid_fashion", 15_910, 256, &[30]),
    ("grid_fashion_corrected", 15_910, 256, &[30]),
    ("scratch_raw", 39_700, 1_920, &[300]),
    ("scratch_standardised", 39_700, 1_920, &[300]),
    ("scratch_standardised_as_published", 39_700, 1_920, &[300]),
    ("vgg16_transfer_64", 14_714_688 + 1_054_218, 256, &[50]),
    ("vgg16_transfer_64_as_published", 14_714_688 + 1_054_218, 256, &[50]),
    ("vgg19_transfer", 20_024_384 + 4_199_946, 256, &[50]),
    ("vgg19_transfer_as_published", 20_024_384 + 4_199_946, 256, &[50]),
    ("vgg_small", 147_834, 128, &[15]),
];

/// Files of `kind = "xor"`, which have neither images nor layers.
const XORS: &[&str] = &["xor", "xor_corrected"];

fn experiment(name: &str) -> Resolved {
    let path = repository().join("experiments").join(name).with_extension("toml");
    load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{}", error.report()))
}

#[test]
fn the_table_has_every_file() {
    let files = fs::read_dir(repository().join("experiments")).expect("the folder of experiments");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a plain name"));
    let expected = EXPERIMENTS.iter().map(|(name, ..)| name).chain(XORS).map(|name| format!("{name}.toml"));
    assert_eq!(names.collect::<BTreeSet<_>>(), expected.collect());
}

#[test]
fn every_file_resolves_to_its_network_and_can_be_written_and_read_again() {
    for &(name, parameters, batch_size, epochs) in EXPERIMENTS {
        let resolved = experiment(name);
        let experiment = &resolved.experiment;
        assert_eq!(experiment.name, name, "the name is the file's");
        let (input, num_classes) = experiment.data.known_shape().expect("a data set of the registry");
        let summary = experiment.model.summary(input, num_classes).expect("a valid model");
        assert_eq!(summary.totals().parameters, parameters, "{name}");
        assert_eq!(experiment.training.batch_size, batch_size, "{name}");
        let planned: Vec<usize> = experiment.phases.iter().map(|phase| phase.epochs).collect();
        assert_eq!(planned, epochs, "{name}");
        check_round_trip(&resolved);
        // What a transfer experiment trains is the head on the features of its base.
        let frozen =
            if matches!(experiment.model, ModelConfig::Transfer(_)) { summary.totals().non_trainable } else { 0 };
        let model = experiment.model.init_seeded(input, num_classes, experiment.training.seed);
        assert_eq!(model.num_params(), parameters - frozen, "{name}");
    }
}

#[test]
fn every_file_says_what_it_asks_and_is_short() {
    for name in EXPERIMENTS.iter().map(|(name, ..)| name).chain(XORS) {
        let path = repository().join("experiments").join(name).with_extension("toml");
        let text = fs::read_to_string(path).expect("the experiment");
        for part in ["# Question  ", "# Command   cargo run --release -- ", "# Reported  ", "# Measured  "] {
            assert!(text.contains(part), "{name} lacks {part:?}");
        }
        assert!(text.contains(&format!("-- experiments/{name}.toml\n")), "{name} names another command");
        assert!(text.lines().count() <= 35, "{name} is too long");
    }
}

#[test]
fn reports_agree_with_the_network_they_are_about() {
    for &(name, parameters, ..) in EXPERIMENTS {
        let reported = experiment(name).experiment.reported;
        let path = repository().join("experiments").join(name).with_extension("toml");
        assert_eq!(super::super::reported(&path).expect("a valid table"), reported, "{name}");
        // These recipes are the suite's own.
        let is_own = name == "vgg_small" || name.starts_with("vgg16_transfer_64");
        assert_eq!(reported.is_none(), is_own, "{name}");
        let mended_by = reported.as_ref().and_then(|it| it.mended_by.as_deref());
        let is_listed = mended_by.is_none_or(|other| EXPERIMENTS.iter().any(|(name, ..)| *name == other));
        assert!(is_listed, "{name} is mended by {mended_by:?}, which there is not");
        if let Some(count) = reported.and_then(|it| it.parameters) {
            assert_eq!(count, parameters, "{name}");
        }
    }
}

#[test]
fn augmented_runs_are_their_plain_runs_and_a_second_phase() {
    for name in ["cnn1", "cnn3", "cnn4"] {
        let plain = experiment(name).experiment;
        let augmented = experiment(&format!("{name}_aug")).experiment;
        assert_eq!((&augmented.data, &augmented.model), (&plain.data, &plain.model));
        assert_eq!(augmented.optimizer, plain.optimizer);
        assert_eq!(augmented.phases[0].epochs, plain.phases[0].epochs);
        assert_eq!(augmented.phases[0].augment, Augmentation::Off);
        assert_eq!(augmented.phases[1].augment, Augmentation::On);
        assert_eq!(augmented.phases[1].steps_per_epoch, Some(187));
        assert!(!augmented.augment.valid, "validation measures what the test will");
    }
}

#[test]
fn transfers_as_published_differ_in_scaling_alone() {
    for name in ["vgg16_transfer_64", "vgg19_transfer"] {
        let right = experiment(name).experiment;
        let mut published = experiment(&format!("{name}_as_published")).experiment;
        let pixels = |normalize| match normalize {
            data::Normalize::Imagenet { pixels, .. } => pixels,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(pixels(right.data.normalize), data::Pixels::Bytes);
        assert_eq!(pixels(published.data.normalize), data::Pixels::Unit);
        published.data.normalize = right.data.normalize;
        assert_eq!((&published.data, &published.model), (&right.data, &right.model));
        assert_eq!((published.optimizer, published.training), (right.optimizer, right.training));
    }
}

#[test]
fn files_of_the_exclusive_or_are_read_strictly_and_refused_where_images_are_needed() {
    let read = |path: &Path, set: &[&str]| {
        let error = match load_xor(path, &super::set(set)) {
            Ok(xor) => return xor.expect("it says that it is of this kind"),
            Err(error) => error,
        };
        panic!("{}", error.report());
    };
    for name in XORS {
        let path = repository().join("experiments").join(name).with_extension("toml");
        let resolved = read(&path, &[]);
        assert_eq!(resolved.experiment.name, *name, "the name is the file's");
        assert_eq!(resolved.experiment.training.epochs, 50_000);
        let reported = resolved.experiment.reported.clone().expect("there is a report");
        assert_eq!((reported.parameters, reported.as_published), (Some(9), *name == "xor"));
        assert_eq!(super::super::reported(&path).expect("a valid table"), Some(reported));

        let project = super::Project::new(&[("a.toml", &resolved.to_toml()), ("b.toml", &resolved.annotated_toml())]);
        for copy in ["a.toml", "b.toml"] {
            assert_eq!(read(&project.path(copy), &[]).experiment, resolved.experiment);
        }
        assert_eq!(read(&path, &["training.epochs=7"]).experiment.training.epochs, 7);
        let capped = Overrides { max_epochs: Some(3), ..Overrides::default() };
        let capped = load_xor(&path, &capped).expect("valid").expect("of this kind");
        assert_eq!(capped.experiment.training.epochs, 3);
        assert_eq!(capped.origins.of("training.epochs").to_string(), "--max-epochs 3");

        let message = |set: &str| load_xor(&path, &super::set(&[set])).expect_err("it is wrong").to_string();
        assert!(message("training.epochs=0").contains("training.epochs: must be at least 1"));
        assert!(message("training.learning_rate=0").contains("training.learning_rate: must be above 0.0"));
        assert!(message("training.sloppe=at_input").contains("did you mean `slope`?"));
        assert!(message("name=../x").contains("name: must be 1 to 64 letters"));
        let refusal = load(&path, &Overrides::default()).expect_err("it has no images").to_string();
        assert!(refusal.contains("kind: an experiment of kind `xor` has no images"), "{refusal}");
    }
    let image = repository().join("experiments/cnn1.toml");
    assert!(load_xor(&image, &Overrides::default()).expect("a readable file").is_none());
}

/// What makes a pair comparable: everything but what was mended.
#[test]
fn pairs_differ_in_the_mistake_alone() {
    let pair = |wrong: &str, right: &str| {
        let (wrong, mut right) = (experiment(wrong).experiment, experiment(right).experiment);
        let marks = [&wrong, &right].map(|it| it.reported.as_ref().map(|it| it.as_published));
        assert_eq!(marks, [Some(true), Some(false)], "{}", right.name);
        right.name.clone_from(&wrong.name);
        right.description.clone_from(&wrong.description);
        right.reported.clone_from(&wrong.reported);
        (wrong, right)
    };
    for name in ["cnn1_aug", "cnn3_aug", "cnn4_aug"] {
        let (wrong, mut right) = pair(&format!("{name}_as_published"), name);
        assert!(wrong.augment.valid);
        right.augment.valid = true;
        right.training.select = Select::Last;
        assert_eq!(wrong, right);
    }
    let (wrong, mut right) = pair("scratch_standardised_as_published", "scratch_standardised");
    right.data.normalize_fit = NormalizeFit::EachPart;
    assert_eq!(wrong, right);
    let (wrong, mut right) = pair("scratch_raw", "scratch_standardised");
    right.data.normalize = Normalize::None;
    assert_eq!(wrong, right);
    let (wrong, mut right) = pair("ann_fashion", "ann_fashion_corrected");
    right.data.normalize = Normalize::None;
    assert_eq!(wrong, right);
    let (wrong, mut right) = pair("ann_digits", "ann_digits_corrected");
    assert_eq!((wrong.model.head(), right.model.head()), (HeadKind::Sigmoid, HeadKind::Softmax));
    right.data.normalize = Normalize::None;
    (right.model, right.loss) = (wrong.model.clone(), wrong.loss.clone());
    assert_eq!(wrong, right);
}
