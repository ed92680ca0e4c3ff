//! `[[phase]]`: how long to train, with or without augmentation, one part after the other.

use serde::{Deserialize, Serialize};

use super::{checks::Checks, training::MAX_COUNT};

/// A part of the run with its own length and augmentation. Weights and optimizer state go on from one
/// phase to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// What plots and metrics call it.
    pub name: String,
    /// Epochs, at least 1.
    pub epochs: usize,
    /// Whether `[augment]` applies. TOML `true` or `false` (the default).
    #[serde(default)]
    pub augment: Augmentation,
    /// Cuts epochs after so many batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_per_epoch: Option<usize>,
}

/// Whether a phase augments its training images. A TOML boolean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Augmentation {
    /// As `[augment]` says. TOML `true`.
    On,
    /// Images as they are. TOML `false`.
    #[default]
    Off,
}

impl Phase {
    pub(super) fn check(&self, index: usize, checks: &mut Checks) {
        checks.within(&format!("phase.{index}.epochs"), self.epochs, 1..=MAX_COUNT);
        if let Some(steps) = self.steps_per_epoch {
            checks.within(&format!("phase.{index}.steps_per_epoch"), steps, 1..=MAX_COUNT);
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-');
        if !(1..=32).contains(&self.name.len()) || !self.name.chars().all(is_plain) {
            let message = format!("must be 1 to 32 letters, digits, spaces, `_` or `-`, found {:?}", self.name);
            checks.fail(format!("phase.{index}.name"), message);
        }
    }
}

impl From<bool> for Augmentation {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Augmentation> for bool {
    fn from(augmentation: Augmentation) -> Self {
        augmentation == Augmentation::On
    }
}
