//! In what experiments differ, and what a kept run was made with against what its experiment says today.

use std::collections::BTreeSet;

use models::ModelConfig;

use super::{measured::KeptRun, table::Listed};
use crate::experiment::{BackendName, Experiment, Xor};

/// The key of what runs the blocks.
const KERNELS: &str = "training.kernels";

/// The settings in which some runs differ from what the experiment has today; those that decide nothing, or only which
/// of several equal runs it was, do not count. A sweep's last run has the settings that the sweep found.
pub(super) fn changed(listed: &Listed, runs: &[&KeptRun]) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    let Some(experiment) = listed.experiment.as_ref().filter(|it| it.sweep.is_none()) else { return changed };
    for run in runs {
        match &run.experiment {
            // Runs with either kernels are never together, and what they are is said.
            Some(kept) => changed.extend(differing(experiment, kept).into_iter().filter(|key| key != KERNELS)),
            None => _ = changed.insert("written by another version".to_owned()),
        }
    }
    changed
}

/// The mark of a measured value whose runs were made with other settings.
pub(super) fn mark(listed: &Listed, runs: &[&KeptRun]) -> &'static str {
    if changed(listed, runs).is_empty() { "" } else { " †" }
}

/// The settings that decide what comes out and in which two experiments differ, as dotted keys.
pub(super) fn between(one: &Listed, other: &Listed) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    match (&one.experiment, &other.experiment, &one.xor, &other.xor) {
        (Some(one), Some(other), ..) => return differing(one, other),
        (.., Some(one), Some(other)) => {
            let tree = |xor: &Xor| toml::Value::try_from(&xor.training).expect("what was read can be written");
            differences(&tree(one), &tree(other), "training", &mut keys);
        }
        _ => _ = keys.insert("kind".to_owned()),
    }
    keys
}

fn differing(one: &Experiment, other: &Experiment) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    differences(&deciding(one), &deciding(other), "", &mut keys);
    keys
}

/// What of an experiment decides what comes out, as a tree.
fn deciding(experiment: &Experiment) -> toml::Value {
    let mut plain = experiment.clone();
    plain.name.clear();
    plain.description = None;
    plain.reported = None;
    plain.data.dir = None;
    plain.data.workers = 0;
    plain.training.seed = 0;
    plain.training.seeds = None;
    plain.training.backend = BackendName::Auto;
    plain.training.eval_batch_size = 1;
    if let ModelConfig::Transfer(transfer) = &mut plain.model {
        // Where they lie; which ones they were is told by their hash.
        transfer.weights.clear();
    }
    toml::Value::Table(plain.to_toml().parse().expect("what was written can be read"))
}

/// Adds the dotted keys, `path` before them, at which two trees differ.
fn differences(one: &toml::Value, other: &toml::Value, path: &str, keys: &mut BTreeSet<String>) {
    let (toml::Value::Table(left), toml::Value::Table(right)) = (one, other) else {
        if one != other {
            keys.insert(path.to_owned());
        }
        return;
    };
    for key in left.keys().chain(right.keys()) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (left.get(key), right.get(key)) {
            (Some(one), Some(other)) => differences(one, other, &path, keys),
            _ => _ = keys.insert(path),
        }
    }
}
