//! f64 numbers that survive JSON to the last bit, infinities and NaN included: as text.
//!
//! JSON has no form for the latter, and its reader may miss a number's neighbour by one bit. Rust's own decimal text
//! is the shortest that reads back as the same number.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it like this")]
pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format_args!("expected a number in text, found {text:?}")))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Number(#[serde(with = "super")] f64);

    #[test]
    fn every_bit_survives() {
        let numbers = [0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE, 5e-324, -0.0, 1e300, f64::INFINITY, f64::NAN];
        for number in numbers {
            let text = serde_json::to_string(&Number(number)).expect("text");
            let read: Number = serde_json::from_str(&text).expect("the same text");
            assert_eq!(read.0.to_bits(), number.to_bits(), "{text}");
        }
        assert!(serde_json::from_str::<Number>("\"many\"").is_err());
    }
}
