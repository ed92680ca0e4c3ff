//! Bad input gets a clear error and loses nothing.

use std::{
    fs::{self, File},
    io::Write,
};

use crate::suite::{SMALL, Suite};

/// Exit code and a part of what is said.
fn check(arguments: &[&str], code: i32, expected: &str) {
    let suite = Suite::new();
    let said = suite.fails(code, arguments);
    assert!(said.contains(expected), "{arguments:?} should say {expected:?}: {said}");
    assert!(!suite.results().exists(), "{arguments:?} left a results folder");
}

#[test]
fn wrong_arguments_end_with_2() {
    check(&["experiments/missing.toml"], 2, "missing.toml");
    check(&["experiments/cnn3.toml", "--set=optimizer.learning_rat=1"], 2, "learning_rate");
    check(&["experiments/cnn3.toml", "--set=training.batch_size=0"], 2, "batch_size");
    check(&["experiments/cnn3.toml", "--backend=cuda"], 2, "cuda");
    check(&["experiments/cnn3.toml", "--run-name=../../x"], 2, "--run-name");
    check(&["experiments/cnn3.toml", "--max-epochs=0"], 2, "--max-epochs");
}

#[test]
fn an_exclusive_or_refuses_flags_that_it_has_no_use_for() {
    for flag in ["--seeds=3", "--data-dir=x", "--mirror=http://x", "--train-samples=1", "--test-samples=1", "--resume"]
    {
        let name = flag.split('=').next().unwrap_or(flag);
        check(&["experiments/xor.toml", flag], 2, &format!("xor.toml: an exclusive or has no use for {name}: it"));
    }
}

#[test]
fn a_mistyped_word_is_answered_with_what_it_may_mean() {
    check(&["lst"], 2, "the command `list`");
    check(&["cnn3"], 2, "experiments/cnn3.toml");
    check(&["quux"], 2, "runner list");
}

#[test]
fn a_wrong_file_is_shown_with_line_and_column() {
    let suite = Suite::new();
    let table = [
        ("[model]\nkind = \"cnn3\"\n\n[optimizer]\nkind = \"adam\"\nlearning_rat = 0.1\n", ":7:1", "learning_rate"),
        ("[model]\nkind = \"cnn5\"\n", ":3:8", "cnn3"),
        ("[model]\nkind = \"cnn3\"\n\n[training]\nbatch_size = \"many\"\n", ":6:14", "batch_size"),
    ];
    for (index, (toml, position, hint)) in table.into_iter().enumerate() {
        let name = format!("bad{index}");
        let path = suite.experiment(&name, &format!("name = \"{name}\"\n{toml}\n[data]\nname = \"fashion-mnist\"\n"));
        let said = suite.fails(2, &[&path, "--offline"]);
        assert!(said.contains(&format!("{name}.toml{position}")), "{position}: {said}");
        assert!(said.contains(hint), "{hint}: {said}");
    }
    assert!(!suite.results().exists());
}

/// The flag for a folder with four files that are not what was published.
fn altered_data(suite: &Suite) -> String {
    let folder = suite.path().join("data");
    fs::create_dir(&folder).expect("writable");
    for (part, magic) in [("images-idx3", 3), ("labels-idx1", 1)] {
        for name in [format!("train-{part}-ubyte"), format!("t10k-{part}-ubyte")] {
            fs::write(folder.join(name), [0, 0, 8, magic]).expect("writable");
        }
    }
    format!("--data-dir={}", folder.display())
}

#[test]
fn altered_data_end_with_3() {
    let suite = Suite::new();
    let folder = altered_data(&suite);
    let said = suite.fails(3, &["experiments/cnn3.toml", &folder, "--offline", "--backend=flex"]);
    assert!(said.contains("ubyte") && said.contains("expected"), "{said}");
    assert!(!suite.results().exists());
}

#[test]
fn a_name_that_somebody_holds_ends_with_75_before_data_are_looked_for() {
    let suite = Suite::new();
    let run = suite.results().join("dense_128/mine");
    fs::create_dir_all(&run).expect("writable");
    let lock = File::create(run.join("lock")).expect("writable");
    lock.lock().expect("nobody has it");
    writeln!(&lock, "process {} since just now", std::process::id()).expect("writable");
    let data = altered_data(&suite);
    let arguments = ["experiments/dense_128.toml", "--backend=flex", "--run-name=mine", &data];
    let said = suite.fails(75, &arguments);
    assert!(said.contains(&format!("process {} ", std::process::id())), "{said}");
    drop(lock);
    fs::remove_file(run.join("lock")).expect("it is there");
    // Then the data are what is wrong.
    assert!(suite.fails(3, &arguments).contains("ubyte"));
}

#[test]
fn a_named_run_that_cannot_start_leaves_nothing() {
    let suite = Suite::new();
    let data = altered_data(&suite);
    let arguments = ["experiments/dense_128.toml", "--backend=flex", "--run-name=mine", &data];
    assert!(suite.fails(3, &arguments).contains("ubyte"));
    assert!(!suite.results().exists());

    let old = suite.run("dense_128", &[SMALL, &["--run-name=mine"]].concat());
    let before = old.read("status.json");
    assert!(suite.fails(3, &[&arguments[..], &["--force"]].concat()).contains("ubyte"));
    assert_eq!(old.read("status.json"), before);
    let names = fs::read_dir(suite.results().join("dense_128")).expect("listable").count();
    assert_eq!(names, 2, "the run and the link to it");
}

#[test]
fn a_results_folder_that_cannot_be_made_ends_with_4() {
    let suite = Suite::new();
    fs::write(suite.results(), "in the way").expect("writable");
    let said = suite.fails(4, &[&["experiments/dense_128.toml"], SMALL].concat());
    assert!(said.contains(suite.results().to_str().expect("utf-8")), "{said}");
}

#[test]
fn a_loss_that_is_not_finite_ends_with_5_and_keeps_what_was_written() {
    let suite = Suite::new();
    let arguments = ["--set=optimizer.learning_rate=1e30", "--run-name=diverged"];
    let said = suite.fails(5, &[&["experiments/dense_128.toml"], SMALL, &arguments].concat());
    assert!(said.contains("epoch 1, step 2"), "{said}");
    let run = suite.results().join("dense_128/diverged");
    let status = fs::read_to_string(run.join("status.json")).expect("readable");
    assert!(status.contains("\"diverged\"") && status.contains("step 2"), "{status}");
    assert!(run.join("config.toml").is_file() && run.join("environment.json").is_file());
    assert!(!run.join("model.safetensors").exists());
}

#[test]
fn weights_that_blow_up_in_the_last_step_end_with_5() {
    let suite = Suite::new();
    let arguments = ["--set=optimizer.learning_rate=1e30", "--train-samples=64", "--run-name=blown"];
    let small: Vec<&str> = SMALL.iter().copied().filter(|flag| !flag.starts_with("--train-samples")).collect();
    let said = suite.fails(5, &[&["experiments/dense_deep.toml"], small.as_slice(), &arguments].concat());
    assert!(said.contains("epoch 1"), "{said}");
    let status = fs::read_to_string(suite.results().join("dense_deep/blown/status.json")).expect("readable");
    assert!(status.contains("\"diverged\""), "{status}");
}

#[test]
fn one_of_several_that_fails_ends_with_7_and_the_others_are_done() {
    let suite = Suite::new();
    let said = suite.fails(7, &[&["experiments/missing.toml", "experiments/dense_128.toml"], SMALL].concat());
    assert!(said.contains("1 of 2"), "{said}");
    assert!(suite.results().join("dense_128/latest/summary.json").is_file());
}
