//! `state.json`: everything of a state that is not a tensor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    metrics::EpochRow,
    optimizer::state::Number,
    provenance::Fingerprint,
    run_dir::LogMark,
    train::{Bar, Partial},
};

/// Version of this format.
pub(super) const VERSION: u32 = 1;

/// Counters, sums and marks, and what they depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of the format.
    pub version: u32,
    /// What the state depends on.
    pub fingerprint: Fingerprint,
    /// Steps done over all phases.
    pub step: usize,
    /// Epochs done, each with a row in the metrics files.
    pub epochs: usize,
    /// The epoch in progress.
    pub partial: Partial,
    /// The best epoch so far.
    pub(super) selection: SelectionRecord,
    /// The optimizer's numbers.
    pub(super) optimizer: BTreeMap<String, Number>,
    /// How far the metrics files count.
    pub metrics: LogMark,
    /// Wall-clock seconds since the run was started, pauses left out.
    pub seconds: f64,
    /// Of these, writing checkpoints.
    pub checkpoint_seconds: f64,
}

/// How strictly counters are held against the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// The experiment is the one that was left: every step must be accounted for.
    Exact,
    /// It has been changed, and that was accepted: epochs may have had other steps than they have now.
    Changed,
}

/// The best epoch so far, without its weights, and how long it has stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectionRecord {
    pub(super) best: Option<BestRecord>,
    pub(super) bar: Option<Bar>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BestRecord {
    pub(super) epoch: usize,
    #[serde(with = "crate::metrics::exact")]
    pub(super) value: f64,
}

impl Record {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!("expected format {VERSION}, found {version}: written by another version"));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// Checks that the counters agree with each other, with the rows and with the steps of every planned epoch.
    pub(super) fn check(&self, rows: &[EpochRow], clock: &[usize], continuity: Continuity) -> Result<(), String> {
        let Self { step, epochs, partial, selection, .. } = self;
        let epochs = *epochs;
        if epochs > clock.len() {
            return Err(format!("expected at most {} epochs, found {epochs}", clock.len()));
        }
        if rows.len() != epochs || rows.iter().zip(1..).any(|(row, epoch)| row.epoch != epoch) {
            return Err(format!("expected a row for each of {epochs} epochs, found {}", rows.len()));
        }
        let most = clock.get(epochs).copied().unwrap_or(0);
        if partial.steps > most {
            return Err(format!("expected at most {most} steps of epoch {}, found {}", epochs + 1, partial.steps));
        }
        let expected = clock[..epochs].iter().sum::<usize>() + partial.steps;
        if continuity == Continuity::Exact && *step != expected {
            return Err(format!("expected {expected} steps in all, found {step}"));
        }
        match &selection.best {
            Some(best) if !(1..=epochs).contains(&best.epoch) || !best.value.is_finite() => {
                Err(format!("expected the best epoch among {epochs}, found {}", best.epoch))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            version: VERSION,
            fingerprint: Fingerprint {
                config: String::new(),
                program: String::new(),
                data: Vec::new(),
                backend: String::new(),
                machine: String::new(),
            },
            step: 25,
            epochs: 2,
            partial: Partial { steps: 5, seconds: 0.1 + 0.2, ..Partial::default() },
            selection: SelectionRecord {
                best: Some(BestRecord { epoch: 1, value: 1.0 / 3.0 }),
                bar: Some(Bar { value: f64::NAN, waited: 1 }),
            },
            optimizer: BTreeMap::from([("a.weight/time".into(), Number::Uint(25))]),
            metrics: LogMark::default(),
            seconds: 3.0,
            checkpoint_seconds: 0.5,
        }
    }

    fn rows(count: usize) -> Vec<EpochRow> {
        let row = |epoch| EpochRow {
            epoch,
            phase: "train".into(),
            train_loss: 1.0,
            train_accuracy: 0.5,
            valid_loss: None,
            valid_accuracy: None,
            learning_rate: 0.1,
            train_seconds: 1.0,
            valid_seconds: 0.0,
            images_per_second: 1.0,
            train_error: None,
        };
        (1..=count).map(row).collect()
    }

    #[test]
    fn a_record_survives_its_text_to_the_last_bit() {
        let text = serde_json::to_string(&record()).expect("text");
        let read = Record::parse(text.as_bytes()).expect("the same text");
        assert_eq!(serde_json::to_string(&read).expect("text"), text);
        assert_eq!(read.partial.seconds.to_bits(), (0.1_f64 + 0.2).to_bits());
    }

    #[test]
    fn counters_at_odds_are_refused() {
        let clock = [10, 10, 10];
        record().check(&rows(2), &clock, Continuity::Exact).expect("they agree");
        let refused = |change: &dyn Fn(&mut Record)| {
            let mut record = record();
            change(&mut record);
            record.check(&rows(2), &clock, Continuity::Exact).is_err()
        };
        assert!(refused(&|it| it.step = 24));
        assert!(refused(&|it| it.epochs = 3));
        assert!(refused(&|it| it.epochs = usize::MAX));
        assert!(refused(&|it| it.partial.steps = 11));
        assert!(refused(&|it| it.selection.best = Some(BestRecord { epoch: 3, value: 0.5 })));
        assert!(record().check(&rows(1), &clock, Continuity::Exact).is_err());
    }

    #[test]
    fn epochs_may_have_had_other_steps_where_a_change_was_accepted() {
        let clock = [20, 20, 20];
        assert!(record().check(&rows(2), &clock, Continuity::Exact).is_err());
        record().check(&rows(2), &clock, Continuity::Changed).expect("25 steps were done with other batches");
        assert!(record().check(&rows(2), &[4, 4, 4], Continuity::Changed).is_err(), "the third epoch is shorter now");
    }

    #[test]
    fn another_version_is_named() {
        let text = serde_json::to_string(&Record { version: 7, ..record() }).expect("text");
        let said = Record::parse(text.as_bytes()).expect_err("another format");
        assert!(said.contains("found 7"), "{said}");
    }
}
