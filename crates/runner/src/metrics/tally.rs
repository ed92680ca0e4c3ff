//! Loss and accuracy, weighted by sample, so that short batches count for what they are.

use serde::{Deserialize, Serialize};

/// Running sums of losses and correct predictions over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    #[serde(with = "super::exact")]
    loss_sum: f64,
    correct: usize,
    samples: usize,
}

impl Tally {
    /// Adds a batch and returns the mean loss of that batch alone.
    ///
    /// `loss` gets one sample's outputs and its true class.
    ///
    /// # Shapes
    ///
    /// - `outputs`: `[targets.len(), num_classes]`, row-major
    pub fn add(&mut self, outputs: &[f32], targets: &[u8], loss: impl Fn(&[f32], usize) -> f64) -> f64 {
        if targets.is_empty() {
            return 0.0;
        }
        let num_classes = outputs.len() / targets.len();
        let mut batch_loss = 0.0;
        for (row, &target) in outputs.chunks_exact(num_classes).zip(targets) {
            batch_loss += loss(row, usize::from(target));
            self.correct += usize::from(argmax(row) == usize::from(target));
        }
        self.loss_sum += batch_loss;
        self.samples += targets.len();
        batch_loss / as_f64(targets.len())
    }

    /// Number of samples seen.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Number of samples whose largest output is the target's.
    #[must_use]
    pub fn correct(&self) -> usize {
        self.correct
    }

    /// Mean loss per sample; NaN before the first sample.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss_sum / as_f64(self.samples)
    }

    /// Share of samples predicted right, in `[0, 1]`; NaN before the first sample.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        as_f64(self.correct) / as_f64(self.samples)
    }
}

/// Index of the largest value, the first one on ties; NaN never wins.
#[must_use]
pub fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] || (row[best].is_nan() && !value.is_nan()) {
            best = index;
        }
    }
    best
}

/// Logarithm of the softmax of one row, shifted by its maximum so that nothing overflows.
#[must_use]
pub fn log_softmax(row: &[f32]) -> Vec<f64> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted: Vec<f64> = row.iter().map(|&v| f64::from(v) - f64::from(max)).collect();
    let log_sum = shifted.iter().map(|v| v.exp()).sum::<f64>().ln();
    shifted.into_iter().map(|v| v - log_sum).collect()
}

#[expect(clippy::cast_precision_loss, reason = "sample counts stay far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    fn cross_entropy(row: &[f32], target: usize) -> f64 {
        -log_softmax(row)[target]
    }

    #[test]
    fn softmax_of_the_tutorials_example_is_as_printed() {
        let printed = [0.002_14, 0.015_84, 0.117_06, 0.864_95];
        for (log_p, printed) in log_softmax(&[2.0, 4.0, 6.0, 8.0]).into_iter().zip(printed) {
            assert!((log_p.exp() - printed).abs() < 1e-5, "{} is not {printed}", log_p.exp());
        }
    }

    #[test]
    fn even_logits_cost_the_logarithm_of_the_class_count() {
        let mut tally = Tally::default();
        check(tally.add(&[0.0; 20], &[3, 7], cross_entropy), 10f64.ln());
        check(tally.loss(), 10f64.ln());
    }

    #[test]
    fn a_short_batch_weighs_by_its_samples() {
        let mut tally = Tally::default();
        tally.add(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0], &[0, 0, 0], cross_entropy);
        tally.add(&[1.0, 0.0], &[1], cross_entropy);
        check(tally.accuracy(), 0.75);
        let (right, wrong) = (-log_softmax(&[1.0, 0.0])[0], -log_softmax(&[1.0, 0.0])[1]);
        check(tally.loss(), (3.0 * right + wrong) / 4.0);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let mut tally = Tally::default();
        check(tally.add(&[3.0e38, -3.0e38], &[0], cross_entropy), 0.0);
    }

    #[test]
    fn a_nan_logit_shows_as_a_loss_that_is_not_finite() {
        let mut tally = Tally::default();
        assert!(!tally.add(&[f32::NAN, 1.0], &[1], cross_entropy).is_finite());
        assert_eq!(argmax(&[f32::NAN, 1.0]), 1);
    }
}
