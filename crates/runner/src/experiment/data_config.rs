//! `[data]`: which images, split and scaled how.

use std::path::PathBuf;

use data::{DataError, Normalize, Split};
use models::InputShape;
use serde::{Deserialize, Serialize};

use super::{
    checks::Checks,
    de::{did_you_mean, list},
};

/// The images of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// A data set of the registry, such as `fashion-mnist`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A folder of IDX files, relative to the file that says so: with `name`, where to look first;
    /// without, the data set itself. Resolved experiments hold an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// Names of the classes in a folder without `name`; else their numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    /// What of the training images is held out for validation. Default none.
    #[serde(default = "no_split")]
    pub split: Split,
    /// How pixels are scaled. Default unit: 0–255 becomes 0–1.
    #[serde(default = "unit")]
    pub normalize: Normalize,
    /// Whose mean and deviation scale which part, where `normalize` uses any. Default train.
    #[serde(default)]
    pub normalize_fit: NormalizeFit,
    /// What is tested at the end. Default test.
    #[serde(default)]
    pub test: TestPart,
    /// Height and width that images are resized to, bilinearly, before they are scaled. Default: as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// The first so many images of the training part and of the validation part. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_samples: Option<usize>,
    /// The first so many test images. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_samples: Option<usize>,
    /// Threads that prepare batches; 0 prepares them in the training thread. Changes speed only. Default 1.
    #[serde(default = "one_worker")]
    pub workers: usize,
}

/// Whose statistics scale which part of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalizeFit {
    /// The training part's, for all parts: validation and test stay unseen.
    #[default]
    Train,
    /// Each part's own: a mistake that is published now and then, since a model meets its images one by one.
    EachPart,
}

/// What is tested at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestPart {
    /// The data set's test files.
    #[default]
    Test,
    /// The validation part, held out of the training files; the test images are never read.
    Valid,
}

impl TestPart {
    /// What the tested images are called, as in "the held-out images".
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Valid => "held-out",
        }
    }
}

fn no_split() -> Split {
    Split::None
}

fn unit() -> Normalize {
    Normalize::Unit
}

fn one_worker() -> usize {
    1
}

/// Images of the registry's data sets: one channel of 28 × 28.
const REGISTRY_IMAGES: InputShape = InputShape { channels: 1, height: 28, width: 28 };

/// Training images of each of the registry's data sets.
const REGISTRY_TRAIN: usize = 60_000;

/// The largest side that images are resized to: four times what networks for ImageNet are made for.
const MAX_SIDE: usize = 1024;

/// A class label is a byte.
const MAX_CLASSES: usize = 256;

impl DataConfig {
    /// Image shape and number of classes, where they are known before any file is read: for the data sets
    /// of the registry.
    #[must_use]
    pub fn known_shape(&self) -> Option<(InputShape, usize)> {
        let info = data::find(self.name.as_deref()?)?;
        Some((self.prepared_shape(REGISTRY_IMAGES), info.class_names.len()))
    }

    /// The shape that grey images have once they are resized and scaled.
    #[must_use]
    pub fn prepared_shape(&self, images: InputShape) -> InputShape {
        let [height, width] = self.resize.unwrap_or([images.height, images.width]);
        InputShape { channels: self.normalize.channels(), height, width }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        match (&self.name, &self.dir) {
            (None, None) => checks.fail("data", "say which images: `name` of a data set, or `dir` of IDX files"),
            (Some(name), _) if data::find(name).is_none() => {
                let names: Vec<&str> = data::all().iter().map(|info| info.name).collect();
                let hint = did_you_mean(name, &names);
                checks.fail("data.name", format!("no data set `{name}`{hint}; known: {}", list(&names)));
            }
            _ => {}
        }
        if let Some(names) = &self.class_names {
            self.check_class_names(names, checks);
        }
        if let Err(error) = self.split.validate() {
            checks.fail(format!("data.split.{}", error.field), error.message);
        } else if self.known_shape().is_some()
            && let Err(DataError::Split(error)) = self.split.indices(REGISTRY_TRAIN)
        {
            checks.fail(format!("data.split.{}", error.field), error.message);
        }
        for (key, samples) in [("data.train_samples", self.train_samples), ("data.test_samples", self.test_samples)] {
            if let Some(samples) = samples {
                checks.within(key, samples, 1..);
            }
        }
        checks.within("data.workers", self.workers, ..=256);
        self.check_resize(checks);
    }

    fn check_resize(&self, checks: &mut Checks) {
        let Some(sides) = self.resize else { return };
        for (index, side) in sides.into_iter().enumerate() {
            checks.within(&format!("data.resize.{index}"), side, 1..=MAX_SIDE);
        }
        if self.normalize == Normalize::PerFeature {
            let message = "per_feature is fitted at each position of the images as they are; leave out data.resize";
            checks.fail("data.normalize", message);
        }
    }

    fn check_class_names(&self, names: &[String], checks: &mut Checks) {
        if self.name.is_some() {
            checks.fail("data.class_names", "the named data set has its own; leave them out or leave out data.name");
        }
        if !(2..=MAX_CLASSES).contains(&names.len()) {
            checks.fail("data.class_names", format!("must be 2 to {MAX_CLASSES} names, found {}", names.len()));
        }
        for (index, name) in names.iter().enumerate() {
            if name.trim().is_empty() || name.chars().any(char::is_control) {
                let message = "must be a name without control characters";
                checks.fail(format!("data.class_names.{index}"), message);
            } else if names[..index].contains(name) {
                checks.fail(format!("data.class_names.{index}"), format!("two classes are called {name:?}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_shapes_fit_the_registered_files() {
        for info in data::all() {
            let config = DataConfig {
                name: Some(info.name.to_owned()),
                dir: None,
                class_names: None,
                split: Split::None,
                normalize: Normalize::Unit,
                normalize_fit: NormalizeFit::Train,
                test: TestPart::Test,
                resize: None,
                train_samples: None,
                test_samples: None,
                workers: 0,
            };
            let (InputShape { channels, height, width }, num_classes) = config.known_shape().expect("registered");
            let pixels = REGISTRY_TRAIN * channels * height * width;
            assert_eq!(info.files[0].bytes, 16 + pixels as u64, "{}", info.name);
            assert_eq!(num_classes, info.class_names.len());
        }
    }
}
