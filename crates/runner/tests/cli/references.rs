//! Results that are kept with the sources, and the table over them.

use std::fs;

use crate::suite::{SMALL, Suite, repository};

/// A folder with two experiments, one of them reported.
fn experiments(suite: &Suite) -> String {
    let folder = suite.path().join("experiments");
    fs::create_dir(&folder).expect("writable");
    let experiment = |name: &str, more: &str| {
        let text = format!(
            "name = \"{name}\"\n[data]\nname = \"fashion-mnist\"\ntrain_samples = 256\ntest_samples = 200\n[model]\n\
             kind = \"dense\"\nhidden_sizes = [8]\n[optimizer]\nkind = \"adam\"\n[training]\nepochs = 1\n\
             batch_size = 64\n{more}"
        );
        fs::write(folder.join(format!("{name}.toml")), text).expect("writable");
    };
    let reported = "[reported]\nsource = \"A4\"\ndata = \"today's files\"\ntest_accuracy = 0.87\ntest_loss = 0.5\n\
                    parameters = 7000\nseconds_per_epoch = [30, 45]\nhardware = \"a | machine\"\n";
    experiment("tiny", &format!("{reported}as_published = true\n"));
    experiment("tiny_corrected", &format!("{reported}note = \"mended\"\n"));
    experiment("own", "");
    folder.to_str().expect("utf-8").to_owned()
}

