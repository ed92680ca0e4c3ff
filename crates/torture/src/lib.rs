//! What must survive, tried out: hostile input, broken files, processes that are killed.
//!
//! Each experiment is a module with an [`Experiment`] in the [`catalogue`]: what it does, when it has passed,
//! which protections it leans on and the tests that fail without them. The `runner-torture` command runs one at
//! full length and writes its figures to `docs/reliability.md`; `runner`'s reliability tests run each one briefly.
//!
//! Experiments drive the real binary, as a person would, or a crate's public functions. They know no private
//! detail of any crate, and no crate needs this one to work.

pub mod catalogue;
pub mod cli;
mod command;
mod compressed;
mod configs;
mod data_files;
mod downloads;
mod experiment;
mod fetching;
mod fuzz;
mod protections;
mod published;
mod pytorch;
mod random;
mod refused;
mod report;
mod runs;
#[path = "../../data/tests/server/mod.rs"]
mod server;
#[path = "../../data/tests/support/tiny.rs"]
mod tiny;
mod weight_files;
mod weights;

pub use command::Outcome;
pub use experiment::{Experiment, Figures, Plan, Process};
pub use protections::{PROTECTIONS, Protection};
