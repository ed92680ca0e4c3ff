//! TOML text → [`Node`]s with spans.

use std::{ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::Problem,
    node::{Entry, Node, Table, Value},
    origin::{Origin, Source},
};

/// The most values of one file: what comes after takes time that grows with their square in places.
const MAX_VALUES: usize = 10_000;
/// The most tables and arrays within each other: they are walked by recursion.
const MAX_DEPTH: usize = 32;

/// Parses a file.
///
/// # Errors
///
/// The first syntax error, an integer beyond 64 bits, a number that is not finite, or more values or levels than any
/// experiment has.
pub(super) fn document(source: &Arc<Source>) -> Result<Node, Problem> {
    let at = |span| Origin::File { source: Arc::clone(source), span };
    let document = DeTable::parse(&source.text)
        .map_err(|error| Problem::at(&at(error.span().unwrap_or(0..0)), error.message()))?;
    let value = Value::Table(Reader { at: &at, values: 0, depth: 0 }.table(document.get_ref())?);
    Ok(Node::new(at(0..0), value))
}

/// Parses the value of `--set key=value`: TOML, or else the text itself as a string.
///
/// # Errors
///
/// Text that starts like a quoted string, an array or a table and then breaks TOML's rules; numbers as
/// in [`document`].
pub(super) fn set_value(text: &str, origin: &Origin) -> Result<Node, Problem> {
    match DeValue::parse(text) {
        Ok(parsed) => Reader { at: &|_| origin.clone(), values: 0, depth: 0 }.node(&parsed),
        Err(error) if text.starts_with(['"', '\'', '[', '{']) => Err(Problem::at(origin, error.message())),
        Err(_) => Ok(Node::string(origin, text)),
    }
}

/// Walks what the parser has found.
struct Reader<'a, At> {
    at: &'a At,
    /// Values seen so far.
    values: usize,
    /// Tables and arrays around the value being read.
    depth: usize,
}

impl<At: Fn(Range<usize>) -> Origin> Reader<'_, At> {
    fn node(&mut self, spanned: &Spanned<DeValue<'_>>) -> Result<Node, Problem> {
        let origin = (self.at)(spanned.span());
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Problem::at(&origin, format!("more than {MAX_VALUES} values, so no experiment file")));
        }
        let value = match spanned.get_ref() {
            DeValue::String(text) => Value::String(text.clone().into_owned()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => return Err(Problem::at(&origin, format!("{number} does not fit a 64-bit integer"))),
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => return Err(Problem::at(&origin, format!("{number} is not a finite number"))),
            },
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(value) => Value::Datetime(value.to_string()),
            DeValue::Array(items) => {
                let items = self.deeper(&origin, |it| items.iter().map(|item| it.node(item)).collect())?;
                Value::Array(items)
            }
            DeValue::Table(entries) => Value::Table(self.deeper(&origin, |it| it.table(entries))?),
        };
        Ok(Node::new(origin, value))
    }

    fn table(&mut self, entries: &DeTable<'_>) -> Result<Table, Problem> {
        // The parser sorts keys by name; people wrote them in another order.
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut table = Table::default();
        for (key, value) in entries {
            let (name, key_origin) = (key.get_ref().clone().into_owned(), (self.at)(key.span()));
            table.insert(Entry { key: name, key_origin, node: self.node(value)? });
        }
        Ok(table)
    }

    fn deeper<T>(&mut self, origin: &Origin, read: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} tables and arrays within each other, so no experiment file");
            return Err(Problem::at(origin, message));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}
