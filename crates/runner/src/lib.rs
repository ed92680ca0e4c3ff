//! From an experiment file to a run directory: the only crate that knows all the others.
//!
//! Imports point one way, but that `error` wraps the error of `experiment`: `error`, `interrupt` ← `metrics`, `xor` ←
//! `experiment` ← `backend`, `optimizer` ← `loss`, `train`, `evaluate` ← `transfer`, `run_dir`, `provenance`, `progress`, `tables` ←
//! `checkpoint`, `report` ← `trip`, `figures` ← `cli`. The binary is [`cli::main`].

pub mod backend;
pub mod checkpoint;
pub mod cli;
pub mod error;
pub mod evaluate;
pub mod experiment;
pub mod figures;
pub mod interrupt;
pub mod loss;
pub mod metrics;
pub mod optimizer;
pub mod pipeline;
pub mod progress;
pub mod provenance;
pub mod reference;
pub mod report;
pub mod run_dir;
pub mod seeds;
pub mod sweep;
pub mod tables;
pub mod train;
pub mod transfer;
pub mod trip;
pub mod xor;
