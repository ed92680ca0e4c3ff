//! `[sweep]`: which settings an experiment is trained with in turn, and how they are judged.
//!
//! Says what a sweep is; which trials follow from it and how they are run is decided elsewhere.

mod parameters;

use data::Split;
use serde::{Deserialize, Serialize};

pub use self::parameters::{Bound, Domain, Parameters, Range, Scale};
use super::{
    checks::Checks,
    training::{Metric, Select, Training},
};

/// The most trials of a sweep, and fits of a trial: far beyond use.
const MAX_TRIALS: usize = 10_000;
const MAX_FOLDS: usize = 100;

/// A search among settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Which combinations are tried.
    pub kind: SweepKind,
    /// Number of trials of a random sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<usize>,
    /// Seed of the choice and of the division into folds; not of the training. Default 0.
    #[serde(default)]
    pub seed: u64,
    /// Divides all training images into so many parts, each of which validates once while the others train; the
    /// trial's score is the mean. Without it, a trial is one fit, judged by the part that `data.split` holds out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// What trials are judged by. Default `valid_accuracy`.
    #[serde(default = "valid_accuracy")]
    pub metric: Metric,
    /// Which way the metric is better. Default up for an accuracy, down for a loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Whether the best settings are trained once more, on all training images, and then tested. Default true.
    #[serde(default = "yes")]
    pub refit: bool,
    /// What is varied.
    pub parameters: Parameters,
}

/// Which combinations are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepKind {
    /// All combinations of the listed values.
    Grid,
    /// Some, drawn from lists and ranges. Where there are only lists, none is drawn twice.
    Random,
}

/// Which way a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Less is better.
    Minimize,
    /// More is better.
    Maximize,
}

fn valid_accuracy() -> Metric {
    Metric::ValidAccuracy
}

fn yes() -> bool {
    true
}

impl Sweep {
    /// Which way the metric is better, said or not.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction.unwrap_or(match self.metric {
            Metric::ValidLoss => Direction::Minimize,
            Metric::ValidAccuracy => Direction::Maximize,
        })
    }

    /// The name in files and messages, as in `grid`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            SweepKind::Grid => "grid",
            SweepKind::Random => "random",
        }
    }

    /// How many combinations the lists have; none if a parameter is a range.
    #[must_use]
    pub fn combinations(&self) -> Option<usize> {
        self.parameters.iter().try_fold(1_usize, |product, (_, domain)| match domain {
            Domain::Values(values) => product.checked_mul(values.len()),
            Domain::Range(_) => None,
        })
    }

    pub(super) fn check(&self, training: &Training, split: &Split, checks: &mut Checks) {
        if i64::try_from(self.seed).is_err() {
            checks.fail("sweep.seed", "does not fit a 64-bit signed integer");
        }
        if let Some(folds) = self.folds {
            checks.within("sweep.folds", folds, 2..=MAX_FOLDS);
        } else if *split == Split::None {
            checks.fail("sweep.folds", "missing: trials need images to be judged by; say folds, or set data.split");
        }
        if training.seeds.is_some() {
            checks.fail("training.seeds", "a sweep trains with one seed, training.seed");
        }
        self.parameters.check(self.folds.is_some(), checks);
        self.check_trials(checks);
        if self.refit && training.select == Select::Best {
            let message = "the refit trains on all images, which leaves none to choose the best epoch by; say \
                           training.select = \"last\" or sweep.refit = false";
            checks.fail("sweep.refit", message);
        }
        if self.refit && training.early_stopping.is_some() {
            let message = "the refit trains on all images, which leaves none to stop by; leave out \
                           training.early_stopping or say sweep.refit = false";
            checks.fail("sweep.refit", message);
        }
    }

    fn check_trials(&self, checks: &mut Checks) {
        match self.kind {
            SweepKind::Grid => {
                if self.trials.is_some() {
                    checks.fail("sweep.trials", "a grid has as many trials as combinations; leave it out");
                }
                for (key, domain) in self.parameters.iter() {
                    if matches!(domain, Domain::Range(_)) {
                        checks.fail(format!("sweep.parameters.{key}"), "a grid needs a list of values");
                    }
                }
                let is_listed = self.parameters.iter().all(|(_, domain)| matches!(domain, Domain::Values(_)));
                if is_listed && self.combinations().is_none_or(|count| count > MAX_TRIALS) {
                    checks.fail("sweep.parameters", format!("more than {MAX_TRIALS} combinations"));
                }
            }
            SweepKind::Random => match (self.trials, self.combinations()) {
                (None, _) => checks.fail("sweep.trials", "missing: say how many trials to draw"),
                (Some(trials), Some(combinations)) if trials > combinations => {
                    let message = format!("must be at most {combinations}, the number of combinations, found {trials}");
                    checks.fail("sweep.trials", message);
                }
                (Some(trials), _) => checks.within("sweep.trials", trials, 1..=MAX_TRIALS),
            },
        }
    }
}
