//! From data to axis: ranges with room to breathe, round ticks, and where a value lies.
//!
//! Knows no figure. Robust against NaN, infinities and constant data.

use crate::geometry::real;

/// Values that an axis can show; others are gaps. The bound keeps spans finite.
pub(crate) fn plottable(value: f64) -> bool {
    value.abs() <= 1e100
}

/// A linear map from data to pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) data: (f64, f64),
    pub(crate) pixels: (f64, f64),
}

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// What distances between ticks may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// Whole numbers: epochs.
    Whole,
    Any,
}

impl Scale {
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = (value - self.data.0) / (self.data.1 - self.data.0);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    pub(crate) fn shows(&self, value: f64) -> bool {
        (self.data.0..=self.data.1).contains(&value)
    }
}

/// The least and the greatest plottable value.
pub(crate) fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|&value| plottable(value)).fold(None, |span, value| {
        let (low, high) = span.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// `span` with `share` of its length added at both ends, or something around a single value.
/// Does not cross zero, where a quantity that is never negative ends.
pub(crate) fn padded(span: (f64, f64), share: f64) -> (f64, f64) {
    let (low, high) = span;
    // Closer than this, neighbouring ticks could not be told apart in f64.
    let resolution = low.abs().max(high.abs()) * 1e-9;
    if high - low <= resolution {
        let around = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
        return (low - around, high + around);
    }
    let pad = (high - low) * share;
    let bottom = if low >= 0.0 { (low - pad).max(0.0) } else { low - pad };
    let top = if high <= 0.0 { (high + pad).min(0.0) } else { high + pad };
    (bottom, top)
}

/// About `count` ticks at round values within `span`.
pub(crate) fn ticks(span: (f64, f64), count: usize, steps: Steps) -> Vec<Tick> {
    let (low, high) = span;
    if high <= low {
        return vec![Tick { value: low, label: label(low, low.abs().max(1.0), low.abs()) }];
    }
    let step = step((high - low) / real(count), steps);
    // Rounding must not lose the tick at the very end of the span.
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let mut values = Vec::new();
    if steps == Steps::Whole && (first * step - low) > 0.6 * step {
        // Epochs start at 1: say so, where 10 or 20 would be the first round number.
        values.push(low);
    }
    let mut multiple = first;
    while multiple <= last && values.len() <= 2 * count {
        values.push(multiple * step);
        multiple += 1.0;
    }
    let largest = low.abs().max(high.abs());
    values.into_iter().map(|value| Tick { value, label: label(value, step, largest) }).collect()
}

/// The one of 1, 2, 5 × 10ⁿ that comes closest to `wanted`, as a ratio.
fn step(wanted: f64, steps: Steps) -> f64 {
    let magnitude = 10_f64.powf(wanted.log10().floor());
    let distance = |step: f64| (step / wanted).ln().abs();
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * magnitude)
        .into_iter()
        .min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
        .unwrap_or(wanted);
    match steps {
        Steps::Whole => step.max(1.0),
        Steps::Any => step,
    }
}

/// `value` with the decimals that `step` needs, in powers of ten if the axis needs many digits.
fn label(value: f64, step: f64, largest: f64) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    let digits = |ratio: f64| crate::geometry::whole(ratio.log10().ceil()).clamp(0, 17);
    if largest >= 1e6 || step < 1e-6 {
        let precision = usize::try_from(digits(largest / step)).unwrap_or(0);
        return format!("{value:.precision$e}");
    }
    let decimals = usize::try_from(digits(1.0 / step * (1.0 - 1e-9))).unwrap_or(0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(span: (f64, f64), steps: Steps, expected: &[&str]) {
        let labels: Vec<String> = ticks(span, 6, steps).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, expected, "ticks of {span:?}");
    }

    #[test]
    fn ticks_are_round_and_share_their_decimals() {
        check((0.0, 1.0), Steps::Any, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check((0.81, 0.94), Steps::Any, &["0.82", "0.84", "0.86", "0.88", "0.90", "0.92", "0.94"]);
        check((-1.0, 1.0), Steps::Any, &["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        check((0.0, 1900.0), Steps::Any, &["0", "500", "1000", "1500"]);
    }

    #[test]
    fn epochs_are_whole_and_start_at_the_first() {
        check((1.0, 1.0), Steps::Whole, &["1"]);
        check((1.0, 2.0), Steps::Whole, &["1", "2"]);
        check((1.0, 60.0), Steps::Whole, &["1", "10", "20", "30", "40", "50", "60"]);
        check((1.0, 1000.0), Steps::Whole, &["1", "200", "400", "600", "800", "1000"]);
    }

    #[test]
    fn very_large_and_very_small_numbers_use_powers_of_ten() {
        check((1e30, 4e30), Steps::Any, &["1.0e30", "1.5e30", "2.0e30", "2.5e30", "3.0e30", "3.5e30", "4.0e30"]);
        check((1e-9, 2e-9), Steps::Any, &["1.0e-9", "1.2e-9", "1.4e-9", "1.6e-9", "1.8e-9", "2.0e-9"]);
    }

    #[test]
    fn no_span_is_too_hostile() {
        for span in [(0.0, 0.0), (-1e100, 1e100), (1e16, 1e16 + 2.0), (-1e-300, 1e-300)] {
            let found = ticks(padded(span, 0.05), 8, Steps::Any).len();
            assert!((1..=17).contains(&found), "{found} ticks for {span:?}");
        }
    }

    #[test]
    fn padding_does_not_cross_zero_and_opens_constant_data() {
        let check = |span, expected: (f64, f64)| {
            let found = padded(span, 0.1);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
            assert!(close(found.0, expected.0) && close(found.1, expected.1), "{found:?}");
        };
        check((0.0, 1.0), (0.0, 1.1));
        check((0.5, 1.5), (0.4, 1.6));
        check((-1.0, 0.0), (-1.1, 0.0));
        check((0.5, 0.5), (0.45, 0.55));
        check((0.0, 0.0), (-1.0, 1.0));
    }

    #[test]
    fn spans_ignore_what_cannot_be_plotted() {
        let values = [f64::NAN, 2.0, f64::INFINITY, -1.0, 1e300, f64::NEG_INFINITY];
        assert_eq!(span(values.into_iter()), Some((-1.0, 2.0)));
        assert_eq!(span([f64::NAN].into_iter()), None);
    }
}
