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

/// A time in the unit that a person would take.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        ..9.95 => format!("{seconds:.1} s"),
        ..99.5 => format!("{seconds:.0} s"),
        ..5970.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
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

    #[test]
    fn times_have_the_unit_that_a_person_would_take() {
        for (seconds, expected) in [
            (0.69, "0.7 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (99.4, "99 s"),
            (99.6, "2 min"),
            (1320.0, "22 min"),
            (5969.0, "99 min"),
            (6000.0, "1.7 h"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
