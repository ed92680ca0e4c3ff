//! One epoch's row in `metrics.jsonl` and `metrics.csv`.

use serde::{Deserialize, Serialize};

/// What one epoch measured. Validation fields are empty where an experiment has no validation part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Epoch, counted from 1 over all phases.
    pub epoch: usize,
    /// Name of the phase that the epoch belongs to.
    pub phase: String,
    /// Mean training loss per sample, over the epoch's steps while the weights move; label smoothing included.
    pub train_loss: f64,
    /// Training accuracy over the same steps.
    pub train_accuracy: f64,
    /// Mean validation loss per sample after the epoch, without label smoothing.
    pub valid_loss: Option<f64>,
    /// Validation accuracy after the epoch.
    pub valid_accuracy: Option<f64>,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Wall-clock seconds of the epoch's training steps.
    pub train_seconds: f64,
    /// Wall-clock seconds of the validation after them.
    pub valid_seconds: f64,
    /// Training images per second of `train_seconds`.
    pub images_per_second: f64,
    /// What `loss.monitor` asks for; no column where it asks for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_error: Option<f64>,
}
