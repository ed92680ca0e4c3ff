//! [`Node`] → TOML text, one value per line, each with a comment if the caller has one.

use std::fmt::Write;

use super::node::{Entry, Node, Table, Value};

/// Comments start at one column, but not further right than this.
const LAST_COMMENT_COLUMN: usize = 60;

/// A line and the comment behind it.
struct Line {
    text: String,
    comment: Option<String>,
}

/// Writes a document. `comment` is asked for each value by its dotted key.
pub(super) fn to_text(root: &Node, comment: &impl Fn(&str) -> Option<String>) -> String {
    let mut lines = Vec::new();
    table(root, "", comment, &mut lines);
    let column = lines
        .iter()
        .filter(|line| line.comment.is_some())
        .map(|line| line.text.chars().count())
        .filter(|&width| width <= LAST_COMMENT_COLUMN)
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        match line.comment {
            Some(comment) => writeln!(text, "{:column$}  # {comment}", line.text),
            None => writeln!(text, "{}", line.text),
        }
        .expect("writing to a string does not fail");
    }
    text
}

/// Plain values first, because TOML reads everything behind a header as part of its table.
fn table(node: &Node, path: &str, comment: &impl Fn(&str) -> Option<String>, lines: &mut Vec<Line>) {
    let entries = node.as_table().map(Table::entries).unwrap_or_default();
    let (nested, plain): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| is_nested(&entry.node));
    for Entry { key, node, .. } in plain {
        let text = format!("{} = {}", quoted_key(key), inline(node));
        lines.push(Line { text, comment: comment(&join(path, key)) });
    }
    for Entry { key, node, .. } in nested {
        let path = join(path, key);
        if let Value::Array(items) = &node.value {
            for (index, item) in items.iter().enumerate() {
                header(format!("[[{}]]", header_path(&path)), lines);
                table(item, &format!("{path}.{index}"), comment, lines);
            }
        } else {
            header(format!("[{}]", header_path(&path)), lines);
            table(node, &path, comment, lines);
        }
    }
}

fn header(text: String, lines: &mut Vec<Line>) {
    if !lines.is_empty() {
        lines.push(Line { text: String::new(), comment: None });
    }
    lines.push(Line { text, comment: None });
}

/// Tables, and arrays of nothing but tables, get headers of their own.
fn is_nested(node: &Node) -> bool {
    match &node.value {
        Value::Table(_) => true,
        Value::Array(items) => !items.is_empty() && items.iter().all(|item| item.as_table().is_some()),
        _ => false,
    }
}

fn inline(node: &Node) -> String {
    match &node.value {
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        Value::Integer(number) => number.to_string(),
        // Debug keeps the point or exponent by which TOML tells floats from integers.
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(value) => value.to_string(),
        Value::Datetime(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entries = table.entries().iter().map(|it| format!("{} = {}", quoted_key(&it.key), inline(&it.node)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn quoted_key(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.bytes().all(is_bare) { key.to_owned() } else { toml::Value::from(key).to_string() }
}

/// A header names an array of tables within an array of tables without the outer index.
fn header_path(path: &str) -> String {
    path.split('.').filter(|segment| segment.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use super::{super::origin::Source, super::parse, *};

    /// Parses and writes; what comes out must also mean what went in.
    fn check(text: &str, expected: &str) {
        let read = |text: &str| {
            let source = Source { name: "a.toml".to_owned(), text: text.to_owned(), dir: PathBuf::new() };
            parse::document(&Arc::new(source)).expect("the test's TOML is well formed")
        };
        let written = to_text(&read(text), &|_| None);
        assert_eq!(written, expected);
        assert_eq!(toml::from_str::<toml::Table>(text), toml::from_str::<toml::Table>(&written));
        assert_eq!(to_text(&read(&written), &|_| None), written);
    }

    #[test]
    fn plain_values_come_before_tables() {
        check("[b]\nx = 1\n[b.c]\ny = 2.0\n", "[b]\nx = 1\n\n[b.c]\ny = 2.0\n");
        check("b = { x = 1 }\na = [1, 2]\n", "a = [1, 2]\n\n[b]\nx = 1\n");
        check("[[p]]\na = 1\n[[p]]\na = 2\n", "[[p]]\na = 1\n\n[[p]]\na = 2\n");
        check("m.s = [{ a = 1 }, { a = 2 }]\n", "[m]\n\n[[m.s]]\na = 1\n\n[[m.s]]\na = 2\n");
    }

    #[test]
    fn numbers_keep_their_type_and_strings_their_quotes() {
        check("a = 1e-7\nb = 1.0\nc = -3\n", "a = 1e-7\nb = 1.0\nc = -3\n");
        check("a = 'say \"hi\"'\nb = \"\"\n", "a = 'say \"hi\"'\nb = \"\"\n");
        check("a = \"\\u0007\\n\"\n", "a = \"\"\"\n\\u0007\n\"\"\"\n");
        check("a = [{ x = 1 }, 2]\n\"b c\" = true\n", "a = [{ x = 1 }, 2]\n\"b c\" = true\n");
    }

    #[test]
    fn comments_start_at_one_column() {
        let source = Source { name: "a.toml".to_owned(), text: "a = 1\nlong = 2\n".to_owned(), dir: PathBuf::new() };
        let node = parse::document(&Arc::new(source)).expect("the test's TOML is well formed");
        assert_eq!(to_text(&node, &|key| Some(key.to_owned())), "a = 1     # a\nlong = 2  # long\n");
    }
}
