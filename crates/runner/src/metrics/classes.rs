//! The confusion matrix and the scores per class that follow from it.

use serde::{Deserialize, Serialize};

/// Counts of (true, predicted) pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// `counts[true][predicted]`, square.
    pub counts: Vec<Vec<u64>>,
}

/// Scores of one class, each in `[0, 1]`; 0 where a denominator is empty, as scikit-learn does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Name of the class.
    pub class: String,
    /// Right among those predicted as this class.
    pub precision: f64,
    /// Right among those that are of this class.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of samples of this class.
    pub support: u64,
}

impl Confusion {
    /// Counts pairs of true and predicted classes, each below `num_classes`.
    #[must_use]
    pub fn new(num_classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![vec![0; num_classes]; num_classes];
        for (target, predicted) in pairs {
            counts[target][predicted] += 1;
        }
        Self { counts }
    }

    /// Precision, recall, F1 and support of every class.
    #[must_use]
    pub fn scores(&self, class_names: &[String]) -> Vec<ClassScores> {
        (0..self.counts.len())
            .map(|class| {
                let hits = self.counts[class][class];
                let support = self.counts[class].iter().sum();
                let predicted = self.counts.iter().map(|row| row[class]).sum();
                ClassScores {
                    class: class_names[class].clone(),
                    precision: ratio(hits, predicted),
                    recall: ratio(hits, support),
                    f1: ratio(2 * hits, support + predicted),
                    support,
                }
            })
            .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "sample counts stay far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_follow_from_counts() {
        let pairs = [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (1, 1), (1, 1)];
        let scores = Confusion::new(3, pairs).scores(&["a", "b", "c"].map(String::from));
        let table = [(2.0 / 3.0, 2.0 / 3.0, 3), (0.75, 0.75, 4), (0.0, 0.0, 0)];
        for (score, (precision, recall, support)) in scores.iter().zip(table) {
            assert!((score.precision - precision).abs() < 1e-12, "{score:?}");
            assert!((score.recall - recall).abs() < 1e-12, "{score:?}");
            assert_eq!(score.support, support);
        }
        assert!((scores[0].f1 - 2.0 / 3.0).abs() < 1e-12);
    }
}
