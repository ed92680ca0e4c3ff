//! `[sweep.parameters]`: dotted keys of the experiment, each with the values that it may take.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::super::checks::Checks;

/// What is varied, in the order of the keys: the order in which a table says them must not number trials anew.
///
/// In TOML, `model.hidden_sizes = [[20], [40, 20]]` and `"model.hidden_sizes" = [[20], [40, 20]]` mean the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Domain>);

/// The values that a setting may take.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// One of these.
    Values(Vec<toml::Value>),
    /// Any number of a range.
    Range(Range),
}

/// Numbers from `min` to `max`: whole ones, both ends included, if both ends are whole; else floats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// How they are spread.
    pub kind: Scale,
    /// The least.
    pub min: Bound,
    /// The greatest.
    pub max: Bound,
}

/// How the numbers of a range are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Evenly.
    Uniform,
    /// Evenly in their logarithm.
    LogUniform,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A TOML integer.
    Whole(i64),
    /// A TOML float.
    Real(f64),
}

impl Parameters {
    /// Keys and domains, sorted by key.
    #[must_use = "iterators are lazy"]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Domain)> {
        self.0.iter().map(|(key, domain)| (key.as_str(), domain))
    }

    pub(super) fn check(&self, has_folds: bool, checks: &mut Checks) {
        if self.0.is_empty() {
            checks.fail("sweep.parameters", "empty: say what to vary, as in optimizer.learning_rate = [0.01, 0.001]");
        }
        for (key, domain) in self.iter() {
            let full = format!("sweep.parameters.{key}");
            let root = key.split('.').next().unwrap_or_default();
            if ["name", "description", "extends", "sweep", "reported"].contains(&root) || key == "training.seeds" {
                checks.fail(full.clone(), "cannot be varied");
            }
            if has_folds && (key == "data.split" || key.starts_with("data.split.")) {
                checks.fail(full.clone(), "sweep.folds divides the images already; keep one of the two");
            }
            match domain {
                Domain::Values(values) if values.is_empty() => checks.fail(full, "must list at least one value"),
                Domain::Values(values) => {
                    if let Some(index) = (1..values.len()).find(|&index| values[..index].contains(&values[index])) {
                        checks.fail(format!("{full}.{index}"), "the same value twice");
                    }
                }
                Domain::Range(range) => range.check(&full, checks),
            }
        }
    }
}

impl Range {
    fn check(&self, key: &str, checks: &mut Checks) {
        let (min, max) = (self.min.to_f64(), self.max.to_f64());
        if self.kind == Scale::LogUniform && min <= 0.0 {
            checks.fail(format!("{key}.min"), format!("must be above 0 for a log_uniform range, found {min}"));
        }
        if min >= max {
            checks.fail(format!("{key}.max"), format!("must be above min, {min}, found {max}"));
        }
    }

    /// The number at `share`, in `[0, 1)`, of the range.
    #[must_use]
    pub fn at(&self, share: f64) -> toml::Value {
        let whole = match (self.min, self.max) {
            (Bound::Whole(min), Bound::Whole(max)) => Some((min, max)),
            _ => None,
        };
        // A whole number stands for the unit of the line that it starts, so that both ends are as likely as the rest.
        let (low, high) = (self.min.to_f64(), self.max.to_f64() + if whole.is_some() { 1.0 } else { 0.0 });
        let value = match self.kind {
            Scale::Uniform => low + share * (high - low),
            Scale::LogUniform => (low.ln() + share * (high.ln() - low.ln())).exp(),
        };
        match whole {
            #[expect(clippy::cast_possible_truncation, reason = "between two 64-bit integers")]
            Some((min, max)) => toml::Value::Integer((value.floor() as i64).clamp(min, max)),
            None => toml::Value::Float(value.clamp(low, high)),
        }
    }
}

