//! What serde finds wrong, and its words for people: the nearest known key, and all known ones.

use std::fmt;

use super::{super::error::Problem, Place};

/// An error that learns its place on the way out of the innermost value.
#[derive(Debug)]
pub(super) struct DeError {
    what: What,
    placed: Option<Box<Problem>>,
}

#[derive(Debug)]
enum What {
    Message(String),
    UnknownKey { key: String, known: &'static [&'static str] },
    UnknownKind { kind: String, known: &'static [&'static str] },
    MissingKey { key: &'static str, known: Option<&'static [&'static str]> },
}

impl DeError {
    pub(super) fn message(message: impl Into<String>) -> Self {
        What::Message(message.into()).into()
    }

    /// A key that must be there; `known` lists the values it may have.
    pub(super) fn missing_key(key: &'static str, known: Option<&'static [&'static str]>) -> Self {
        What::MissingKey { key, known }.into()
    }

    /// Gives the error its place, unless a value further in has done so.
    pub(super) fn at(mut self, place: &Place) -> Self {
        if self.placed.is_none() {
            self.placed = Some(Box::new(self.what.problem(place)));
        }
        self
    }

    pub(super) fn into_problem(self, place: &Place) -> Problem {
        self.placed.map_or_else(|| self.what.problem(place), |problem| *problem)
    }
}

impl From<What> for DeError {
    fn from(what: What) -> Self {
        Self { what, placed: None }
    }
}

impl What {
    fn problem(&self, place: &Place) -> Problem {
        let Place { origin, path } = place;
        let (of_path, in_path) = if path.is_empty() {
            (String::new(), String::new())
        } else {
            (format!("{path}: "), format!(" in [{path}]"))
        };
        match self {
            Self::Message(message) => Problem::at(origin, format!("{of_path}{message}")),
            Self::UnknownKey { key, known } => {
                let hint = did_you_mean(key, known);
                Problem::at(origin, format!("unknown key `{key}`{in_path}{hint}"))
                    .help(format!("known keys: {}", list(known)))
            }
            Self::UnknownKind { kind, known } => {
                let hint = did_you_mean(kind, known);
                Problem::at(origin, format!("{of_path}unknown value `{kind}`{hint}"))
                    .help(format!("known values: {}", list(known)))
            }
            Self::MissingKey { key, known } => {
                let problem = Problem::at(origin, format!("missing key `{key}`{in_path}"));
                match known {
                    Some(known) => problem.help(format!("known values: {}", list(known))),
                    None => problem,
                }
            }
        }
    }
}

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for DeError {}

impl serde::de::Error for DeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::message(message.to_string())
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        What::UnknownKey { key: key.to_owned(), known }.into()
    }

    fn unknown_variant(kind: &str, known: &'static [&'static str]) -> Self {
        What::UnknownKind { kind: kind.to_owned(), known }.into()
    }

    fn missing_field(key: &'static str) -> Self {
        Self::missing_key(key, None)
    }
}

/// The longest word that may be a misspelt one, in bytes: file names are meant, too.
const MAX_WORD: usize = 255;

/// The known word that is nearest to a misspelt one, if any is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes time and memory in proportion to the word, and no known word is as long.
    if word.len() > MAX_WORD {
        return None;
    }
    // A third of the letters may be wrong, as rustc and cargo allow.
    let limit = word.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `, did you mean `x`?`, or nothing.
pub(in super::super) fn did_you_mean(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied()).map_or_else(String::new, |it| format!(", did you mean `{it}`?"))
}

/// The words in backticks, with commas.
pub(in super::super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The dotted key of a child.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
