//! What a run leaves behind.

use crate::suite::{Run, SMALL, Suite};

const FILES: &[&str] = &[
    "config.toml",
    "environment.json",
    "status.json",
    "metrics.jsonl",
    "metrics.csv",
    "summary.json",
    "confusion_matrix.csv",
    "predictions.csv",
    "model.safetensors",
    "plots/loss.png",
    "plots/accuracy.png",
    "plots/history.png",
    "plots/class_report.png",
    "plots/confusion_matrix.png",
    "plots/correct.png",
    "plots/misclassified.png",
    "plots/samples.png",
];

#[test]
fn a_run_leaves_every_file_and_they_agree() {
    let suite = Suite::new();
    let run = suite.run("cnn3", SMALL);
    for file in FILES {
        assert!(!run.read(file).is_empty(), "{file} is empty");
    }
    assert!(run.stderr.contains("241,546 parameters"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().filter(|line| line.starts_with("epoch 1/1 ")).count(), 1, "{}", run.stderr);

    let summary = run.record("summary.json");
    assert_eq!(run.json["test_accuracy"], summary["test_accuracy"]);
    assert_eq!(summary["parameters"], 241_546);
    assert_eq!(summary["samples"], serde_json::json!([256, 256, 200]));
    assert_eq!(run.record("status.json")["state"], "done");

    let environment = run.record("environment.json");
    assert_eq!(environment["burn"], "0.22.1");
    assert_eq!(environment["data"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        suite.results().join("cnn3/latest").canonicalize().expect("a link"),
        run.dir.canonicalize().expect("a folder")
    );
    predictions_add_up(&run, summary["test_accuracy"].as_f64().expect("a number"));
    metrics_csv_has_the_promised_columns(&run);
}

#[test]
fn a_run_reads_the_test_part_once_and_one_that_tests_what_it_held_out_never() {
    let suite = Suite::new();
    let read = |experiment: &str, arguments: &[&str]| {
        let mut command = suite.command();
        command.env("RUST_LOG", "data=debug").arg(format!("experiments/{experiment}.toml")).args(arguments);
        let output = command.arg("--results-dir").arg(suite.results()).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        ["Train", "Test"].map(|part| said.matches(&format!("reads the {part} part")).count())
    };
    assert_eq!(read("dense_128", SMALL), [1, 1]);
    assert_eq!(read("scratch_standardised", SMALL), [1, 0]);
}

/// The accuracy in the summary is the one that can be counted in `predictions.csv` and in the confusion matrix.
fn predictions_add_up(run: &Run, accuracy: f64) {
    let mut reader = csv::Reader::from_reader(run.text("predictions.csv").into_bytes().leak() as &[u8]);
    let (mut rows, mut right) = (0_u32, 0_u32);
    for record in reader.records() {
        let record = record.expect("a row");
        assert_eq!(record.len(), 13);
        assert_eq!(record[0], rows.to_string());
        let total: f64 = record.iter().skip(3).map(|p| p.parse::<f64>().expect("a probability")).sum();
        assert!((total - 1.0).abs() < 1e-4, "row {rows} sums to {total}");
        rows += 1;
        right += u32::from(record[1] == record[2]);
    }
    assert_eq!(rows, 200);
    assert!((f64::from(right) / f64::from(rows) - accuracy).abs() < 1e-9);

    let matrix = run.text("confusion_matrix.csv");
    let cells = matrix.lines().skip(1).flat_map(|line| line.split(',').skip(1));
    assert_eq!(cells.map(|cell| cell.parse::<u32>().expect("a count")).sum::<u32>(), 200);
}

fn metrics_csv_has_the_promised_columns(run: &Run) {
    let text = run.text("metrics.csv");
    let header = "epoch,phase,train_loss,train_accuracy,valid_loss,valid_accuracy,learning_rate,train_seconds,\
                  valid_seconds,images_per_second";
    assert_eq!(text.lines().next(), Some(header));
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers() {
    let suite = Suite::new();
    let phases = ["--set=phase.0.epochs=1", "--set=phase.1.epochs=1", "--set=phase.1.steps_per_epoch=3"];
    let small: Vec<&str> = SMALL.iter().copied().filter(|flag| !flag.starts_with("--max-epochs")).collect();
    let run = |workers: &str, seed: &str| {
        let workers = format!("--set=data.workers={workers}");
        let arguments = [small.as_slice(), phases.as_slice(), &[workers.as_str(), seed]].concat();
        suite.run("cnn1_aug", &arguments)
    };
    let (one, four, other) = (run("1", "--seed=3"), run("4", "--seed=3"), run("1", "--seed=4"));
    let phases: Vec<_> = one.rows().iter().map(|row| row["phase"].clone()).collect();
    assert_eq!(phases, ["plain", "augmented"]);
    assert_eq!(one.rows(), four.rows());
    assert_eq!(one.read("model.safetensors"), four.read("model.safetensors"));
    assert_ne!(one.read("model.safetensors"), other.read("model.safetensors"));
}

#[test]
fn a_resolved_configuration_runs_again_to_the_same_result() {
    let suite = Suite::new();
    let first = suite.run("dense_deep", SMALL);
    let config = first.dir.join("config.toml");
    let output = suite.output(&[config.to_str().expect("utf-8"), "--progress=none", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let second: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(first.json["test_loss"], second["test_loss"]);
}

#[test]
fn runs_of_the_same_second_get_folders_of_their_own() {
    let suite = Suite::new();
    let dirs: std::collections::HashSet<_> = (0..3).map(|_| suite.run("dense_128", SMALL).dir).collect();
    assert_eq!(dirs.len(), 3);
}

#[test]
fn a_named_run_is_never_overwritten() {
    let suite = Suite::new();
    let named = [SMALL, &["--run-name=mine"]].concat();
    let run = suite.run("dense_128", &named);
    assert!(run.dir.ends_with("dense_128/mine"));
    let before = run.read("summary.json");
    let said = suite.fails(2, &[&["experiments/dense_128.toml"], named.as_slice()].concat());
    assert!(said.contains("never overwritten"), "{said}");
    assert_eq!(run.read("summary.json"), before);
}

#[test]
fn early_stopping_ends_a_run_that_does_not_improve() {
    let suite = Suite::new();
    let run = suite.run(
        "dense_deep",
        &[
            "--backend=flex",
            "--train-samples=64",
            "--test-samples=10",
            "--set=optimizer.learning_rate=1e-12",
            "--set=training.early_stopping={ metric = \"valid_loss\", patience = 2, min_delta = 0.01 }",
            "--progress=none",
            "--json",
        ],
    );
    assert_eq!(run.rows().len(), 3);
    let reason = run.record("summary.json")["stopped_early"].clone();
    assert!(reason.as_str().is_some_and(|it| it.contains("valid_loss has not improved")), "{reason}");
    assert_eq!(run.stderr, "");
}
