//! Results that are kept with the sources: runs and sweeps without their weights, and the table over them.
//!
//! `results/reference/<experiment>-s<seed>/` is a run, `results/reference/<experiment>-<sweep>/` a sweep. Knows what
//! is worth keeping and how it is shown, not how it came about.

mod keep;
mod measured;
mod table;

pub use keep::{Replace, keep};
pub use table::{Listed, markdown};
