//! What a run computes does not depend on how many threads compute it.

use std::fs;

use kernels::Isa;

use crate::suite::{SMALL, Suite, fetched};

/// The weights after a short run with some variables set.
fn weights(experiment: &str, variables: &[(&str, &str)], workers: usize) -> Vec<u8> {
    let suite = Suite::new();
    fetched();
    let mut command = suite.command();
    command.arg(format!("experiments/{experiment}.toml")).args(SMALL).arg(format!("--set=data.workers={workers}"));
    command.args(["--run-name=run", "--results-dir"]).arg(suite.results());
    let output = command.envs(variables.iter().copied()).output().expect("the binary starts");
    assert!(output.status.success(), "{experiment}: {}", String::from_utf8_lossy(&output.stderr));
    fs::read(suite.results().join(experiment).join("run/model.safetensors")).expect("a run leaves its weights")
}

#[test]
fn weights_are_the_same_bytes_at_any_number_of_threads_and_workers() {
    for experiment in ["cnn3", "cnn4"] {
        let one = weights(experiment, &[("RAYON_NUM_THREADS", "1")], 0);
        for (threads, workers) in [("2", 1), ("16", 4)] {
            let other = weights(experiment, &[("RAYON_NUM_THREADS", threads)], workers);
            assert!(one == other, "{experiment}: {threads} threads and {workers} workers give other bytes than one");
        }
    }
}

#[test]
fn every_instruction_set_trains() {
    for isa in Isa::available() {
        let name = format!("{isa:?}").to_lowercase();
        assert!(!weights("cnn3", &[("KERNELS_ISA", &name)], 1).is_empty());
    }
}
