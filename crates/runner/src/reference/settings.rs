//! In what experiments differ, and what a kept run was made with against what its experiment says today.

use std::collections::BTreeSet;

use models::ModelConfig;

use super::{listed::Listed, measured::KeptRun, table::is_sweep};
use crate::experiment::{BackendName, Experiment, Xor};

/// The key of what runs the blocks.
const KERNELS: &str = "training.kernels";

/// The settings in which some runs differ from what the experiment has today; those that decide nothing, or only which
/// of several equal runs it was, do not count. A sweep's last run has the settings that the sweep found.
pub(super) fn changed(listed: &Listed, runs: &[&KeptRun]) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    if is_sweep(listed) {
        return changed;
    }
    for run in runs {
        if run.experiment.is_none() && run.xor.is_none() {
            changed.insert("written by another version".to_owned());
            continue;
        }
        changed.extend(differing((&listed.experiment, &listed.xor), (&run.experiment, &run.xor)));
    }
    // Runs with either kernels are never together, and what they are is said.
    changed.remove(KERNELS);
    changed
}

/// The mark of a measured value whose runs were made with other settings.
pub(super) fn mark(listed: &Listed, runs: &[&KeptRun]) -> &'static str {
    if changed(listed, runs).is_empty() { "" } else { " †" }
}

/// The settings that decide what comes out and in which two experiments differ, as dotted keys.
pub(super) fn between(one: &Listed, other: &Listed) -> BTreeSet<String> {
    differing((&one.experiment, &one.xor), (&other.experiment, &other.xor))
}

/// What a file says: an experiment or an exclusive or.
type Says<'a> = (&'a Option<Experiment>, &'a Option<Xor>);

fn differing(one: Says<'_>, other: Says<'_>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    match (one, other) {
        ((Some(one), _), (Some(other), _)) => differences(&deciding(one), &deciding(other), "", &mut keys),
        ((_, Some(one)), (_, Some(other))) => {
            differences(&deciding_xor(one), &deciding_xor(other), "training", &mut keys);
        }
        _ => _ = keys.insert("kind".to_owned()),
    }
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

/// The same of an exclusive or: its training, but for how often a row is written.
fn deciding_xor(xor: &Xor) -> toml::Value {
    let mut training = xor.training.clone();
    training.log_every = 1;
    toml::Value::try_from(training).expect("what was read can be written")
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
