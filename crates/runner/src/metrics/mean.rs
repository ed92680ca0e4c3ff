//! A mean that can be left and gone on with.

use serde::{Deserialize, Serialize};

/// A running mean of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    #[serde(with = "super::exact")]
    sum: f64,
    count: usize,
}

impl Mean {
    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// The mean; none before the first number.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::Mean;

    #[test]
    fn a_mean_goes_on_after_it_was_stored() {
        let mut mean = Mean::default();
        assert_eq!(mean.mean(), None);
        mean.add(0.1);
        let stored = serde_json::to_string(&mean).expect("text");
        let mut restored: Mean = serde_json::from_str(&stored).expect("the same text");
        for mean in [&mut mean, &mut restored] {
            mean.add(0.2);
        }
        assert_eq!(mean, restored);
        assert!((mean.mean().expect("two numbers") - 0.15).abs() < 1e-12);
    }
}
