//! Sweeps: every fit once, whatever happens, and the test part read once.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::suite::Suite;

/// Eight fits of a small network on few images.
const SWEEP: &str = r#"
[data]
name = "fashion-mnist"
train_samples = 300
test_samples = 100

[model]
kind = "dense"
hidden_sizes = [8]

[optimizer]
kind = "adam"

[training]
batch_size = 64
epochs = 2
backend = "flex"

[sweep]
kind = "grid"
folds = 2

[sweep.parameters]
"model.hidden_sizes" = [[8], [6, 4]]
optimizer.learning_rate = [0.001, 0.01]
"#;

struct Sweep {
    suite: Suite,
    file: String,
}

impl Sweep {
    fn new(replace: &str, with: &str) -> Self {
        let suite = Suite::new();
        assert!(SWEEP.contains(replace), "{replace:?}");
        let file = suite.experiment("tiny", &format!("name = \"tiny\"\n{}", SWEEP.replace(replace, with)));
        Self { suite, file }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.suite.command();
        command.args([self.file.as_str(), "--progress=plain", "--json"]).args(arguments);
        command.arg("--results-dir").arg(self.suite.results());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    fn folder(&self) -> PathBuf {
        self.suite.results().join("tiny/grid")
    }

    /// Names and contents of the fits' records.
    fn records(&self) -> Vec<(String, String)> {
        let Ok(entries) = fs::read_dir(self.folder().join("fits")) else { return Vec::new() };
        let mut records: Vec<(String, String)> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("a whole record")))
            .collect();
        records.sort();
        records
    }

    /// The trials as they were ranked, without what a clock measured.
    fn trials(&self) -> Value {
        let text = fs::read_to_string(self.folder().join("sweep.json")).expect("a ranking");
        let mut trials: Value = serde_json::from_str::<Value>(&text).expect("an object")["trials"].take();
        for trial in trials.as_array_mut().expect("a list") {
            trial.as_object_mut().expect("an object").remove("seconds").expect("a time");
        }
        trials
    }

    /// Starts a sweep and waits until some of its fits are recorded.
    fn started(&self, arguments: &[&str], fits: usize) -> Child {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let start = Instant::now();
        while self.records().len() < fits {
            assert!(start.elapsed() < Duration::from_mins(2), "no fit is recorded");
            assert!(child.try_wait().expect("a child").is_none(), "the sweep has ended too soon");
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }
}

fn said(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn a_sweep_ranks_its_trials_and_reads_the_test_part_once() {
    let sweep = Sweep::new("epochs = 2", "epochs = 2");
    let output = sweep.command(&["--jobs=2", "--threads=2"]).env("RUST_LOG", "data=debug").output().expect("it starts");
    let text = said(&output, 0);
    assert_eq!(text.matches("reads the Test part").count(), 1, "{text}");
    assert!(text.matches("reads the Train part").count() >= 2, "each process reads it: {text}");

    let printed: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&printed["fits"], &printed["failed"]), (&8.into(), &0.into()));
    let refit = &printed["refit"];
    let run = sweep.suite.results().join("tiny").join(refit["run"].as_str().expect("a name"));
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).expect("a summary")).expect("an object");
    assert_eq!(summary["test_accuracy"], refit["test_accuracy"]);
    assert_eq!(summary["samples"], serde_json::json!([300, 0, 100]), "all training images train the best");
    let config = fs::read_to_string(run.join("config.toml")).expect("readable");
    assert!(!config.contains("sweep"), "the refit is a run like any other: {config}");

    let table = fs::read_to_string(sweep.folder().join("trials.csv")).expect("a table");
    assert_eq!(table.lines().count(), 5);
    let header = "rank,trial,model.hidden_sizes,optimizer.learning_rate,valid_accuracy_mean,valid_accuracy_sd,";
    assert!(table.starts_with(header), "{table}");
    assert!(fs::read(sweep.folder().join("plots/trials.png")).expect("a picture").starts_with(b"\x89PNG"));
}

#[test]
fn processes_come_to_the_same_as_one() {
    let (one, two) =
        (Sweep::new("folds = 2", "folds = 2\nrefit = false"), Sweep::new("folds = 2", "folds = 2\nrefit = false"));
    said(&one.output(&[]), 0);
    said(&two.output(&["--jobs=3"]), 0);
    assert_eq!(one.trials(), two.trials());
    assert_eq!(one.records().len(), 8);
    let runs = fs::read_dir(one.suite.results().join("tiny")).expect("listable").count();
    assert_eq!(runs, 1, "without a refit there is the sweep's folder alone");
}

#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let sweep = Sweep::new("epochs = 2", "epochs = 60");
    let whole = Sweep::new("epochs = 2", "epochs = 60");
    said(&whole.output(&[]), 0);
    for jobs in ["--jobs=1", "--jobs=2"] {
        let mut child = sweep.started(&[jobs], sweep.records().len() + 1);
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    // Processes that helped end by themselves.
    std::thread::sleep(Duration::from_millis(600));
    let before = sweep.records();
    assert!((2..8).contains(&before.len()), "{} records", before.len());
    let text = said(&sweep.output(&[]), 0);
    assert!(text.contains(&format!("8 fits, {} of them done already", before.len())), "{text}");
    let after = sweep.records();
    assert!(before.iter().all(|record| after.contains(record)), "a record was made again");
    assert_eq!(sweep.trials(), whole.trials());

    // Once more there is nothing to do, the refit included.
    let runs = || fs::read_dir(sweep.suite.results().join("tiny")).expect("listable").count();
    let made = runs();
    let output = sweep.command(&[]).env("RUST_LOG", "data=debug").output().expect("it starts");
    assert!(!said(&output, 0).contains("part"), "no data are read");
    assert_eq!(runs(), made);
}