impl Bound {
    #[expect(clippy::cast_precision_loss, reason = "a bound beyond 2^53 means its nearest float")]
    fn to_f64(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Values(values) => values.serialize(serializer),
            Self::Range(range) => range.serialize(serializer),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Whole(number) => serializer.serialize_i64(number),
            Self::Real(number) => serializer.serialize_f64(number),
        }
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut found = BTreeMap::new();
        for (key, item) in deserializer.deserialize_map(Nested)? {
            if found.insert(key.clone(), item).is_some() {
                return Err(D::Error::custom(format!("`{key}` is said twice, quoted and unquoted")));
            }
        }
        Ok(Self(found))
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Integer(number) => Ok(Self::Whole(number)),
            toml::Value::Float(number) if number.is_finite() => Ok(Self::Real(number)),
            other => Err(D::Error::custom(format!("expected a number, found {other}"))),
        }
    }
}

/// A table whose keys are parts of dotted keys.
struct Nested;

/// What stands behind a key: a domain, or more of the key.
enum Item {
    Domain(Domain),
    Nested(Vec<(String, Domain)>),
}

impl<'de> Visitor<'de> for Nested {
    type Value = Vec<(String, Domain)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of settings with their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match map.next_value::<Item>()? {
                Item::Domain(domain) => found.push((key, domain)),
                Item::Nested(inner) => {
                    found.extend(inner.into_iter().map(|(rest, domain)| (format!("{key}.{rest}"), domain)));
                }
            }
        }
        Ok(found)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;

        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or a range such as { kind = \"log_uniform\", min = 1e-4, max = 1e-2 }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element()? {
                    values.push(value);
                }
                Ok(Item::Domain(Domain::Values(values)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let mut table = toml::Table::new();
                while let Some((key, value)) = map.next_entry::<String, toml::Value>()? {
                    table.insert(key, value);
                }
                if table.contains_key("kind") {
                    let range =
                        toml::Value::Table(table).try_into().map_err(|error| A::Error::custom(plain(&error)))?;
                    return Ok(Item::Domain(Domain::Range(range)));
                }
                let nested = toml::Value::Table(table).deserialize_map(Nested);
                nested.map(Item::Nested).map_err(|error| A::Error::custom(plain(&error)))
            }
        }

        deserializer.deserialize_any(ItemVisitor)
    }
}

/// The message in one line.
fn plain(error: &toml::de::Error) -> String {
    error.message().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Parameters, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn quoted_and_unquoted_keys_mean_the_same_and_are_sorted() {
        let quoted = read("\"model.dropout\" = [0.1]\n\"data.workers\" = [1, 2]").expect("valid");
        let unquoted = read("model.dropout = [0.1]\ndata = { workers = [1, 2] }").expect("valid");
        assert_eq!(quoted, unquoted);
        let keys: Vec<&str> = quoted.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["data.workers", "model.dropout"]);
        assert!(read("\"a.b\" = [1]\na.b = [2]").expect_err("twice").to_string().contains("said twice"));
    }

    #[test]
    fn ranges_keep_to_their_ends_and_kinds() {
        let range = |kind, min, max| Range { kind, min, max };
        let dice = range(Scale::Uniform, Bound::Whole(1), Bound::Whole(6));
        let mut seen: Vec<i64> = (0..600).filter_map(|i| dice.at(f64::from(i) / 600.0).as_integer()).collect();
        assert_eq!(seen.iter().filter(|&&it| it == 6).count(), 100);
        seen.dedup();
        assert_eq!(seen, [1, 2, 3, 4, 5, 6]);

        let rate = range(Scale::LogUniform, Bound::Real(1e-4), Bound::Real(1e-2));
        let middle = rate.at(0.5).as_float().expect("a float");
        assert!((middle - 1e-3).abs() < 1e-12, "{middle}");
        let least = rate.at(0.0).as_float().expect("a float");
        assert!((1e-4..1.000_001e-4).contains(&least), "{least}");
    }

    #[test]
    fn other_values_than_lists_and_ranges_are_refused() {
        for text in ["a.b = 3", "a = { kind = \"normal\", min = 0, max = 1 }", "a = { kind = \"uniform\", min = 0 }"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
