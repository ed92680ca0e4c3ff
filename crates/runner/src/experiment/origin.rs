//! Where a value came from: a file, line and column, a command-line flag, or a default.

use std::{fmt, ops::Range, path::PathBuf, sync::Arc};

/// A configuration file that has been read.
#[derive(Debug)]
pub struct Source {
    /// The file as messages name it: as given on the command line, or beside the file that extends it.
    pub(super) name: String,
    /// What it says.
    pub(super) text: String,
    /// The folder that its relative paths start from.
    pub(super) dir: PathBuf,
}

/// Where a value came from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Bytes `span` of a file.
    File {
        /// The file.
        source: Arc<Source>,
        /// The bytes of its text.
        span: Range<usize>,
    },
    /// A flag with its value, as in `--seed 3` or `--set training.batch_size=64`.
    CommandLine(Arc<str>),
    /// Nobody said it.
    Default,
}

/// A place in a text. Both count from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Origin {
    /// A flag and its value.
    pub(super) fn flag(text: impl Into<Arc<str>>) -> Self {
        Self::CommandLine(text.into())
    }

    /// Line and column, where the value stands in a file.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let Self::File { source, span } = self else { return None };
        let text = source.text.as_bytes();
        let before = &text[..span.start.min(text.len())];
        let mut lines = before.rsplit(|&byte| byte == b'\n');
        let line_start = lines.next().unwrap_or_default();
        let is_char_start = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
        Some(Position { line: 1 + lines.count(), column: 1 + line_start.iter().filter(is_char_start).count() })
    }

    /// `path:line:column`, or the flag: the start of an error message.
    pub(super) fn place(&self) -> String {
        match (self, self.position()) {
            (Self::File { source, .. }, Some(Position { line, column })) => format!("{}:{line}:{column}", source.name),
            _ => self.to_string(),
        }
    }
}

/// `path:line`, the flag with its value, or `default`: the comment behind a resolved value.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.position()) {
            (Self::File { source, .. }, Some(Position { line, .. })) => write!(f, "{}:{line}", source.name),
            (Self::CommandLine(flag), _) => f.write_str(flag),
            _ => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, start: usize, line: usize, column: usize) {
        let source = Arc::new(Source { name: "a.toml".to_owned(), text: text.to_owned(), dir: PathBuf::new() });
        let origin = Origin::File { source, span: start..start };
        assert_eq!(origin.position(), Some(Position { line, column }), "{text:?} at {start}");
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        check("", 0, 1, 1);
        check("a = 1", 4, 1, 5);
        check("a = 1\nb = 2", 6, 2, 1);
        check("a = 1\r\nb = 2", 11, 2, 5);
        check("é = 1", 3, 1, 3);
        check("a", 99, 1, 2);
    }

    #[test]
    fn flags_and_defaults_name_themselves() {
        assert_eq!(Origin::flag("--seed 3").place(), "--seed 3");
        assert_eq!(Origin::Default.to_string(), "default");
    }
}
