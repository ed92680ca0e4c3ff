//! A few values of the same quantity as mean and standard deviation, or as their median.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Mean and standard deviation of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation, with n − 1 as divisor; none of a single value.
    pub sd: Option<f64>,
    /// How many they are.
    pub n: usize,
}

impl Spread {
    /// Summarises values; none if there is none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / as_f64(n);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (n > 1).then(|| (squares / as_f64(n - 1)).sqrt());
        Some(Self { mean, sd, n })
    }

    /// Standard error of the mean; none of a single value.
    #[must_use]
    pub fn standard_error(&self) -> Option<f64> {
        self.sd.map(|sd| sd / as_f64(self.n).sqrt())
    }
}

/// `0.9123 ± 0.0021`, or `0.9123` of a single value; four digits unless the format says otherwise.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        write!(f, "{:.digits$}", self.mean)?;
        self.sd.map_or(Ok(()), |sd| write!(f, " ± {sd:.digits$}"))
    }
}

/// The median of some values, between the two in the middle of an even number; none if there is no value.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs are small")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], mean: f64, sd: Option<f64>, shown: &str) {
        let spread = Spread::of(values.iter().copied()).expect("some values");
        assert!((spread.mean - mean).abs() < 1e-12, "{spread:?}");
        assert_eq!(spread.sd.is_some(), sd.is_some());
        assert!((spread.sd.unwrap_or(0.0) - sd.unwrap_or(0.0)).abs() < 1e-12, "{spread:?}");
        assert_eq!(spread.to_string(), shown);
    }

    #[test]
    fn the_standard_deviation_divides_by_one_less_than_the_count() {
        check(&[2.0, 4.0, 6.0], 4.0, Some(2.0), "4.0000 ± 2.0000");
        check(&[0.5, 0.5], 0.5, Some(0.0), "0.5000 ± 0.0000");
    }

    #[test]
    fn the_standard_error_of_the_mean_divides_by_the_root_of_the_count() {
        let error = |values: &[f64]| Spread::of(values.iter().copied()).expect("some values").standard_error();
        assert_eq!(error(&[1.0, 1.0, 5.0, 5.0]), Some((16.0_f64 / 3.0).sqrt() / 2.0));
        assert_eq!(error(&[0.25]), None);
    }

    #[test]
    fn one_value_has_no_spread_and_none_has_nothing() {
        check(&[0.25], 0.25, None, "0.2500");
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two_in_the_middle() {
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[9.0, 2.0], Some(5.5)),
            (&[2.0, 900.0, 3.0], Some(3.0)),
            (&[4.0, 1.0, 2.0, 3.0], Some(2.5)),
        ] {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
    }
}
