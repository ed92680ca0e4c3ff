//! Which epoch is the best by a validation metric, and when waiting for a better one ends.

use models::Model;
use serde::{Deserialize, Serialize};

use super::Rank;
use crate::{
    experiment::{EarlyStopping, Metric, Training},
    metrics::EpochRow,
};

/// Keeps the best epoch's weights and counts the epochs since.
#[derive(Debug)]
pub struct Selection {
    metric: Metric,
    best: Option<Best>,
    early_stopping: Option<EarlyStopping>,
    bar: Option<Bar>,
}

/// The best epoch so far.
#[derive(Debug)]
pub struct Best {
    /// The epoch.
    pub epoch: usize,
    /// What it is the best by.
    pub value: f64,
    /// Its weights, in validation mode on the plain device.
    pub model: Model,
}

/// What the next epoch must beat by the minimum delta for training to go on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bar {
    /// A value of early stopping's metric.
    #[serde(with = "crate::metrics::exact")]
    pub value: f64,
    /// Epochs that it has stood.
    pub waited: usize,
}

impl Selection {
    /// Starts with nothing seen.
    #[must_use]
    pub fn new(training: &Training) -> Self {
        Self { metric: training.metric, best: None, early_stopping: training.early_stopping.clone(), bar: None }
    }

    /// Goes on from what was seen before.
    #[must_use]
    pub fn restore(training: &Training, best: Option<Best>, bar: Option<Bar>) -> Self {
        Self { best, bar, ..Self::new(training) }
    }

    /// Looks at an epoch; on a tie the earlier one stays the best.
    pub fn offer(&mut self, row: &EpochRow, model: Model) -> Rank {
        if let Some(rule) = &self.early_stopping
            && let Some(value) = value(row, rule.metric)
        {
            self.bar = Some(match self.bar {
                Some(bar) if better(rule.metric, value, bar.value) <= rule.min_delta => {
                    Bar { waited: bar.waited + 1, ..bar }
                }
                _ => Bar { value, waited: 0 },
            });
        }
        let Some(value) = value(row, self.metric).filter(|value| value.is_finite()) else { return Rank::Other };
        if self.best.as_ref().is_some_and(|best| better(self.metric, value, best.value) <= 0.0) {
            return Rank::Other;
        }
        self.best = Some(Best { epoch: row.epoch, value, model });
        Rank::Best
    }

    /// Why training should end now, if patience has run out.
    #[must_use]
    pub fn exhausted(&self) -> Option<String> {
        let rule = self.early_stopping.as_ref()?;
        let Bar { value, waited } = self.bar?;
        (waited >= rule.patience).then(|| {
            let (metric, delta) = (rule.metric.name(), rule.min_delta);
            format!("{metric} has not improved on {value:.4} by more than {delta} for {waited} epochs")
        })
    }

    /// The best epoch so far.
    #[must_use]
    pub fn best(&self) -> Option<&Best> {
        self.best.as_ref()
    }

    /// What the next epoch must beat, where training may stop early.
    #[must_use]
    pub fn bar(&self) -> Option<Bar> {
        self.bar
    }
}

fn value(row: &EpochRow, metric: Metric) -> Option<f64> {
    match metric {
        Metric::ValidLoss => row.valid_loss,
        Metric::ValidAccuracy => row.valid_accuracy,
    }
}

/// By how much `value` is better than `bar`; negative where it is worse.
fn better(metric: Metric, value: f64, bar: f64) -> f64 {
    match metric {
        Metric::ValidLoss => bar - value,
        Metric::ValidAccuracy => value - bar,
    }
}
