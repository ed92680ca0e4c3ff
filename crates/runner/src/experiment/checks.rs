//! Collects what is out of range, each with the dotted key at fault.

use std::{
    fmt::Debug,
    ops::{Bound, RangeBounds},
};

/// A value that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    /// Dotted key, as in `optimizer.learning_rate` or `model.hidden_sizes[1]`.
    pub(super) key: String,
    pub(super) message: String,
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    found: Vec<Invalid>,
}

impl Checks {
    /// Notes a problem at a key.
    pub(super) fn fail(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.found.push(Invalid { key: key.into(), message: message.into() });
    }

    /// Notes a value outside of its range. NaN is in no range.
    pub(super) fn within<T>(&mut self, key: &str, value: T, range: impl RangeBounds<T>)
    where
        T: PartialOrd + Debug + Copy,
    {
        if range.contains(&value) {
            return;
        }
        let lower = match range.start_bound() {
            Bound::Included(min) => Some(format!("at least {min:?}")),
            Bound::Excluded(min) => Some(format!("above {min:?}")),
            Bound::Unbounded => None,
        };
        let upper = match range.end_bound() {
            Bound::Included(max) => Some(format!("at most {max:?}")),
            Bound::Excluded(max) => Some(format!("below {max:?}")),
            Bound::Unbounded => None,
        };
        let bounds: Vec<String> = lower.into_iter().chain(upper).collect();
        self.fail(key, format!("must be {}, found {value:?}", bounds.join(" and ")));
    }

    pub(super) fn into_found(self) -> Vec<Invalid> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: PartialOrd + Debug + Copy>(value: T, range: impl RangeBounds<T>, message: Option<&str>) {
        let mut checks = Checks::default();
        checks.within("a.b", value, range);
        let found = checks.into_found();
        assert_eq!(found.first().map(|it| it.message.as_str()), message);
    }

    #[test]
    fn ranges_say_their_bounds_and_what_was_found() {
        check(1, 1..=65_536, None);
        check(0, 1..=65_536, Some("must be at least 1 and at most 65536, found 0"));
        check(1.0, 0.0..1.0, Some("must be at least 0.0 and below 1.0, found 1.0"));
        check(-1.0, (Bound::Excluded(0.0), Bound::Unbounded), Some("must be above 0.0, found -1.0"));
        check(f64::NAN, 0.0.., Some("must be at least 0.0, found NaN"));
    }
}
