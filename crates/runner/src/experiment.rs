//! From TOML to an [`Experiment`] that is valid by construction.
//!
//! The way of a file: `parse` keeps the place of every key and value, `extends` merges the files that it
//! builds on, `overrides` applies the command line, `de` reads the schema in `document`, `checks` collect
//! what is out of range, and `resolved` and `write` turn the result back into TOML. Every error names
//! file, line and column, or the flag.
//!
//! Knows what an experiment is, not how one is run: no device, no images, no weights, and of files only
//! the TOML it is given.

mod checks;
mod data_config;
mod de;
mod document;
mod error;
mod extends;
mod loss;
mod node;
mod optimizer;
mod origin;
mod overrides;
mod parse;
mod paths;
mod phase;
mod pretrained;
mod reported;
mod resolved;
mod schedule;
mod ser;
mod sweep;
#[cfg(test)]
mod tests;
mod training;
mod write;
mod xor;

use std::path::Path;

use serde::Serialize;

pub(crate) use self::de::nearest;
pub use self::{
    data_config::{DataConfig, NormalizeFit, TestPart},
    error::{ConfigError, Problem},
    loss::{BinaryCrossEntropy, CrossEntropy, Loss, Monitor, Reduction},
    optimizer::{Adam, AdamW, Optimizer, Sgd},
    origin::{Origin, Position, Source},
    overrides::Overrides,
    phase::{Augmentation, Phase},
    pretrained::PretrainedWeights,
    reported::{EpochScores, Reported, Seconds},
    resolved::{Origins, Resolved},
    schedule::{AfterWarmup, Cosine, OneCycle, Schedule, Step, Warmup},
    sweep::{Bound, Direction, Domain, Parameters, Range, Scale, Sweep, SweepKind},
    training::{BackendName, Checkpoint, EarlyStopping, GradientClipping, Limit, Metric, Select, Shuffle, Training},
    xor::{ResolvedXor, Xor, XorTraining},
};

/// One experiment: everything that decides what a run does. Only [`load`] makes one, so its values are
/// within range and agree with each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(into = "document::Document")]
pub struct Experiment {
    /// Names the folder of its runs: 1 to 64 letters, digits, `_` or `-`.
    pub name: String,
    /// One line for people.
    pub description: Option<String>,
    /// Which images, split and scaled how.
    pub data: DataConfig,
    /// The network.
    pub model: models::ModelConfig,
    /// What training makes small.
    pub loss: Loss,
    /// The update rule.
    pub optimizer: Optimizer,
    /// How the learning rate goes.
    pub schedule: Schedule,
    /// The training loop.
    pub training: Training,
    /// How phases that say so change their training images.
    pub augment: data::AugmentConfig,
    /// What is done in which order; never empty. A file that says `training.epochs` has one phase, which
    /// augments if `[augment]` changes anything.
    pub phases: Vec<Phase>,
    /// A search among settings; the rest is then what its trials have in common.
    pub sweep: Option<Sweep>,
    /// What a publication says that comes out.
    pub reported: Option<Reported>,
}

/// Reads an experiment file and everything that it extends, and applies the command line.
///
/// Reads no other file and no environment variable; see [`DataConfig::dir`] and
/// [`models::TransferConfig::weights`] for what a file may name.
///
/// # Errors
///
/// [`ConfigError`] with the place of everything that is wrong: a missing file, bad syntax, circular
/// `extends`, an unknown or missing key, a wrong type, values out of range or at odds with each other.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Resolved, ConfigError> {
    let extends::Merged { mut node, root } = extends::read(path)?;
    if xor::is_meant(&node) {
        return Err(xor::refusal(&node, path).into());
    }
    overrides.apply(&mut node)?;
    let document = de::from_node(node.clone())?;
    let origins = Origins::new(node);
    let experiment = resolved::experiment(document, &origins, &root)?;
    let mut resolved = Resolved { experiment, origins };
    if let Some(max) = overrides.max_epochs {
        resolved.cap_epochs(max)?;
    }
    Ok(resolved)
}

/// Reads a file that says `kind = "xor"`; none for any other, whatever it holds.
///
/// # Errors
///
/// As [`load`], for a file of that kind or one that cannot be read.
pub fn load_xor(path: &Path, overrides: &Overrides) -> Result<Option<ResolvedXor>, ConfigError> {
    let extends::Merged { node, .. } = extends::read(path)?;
    if xor::is_meant(&node) { xor::load(node, overrides).map(Some) } else { Ok(None) }
}

/// Reads nothing but the `[reported]` table of an experiment file, whatever else the file holds.
///
/// # Errors
///
/// [`ConfigError`] for a file that cannot be read, or a table with unknown keys, wrong types or values out of
/// range.
pub fn reported(path: &Path) -> Result<Option<Reported>, ConfigError> {
    let extends::Merged { node, .. } = extends::read(path)?;
    let Some(table) = node.child("reported").cloned() else { return Ok(None) };
    let reported: Reported = de::from_node(table)?;
    let mut checks = checks::Checks::default();
    reported.check(&mut checks);
    let found = checks.into_found();
    if found.is_empty() {
        return Ok(Some(reported));
    }
    Err(resolved::problems(&Origins::new(node), &found))
}
