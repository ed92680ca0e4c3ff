//! Range checks that several configurations share. They name the field, never the file it is in.

use crate::FieldError;

/// The largest number of units, channels or pixels along one axis.
///
/// Far above any network here, and small enough that no product of sizes overflows: the largest, of
/// channels, two sides of an image and hidden units, stays below 2⁵⁶.
const MAX_SIZE: usize = 1 << 14;

/// Checks a number of units, channels or pixels.
pub(crate) fn size(field: &str, size: usize) -> Result<(), FieldError> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    let message = format!("must be between 1 and {MAX_SIZE}, found {size}");
    Err(FieldError::new(field, message))
}

/// Checks a dropout rate.
pub(crate) fn rate(field: &str, rate: f64) -> Result<(), FieldError> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    let message = format!("must be at least 0 and below 1, found {rate}");
    Err(FieldError::new(field, message))
}

/// Checks the dropout rates of a network, given in the order of its layers.
pub(crate) fn rates(field: &str, rates: &[f64]) -> Result<(), FieldError> {
    for (index, &value) in rates.iter().enumerate() {
        rate(&format!("{field}[{index}]"), value)?;
    }
    Ok(())
}
