//! From fits to a table of trials: means over the folds, ranks, the best.

use serde::{Deserialize, Serialize};

use super::{
    fit::{FitRecord, Scores},
    plan::{Fit, Plan, Settings},
};
use crate::{
    experiment::{Direction, Experiment, Metric, Sweep},
    metrics::Spread,
};

/// What a sweep has come to: `sweep.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// Name of the experiment.
    pub experiment: String,
    /// `grid` or `random`.
    pub kind: String,
    /// What trials are judged by, as in `valid_accuracy`.
    pub metric: Metric,
    /// Which way it is better.
    pub direction: Direction,
    /// Folds of each trial; none if each is one fit.
    pub folds: Option<usize>,
    /// Seed of every fit's training.
    pub seed: u64,
    /// Fits that have ended, the failed ones included.
    pub fits: usize,
    /// Fits that have failed.
    pub failed: usize,
    /// Seconds of all fits, as if they had been made one after the other.
    pub seconds: f64,
    /// The trials, by number.
    pub trials: Vec<Ranked>,
    /// Number of the best trial; none while no trial has all of its fits.
    pub best: Option<usize>,
    /// The best trial trained once more, on all training images, and tested.
    pub refit: Option<Refit>,
}

/// A trial and what its fits come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Its number, from 0.
    pub trial: usize,
    /// 1 for the best; equals share a rank. None unless all fits have ended well.
    pub rank: Option<usize>,
    /// What it changes in the experiment.
    pub settings: Settings,
    /// Accuracy on the parts held out.
    pub valid_accuracy: Option<Spread>,
    /// Mean cross-entropy on the parts held out, in nats.
    pub valid_loss: Option<Spread>,
    /// Training accuracy of the last epoch.
    pub train_accuracy: Option<Spread>,
    /// Parameters of the network.
    pub parameters: Option<usize>,
    /// Seconds of its fits.
    pub seconds: f64,
    /// Accuracy on the part held out, fold by fold; none for a fit that has failed or not ended.
    pub fold_accuracies: Vec<Option<f64>>,
    /// Why fits have failed.
    pub failures: Vec<String>,
}

/// The best trial's last training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refit {
    /// Name of its run directory, beside the sweep's folder.
    pub run: String,
    /// Accuracy on the test part.
    pub test_accuracy: f64,
    /// Mean cross-entropy on the test part, in nats.
    pub test_loss: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl Ranking {
    /// Ranks the trials of a plan by the fits that have ended.
    #[must_use]
    pub fn new(experiment: &Experiment, sweep: &Sweep, plan: &Plan, records: &[FitRecord]) -> Self {
        let fits = plan.fits();
        let found = |fit: &Fit| records.iter().find(|record| record.fit == *fit);
        let mut trials: Vec<Ranked> = plan
            .trials
            .iter()
            .map(|trial| {
                let own: Vec<Option<&FitRecord>> =
                    fits.iter().filter(|fit| fit.trial == trial.number).map(found).collect();
                ranked(trial.number, &trial.settings, &own)
            })
            .collect();
        let best = rank(&mut trials, sweep.metric, sweep.direction());
        let ended: Vec<&FitRecord> = fits.iter().filter_map(found).collect();
        Self {
            experiment: experiment.name.clone(),
            kind: sweep.name().to_owned(),
            metric: sweep.metric,
            direction: sweep.direction(),
            folds: sweep.folds,
            seed: experiment.training.seed,
            fits: ended.len(),
            failed: ended.iter().filter(|record| record.scores.is_none()).count(),
            seconds: ended.iter().map(|record| record.seconds).sum(),
            trials,
            best,
            refit: None,
        }
    }

    /// The metric of a trial.
    #[must_use]
    pub fn score(&self, trial: &Ranked) -> Option<Spread> {
        score(trial, self.metric)
    }

    /// The trials, best first; those without a rank last.
    #[must_use]
    pub fn by_rank(&self) -> Vec<&Ranked> {
        let mut trials: Vec<&Ranked> = self.trials.iter().collect();
        trials.sort_by_key(|trial| (trial.rank.unwrap_or(usize::MAX), trial.trial));
        trials
    }

    /// The keys that trials vary.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.trials.first().map(|trial| trial.settings.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// All trials as `trials.csv`, best first, a column per setting and per fold.
    ///
    /// # Panics
    ///
    /// Never: rows of one length go into memory.
    #[must_use]
    pub fn csv(&self) -> String {
        let folds = self.trials.first().map_or(0, |trial| trial.fold_accuracies.len());
        let mut header: Vec<String> = ["rank", "trial"].map(str::to_owned).to_vec();
        header.extend(self.keys().into_iter().map(str::to_owned));
        header.extend(
            [
                "valid_accuracy_mean",
                "valid_accuracy_sd",
                "valid_loss_mean",
                "valid_loss_sd",
                "train_accuracy_mean",
                "parameters",
                "seconds",
            ]
            .map(str::to_owned),
        );
        header.extend((0..folds).map(|fold| format!("valid_accuracy_fold{fold}")));
        let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
        let rows = self.by_rank().into_iter().map(|trial| {
            let mut row = vec![trial.rank.map(|rank| rank.to_string()).unwrap_or_default(), trial.trial.to_string()];
            row.extend(trial.settings.values().map(shown));
            row.push(number(trial.valid_accuracy.map(|it| it.mean)));
            row.push(number(trial.valid_accuracy.and_then(|it| it.sd)));
            row.push(number(trial.valid_loss.map(|it| it.mean)));
            row.push(number(trial.valid_loss.and_then(|it| it.sd)));
            row.push(number(trial.train_accuracy.map(|it| it.mean)));
            row.push(trial.parameters.map(|count| count.to_string()).unwrap_or_default());
            row.push(format!("{:.2}", trial.seconds));
            row.extend(trial.fold_accuracies.iter().map(|&accuracy| number(accuracy)));
            row
        });
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(header).chain(rows) {
            writer.write_record(row).expect("rows of equal length into memory");
        }
        String::from_utf8(writer.into_inner().expect("memory does not fail to flush")).expect("text in, text out")
    }
}

