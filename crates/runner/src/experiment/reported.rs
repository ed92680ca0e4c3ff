//! `[reported]`: what a publication says that this experiment comes to, for a table of both.
//!
//! Decides nothing about a run. It is part of an experiment so that a run directory's files say by
//! themselves what was measured and what was expected.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use super::checks::Checks;

/// What was reported. Only what the publication says in words or numbers; nothing read off a curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Which publication.
    pub source: String,
    /// On which edition of which data set.
    pub data: String,
    /// Accuracy on the test part, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Loss on the test part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<f64>,
    /// Accuracy on the training part, in [0, 1], after the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Loss on the training part, after the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// Accuracy on the validation part, in [0, 1], after the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_accuracy: Option<f64>,
    /// Loss on the validation part, after the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_loss: Option<f64>,
    /// What the first epoch of the last phase came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_epoch: Option<EpochScores>,
    /// Parameters of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<usize>,
    /// Wall-clock seconds of one epoch: a number, or `[low, high]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_per_epoch: Option<Seconds>,
    /// On which machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    /// What else a reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether this file keeps a mistake of the publication. Default false: there was none, or it is mended.
    #[serde(default)]
    pub as_published: bool,
    /// Name of the experiment that mends the mistake, where it is not this one's name with another ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mended_by: Option<String>,
}

/// What one epoch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochScores {
    /// Accuracy on the training part, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Loss on the training part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// Accuracy on the validation part, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_accuracy: Option<f64>,
    /// Loss on the validation part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_loss: Option<f64>,
}

impl EpochScores {
    fn check(&self, table: &str, checks: &mut Checks) {
        for (key, accuracy) in [("train_accuracy", self.train_accuracy), ("valid_accuracy", self.valid_accuracy)] {
            if let Some(accuracy) = accuracy {
                checks.within(&format!("{table}.{key}"), accuracy, 0.0..=1.0);
            }
        }
        for (key, loss) in [("train_loss", self.train_loss), ("valid_loss", self.valid_loss)] {
            if let Some(loss) = loss {
                checks.within(&format!("{table}.{key}"), loss, 0.0..);
            }
        }
    }
}

/// A time or a range of times. TOML `30` or `[30, 45]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds {
    /// The shortest.
    pub low: f64,
    /// The longest; as `low` where one number was given.
    pub high: f64,
}

impl Reported {
    /// What the last epoch came to.
    #[must_use]
    pub fn last_epoch(&self) -> EpochScores {
        let Self { train_accuracy, train_loss, valid_accuracy, valid_loss, .. } = *self;
        EpochScores { train_accuracy, train_loss, valid_accuracy, valid_loss }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let lines = [
            ("source", Some(&self.source)),
            ("data", Some(&self.data)),
            ("hardware", self.hardware.as_ref()),
            ("note", self.note.as_ref()),
            ("mended_by", self.mended_by.as_ref()),
        ];
        for (key, text) in lines.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            // These become cells of a table.
            if text.trim().is_empty() || text.chars().any(char::is_control) {
                checks.fail(format!("reported.{key}"), "must be one line that says something");
            }
        }
        if let Some(accuracy) = self.test_accuracy {
            checks.within("reported.test_accuracy", accuracy, 0.0..=1.0);
        }
        if let Some(loss) = self.test_loss {
            checks.within("reported.test_loss", loss, 0.0..);
        }
        self.last_epoch().check("reported", checks);
        if let Some(first) = &self.first_epoch {
            first.check("reported.first_epoch", checks);
        }
        if let Some(parameters) = self.parameters {
            checks.within("reported.parameters", parameters, 1..);
        }
        if let Some(Seconds { low, high }) = self.seconds_per_epoch {
            checks.within("reported.seconds_per_epoch", low, 0.0..=high);
        }
    }
}

/// One number if both ends agree.
impl Serialize for Seconds {
    #[expect(clippy::float_cmp, reason = "a single number is kept as it was written")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.low == self.high {
            serializer.serialize_f64(self.low)
        } else {
            [self.low, self.high].serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrRange)
    }
}

struct NumberOrRange;

impl<'de> Visitor<'de> for NumberOrRange {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds or [low, high]")
    }

    fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Seconds, E> {
        Ok(Seconds { low: seconds, high: seconds })
    }

    fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Seconds, E> {
        #[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52 seconds")]
        self.visit_f64(seconds as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seconds, A::Error> {
        let missing = |found| serde::de::Error::invalid_length(found, &self);
        let low = items.next_element()?.ok_or_else(|| missing(0))?;
        let high = items.next_element()?.ok_or_else(|| missing(1))?;
        match items.next_element::<f64>()? {
            None => Ok(Seconds { low, high }),
            Some(_) => Err(missing(3)),
        }
    }
}