#[test]
fn a_sweep_that_was_begun_otherwise_is_refused_with_the_differences() {
    let sweep = Sweep::new("folds = 2", "folds = 2\nrefit = false");
    said(&sweep.output(&[]), 0);
    let before = sweep.records();
    let text = said(&sweep.output(&["--set=training.epochs=3", "--set=sweep.seed=1"]), 2);
    assert!(text.contains("training.epochs: 2, now 3") && text.contains("sweep.seed: 0, now 1"), "{text}");
    assert!(text.contains("--run-name"), "{text}");
    assert_eq!(sweep.records(), before);
    // Threads that prepare batches change nothing but the time.
    said(&sweep.output(&["--set=data.workers=0"]), 0);
    said(&sweep.output(&["--set=training.epochs=3", "--run-name=longer"]), 0);
}

#[test]
fn a_trial_that_diverges_is_recorded_and_the_others_are_ranked() {
    for jobs in ["--jobs=1", "--jobs=2"] {
        let sweep = Sweep::new("[0.001, 0.01]", "[0.001, 1e30]");
        let text = said(&sweep.output(&[jobs]), 7);
        assert!(text.contains("4 of 8 fits failed") && text.contains("training diverged"), "{text}");
        let trials = sweep.trials();
        let ranks: Vec<&Value> = trials.as_array().expect("a list").iter().map(|trial| &trial["rank"]).collect();
        assert!(ranks[0].is_u64() && ranks[1].is_null() && ranks[2].is_u64() && ranks[3].is_null(), "{ranks:?}");
        // They are not tried again.
        assert!(said(&sweep.output(&[jobs]), 7).contains("8 of them done already"));
    }
}

#[test]
fn a_wrong_value_is_found_before_anything_is_trained() {
    for (replace, with, expected) in [
        ("[[8], [6, 4]]", "[[8], [6, 0]]", "model.hidden_sizes"),
        ("optimizer.learning_rate", "optimizer.learning_rat", "learning_rate"),
        ("[0.001, 0.01]", "[]", "at least one value"),
        ("[0.001, 0.01]", "[0.01, 0.01]", "the same value twice"),
        ("[0.001, 0.01]", "{ kind = \"uniform\", min = 0.1, max = 0.2 }", "a grid needs a list"),
        ("folds = 2", "", "sweep.folds: missing"),
        ("folds = 2", "folds = 1", "at least 2"),
        ("kind = \"grid\"", "kind = \"random\"", "sweep.trials: missing"),
        ("kind = \"grid\"", "kind = \"grd\"", "did you mean `grid`"),
        ("epochs = 2", "epochs = 2\nseeds = [1, 2]", "training.seeds"),
    ] {
        let sweep = Sweep::new(replace, with);
        let text = said(&sweep.output(&["--offline"]), 2);
        assert!(text.contains(expected), "{with:?} should say {expected:?}: {text}");
        assert!(!sweep.suite.results().exists());
    }
}

#[test]
fn a_dry_run_lists_the_trials_and_touches_nothing() {
    let sweep = Sweep::new("epochs = 2", "epochs = 2");
    let mut command = sweep.suite.command();
    command.args([sweep.file.as_str(), "--dry-run", "--results-dir"]).arg(sweep.suite.results());
    let output = command.output().expect("the binary starts");
    said(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("4 trials, 8 fits, then the best"), "{text}");
    assert!(text.contains("[6, 4]") && text.contains("tiny.toml:26"), "values and their origin: {text}");
    // It prints a file and a table: not what --json promises.
    assert!(said(&sweep.output(&["--dry-run"]), 2).contains("--json"));
    assert!(!sweep.suite.results().exists());
}

#[test]
fn a_random_sweep_without_folds_uses_the_held_out_part() {
    let sweep = Sweep::new(
        "kind = \"grid\"\nfolds = 2",
        "kind = \"random\"\ntrials = 3\nrefit = false\nmetric = \"valid_loss\"",
    );
    let output = sweep.output(&["--set=data.split={ kind = \"first\", valid = 200 }"]);
    said(&output, 0);
    let printed: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(printed["fits"], 3);
    assert!(printed["refit"].is_null());
    let best = &printed["best"];
    assert!(best["valid_loss"]["sd"].is_null() && best["valid_loss"]["mean"].is_f64(), "{best}");
}

#[test]
fn a_second_command_on_the_same_sweep_ends_with_75() {
    let sweep = Sweep::new("epochs = 2", "epochs = 200");
    let mut child = sweep.started(&[], 1);
    let text = said(&sweep.output(&[]), 75);
    assert!(text.contains(&format!("(process {})", child.id())), "{text}");
    child.kill().expect("killed");
    child.wait().expect("ended");
}
