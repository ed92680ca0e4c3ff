//! Making text fit: cleaning, shortening, wrapping, and numbers as people write them.

use crate::font::Type;

/// `text` without what neither a picture nor an SVG file can hold: control characters become
/// spaces, and runs of white space one space.
pub(crate) fn clean(text: &str) -> String {
    let printable =
        text.replace(|c: char| c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}' | '\u{202A}'..='\u{202E}'), " ");
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text`, cleaned, with its middle left out if it is wider than `max_width`.
///
/// The middle, because the ends tell runs and classes apart.
pub(crate) fn shorten(text: &str, max_width: f64, face: Type) -> String {
    let text = clean(text);
    if face.width(&text) <= max_width {
        return text;
    }
    let characters: Vec<char> = text.chars().collect();
    let without = |kept: usize| {
        let head = kept.div_ceil(2);
        let tail = kept - head;
        let start: String = characters[..head].iter().collect();
        let end: String = characters[characters.len() - tail..].iter().collect();
        format!("{}…{}", start.trim_end(), end.trim_start())
    };
    // Widths grow with the number of characters kept, but for kerning, so halving finds it.
    let (mut fits, mut too_many) = (0, characters.len());
    while fits + 1 < too_many {
        let middle = usize::midpoint(fits, too_many);
        if face.width(&without(middle)) <= max_width {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    without(fits)
}

/// `text`, cleaned, in at most `max_lines` lines no wider than `max_width`; `None` if it does not fit.
///
/// Breaks at spaces and after `/`, `-` and `_`.
pub(crate) fn wrap(text: &str, max_width: f64, max_lines: usize, face: Type) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for piece in clean(text).split_inclusive([' ', '/', '-', '_']) {
        let joined = lines.last().map(|line| format!("{line}{piece}"));
        match (joined, lines.last_mut()) {
            (Some(joined), Some(line)) if face.width(joined.trim_end()) <= max_width => {
                *line = joined;
            }
            _ => lines.push(piece.to_owned()),
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    let fits = lines.len() <= max_lines && lines.iter().all(|line| face.width(line) <= max_width);
    fits.then_some(lines)
}

/// `text`, cleaned, in at most `max_lines` lines no wider than `max_width`, shortened if need be.
pub(crate) fn wrap_or_shorten(text: &str, max_width: f64, max_lines: usize, face: Type) -> Vec<String> {
    wrap(text, max_width, max_lines, face).unwrap_or_else(|| vec![shorten(text, max_width, face)])
}

/// A measured value with about four significant digits, or in powers of ten where those mislead.
pub(crate) fn value(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = match size {
        s if s < 0.001 => 6,
        s if s < 0.01 => 5,
        s if s < 9.9995 => 4,
        s if s < 99.995 => 2,
        s if s < 999.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A count with its thousands set apart: `48,000`.
#[must_use]
pub fn thousands(count: impl Into<u128>) -> String {
    let digits = count.into().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Type = Type::regular(14.0);

    #[test]
    fn control_characters_become_spaces() {
        assert_eq!(clean("a\u{0}b\n c\t"), "a b c");
        assert_eq!(clean("Schuh-größe"), "Schuh-größe");
    }

    #[test]
    fn shortened_text_fits_and_keeps_both_ends() {
        let long = "cnn3_aug-with-a-long-name-flex-s7";
        let short = shorten(long, 100.0, FACE);
        assert!(FACE.width(&short) <= 100.0, "{short}");
        assert!(short.starts_with("cnn3") && short.ends_with("s7") && short.contains('…'));
        assert_eq!(shorten("short", 100.0, FACE), "short");
    }

    #[test]
    fn wraps_at_spaces_and_slashes() {
        let check = |text, width, expected: &[&str]| {
            assert_eq!(wrap(text, width, 2, FACE).expect("fits"), expected);
        };
        check("Ankle boot", 60.0, &["Ankle", "boot"]);
        check("T-shirt/top", 60.0, &["T-shirt/", "top"]);
        check("Bag", 60.0, &["Bag"]);
        assert_eq!(wrap("Handkerchiefs", 60.0, 2, FACE), None);
        assert_eq!(wrap("one two three four five six", 60.0, 2, FACE), None);
    }

    #[test]
    fn values_keep_four_significant_digits() {
        let check = |number, expected| assert_eq!(value(number), expected);
        check(0.326_54, "0.3265");
        check(2.345_678, "2.3457");
        check(0.001_234_5, "0.00123");
        check(12.345, "12.35");
        check(1895.4, "1895");
        check(1e30, "1.00e30");
        check(0.0, "0");
        check(-0.5, "-0.5000");
    }

    #[test]
    fn thousands_are_set_apart() {
        let check = |number: u64, expected: &str| assert_eq!(thousands(number), expected);
        check(0, "0");
        check(999, "999");
        check(48_000, "48,000");
        check(1_234_567, "1,234,567");
    }
}
