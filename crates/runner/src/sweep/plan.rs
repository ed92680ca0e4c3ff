//! From `[sweep]` to trials and fits: which settings, on which part of the images.
//!
//! A plan is a function of the experiment alone, so that another process, or the same one after an interruption,
//! makes the same.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    experiment::{self, Domain, Overrides, Resolved, Sweep, SweepKind},
};

/// Settings by their dotted keys.
pub type Settings = BTreeMap<String, toml::Value>;

/// Some settings to train with.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its number, from 0.
    pub number: usize,
    /// What it changes in the experiment.
    pub settings: Settings,
}

/// One training of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fit {
    /// Number of the trial.
    pub trial: usize,
    /// The fold that validates, from 0; none where `data.split` says what does.
    pub fold: Option<usize>,
}

/// What a trial's experiment trains on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All training images but those held out by a fold, or without folds by `data.split`.
    Fold(Option<usize>),
    /// All training images.
    All,
}

/// The trials of an experiment.
#[derive(Clone, Debug)]
pub struct Plan {
    source: PathBuf,
    overrides: Overrides,
    sweep: Sweep,
    /// The trials, by number.
    pub trials: Vec<Trial>,
}

impl Plan {
    /// Plans the sweep of an experiment file, read with `overrides`.
    #[must_use]
    pub fn new(source: &Path, overrides: &Overrides, sweep: &Sweep) -> Self {
        let (source, overrides) = (source.to_owned(), overrides.clone());
        let trials = settings(sweep).enumerate().map(|(number, settings)| Trial { number, settings }).collect();
        Self { source, overrides, sweep: sweep.clone(), trials }
    }

    /// Every fit, trial by trial.
    #[must_use]
    pub fn fits(&self) -> Vec<Fit> {
        let folds: Vec<Option<usize>> =
            self.sweep.folds.map_or_else(|| vec![None], |folds| (0..folds).map(Some).collect());
        let of = |trial: usize| folds.iter().map(move |&fold| Fit { trial, fold });
        (0..self.trials.len()).flat_map(of).collect()
    }

    /// The experiment of a trial, without its sweep.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the settings make no valid experiment.
    pub fn resolve(&self, trial: usize, part: Part) -> Result<Resolved, Error> {
        let mut overrides = self.overrides.clone();
        overrides.set.extend(self.trials[trial].settings.iter().map(|(key, value)| format!("{key}={value}")));
        match (part, self.sweep.folds) {
            (Part::Fold(Some(fold)), Some(folds)) => {
                let seed = self.sweep.seed;
                overrides
                    .set
                    .push(format!("data.split={{ kind = \"fold\", folds = {folds}, fold = {fold}, seed = {seed} }}"));
            }
            (Part::Fold(_), _) => {}
            (Part::All, _) => overrides.set.push("data.split=none".to_owned()),
        }
        let mut resolved = experiment::load(&self.source, &overrides)?;
        resolved.experiment.sweep = None;
        Ok(resolved)
    }

    /// Resolves every trial, so that a wrong value is found before anything is trained.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn check(&self) -> Result<(), Error> {
        let fold = self.sweep.folds.map(|_| 0);
        for trial in &self.trials {
            self.resolve(trial.number, Part::Fold(fold))?;
            if self.sweep.refit {
                self.resolve(trial.number, Part::All)?;
            }
        }
        Ok(())
    }
}

/// The settings of every trial.
fn settings(sweep: &Sweep) -> Box<dyn Iterator<Item = Settings> + '_> {
    match (sweep.kind, sweep.combinations()) {
        (SweepKind::Grid, combinations) => {
            Box::new((0..combinations.unwrap_or(0)).map(|index| combination(sweep, index)))
        }
        (SweepKind::Random, Some(combinations)) => {
            let mut seen = HashSet::new();
            let drawn = (0..).map(move |draw| below(unit(sweep.seed, draw, ""), combinations));
            let new = drawn.filter(move |&index| seen.insert(index));
            Box::new(new.take(sweep.trials.unwrap_or(0)).map(|index| combination(sweep, index)))
        }
        (SweepKind::Random, None) => Box::new((0..sweep.trials.unwrap_or(0) as u64).map(|draw| drawn(sweep, draw))),
    }
}

