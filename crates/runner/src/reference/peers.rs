//! What the same networks reach in Keras on the same files: `keras.jsonl` among the references, a line per epoch, as
//! `bench/keras_accuracy.py` writes it.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use crate::{error::Error, metrics::Spread};

/// File of the lines.
const FILE: &str = "keras.jsonl";

/// A line of the file.
#[derive(Clone, Debug, Deserialize)]
struct Line {
    /// Name of the experiment that it repeats.
    network: String,
    seed: u64,
    /// Counted from 1.
    epoch: usize,
    /// Validation accuracy; none where nothing is held out.
    valid: Option<f64>,
    /// Test accuracy.
    test: f64,
}

/// Test accuracy of some seeds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// After the last epoch.
    pub(super) last: Spread,
    /// After the epoch that validated best, where anything was held out.
    pub(super) best: Option<Spread>,
}

/// What there is, by experiment.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Malformed`].
pub(super) fn read(references: &Path) -> Result<BTreeMap<String, Peer>, Error> {
    let path = references.join(FILE);
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
    let mut runs: BTreeMap<String, BTreeMap<u64, Vec<Line>>> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let epoch: Line = serde_json::from_str(line)
            .map_err(|error| Error::Malformed { path: path.clone(), message: format!("line {number}: {error}") })?;
        let epochs = runs.entry(epoch.network.clone()).or_default().entry(epoch.seed).or_default();
        if epoch.epoch != epochs.len() + 1 {
            let expected = epochs.len() + 1;
            let message = format!(
                "line {number}: {} with seed {}: expected epoch {expected}, found {}",
                epoch.network, epoch.seed, epoch.epoch
            );
            return Err(Error::Malformed { path, message });
        }
        epochs.push(epoch);
    }
    let peer = |(name, seeds): (String, BTreeMap<u64, Vec<Line>>)| {
        let last = Spread::of(seeds.values().filter_map(|epochs| Some(epochs.last()?.test)))?;
        let best = Spread::of(seeds.values().filter_map(|epochs| best(epochs)));
        Some((name, Peer { last, best }))
    };
    Ok(runs.into_iter().filter_map(peer).collect())
}

/// The test accuracy of the first epoch that validated best.
fn best(epochs: &[Line]) -> Option<f64> {
    let mut best: Option<(f64, f64)> = None;
    for epoch in epochs {
        let valid = epoch.valid?;
        if best.is_none_or(|(most, _)| valid > most) {
            best = Some((valid, epoch.test));
        }
    }
    best.map(|(_, test)| test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_best_epochs_counts_and_the_last_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = |seed: u64, epoch: usize, valid: &str, test: f64| {
            format!(
                "{{\"network\": \"a\", \"seed\": {seed}, \"epoch\": {epoch}, \"valid\": {valid}, \"test\": {test}}}\n"
            )
        };
        let lines = [line(0, 1, "0.8", 0.75), line(0, 2, "0.8", 0.5), line(1, 1, "0.6", 0.25), line(1, 2, "0.7", 0.5)];
        fs::write(folder.path().join(FILE), lines.concat()).expect("writable");
        let peers = read(folder.path()).unwrap_or_else(|error| panic!("{error}"));
        let Peer { last, best } = peers["a"];
        assert_eq!((last.mean, last.n), (0.5, 2));
        assert_eq!(best.map(|best| best.mean), Some(0.625));
        fs::write(folder.path().join(FILE), line(0, 1, "null", 0.5)).expect("writable");
        assert!(read(folder.path()).unwrap_or_else(|error| panic!("{error}"))["a"].best.is_none());
        fs::write(folder.path().join(FILE), "{}\n").expect("writable");
        let error = read(folder.path()).expect_err("a line without a network").to_string();
        assert!(error.contains("line 1"), "{error}");
        let twice = line(0, 1, "0.5", 0.5).repeat(2);
        fs::write(folder.path().join(FILE), twice).expect("writable");
        let error = read(folder.path()).expect_err("a seed that is there twice").to_string();
        assert!(error.contains("line 2: a with seed 0: expected epoch 2, found 1"), "{error}");
    }
}
