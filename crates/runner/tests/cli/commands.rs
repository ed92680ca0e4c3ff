//! Commands besides training.

use std::fs;

use crate::suite::{SMALL, Suite, repository};

fn stdout(suite: &Suite, arguments: &[&str]) -> String {
    let output = suite.command().args(arguments).output().expect("the binary starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("utf-8")
}

#[test]
fn a_dry_run_shows_where_values_come_from_and_touches_nothing() {
    let suite = Suite::new();
    let results = format!("--results-dir={}", suite.results().display());
    let shown = stdout(&suite, &["experiments/cnn3_aug.toml", "--seed=7", "--dry-run", &results]);
    for part in ["configs/augment/affine.toml:", "# --seed", "# default", "241,546", "multiply-adds"] {
        assert!(shown.contains(part), "{part:?} is missing: {shown}");
    }
    assert!(!suite.results().exists());
}

#[test]
fn a_summary_shows_layers_and_totals() {
    let shown = stdout(&Suite::new(), &["summary", "experiments/cnn4.toml"]);
    assert!(shown.contains("1,221,546 parameters, of which 1,792 are not trained"), "{shown}");
}

#[test]
fn the_layers_for_a_folder_of_images_are_shown_from_a_look_at_it() {
    let suite = Suite::new();
    let file = suite.experiment(
        "own",
        "name = \"own\"\n[data]\ndir = \"images\"\nsplit = \"none\"\n[model]\nkind = \"dense\"\nhidden_sizes = [7]\n\
         [optimizer]\nkind = \"sgd\"\n[training]\nepochs = 1\n",
    );
    let here = suite.path().to_str().expect("utf-8").to_owned();
    let shown = |arguments: &[&str]| {
        let output = suite.command().args(arguments).output().expect("the binary starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).expect("utf-8")
    };
    let commands = [vec!["summary", &file], vec![&file, "--dry-run"], vec!["list", &here]];
    for command in &commands {
        let shown = shown(command);
        assert!(shown.contains("images: cannot open: "), "{command:?} gives no reason: {shown}");
    }

    let folder = suite.path().join("images");
    fs::create_dir(&folder).expect("writable");
    // Two images of 5 × 3 pixels, of which only the header is there, in the last of four classes.
    let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 3];
    fs::write(folder.join("train-images-idx3-ubyte"), images).expect("writable");
    fs::write(folder.join("train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 2, 0, 3]).expect("writable");
    let parameters = 15 * 7 + 7 + 7 * 4 + 4;
    for command in &commands {
        let shown = shown(command);
        assert!(shown.contains(&parameters.to_string()) && !shown.contains("cannot"), "{command:?}: {shown}");
    }
}

#[test]
fn every_experiment_is_listed() {
    let suite = Suite::new();
    let shown = stdout(&suite, &["list"]);
    for entry in fs::read_dir(repository().join("experiments")).expect("listable") {
        let name = entry.expect("an entry").file_name().into_string().expect("utf-8");
        assert!(shown.contains(&name), "{name} is missing: {shown}");
    }
}

#[test]
fn figures_are_drawn_again_from_the_files_alone() {
    let suite = Suite::new();
    let run = suite.run("dense_deep", &[SMALL, &["--svg"]].concat());
    let plots = run.dir.join("plots");
    let drawn = || {
        let mut files: Vec<_> = fs::read_dir(&plots)
            .expect("listable")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.clone(), fs::read(path).expect("readable")))
            .collect();
        files.sort();
        files
    };
    let before = drawn();
    assert_eq!(before.len(), 16);
    for (path, _) in &before {
        fs::remove_file(path).expect("removable");
    }
    // Elsewhere, without data and without network.
    let mut command = suite.command();
    command.current_dir(suite.path()).env("XDG_CACHE_HOME", suite.path()).args(["plot", "--svg"]).arg(&run.dir);
    assert!(command.status().expect("the binary starts").success());
    assert!(drawn() == before, "drawn again, the figures differ");
}

#[test]
fn runs_are_compared_in_a_table_and_a_plot() {
    let suite = Suite::new();
    let (a, b) = (suite.run("dense_deep", SMALL), suite.run("dense_128", SMALL));
    let output = suite.path().join("compared");
    let [a, b, output] = [&a.dir, &b.dir, &output].map(|path| path.to_str().expect("utf-8").to_owned());
    let shown = stdout(&suite, &["compare", &a, &b, "--output", &output]);
    assert!(shown.contains("286,810") && shown.contains("101,770"), "{shown}");
    assert!(fs::read(format!("{output}/accuracy.png")).expect("a picture").starts_with(b"\x89PNG"));
}

#[test]
fn data_sets_are_listed_and_verified() {
    let suite = Suite::new();
    suite.run("dense_128", SMALL);
    assert!(stdout(&suite, &["data", "list"]).contains("fashion-mnist"));
    assert!(stdout(&suite, &["data", "verify", "fashion-mnist"]).contains("train-images-idx3-ubyte"));
}

#[test]
fn completions_are_printed() {
    assert!(stdout(&Suite::new(), &["completions", "bash"]).contains("runner"));
}