/// The `index`-th of all combinations; the last key's values change fastest.
fn combination(sweep: &Sweep, mut index: usize) -> Settings {
    let mut settings = Settings::new();
    for (key, domain) in sweep.parameters.iter().rev() {
        if let Domain::Values(values) = domain {
            settings.insert(key.to_owned(), values[index % values.len()].clone());
            index /= values.len();
        }
    }
    settings
}

/// Settings drawn each for itself, so that a further parameter leaves the others' values alone.
fn drawn(sweep: &Sweep, draw: u64) -> Settings {
    let value = |key: &str, domain: &Domain| {
        let share = unit(sweep.seed, draw, key);
        match domain {
            Domain::Values(values) => values[below(share, values.len())].clone(),
            Domain::Range(range) => range.at(share),
        }
    };
    sweep.parameters.iter().map(|(key, domain)| (key.to_owned(), value(key, domain))).collect()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count is a number below it"
)]
fn below(share: f64, count: usize) -> usize {
    ((share * count as f64) as usize).min(count - 1)
}

/// A number in `[0, 1)` that follows from its arguments: `SplitMix64`'s finaliser (Steele et al. 2014) over each.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a float")]
fn unit(seed: u64, draw: u64, key: &str) -> f64 {
    let bytes = key.bytes().map(u64::from);
    let state = [seed, draw].into_iter().chain(bytes).fold(0_u64, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    });
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(text: &str) -> Sweep {
        toml::from_str(text).expect("a valid sweep")
    }

    fn plan(text: &str) -> Plan {
        Plan::new(Path::new("x.toml"), &Overrides::default(), &sweep(text))
    }

    fn shown(plan: &Plan) -> Vec<String> {
        let one = |(key, value): (&String, &toml::Value)| format!("{key}={value}");
        plan.trials.iter().map(|it| it.settings.iter().map(one).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_grid_has_every_combination_and_the_last_key_changes_fastest() {
        let plan = plan("kind = 'grid'\nfolds = 2\nparameters = { 'b' = [1, 2], 'a' = ['x', 'y'] }");
        assert_eq!(shown(&plan), ["a=\"x\" b=1", "a=\"x\" b=2", "a=\"y\" b=1", "a=\"y\" b=2"]);
        let fits = plan.fits();
        assert_eq!(fits.len(), 8);
        assert_eq!(fits[3], Fit { trial: 1, fold: Some(1) });
    }

    #[test]
    fn a_random_choice_among_lists_draws_nothing_twice() {
        let text = |trials: usize, seed: u64| {
            format!("kind = 'random'\ntrials = {trials}\nseed = {seed}\nparameters = {{ a = [1, 2, 3], b = [4, 5] }}")
        };
        let mut all = shown(&plan(&text(6, 0)));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert_eq!(shown(&plan(&text(3, 7))), shown(&plan(&text(3, 7))));
        assert_ne!(shown(&plan(&text(3, 7))), shown(&plan(&text(3, 8))));
    }

    #[test]
    fn another_parameter_leaves_the_draws_of_the_others_alone() {
        let rate = "lr = { kind = 'log_uniform', min = 1e-4, max = 1e-1 }";
        let values = |more: &str| {
            let plan = plan(&format!("kind = 'random'\ntrials = 20\nparameters = {{ {rate}{more} }}"));
            plan.trials.iter().map(|it| it.settings["lr"].as_float().expect("a float")).collect::<Vec<f64>>()
        };
        let alone = values("");
        assert_eq!(alone, values(", units = { kind = 'uniform', min = 1, max = 9 }"));
        assert!(alone.iter().all(|rate| (1e-4..1e-1).contains(rate)));
        // Even in the logarithm: about a third in each decade.
        let low = alone.iter().filter(|&&rate| rate < 1e-3).count();
        assert!((3..=11).contains(&low), "{low} of 20 below 1e-3");
    }
}
