//! Results that are kept with the sources: runs and sweeps without their weights, the table over them, and what headers of
//! experiment files say of them.
//!
//! `results/reference/<experiment>-s<seed>/` is a run, `<experiment>-composed-s<seed>/` one with Burn's operations in the
//! place of the suite's kernels, `<experiment>-<sweep>/` a sweep. Knows what is worth keeping and how it is shown, not how
//! it came about. `keras.jsonl` beside them is not kept by the program: `bench/keras_accuracy.py` writes it.

mod comparisons;
mod headers;
mod keep;
mod listed;
mod measured;
mod peers;
mod settings;
mod siblings;
mod table;
mod text;

pub use headers::headers;
pub use keep::{Replace, keep};
pub use listed::Listed;
pub use table::markdown;
