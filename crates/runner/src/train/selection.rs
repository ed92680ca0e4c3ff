//! Which epoch is the best by a validation metric, and when waiting for a better one ends.

use models::Model;

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
    /// The value that the next epoch must beat by the minimum delta, and the epochs it has stood.
    bar: Option<(f64, usize)>,
}

#[derive(Debug)]
struct Best {
    epoch: usize,
    value: f64,
    model: Model,
}

impl Selection {
    /// Starts with nothing seen.
    #[must_use]
    pub fn new(training: &Training) -> Self {
        Self { metric: training.metric, best: None, early_stopping: training.early_stopping.clone(), bar: None }
    }

    /// Looks at an epoch; on a tie the earlier one stays the best.
    pub fn offer(&mut self, row: &EpochRow, model: Model) -> Rank {
        if let Some(rule) = &self.early_stopping
            && let Some(value) = value(row, rule.metric)
        {
            self.bar = Some(match self.bar {
                Some((bar, waited)) if better(rule.metric, value, bar) <= rule.min_delta => (bar, waited + 1),
                _ => (value, 0),
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
        let (bar, waited) = self.bar?;
        (waited >= rule.patience).then(|| {
            let (metric, delta) = (rule.metric.name(), rule.min_delta);
            format!("{metric} has not improved on {bar:.4} by more than {delta} for {waited} epochs")
        })
    }

    /// The best epoch so far.
    #[must_use]
    pub fn best_epoch(&self) -> Option<usize> {
        self.best.as_ref().map(|best| best.epoch)
    }

    /// The best weights and their epoch.
    #[must_use]
    pub fn into_best(self) -> Option<(Model, usize)> {
        self.best.map(|best| (best.model, best.epoch))
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