/// A setting's value as people write it: a string without its quotes.
#[must_use]
pub fn shown(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn ranked(trial: usize, settings: &Settings, own: &[Option<&FitRecord>]) -> Ranked {
    let ended = || own.iter().flatten();
    // A mean over some of the folds would compare with no other trial's.
    let all: Option<Vec<&Scores>> = own.iter().map(|record| record.and_then(|it| it.scores.as_ref())).collect();
    let spread = |field: fn(&Scores) -> f64| all.as_ref().and_then(|all| Spread::of(all.iter().map(|it| field(it))));
    Ranked {
        trial,
        rank: None,
        settings: settings.clone(),
        valid_accuracy: spread(|it| it.valid_accuracy),
        valid_loss: spread(|it| it.valid_loss),
        train_accuracy: spread(|it| it.train_accuracy),
        parameters: ended().find_map(|record| record.scores.as_ref()).map(|it| it.parameters),
        seconds: ended().map(|record| record.seconds).sum(),
        fold_accuracies: own.iter().map(|record| Some(record.as_ref()?.scores.as_ref()?.valid_accuracy)).collect(),
        failures: ended().filter_map(|record| record.failure.clone()).collect(),
    }
}

/// Fills in the ranks and returns the number of the best trial, the first of equals.
fn rank(trials: &mut [Ranked], metric: Metric, direction: Direction) -> Option<usize> {
    let scores: Vec<Option<f64>> = trials.iter().map(|trial| Some(score(trial, metric)?.mean)).collect();
    let beats = |a: f64, b: f64| match direction {
        Direction::Minimize => a < b,
        Direction::Maximize => a > b,
    };
    for (trial, own) in trials.iter_mut().zip(&scores) {
        trial.rank = own.map(|own| 1 + scores.iter().flatten().filter(|&&other| beats(other, own)).count());
    }
    trials.iter().find(|trial| trial.rank == Some(1)).map(|trial| trial.trial)
}

fn score(trial: &Ranked, metric: Metric) -> Option<Spread> {
    match metric {
        Metric::ValidLoss => trial.valid_loss,
        Metric::ValidAccuracy => trial.valid_accuracy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(trial: usize, fold: usize, accuracy: Option<f64>) -> FitRecord {
        let scores = accuracy.map(|valid_accuracy| Scores {
            valid_loss: 1.0 - valid_accuracy,
            valid_accuracy,
            train_loss: 0.1,
            train_accuracy: 0.9,
            epoch: 1,
            parameters: 10,
        });
        let failure = accuracy.is_none().then(|| "training diverged".to_owned());
        let fit = Fit { trial, fold: Some(fold) };
        FitRecord { fit, settings: Settings::new(), scores, failure, seconds: 2.0, epochs: Vec::new() }
    }

    fn trials(accuracies: &[[Option<f64>; 2]]) -> Vec<Ranked> {
        let trial = |(number, folds): (usize, &[Option<f64>; 2])| {
            let own = [record(number, 0, folds[0]), record(number, 1, folds[1])];
            ranked(number, &Settings::new(), &[Some(&own[0]), Some(&own[1])])
        };
        accuracies.iter().enumerate().map(trial).collect()
    }

    #[test]
    fn equals_share_a_rank_and_a_failed_fold_leaves_its_trial_without_one() {
        let mut trials = trials(&[
            [Some(0.7), Some(0.8)],
            [Some(0.9), Some(0.8)],
            [Some(0.99), None],
            [Some(0.75), Some(0.75)],
            [Some(0.1), Some(0.2)],
        ]);
        let best = rank(&mut trials, Metric::ValidAccuracy, Direction::Maximize);
        let ranks: Vec<Option<usize>> = trials.iter().map(|it| it.rank).collect();
        assert_eq!(ranks, [Some(2), Some(1), None, Some(2), Some(4)]);
        assert_eq!(best, Some(1));
        assert_eq!(trials[2].failures, ["training diverged"]);
        assert!((trials[2].seconds - 4.0).abs() < 1e-12, "a failed fit took its time, too");
    }

    #[test]
    fn a_loss_ranks_the_other_way_round() {
        let mut trials = trials(&[[Some(0.7), Some(0.8)], [Some(0.9), Some(0.8)]]);
        assert_eq!(rank(&mut trials, Metric::ValidLoss, Direction::Minimize), Some(1));
        assert_eq!(rank(&mut trials, Metric::ValidLoss, Direction::Maximize), Some(0));
    }
}
