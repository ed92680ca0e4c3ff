//! The networks written from scratch: what their runs leave, and what they read.

use crate::suite::{Run, SMALL, Suite};

/// Options for a run of the one-hidden-layer network of seconds.
const SMALL_SCRATCH: &[&str] = &[
    "--backend=flex",
    "--max-epochs=3",
    "--train-samples=480",
    "--test-samples=300",
    "--set=training.batch_size=96",
    "--progress=plain",
    "--json",
];

fn numbers(run: &Run, field: &str) -> Vec<f64> {
    run.rows().iter().filter_map(|row| row[field].as_f64()).collect()
}

#[test]
fn the_exclusive_or_leaves_its_errors_and_what_it_learnt() {
    let suite = Suite::new();
    let run = suite.run("xor", &["--json", "--progress=plain"]);
    let errors = numbers(&run, "train_error");
    assert_eq!(errors.len(), 100);
    // The rows of epochs 1, 5,001 and 30,001.
    for (row, printed) in [(0, -1.774_960_16), (10, 0.005_865_65), (60, 3.791e-8)] {
        assert!((errors[row] - printed).abs() < 5e-9, "row {row}: {}", errors[row]);
    }
    let learnt = run.record("xor.json");
    let output = learnt["rows"][1]["output"].as_f64().expect("a number");
    assert!((output - 1.0).abs() < 1e-6, "[0, 1] comes to {output}");
    assert_eq!(run.json["test_accuracy"], 1.0);
    assert_eq!(run.record("summary.json")["parameters"], 9);
    assert_eq!(run.record("status.json")["state"], "done");
    for file in ["config.toml", "environment.json", "metrics.csv", "plots/error.png", "plots/loss.png"] {
        assert!(!run.read(file).is_empty(), "{file} is empty");
    }
    let error = run.dir.join("plots/error.png");
    std::fs::remove_file(&error).expect("it is there");
    for target in ["experiments/xor.toml", run.dir.to_str().expect("utf-8")] {
        let drawn = suite.output(&["figures", target]);
        assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
        assert!(String::from_utf8_lossy(&drawn.stdout).contains("error.png") && error.is_file());
    }
    let said = suite.fails(2, &["figures", "experiments/xor.toml", "--only=embeddings"]);
    assert!(said.contains("--only records"), "{said}");
    let config = run.dir.join("config.toml");
    let again = suite.output(&[config.to_str().expect("utf-8"), "--progress=plain", "--json", "--skip-finished"]);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains("--skip-finished changes nothing here"), "{said}");
}

#[test]
fn the_network_tests_what_it_held_out_and_records_its_error() {
    let suite = Suite::new();
    let run = suite.run("scratch_standardised", &[SMALL_SCRATCH, &["--svg"]].concat());
    for (figure, caption) in
        [("confusion_matrix", "matrix of the held-out set"), ("class_report", "held-out accuracy 0.")]
    {
        let drawn = run.text(&format!("plots/{figure}.svg"));
        assert!(drawn.contains(caption), "{figure} does not say {caption:?}");
    }
    assert!(run.stderr.contains("39,700 parameters"), "{}", run.stderr);
    let summary = run.record("summary.json");
    assert_eq!(summary["samples"], serde_json::json!([480, 480, 300]));
    // Half of λ/2·Σw² is 1,654 on average at first, and weights decay by a known share.
    let errors = numbers(&run, "train_error");
    assert_eq!(errors.len(), 3);
    assert!((1_600.0..1_800.0).contains(&errors[0]) && errors[2] < errors[0], "{errors:?}");
    assert!(!run.read("plots/error.png").is_empty());
    // A softmax over sigmoids: no probability above e / (e + 9).
    let mut reader = csv::Reader::from_reader(run.text("predictions.csv").into_bytes().leak() as &[u8]);
    let mut right = 0_u32;
    for record in reader.records() {
        let record = record.expect("a row");
        right += u32::from(record[1] == record[2]);
        let probabilities: Vec<f64> = record.iter().skip(3).map(|p| p.parse().expect("a number")).collect();
        assert!(probabilities.iter().all(|p| (0.039..0.233).contains(p)), "{probabilities:?}");
    }
    let accuracy = summary["test_accuracy"].as_f64().expect("a number");
    assert!((f64::from(right) / 300.0 - accuracy).abs() < 1e-9);
}

#[test]
fn the_held_out_images_are_the_validation_images() {
    let suite = Suite::new();
    let everything = [SMALL_SCRATCH, &["--test-samples=480"]].concat();
    let everything: Vec<&str> = everything.into_iter().filter(|flag| *flag != "--test-samples=300").collect();
    let run = suite.run("scratch_standardised_as_published", &everything);
    let (losses, accuracies) = (numbers(&run, "valid_loss"), numbers(&run, "valid_accuracy"));
    assert_eq!(run.json["test_loss"].as_f64(), losses.last().copied());
    assert_eq!(run.json["test_accuracy"].as_f64(), accuracies.last().copied());
    // Another scaler for the held-out part, and nothing else: the same weights, another test.
    let mended = suite.run("scratch_standardised", &everything);
    assert_eq!(run.read("model.safetensors"), mended.read("model.safetensors"));
    assert_ne!(run.json["test_loss"], mended.json["test_loss"]);
}

#[test]
fn a_corrected_network_and_its_published_sibling_both_run() {
    let suite = Suite::new();
    for name in ["scratch_raw", "ann_fashion_corrected"] {
        let run = suite.run(name, SMALL);
        assert!(run.json["test_loss"].as_f64().is_some_and(f64::is_finite), "{name}");
    }
    let phases = ["--set=phase.0.epochs=1", "--set=phase.1.epochs=1", "--set=phase.1.steps_per_epoch=2"];
    let small: Vec<&str> = SMALL.iter().copied().filter(|flag| !flag.starts_with("--max-epochs")).collect();
    let run = |name: &str| suite.run(name, &[small.as_slice(), phases.as_slice()].concat());
    let (published, corrected) = (run("cnn1_aug_as_published"), run("cnn1_aug"));
    assert_eq!(published.record("summary.json")["chosen_epoch"], 2);
    let (a, b) = (published.rows(), corrected.rows());
    assert_eq!(a[0], b[0], "the first phase augments nothing");
    assert_ne!(a[1]["valid_loss"], b[1]["valid_loss"], "the second phase's validation images differ");
    assert_eq!(numbers(&published, "train_loss"), numbers(&corrected, "train_loss"));
}
