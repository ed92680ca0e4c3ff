//! The JSON records of a run directory.

use serde::{Deserialize, Serialize};

use crate::metrics::ClassScores;

/// How a run stands: `status.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Where the run is.
    pub state: State,
    /// Process id of the program that writes.
    pub process: u32,
    /// UTC time of the start.
    pub started: String,
    /// UTC time of this record.
    pub updated: String,
    /// Epochs done.
    pub epochs_done: usize,
    /// Epochs planned.
    pub epochs_planned: usize,
    /// Why training ended before its last planned epoch or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Training or evaluating.
    Running,
    /// All files are written.
    Done,
    /// Stopped by a signal, after saving.
    Interrupted,
    /// The loss stopped being a number.
    Diverged,
    /// Something else went wrong.
    Failed,
}

impl Status {
    /// How the run stands in a word or two.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match self.state {
            State::Done => "done",
            State::Running if super::lock::is_alive(self.process) => "running",
            // Its process ended without a word.
            State::Running => "died",
            State::Interrupted => "interrupted",
            State::Diverged => "diverged",
            State::Failed => "failed",
        }
    }

    /// Whether `runner resume` can bring the run further.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        matches!(self.standing(), "died" | "interrupted" | "failed")
    }
}

/// How a run went on after it had been left: a line of `resumes.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumption {
    /// UTC time.
    pub time: String,
    /// The process that goes on.
    pub process: u32,
    /// The command line.
    pub command: Vec<String>,
    /// The checkpoint that it goes on from; none from the beginning.
    pub checkpoint: Option<u64>,
    /// Steps done over all phases by then.
    pub step: usize,
    /// Checkpoints that were found damaged, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
    /// Changes since the run was started that were accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_changes: Vec<String>,
}

/// The final scores: `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the experiment.
    pub experiment: String,
    /// Backend that computed.
    pub backend: String,
    /// Seed of weights, order, dropout and augmentation.
    pub seed: u64,
    /// Mean loss on the test part: cross-entropy in nats, unless the experiment says another.
    pub test_loss: f64,
    /// Accuracy on the test part.
    pub test_accuracy: f64,
    /// Scores on the test part.
    pub test: TestScores,
    /// Epoch whose weights were tested and stored.
    pub chosen_epoch: usize,
    /// Best epoch by the experiment's metric; none without a validation part.
    pub best_epoch: Option<usize>,
    /// Epochs done.
    pub epochs: usize,
    /// Why training ended before its last planned epoch, if it did.
    pub stopped_early: Option<String>,
    /// Samples in the training, validation and test parts.
    pub samples: [usize; 3],
    /// All parameters, batch norm's running statistics included, as Keras counts them.
    pub parameters: usize,
    /// Of these, not trained.
    pub non_trainable_parameters: usize,
    /// Wall-clock times.
    pub seconds: Times,
    /// Training images per second of training time, over all epochs.
    pub images_per_second: f64,
}

/// Wall-clock seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// From the start of the command to the summary, drawing excluded; of a run that went on after an interruption,
    /// with what the commands before had taken up to the checkpoint.
    pub total: f64,
    /// Training steps.
    pub train: f64,
    /// Validation.
    pub valid: f64,
    /// Test.
    pub test: f64,
    /// Writing checkpoints.
    #[serde(default)]
    pub checkpoints: f64,
    /// Computing what a frozen base makes of training and test images, by the command that came to the end; 0 if all of it
    /// was in the cache. None for a model without a base, and in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<f64>,
}

/// Scores per class and their means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestScores {
    /// Scores of every class.
    pub classes: Vec<ClassScores>,
    /// Mean of the classes' precision.
    pub macro_precision: f64,
    /// Mean of the classes' recall.
    pub macro_recall: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
}

impl TestScores {
    /// Adds the unweighted means to the classes' scores.
    #[must_use]
    pub fn new(classes: Vec<ClassScores>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "class counts are small")]
        let mean = |field: fn(&ClassScores) -> f64| classes.iter().map(field).sum::<f64>() / classes.len() as f64;
        Self {
            macro_precision: mean(|it| it.precision),
            macro_recall: mean(|it| it.recall),
            macro_f1: mean(|it| it.f1),
            classes,
        }
    }
}

/// The images that galleries show: `tiles.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tiles {
    /// Height of every image in pixels.
    pub height: usize,
    /// Width of every image in pixels.
    pub width: usize,
    /// Training images as they are and as the model saw them.
    pub samples: Vec<Tile>,
    /// Columns that `samples` fill row by row.
    pub sample_columns: usize,
    /// The first test images that were predicted right.
    pub correct: Vec<Tile>,
    /// The first test images that were predicted wrong.
    pub misclassified: Vec<Tile>,
    /// How many test images were predicted wrong.
    pub mistakes: usize,
    /// How many test images there are.
    pub tested: usize,
}

/// One image of a gallery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tile {
    /// Index in its part of the data.
    pub index: usize,
    /// Name of the true class.
    pub class: String,
    /// Name of the predicted class, for test images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<String>,
    /// Probability of the predicted class, for test images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Epoch whose augmentation the image shows; none for an image as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augmented_in_epoch: Option<usize>,
    /// Pixels from 0 to 255 in hexadecimal, row by row.
    #[serde(with = "super::files::hex")]
    pub pixels: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_earlier_versions_are_read_and_those_of_no_base_have_no_features() {
        let early: Times = serde_json::from_str(r#"{"total": 4.0, "train": 3.0, "valid": 0.5, "test": 0.25}"#)
            .expect("fields that came later are optional");
        assert_eq!(early, Times { total: 4.0, train: 3.0, valid: 0.5, test: 0.25, checkpoints: 0.0, features: None });
        let written = |times: &Times| serde_json::to_string(times).expect("numbers");
        assert!(!written(&early).contains("features"));
        let cached = Times { features: Some(0.0), ..early };
        assert_eq!(serde_json::from_str::<Times>(&written(&cached)).expect("what was written can be read"), cached);
    }
}
