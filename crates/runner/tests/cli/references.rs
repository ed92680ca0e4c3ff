//! Results that are kept with the sources, and the table over them.

use std::fs;

use crate::suite::{SMALL, Suite, repository};

/// A folder with two experiments, one of them reported.
fn experiments(suite: &Suite) -> String {
    let folder = suite.path().join("experiments");
    fs::create_dir(&folder).expect("writable");
    let experiment = |name: &str, more: &str| {
        let text = format!(
            "# Question  how much?\n# Measured  see elsewhere\n\nname = \"{name}\"\n[data]\nname = \"fashion-mnist\"\ntrain_samples = 256\ntest_samples = 200\n[model]\n\
             kind = \"dense\"\nhidden_sizes = [8]\n[optimizer]\nkind = \"adam\"\n[training]\nepochs = 1\n\
             batch_size = 64\n{more}"
        );
        fs::write(folder.join(format!("{name}.toml")), text).expect("writable");
    };
    let reported = "[reported]\nsource = \"A4\"\ndata = \"today's files\"\ntest_accuracy = 0.87\ntest_loss = 0.5\n\
                    parameters = 7000\nseconds_per_epoch = [30, 45]\nfirst_epoch = { train_loss = 1.5 }\nhardware = \"a | machine\"\n";
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

/// The directory of a run of one of these experiments.
fn finished(suite: &Suite, name: &str, seed: &str, kernels: &str) -> String {
    let file = suite.path().join("experiments").join(name).with_extension("toml").display().to_string();
    let data_dir = suite.path().join("nowhere").display().to_string();
    let set = format!("--set=training.kernels={kernels}");
    let (run_name, seed) = (format!("{kernels}-{seed}"), format!("--seed={seed}"));
    let flags = ["--backend=flex", "--progress=none", "--run-name", &run_name, &seed, "--data-dir", &data_dir, &set];
    let output = suite.output(&[&[file.as_str()], flags.as_slice()].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    suite.results().join(name).join(run_name).display().to_string()
}

#[test]
fn kept_runs_fill_the_table_and_any_change_is_noticed() {
    let suite = Suite::new();
    let folder = experiments(&suite);
    let runs = [("tiny", "0"), ("tiny", "1"), ("tiny_corrected", "0")]
        .map(|(name, seed)| finished(&suite, name, seed, "fused"));
    let composed = ["0", "1"].map(|seed| finished(&suite, "tiny", seed, "composed"));
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
    let [accuracy, loss] = first_epochs(&suite, ["tiny-s0", "tiny-s1"]);
    for part in [
        "## A4: ",
        "| [tiny](../experiments/tiny.toml) | as published | 87 | ",
        "| [tiny_corrected](../experiments/tiny_corrected.toml) | corrected | 87 | ",
        " | 2 | ",
        "(reported 7,000)",
        "30–45",
        "- Machine then: a | machine",
        "\nIn the first epoch, of two phases that of the second:\n\n| experiment |",
        &format!("| tiny | – | {accuracy} | – | – | 1.5 | {loss} | – | – |"),
        "tiny_corrected: mended",
        "[own](../experiments/own.toml)",
        "no reference run",
        "## What the mistakes cost",
        "tiny → tiny_corrected",
        "## What the kernels change",
        ") | [s0](reference/tiny-composed-s0/summary.json) [s1](reference/tiny-composed-s1/summary.json) |",
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
    headers_say_what_was_measured(&suite, &folder);
    without_experiment_files_the_kept_ones_are_listed(&suite);
    assert_eq!(table(&suite, &folder, &[]).0, 0);

    let summary = reference.join("tiny-s1/summary.json");
    let text =
        fs::read_to_string(&summary).expect("readable").replace("\"test_accuracy\": 0.", "\"test_accuracy\": 0.9");
    fs::write(&summary, text).expect("writable");
    let (code, said) = table(&suite, &folder, &["--check"]);
    assert_eq!(code, 1);
    assert!(said.contains("results/README.md, ") && said.contains("/tiny.toml; write it with: runner table"), "{said}");

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

/// Training accuracy in percent and training loss in the first epoch of two kept runs, as the table shows them.
fn first_epochs(suite: &Suite, runs: [&str; 2]) -> [String; 2] {
    let row = |run: &str| -> serde_json::Value {
        let path = suite.results().join("reference").join(run).join("metrics.jsonl");
        let text = fs::read_to_string(path).expect("readable");
        serde_json::from_str(text.lines().next().expect("a row")).expect("an object")
    };
    let rows = runs.map(row);
    let shown = |key: &str, scale: f64, digits: usize| {
        let [one, other] = rows.each_ref().map(|row| scale * row[key].as_f64().expect("a number"));
        let sd = (one - other).abs() / 2.0_f64.sqrt();
        format!("{:.digits$} ± {sd:.digits$}", f64::midpoint(one, other))
    };
    [shown("train_accuracy", 100.0, 2), shown("train_loss", 1.0, 4)]
}

/// The second line of an experiment file.
fn measured(folder: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("{folder}/{name}.toml")).expect("readable");
    text.lines().nth(1).expect("a header").to_owned()
}

/// In the line for that, where it can be checked.
fn headers_say_what_was_measured(suite: &Suite, folder: &str) {
    let summary = |run: &str| -> serde_json::Value {
        let text = fs::read(suite.results().join("reference").join(run).join("summary.json")).expect("readable");
        serde_json::from_slice(&text).expect("an object")
    };
    let accuracy = |run: &str| summary(run)["test_accuracy"].as_f64().expect("a number");
    let [one, other] = [accuracy("tiny-s0"), accuracy("tiny-s1")];
    let (mean, sd) = (f64::midpoint(one, other), (one - other).abs() / 2.0_f64.sqrt());
    let line = measured(folder, "tiny");
    assert!(line.starts_with(&format!("# Measured  test {mean:.4} ± {sd:.4} (n = 2); ")), "{line}");
    assert!(line.contains(" s on ") && line.ends_with(" threads"), "{line}");
    let line = measured(folder, "tiny_corrected");
    assert!(line.starts_with(&format!("# Measured  test {:.4} (n = 1); ", accuracy("tiny_corrected-s0"))), "{line}");
    assert_eq!(measured(folder, "own"), "# Measured  nothing: no run is kept in results/reference");

    // A line that says something else is told by its file, and nothing but that line is written.
    let file = format!("{folder}/tiny.toml");
    let right = fs::read_to_string(&file).expect("readable");
    fs::write(&file, right.replace("(n = 2)", "(n = 3)")).expect("writable");
    let (code, said) = table(suite, folder, &["--check"]);
    assert_eq!(code, 1);
    assert!(said.contains("/tiny.toml; write it with") && !said.contains("tiny_corrected.toml;"), "{said}");
    assert_eq!(table(suite, folder, &[]).0, 0);
    assert_eq!(fs::read_to_string(&file).expect("readable"), right);
}

/// As where the program is used without the suite's files.
fn without_experiment_files_the_kept_ones_are_listed(suite: &Suite) {
    let mut command = suite.command();
    command.current_dir(suite.results()).args(["table", "--results-dir", "."]);
    let output = command.output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(suite.results().join("README.md")).expect("readable");
    for part in ["| [tiny](reference/tiny-s0/config.toml) | as published | 87 | ", "What the kernels change"] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    assert!(!text.contains("../experiments"), "{text}");
}

#[test]
fn every_experiment_has_a_line_on_what_was_measured() {
    for entry in fs::read_dir(repository().join("experiments")).expect("listable") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("readable");
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        let last = header.last().expect("a header");
        assert!(last.starts_with("# Measured  ") && last.chars().count() <= 120, "{}: {last}", path.display());
    }
}

#[test]
fn an_exclusive_or_that_was_kept_with_other_settings_is_marked() {
    let suite = Suite::new();
    let folder = suite.path().join("experiments");
    fs::create_dir(&folder).expect("writable");
    let file = folder.join("both.toml");
    let text = "# Question  does it?\n# Measured  not yet\n\nkind = \"xor\"\nname = \"both\"\n[training]\nepochs = 40\n\
                learning_rate = 0.1\nlog_every = 10\n";
    fs::write(&file, text).expect("writable");
    let folder = folder.to_str().expect("utf-8");
    let file = file.to_str().expect("utf-8");
    assert!(suite.output(&[file, "--run-name=kept", "--progress=none"]).status.success());
    let run = suite.results().join("both/kept");
    assert!(suite.output(&["keep", run.to_str().expect("utf-8")]).status.success());
    let changed = |from: &str, to: &str| {
        let text = fs::read_to_string(file).expect("readable");
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replace(from, to)).expect("writable");
        let (code, text) = table(&suite, folder, &[]);
        assert_eq!(code, 0, "{text}");
        text
    };
    // How often a row is written decides nothing.
    let text = changed("log_every = 10", "log_every = 20");
    assert!(text.contains("[both](") && !text.contains('†'), "{text}");
    let line = measured(folder, "both");
    assert!(line.contains(" of 4 rows right, mean squared error ") && !line.contains("other settings"), "{line}");
    let text = changed("learning_rate = 0.1", "learning_rate = 0.2");
    assert!(text.contains(" † | 1 | "), "{text}");
    let footnote = "- † made with other settings than the experiment file has today: both (training.learning_rate)";
    assert!(text.contains(footnote), "{text}");
    assert!(measured(folder, "both").contains(" with other settings than below: training.learning_rate; "));
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