fn table(suite: &Suite, experiments: &str, more: &[&str]) -> (i32, String) {
    let arguments = [&["table", "--experiments", experiments], more].concat();
    let output = suite.output(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = fs::read_to_string(suite.results().join("README.md")).unwrap_or_default();
    (output.status.code().expect("an exit code"), text + &said)
}

#[test]
fn the_table_is_what_the_kept_results_say() {
    let output = Suite::new().command().args(["table", "--check"]).output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_link_of_the_table_leads_somewhere() {
    let results = repository().join("results");
    let text = fs::read_to_string(results.join("README.md")).expect("readable");
    let targets: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|it| it.0).collect();
    assert!(targets.len() > 50, "{} links", targets.len());
    for target in targets {
        assert!(results.join(target).is_file(), "{target} is not there");
    }
}

#[test]
fn kept_runs_fill_the_table_and_any_change_is_noticed() {
    let suite = Suite::new();
    let folder = experiments(&suite);
    let run = |name: &str, seed: &str, kernels: &str| {
        let file = format!("{folder}/{name}.toml");
        let data_dir = suite.path().join("nowhere").display().to_string();
        let set = format!("--set=training.kernels={kernels}");
        let (run_name, seed) = (format!("{kernels}-{seed}"), format!("--seed={seed}"));
        let output = suite.output(&[
            &file,
            "--backend=flex",
            "--progress=none",
            "--run-name",
            &run_name,
            &seed,
            "--data-dir",
            &data_dir,
            &set,
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        suite.results().join(name).join(run_name).display().to_string()
    };
    let runs = [("tiny", "0"), ("tiny", "1"), ("tiny_corrected", "0")].map(|(name, seed)| run(name, seed, "fused"));
    let composed = ["0", "1"].map(|seed| run("tiny", seed, "composed"));
    let keep = |more: &[&str]| {
        let runs: Vec<&str> = runs.iter().chain(&composed).map(String::as_str).collect();
        suite.output(&[&["keep"], runs.as_slice(), more].concat())
    };
    let output = keep(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let reference = suite.results().join("reference");
    let kept = |name: &str| reference.join(name).exists();
    for there in [
        "tiny-s0/summary.json",
        "tiny-s0/plots/accuracy.png",
        "tiny-s1/metrics.csv",
        "tiny-s0/status.json",
        "tiny-composed-s1/summary.json",
    ] {
        assert!(kept(there), "{there} is missing");
    }
    for not_there in [
        "tiny-s0/model.safetensors",
        "tiny-s0/predictions.csv",
        "tiny-s0/tiles.json",
        "tiny-s1/plots",
        "tiny-composed-s0/plots",
    ] {
        assert!(!kept(not_there), "{not_there} is kept");
    }
    let here = suite.path().to_str().expect("utf-8");
    for file in ["config.toml", "environment.json", "status.json", "summary.json"] {
        let text = fs::read_to_string(reference.join("tiny-s0").join(file)).expect("readable");
        assert!(!text.contains(here), "{file} names a folder of this machine: {text}");
    }
    assert_eq!(keep(&[]).status.code(), Some(2), "what is kept is not replaced");
    assert!(keep(&["--force"]).status.success());

    let (code, text) = table(&suite, &folder, &[]);
    assert_eq!(code, 0, "{text}");
    for part in [
        "## A4: ",
        "| [tiny](../experiments/tiny.toml) | as published | 87 | ",
        "| [tiny_corrected](../experiments/tiny_corrected.toml) | corrected | 87 | ",
        " | 2 | ",
        "(reported 7,000)",
        "30–45",
        "- Machine then: a | machine",
        "tiny_corrected: mended",
        "[own](../experiments/own.toml)",
        "no reference run",
        "## What the mistakes cost",
        "tiny → tiny_corrected",
        "## What the kernels change",
        "[s0](reference/tiny-composed-s0/summary.json) [s1](reference/tiny-composed-s1/summary.json) |",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    assert!(!text.contains('†'), "{text}");
    assert_eq!(table(&suite, &folder, &["--check"]).0, 0);
    assert!(!text.contains("What Keras reaches"), "{text}");
    let line = "{\"network\": \"tiny\", \"seed\": 0, \"epoch\": 1, \"valid\": 0.75, \"test\": 0.5}\n";
    fs::write(reference.join("keras.jsonl"), line).expect("writable");
    let (code, text) = table(&suite, &folder, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(" | 50.00 | 50.00 | 1 | ") && text.contains("What Keras reaches"), "{text}");

    a_composed_run_is_told_by_its_name(&suite, &folder);

    let summary = reference.join("tiny-s1/summary.json");
    let text =
        fs::read_to_string(&summary).expect("readable").replace("\"test_accuracy\": 0.", "\"test_accuracy\": 0.9");
    fs::write(&summary, text).expect("writable");
    let (code, said) = table(&suite, &folder, &["--check"]);
    assert_eq!(code, 1);
    assert!(said.contains("runner table"), "{said}");

    // An experiment that has changed since is marked.
    let file = format!("{folder}/tiny.toml");
    fs::write(&file, fs::read_to_string(&file).expect("readable").replace("[8]", "[9]")).expect("writable");
    let text = table(&suite, &folder, &[]).1;
    assert!(
        text.contains("- † made with other settings than the experiment file has today: tiny (model.hidden_sizes)"),
        "{text}"
    );
}

/// Where the configuration of a kept run cannot be read.
fn a_composed_run_is_told_by_its_name(suite: &Suite, folder: &str) {
    let config = suite.results().join("reference/tiny-composed-s0/config.toml");
    let readable = fs::read_to_string(&config).expect("readable");
    fs::write(&config, "name = 1\n").expect("writable");
    let runs_of_tiny = |text: &str| {
        let row = text.lines().find(|line| line.starts_with("| [tiny](")).expect("a row").to_owned();
        row.split(" | ").nth(5).map(str::to_owned)
    };
    assert_eq!(runs_of_tiny(&table(suite, folder, &[]).1).as_deref(), Some("2"));
    fs::write(&config, readable).expect("writable");
    assert_eq!(table(suite, folder, &[]).0, 0);
}

#[test]
fn only_finished_runs_are_kept() {
    let suite = Suite::new();
    let arguments = ["--set=optimizer.learning_rate=1e30", "--run-name=diverged"];
    suite.fails(5, &[&["experiments/dense_128.toml"], SMALL, &arguments].concat());
    let run = suite.results().join("dense_128/diverged");
    let said = suite.fails(2, &["keep", run.to_str().expect("utf-8")]);
    assert!(said.contains("not finished"), "{said}");
    let said = suite.fails(2, &["keep", repository().to_str().expect("utf-8")]);
    assert!(said.contains("not a run directory"), "{said}");
    assert!(!suite.results().join("reference").exists());
}
