//! Every experiment, in the order of the reliability table.
//!
//! To add one: a module with a `pub(crate) const EXPERIMENT: Experiment`, a line here, and a test of its quick
//! version in `crates/runner/tests/reliability`.

use crate::{Experiment, configs, data_files, downloads, fetching, fuzz, runs, weight_files, weights};

/// All of them.
pub const EXPERIMENTS: &[Experiment] = &[
    runs::KILLS,
    runs::INJECTED,
    runs::DISK,
    runs::DAMAGE,
    runs::SIGNALS,
    runs::OWNERS,
    runs::REFUSALS,
    downloads::EXPERIMENT,
    fetching::KILLS,
    fetching::TOGETHER,
    data_files::EXPERIMENT,
    fuzz::IDX,
    fuzz::GZIP,
    configs::EXPERIMENT,
    fuzz::TOML,
    weights::EXPERIMENT,
    weight_files::EXPERIMENT,
    fuzz::SAFETENSORS,
    fuzz::PTH,
    runs::DIVERGENCE,
    runs::THREADS,
    runs::EPOCHS,
    runs::RESUMES,
];

/// The experiment of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.name == name)
}
