//! Tables and numbers as Markdown.

use std::fmt::Write;

use crate::metrics::Spread;

/// A Markdown table under construction.
pub(super) struct Rows {
    text: String,
    count: usize,
}

impl Rows {
    pub(super) fn new(header: &[&str]) -> Self {
        let text = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
        Self { text, count: 0 }
    }

    pub(super) fn add(&mut self, cells: Vec<String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(self.text, "| {} |", cells.join(" | ")).expect("writing to a string does not fail");
        self.count += 1;
    }

    /// The table below what introduces it; nothing without rows.
    pub(super) fn under(&self, introduction: &str) -> String {
        if self.count == 0 { String::new() } else { format!("\n{introduction}\n\n{}", self.text) }
    }
}

pub(super) fn dash() -> String {
    "–".to_owned()
}

/// As many digits as were given, four at most.
pub(super) fn number(value: f64) -> String {
    trimmed(&format!("{value:.4}"))
}

/// As many digits as were given, two at most.
pub(super) fn percent(share: f64) -> String {
    trimmed(&format!("{:.2}", 100.0 * share))
}

pub(super) fn percents(spread: &Spread) -> String {
    let percent = Spread { mean: 100.0 * spread.mean, sd: spread.sd.map(|sd| 100.0 * sd), n: spread.n };
    format!("{percent:.2}")
}

pub(super) fn points(difference: f64) -> String {
    // Minus zero would be a riddle.
    let rounded = (10_000.0 * difference).round() / 100.0 + 0.0;
    format!("{rounded:+.2}").replace('-', "−")
}

fn trimmed(number: &str) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_were_given() {
        for (share, expected) in [(0.86, "86"), (0.9104, "91.04"), (0.5013, "50.13"), (1.0, "100"), (0.0, "0")] {
            assert_eq!(percent(share), expected);
        }
        assert_eq!(number(0.2485), "0.2485");
        assert_eq!(number(30.0), "30");
        for (difference, expected) in [(0.0049, "+0.49"), (-0.0103, "−1.03"), (-0.000_001, "+0.00")] {
            assert_eq!(points(difference), expected);
        }
    }
}
