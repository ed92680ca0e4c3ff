//! Numbers about predictions: loss, accuracy, confusion matrix, per-class scores, epoch rows.
//!
//! Works on plain slices in f64; knows neither tensors nor files.

mod classes;
pub(crate) mod exact;
mod mean;
mod row;
mod spread;
mod tally;

pub use classes::{ClassScores, Confusion};
pub use mean::Mean;
pub use row::EpochRow;
pub use spread::{Spread, median};
pub use tally::{Tally, argmax, log_softmax};
