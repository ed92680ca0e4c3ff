//! Which training samples train and which validate.
//!
//! Works on sample numbers alone. A split depends on the number of samples and on its own settings,
//! never on the pixels, the platform or the number of threads.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    error::{DataError, FieldError},
    random::{Domain, Stream},
};

/// A way to set training samples aside for validation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Split {
    /// Every sample trains; nothing validates.
    #[default]
    None,
    /// A random share validates.
    Fraction {
        /// Share that validates, between 0 and 1; the number of samples is rounded.
        valid: f64,
        /// Seed of the choice.
        #[serde(default)]
        seed: u64,
    },
    /// The first samples validate.
    First {
        /// How many.
        valid: usize,
    },
    /// One of several equal random parts validates.
    Fold {
        /// Number of parts. Their sizes differ by one sample at most.
        folds: usize,
        /// The part that validates, counted from 0.
        fold: usize,
        /// Seed of the division; the same for all folds of one cross-validation.
        #[serde(default)]
        seed: u64,
    },
}

/// Sample numbers, each part in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitIndices {
    /// Samples to train on.
    pub train: Vec<usize>,
    /// Samples to validate on.
    pub valid: Vec<usize>,
}

impl Split {
    /// Checks what can be checked without knowing the number of samples.
    ///
    /// # Errors
    ///
    /// The first field out of its range, as in `valid`.
    pub fn validate(&self) -> Result<(), FieldError> {
        match *self {
            Self::Fraction { valid, .. } if !(valid > 0.0 && valid < 1.0) => {
                Err(FieldError::new("valid", format!("must be more than 0 and less than 1, found {valid}")))
            }
            Self::First { valid: 0 } => Err(FieldError::new("valid", "must be at least 1, found 0")),
            Self::Fold { folds, .. } if folds < 2 => {
                Err(FieldError::new("folds", format!("must be at least 2, found {folds}")))
            }
            Self::Fold { folds, fold, .. } if fold >= folds => {
                Err(FieldError::new("fold", format!("must be less than the {folds} folds, found {fold}")))
            }
            _ => Ok(()),
        }
    }

    /// Divides the samples 0..`len`.
    ///
    /// # Errors
    ///
    /// [`DataError::Split`] if a field is out of its range, or if `len` samples leave one part empty.
    pub fn indices(&self, len: usize) -> Result<SplitIndices, DataError> {
        self.validate().map_err(DataError::Split)?;
        let valid = match *self {
            Self::None => return Ok(SplitIndices { train: (0..len).collect(), valid: Vec::new() }),
            Self::Fraction { valid, seed } => shuffled(len, seed)[..share(len, valid)].to_vec(),
            Self::First { valid } => (0..valid.min(len)).collect(),
            Self::Fold { folds, fold, seed } => {
                // The first `len % folds` parts take one of the samples that do not divide evenly.
                let (size, rest) = (len / folds, len % folds);
                let start = fold * size + fold.min(rest);
                shuffled(len, seed)[start..][..size + usize::from(fold < rest)].to_vec()
            }
        };
        if valid.is_empty() || valid.len() == len {
            let field = if matches!(self, Self::Fold { .. }) { "folds" } else { "valid" };
            let message =
                format!("must leave samples to train and to validate, found {} of {len} to validate", valid.len());
            return Err(DataError::Split(FieldError::new(field, message)));
        }
        let chosen: HashSet<usize> = valid.into_iter().collect();
        let (valid, train) = (0..len).partition(|index| chosen.contains(index));
        Ok(SplitIndices { train, valid })
    }
}

fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    Stream::keyed(Domain::Split, &[seed]).permutation(len)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the share of a number of samples is such a number again"
)]
fn share(len: usize, fraction: f64) -> usize {
    (len as f64 * fraction).round() as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(split: &Split, len: usize, valid: usize) -> SplitIndices {
        let indices = split.indices(len).expect("the split fits");
        assert_eq!(indices.valid.len(), valid, "{split:?}");
        let mut all = [indices.train.clone(), indices.valid.clone()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..len), "{split:?}: parts are disjoint and complete");
        indices
    }

    #[test]
    fn every_split_is_disjoint_and_complete() {
        check(&Split::None, 10, 0);
        check(&Split::Fraction { valid: 0.2, seed: 1 }, 60_000, 12_000);
        check(&Split::First { valid: 5_000 }, 60_000, 5_000);
        check(&Split::Fold { folds: 5, fold: 4, seed: 1 }, 60_000, 12_000);
    }

    #[test]
    fn the_first_samples_are_the_first() {
        assert_eq!(check(&Split::First { valid: 3 }, 5, 3).valid, [0, 1, 2]);
    }

    #[test]
    fn folds_share_out_every_sample_once() {
        let mut seen: Vec<usize> = (0..3)
            .flat_map(|fold| {
                let size = if fold == 0 { 4 } else { 3 };
                check(&Split::Fold { folds: 3, fold, seed: 9 }, 10, size).valid
            })
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..10));
    }

    #[test]
    fn the_seed_makes_the_choice() {
        let valid = |seed| check(&Split::Fraction { valid: 0.5, seed }, 100, 50).valid;
        assert_eq!(valid(1), valid(1));
        assert_ne!(valid(1), valid(2));
    }

    #[test]
    fn fields_out_of_range_are_named() {
        let field = |split: Split| split.validate().expect_err("it is out of range").field;
        assert_eq!(field(Split::Fraction { valid: f64::NAN, seed: 0 }), "valid");
        assert_eq!(field(Split::Fraction { valid: 1.0, seed: 0 }), "valid");
        assert_eq!(field(Split::First { valid: 0 }), "valid");
        assert_eq!(field(Split::Fold { folds: 1, fold: 0, seed: 0 }), "folds");
        assert_eq!(field(Split::Fold { folds: 5, fold: 5, seed: 0 }), "fold");
    }

    #[test]
    fn rejects_splits_that_leave_a_part_empty() {
        for (split, len) in [
            (Split::First { valid: 7 }, 7),
            (Split::Fraction { valid: 0.01, seed: 0 }, 10),
            (Split::Fold { folds: 5, fold: 4, seed: 0 }, 3),
        ] {
            let error = split.indices(len).expect_err("a part is empty");
            assert!(matches!(error, DataError::Split(_)), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_fold_of_any_number_of_samples_is_sound(
            len in 2usize..300, folds in 2usize..20, fold in 0usize..20, seed: u64,
        ) {
            let split = Split::Fold { folds, fold, seed };
            if let Ok(indices) = split.indices(len) {
                check(&split, len, indices.valid.len());
                prop_assert!(indices.valid.len().abs_diff(len / folds) <= 1);
            }
        }
    }
}
