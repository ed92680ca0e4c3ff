//! Every experiment of the suite is what the tutorials describe.

use std::{collections::BTreeSet, fs};

use super::{
    super::{Augmentation, Overrides, Resolved, load},
    check_round_trip, repository,
};

/// Name, parameters, batch size, and epochs of each phase. A new experiment needs a row here.
const EXPERIMENTS: [(&str, usize, usize, &[usize]); 17] = [
    ("ann_digits", 105_130, 100, &[30]),
    ("ann_fashion", 105_130, 100, &[30]),
    ("cnn1", 693_962, 256, &[10]),
    ("cnn1_aug", 693_962, 256, &[10, 50]),
    ("cnn3", 241_546, 256, &[10]),
    ("cnn3_aug", 241_546, 256, &[10, 50]),
    ("cnn4", 1_221_546, 256, &[10]),
    ("cnn4_aug", 1_221_546, 256, &[10, 50]),
    ("dense_128", 101_770, 32, &[5]),
    ("dense_deep", 286_810, 32, &[10]),
    ("grid_digits", 32_430, 256, &[30]),
    ("grid_fashion", 15_910, 256, &[30]),
    ("vgg16_transfer_64", 14_714_688 + 1_054_218, 256, &[50]),
    ("vgg16_transfer_64_as_published", 14_714_688 + 1_054_218, 256, &[50]),
    ("vgg19_transfer", 20_024_384 + 4_199_946, 256, &[50]),
    ("vgg19_transfer_as_published", 20_024_384 + 4_199_946, 256, &[50]),
    ("vgg_small", 147_834, 128, &[15]),
];

fn experiment(name: &str) -> Resolved {
    let path = repository().join("experiments").join(name).with_extension("toml");
    load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{}", error.report()))
}

#[test]
fn the_table_has_every_file() {
    let files = fs::read_dir(repository().join("experiments")).expect("the folder of experiments");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a plain name"));
    let expected = EXPERIMENTS.map(|(name, ..)| format!("{name}.toml"));
    assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
}

#[test]
fn every_file_resolves_to_its_network_and_can_be_written_and_read_again() {
    for (name, parameters, batch_size, epochs) in EXPERIMENTS {
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
    }
}

#[test]
fn every_file_says_what_it_asks_and_is_short() {
    for (name, ..) in EXPERIMENTS {
        let path = repository().join("experiments").join(name).with_extension("toml");
        let text = fs::read_to_string(path).expect("the experiment");
        for part in ["# Question  ", "# Command   cargo run --release -- ", "# Reported  ", "# Measured  "] {
            assert!(text.contains(part), "{name} lacks {part:?}");
        }
        assert!(text.contains(&format!("-- experiments/{name}.toml\n")), "{name} names another command");
        assert!(text.lines().count() <= 25, "{name} is too long");
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
