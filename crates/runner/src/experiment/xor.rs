//! Experiment files of `kind = "xor"`: four rows and nine weights, no images, no backend.
//!
//! They share the notation, the overrides and the error messages of other experiments, and none of their
//! tables but `[reported]`.

use std::{ops::Bound, path::Path};

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    ConfigError, Origins, Overrides, Reported,
    checks::Checks,
    de,
    error::Problem,
    node::{KIND, Node},
    origin::Origin,
    resolved, ser,
    training::MAX_COUNT,
    write,
};
use crate::xor::{Rule, Slope, UpdateOrder};

/// An experiment with the exclusive or.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Xor {
    kind: Kind,
    /// Names the folder of its runs, as for other experiments.
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Only here to be among the known keys: it is resolved before.
    #[serde(default, skip_serializing)]
    extends: Option<IgnoredAny>,
    /// How the weights are updated.
    pub training: XorTraining,
    /// What a publication says that comes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Xor,
}

/// `[training]` of such a file. All of it has defaults but the number of epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XorTraining {
    /// Updates, each after all four rows.
    pub epochs: usize,
    /// Step length. Default 0.1.
    #[serde(default = "learning_rate")]
    pub learning_rate: f64,
    /// When the output weights change. Default together.
    #[serde(default = "together")]
    pub order: UpdateOrder,
    /// Where the sigmoid's slope is taken. Default `at_input`.
    #[serde(default = "at_input")]
    pub slope: Slope,
    /// Every so many epochs, from the first on, a row of metrics is written. Default 500.
    #[serde(default = "log_every")]
    pub log_every: usize,
}

fn learning_rate() -> f64 {
    0.1
}

fn together() -> UpdateOrder {
    UpdateOrder::Together
}

fn at_input() -> Slope {
    Slope::AtInput
}

fn log_every() -> usize {
    500
}

impl XorTraining {
    /// The rule that these settings make.
    #[must_use]
    pub fn rule(&self) -> Rule {
        Rule { learning_rate: self.learning_rate, order: self.order, slope: self.slope }
    }
}

/// Such an experiment with where each of its values came from.
#[derive(Clone, Debug)]
pub struct ResolvedXor {
    /// The experiment.
    pub experiment: Xor,
    /// Where its values came from.
    pub origins: Origins,
}

impl ResolvedXor {
    /// The experiment as a file: every default written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::to_text(&ser::to_node(&self.experiment), &|_| None)
    }

    /// The same, each value with a comment that says where it came from.
    #[must_use]
    pub fn annotated_toml(&self) -> String {
        write::to_text(&ser::to_node(&self.experiment), &|key| Some(self.origins.of(key).to_string()))
    }
}

/// Whether a file says that it is of this kind.
pub(super) fn is_meant(root: &Node) -> bool {
    root.child(KIND).is_some_and(|kind| kind.as_str() == Some("xor"))
}

/// What is said where images are needed.
pub(super) fn refusal(root: &Node, path: &Path) -> Problem {
    let origin = root.child(KIND).map_or(&root.origin, |kind| &kind.origin);
    let message = "kind: an experiment of kind `xor` has no images and no layers";
    Problem::at(origin, message).help(format!("it can be run: runner {}", path.display()))
}

/// Reads a tree. Of the flags only `--set` and `--max-epochs` mean anything here.
pub(super) fn load(mut node: Node, overrides: &Overrides) -> Result<ResolvedXor, ConfigError> {
    Overrides { set: overrides.set.clone(), ..Overrides::default() }.apply(&mut node)?;
    let mut experiment: Xor = de::from_node(node.clone())?;
    let mut origins = Origins::new(node);
    let mut checks = Checks::default();
    experiment.check(&mut checks);
    let found = checks.into_found();
    if !found.is_empty() {
        return Err(resolved::problems(&origins, &found));
    }
    if let Some(max) = overrides.max_epochs {
        let flag = Origin::flag(format!("--max-epochs {max}"));
        if max == 0 {
            return Err(Problem::at(&flag, "must be at least 1, found 0").into());
        }
        if experiment.training.epochs > max {
            experiment.training.epochs = max;
            origins.cut("training.epochs", flag);
        }
    }
    Ok(ResolvedXor { experiment, origins })
}

impl Xor {
    fn check(&self, checks: &mut Checks) {
        super::document::check_name(&self.name, checks);
        let XorTraining { epochs, learning_rate, log_every, .. } = self.training;
        checks.within("training.epochs", epochs, 1..=MAX_COUNT);
        checks.within("training.learning_rate", learning_rate, (Bound::Excluded(0.0), Bound::Unbounded));
        checks.within("training.log_every", log_every, 1..=MAX_COUNT);
        if let Some(reported) = &self.reported {
            reported.check(checks);
        }
    }
}
