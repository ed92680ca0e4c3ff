//! `[training]`: in which batches, on what, and which weights count.

use std::{fmt, ops::Bound};

use models::Kernels;
use serde::{Deserialize, Serialize};

use super::checks::Checks;

/// The largest batch. More would not fit the memory of the machines this is made for.
const MAX_BATCH: usize = 65_536;

/// The most epochs of a phase, and steps of an epoch: far beyond use, and their product fits a counter.
pub(super) const MAX_COUNT: usize = 1_000_000;

/// The longest time between two checkpoints: a year, which is never.
const MAX_SECONDS: f64 = 31_536_000.0;

/// Settings of the training loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Images per training step. Default 32, as in Keras.
    pub batch_size: usize,
    /// Images per step of validation and test; changes speed and memory only. Default 500.
    pub eval_batch_size: usize,
    /// Seed of initial weights, shuffling, augmentation and dropout. Default 0.
    pub seed: u64,
    /// Seeds to run the experiment with, one run each, instead of `seed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
    /// Epochs, where there is no `[[phase]]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// What computes. Default auto.
    pub backend: BackendName,
    /// What runs the model's blocks, the loss and the updates on flex and ndarray: `fused` CPU kernels (the
    /// default), or Burn's own operations, `composed`. On wgpu everything is composed.
    pub kernels: Kernels,
    /// Whether the order of training images changes. TOML `true` (the default) or `false`.
    pub shuffle: Shuffle,
    /// Share of each target that is spread evenly over all classes, in [0, 1). Default 0.
    pub label_smoothing: f64,
    /// Limits gradients before the optimizer sees them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_clipping: Option<GradientClipping>,
    /// Ends training once a metric stops getting better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Which epoch's weights are tested and kept. Default last.
    pub select: Select,
    /// What "best" means. Default `valid_accuracy`.
    pub metric: Metric,
    /// How often the run is saved.
    pub checkpoint: Checkpoint,
}

/// How often a run is saved, so that it can go on after an interruption. Changes no result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoint {
    /// Seconds between two saves within an epoch. Every epoch's end is saved, too, and either only as often as takes
    /// less than a hundredth of the time. Default 60.
    pub seconds: f64,
    /// Instead, save after every so many steps, counted over all phases, whatever that costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
}

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum BackendName {
    /// wgpu on a real GPU, else flex.
    #[default]
    Auto,
    /// Burn's CPU backend.
    Flex,
    /// The older CPU backend.
    Ndarray,
    /// GPUs, through Vulkan, Metal or DirectX 12.
    Wgpu,
}

/// Whether the order of training images changes. A TOML boolean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Shuffle {
    /// A new order in each epoch, from the seed. TOML `true`.
    On,
    /// The order of the file. TOML `false`.
    Off,
}

/// A limit for gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradientClipping {
    /// Each element, to ±max (Keras's `clipvalue`).
    Value(Limit),
    /// Each parameter tensor's L2 norm, to max (Keras's `clipnorm`).
    Norm(Limit),
    /// The L2 norm of all gradients together, to max (Keras's `global_clipnorm`).
    GlobalNorm(Limit),
}

/// The limit itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Above 0.
    pub max: f64,
}

/// When to stop before the planned end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// What should get better. Default `valid_loss`.
    #[serde(default = "valid_loss")]
    pub metric: Metric,
    /// Epochs without improvement to wait.
    pub patience: usize,
    /// The least change that counts as improvement, in the metric's unit. Default 0.
    #[serde(default)]
    pub min_delta: f64,
}

fn valid_loss() -> Metric {
    Metric::ValidLoss
}

/// Which epoch's weights are tested and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The best by [`Training::metric`].
    Best,
    /// The last.
    Last,
}

/// A figure of merit on the validation part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean cross-entropy in nats; lower is better.
    ValidLoss,
    /// Share of images whose class is right; higher is better.
    ValidAccuracy,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            batch_size: 32,
            eval_batch_size: 500,
            seed: 0,
            seeds: None,
            epochs: None,
            backend: BackendName::Auto,
            kernels: Kernels::Fused,
            shuffle: Shuffle::On,
            label_smoothing: 0.0,
            gradient_clipping: None,
            early_stopping: None,
            select: Select::Last,
            metric: Metric::ValidAccuracy,
            checkpoint: Checkpoint::default(),
        }
    }
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self { seconds: 60.0, steps: None }
    }
}

impl Training {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.within("training.batch_size", self.batch_size, 1..=MAX_BATCH);
        checks.within("training.eval_batch_size", self.eval_batch_size, 1..=MAX_BATCH);
        if let Some(epochs) = self.epochs {
            checks.within("training.epochs", epochs, 1..=MAX_COUNT);
        }
        if i64::try_from(self.seed).is_err() {
            checks.fail("training.seed", "does not fit a 64-bit signed integer");
        }
        self.check_seeds(checks);
        checks.within("training.label_smoothing", self.label_smoothing, 0.0..1.0);
        if let Some(clipping) = &self.gradient_clipping {
            let positive = (Bound::Excluded(0.0), Bound::Unbounded);
            checks.within("training.gradient_clipping.max", clipping.limit().max, positive);
        }
        if let Some(rule) = &self.early_stopping {
            checks.within("training.early_stopping.patience", rule.patience, 1..);
            checks.within("training.early_stopping.min_delta", rule.min_delta, 0.0..);
        }
        checks.within("training.checkpoint.seconds", self.checkpoint.seconds, 0.0..=MAX_SECONDS);
        if let Some(steps) = self.checkpoint.steps {
            checks.within("training.checkpoint.steps", steps, 1..);
        }
    }
}

impl Training {
    fn check_seeds(&self, checks: &mut Checks) {
        let seeds = self.seeds.as_deref().unwrap_or(&[0]);
        if seeds.is_empty() {
            checks.fail("training.seeds", "must list at least one seed");
        }
        for (index, seed) in seeds.iter().enumerate() {
            if i64::try_from(*seed).is_err() {
                checks.fail(format!("training.seeds.{index}"), "does not fit a 64-bit signed integer");
            } else if seeds[..index].contains(seed) {
                checks.fail(format!("training.seeds.{index}"), "the same seed twice");
            }
        }
    }
}

impl GradientClipping {
    /// The limit, whatever it limits.
    #[must_use]
    pub fn limit(&self) -> &Limit {
        match self {
            Self::Value(limit) | Self::Norm(limit) | Self::GlobalNorm(limit) => limit,
        }
    }
}

impl Metric {
    /// Its column in `metrics.csv`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ValidLoss => "valid_loss",
            Self::ValidAccuracy => "valid_accuracy",
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
        })
    }
}

impl From<bool> for Shuffle {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Shuffle> for bool {
    fn from(shuffle: Shuffle) -> Self {
        shuffle == Shuffle::On
    }
}
