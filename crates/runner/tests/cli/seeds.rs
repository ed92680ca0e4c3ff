//! Several seeds: what they come to together, and what is not repeated.

use std::fs;

use serde_json::Value;

use crate::suite::{SMALL, Suite};

/// The JSON objects that a command prints.
fn objects(suite: &Suite, arguments: &[&str]) -> Vec<Value> {
    let output = suite.output(&[&["experiments/dense_128.toml"], SMALL, arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("utf-8");
    text.lines().map(|line| serde_json::from_str(line).expect("an object per line")).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn seeds_are_run_each_and_summed_up() {
    let suite = Suite::new();
    let printed = objects(&suite, &["--seeds=2", "--seed=3"]);
    let [first, second, together] = printed.as_slice() else { panic!("two runs and a summary: {printed:?}") };
    assert_eq!((&first["seed"], &second["seed"]), (&3.into(), &4.into()));
    let accuracies = [number(&first["test_accuracy"]), number(&second["test_accuracy"])];
    assert_ne!(first["test_loss"], second["test_loss"]);
    let mean = f64::midpoint(accuracies[0], accuracies[1]);
    let sd = (accuracies[0] - accuracies[1]).abs() / 2.0_f64.sqrt();
    assert!((number(&together["test_accuracy"]["mean"]) - mean).abs() < 1e-12);
    assert!((number(&together["test_accuracy"]["sd"]) - sd).abs() < 1e-12);
    assert_eq!(together["test_accuracy"]["n"], 2);

    let file = fs::read_to_string(together["file"].as_str().expect("a path")).expect("the file is there");
    let file: Value = serde_json::from_str(&file).expect("an object");
    assert_eq!(file["test_loss"], together["test_loss"]);
    assert_eq!(file["runs"].as_array().map(Vec::len), Some(2));

    // A run's configuration names its own seed alone.
    let config = fs::read_to_string(format!("{}/config.toml", second["run_dir"].as_str().expect("a path")));
    let config = config.expect("readable");
    assert!(config.contains("seed = 4") && !config.contains("seeds"), "{config}");
}

#[test]
fn finished_runs_are_not_repeated_if_asked() {
    let suite = Suite::new();
    let first = objects(&suite, &["--seeds=0,5"]);
    let again = objects(&suite, &["--seeds=0,5,2", "--skip-finished"]);
    assert_eq!(first[0]["run_dir"], again[0]["run_dir"]);
    assert_eq!(first[1]["run_dir"], again[1]["run_dir"]);
    let reused: Vec<&Value> = again[3]["runs"].as_array().expect("runs").iter().map(|run| &run["reused"]).collect();
    assert_eq!(reused, [&Value::Bool(true), &Value::Bool(true), &Value::Bool(false)]);
    // Another setting is another run.
    let other = objects(&suite, &["--seed=0", "--skip-finished", "--set=optimizer.learning_rate=0.5"]);
    assert_ne!(first[0]["run_dir"], other[0]["run_dir"]);
}

#[test]
fn a_seed_that_fails_leaves_the_others_and_ends_with_7() {
    let suite = Suite::new();
    let arguments = ["--seeds=2", "--set=optimizer.learning_rate=1e30"];
    let said = suite.fails(7, &[&["experiments/dense_128.toml"], SMALL, &arguments].concat());
    assert!(said.contains("2 of 2 runs failed"), "{said}");
}

#[test]
fn seeds_that_make_no_sense_are_refused() {
    let suite = Suite::new();
    for (arguments, expected) in [
        (["--seeds=0", "--offline"], "--seeds"),
        (["--seeds=1,1", "--offline"], "named twice"),
        (["--set=training.seeds=[]", "--offline"], "at least one seed"),
        (["--set=training.seeds=[3, 3]", "--offline"], "the same seed twice"),
    ] {
        let said = suite.fails(2, &[&["experiments/dense_128.toml"], SMALL, &arguments].concat());
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!suite.results().exists());
}
