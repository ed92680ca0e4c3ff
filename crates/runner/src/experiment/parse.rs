//! TOML text → [`Node`]s with spans.

use std::sync::Arc;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::Problem,
    node::{Entry, Node, Table, Value},
    origin::{Origin, Source},
};

/// Parses a file.
///
/// # Errors
///
/// The first syntax error, an integer beyond 64 bits, or a number that is not finite.
pub(super) fn document(source: &Arc<Source>) -> Result<Node, Problem> {
    let at = |span| Origin::File { source: Arc::clone(source), span };
    let document = DeTable::parse(&source.text)
        .map_err(|error| Problem::at(&at(error.span().unwrap_or(0..0)), error.message()))?;
    let value = Value::Table(table(document.get_ref(), &at)?);
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
        Ok(parsed) => node(&parsed, &|_| origin.clone()),
        Err(error) if text.starts_with(['"', '\'', '[', '{']) => Err(Problem::at(origin, error.message())),
        Err(_) => Ok(Node::string(origin, text)),
    }
}

fn node(spanned: &Spanned<DeValue<'_>>, at: &impl Fn(std::ops::Range<usize>) -> Origin) -> Result<Node, Problem> {
    let origin = at(spanned.span());
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
        DeValue::Array(items) => Value::Array(items.iter().map(|item| node(item, at)).collect::<Result<_, _>>()?),
        DeValue::Table(entries) => Value::Table(table(entries, at)?),
    };
    Ok(Node::new(origin, value))
}

fn table(entries: &DeTable<'_>, at: &impl Fn(std::ops::Range<usize>) -> Origin) -> Result<Table, Problem> {
    // The parser sorts keys by name; people wrote them in another order.
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut table = Table::default();
    for (key, value) in entries {
        let (name, key_origin) = (key.get_ref().clone().into_owned(), at(key.span()));
        table.insert(Entry { key: name, key_origin, node: node(value, at)? });
    }
    Ok(table)
}
