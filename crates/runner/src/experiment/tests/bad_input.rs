//! Every mistake is answered with its place, what is wrong and what may have been meant.

use super::{super::Overrides, Project, VALID, set};

/// Loads `VALID` with one piece of its text replaced, and looks for `expected` in the message.
fn check_file(replace: &str, with: &str, expected: &str) {
    assert!(VALID.contains(replace), "{replace:?} is no part of the valid file");
    check(&[("a.toml", &VALID.replace(replace, with))], &[], expected);
}

fn check_set(values: &[&str], expected: &str) {
    check(&[("a.toml", VALID)], values, expected);
}

fn check(files: &[(&str, &str)], values: &[&str], expected: &str) {
    let project = Project::new(files);
    let error = project.load(files[0].0, &set(values)).expect_err(expected);
    let (message, report) = (project.relative(&error.to_string()), project.relative(&error.report()));
    assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    assert!(report.lines().next().is_some_and(|line| !line.is_empty()), "no first line: {report}");
    let first = message.lines().next().expect("at least one problem");
    assert!(report.contains(first), "expected {first:?} in {report:?}");
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    check_file(
        "learning_rate",
        "lerning_rate",
        "a.toml:13:1: unknown key `lerning_rate` in [optimizer], did you mean `learning_rate`?",
    );
    check_file("[training]", "[trainig]", "a.toml:15:2: unknown key `trainig`, did you mean `training`?");
    check_file("name = \"tiny\"", "nome = \"tiny\"", "a.toml:1:1: unknown key `nome`, did you mean `name`?");
    check_file("seed = 7", "sed = 7", "a.toml:5:43: unknown key `sed` in [data.split], did you mean `seed`?");
    check_file("epochs = 3", "zzz = 3", "a.toml:17:1: unknown key `zzz` in [training]");
    check_file("[data]", "extend = \"b.toml\"\n[data]", "a.toml:3:1: unknown key `extend`, did you mean `extends`?");
}

#[test]
fn unknown_kinds_and_values_name_the_nearest_known_one() {
    check_file("\"sgd\"", "\"sdg\"", "a.toml:12:8: optimizer.kind: unknown value `sdg`, did you mean `sgd`?");
    check_file("\"dense\"", "\"densse\"", "a.toml:8:8: model.kind: unknown value `densse`, did you mean `dense`?");
    check_file("epochs = 3", "select = \"bst\"", "a.toml:17:10: training.select: unknown value `bst`, did you mean");
    check_file("fashion-mnist", "fashon-mnist", "a.toml:4:8: data.name: no data set `fashon-mnist`, did you mean `fa");
}

#[test]
fn missing_keys_name_their_table() {
    check_file("name = \"tiny\"", "", "a.toml:1:1: missing key `name`");
    check_file("kind = \"sgd\"", "", "a.toml:11:1: missing key `kind` in [optimizer]");
    check_file("{ kind = \"fraction\", valid = 0.2, seed = 7 }", "\"first\"", "missing key `valid` in [data.split]");
    check_file("name = \"fashion-mnist\"", "", "a.toml:3:2: data: say which images");
    check_file("epochs = 3", "", "a.toml:15:2: training.epochs: missing: say how long to train");
}

#[test]
fn wrong_types_say_what_was_expected_and_found() {
    check_file(
        "= 64",
        "= \"64\"",
        "a.toml:16:14: training.batch_size: expected a whole number, found the string \"64\"",
    );
    check_file("= 64", "= 6.4", "a.toml:16:14: training.batch_size: expected a whole number, found 6.4");
    check_file("= 64", "= -1", "a.toml:16:14: training.batch_size: expected a whole number of at least 0, found -1");
    check_file("= 0.1\n", "= true\n", "a.toml:13:17: optimizer.learning_rate: expected a number, found true");
    check_file("[16, 8]", "[16, \"8\"]", "a.toml:9:21: model.hidden_sizes.1: expected a whole number, found the");
    check_file("[16, 8]", "16", "a.toml:9:16: model.hidden_sizes: expected an array, found 16");
    check_file("\"tiny\"", "1979-05-27", "a.toml:1:8: name: expected a string, found the date 1979-05-27");
    check_file(
        "{ kind = \"fraction\", valid = 0.2, seed = 7 }",
        "3",
        "a.toml:5:9: data.split: expected one of `none`,",
    );
    check_file("\"sgd\"", "3", "a.toml:12:8: optimizer.kind: expected one of `sgd`, `adam`, `adamw`, found 3");
    check_file("[training]", "[[training]]", "training: expected a table, found an array");
    check_file("\"sgd\"", "\"sgd\"\nnesterov = 1", "a.toml:13:12: optimizer.nesterov: expected true or false, found 1");
}

#[test]
fn values_out_of_range_say_the_range() {
    check_file("= 64", "= 0", "a.toml:16:14: training.batch_size: must be at least 1 and at most 65536, found 0");
    check_file(
        "= 64",
        "= 65537",
        "a.toml:16:14: training.batch_size: must be at least 1 and at most 65536, found 65537",
    );
    check_file("= 0.1\n", "= 0\n", "a.toml:13:17: optimizer.learning_rate: must be above 0.0, found 0.0");
    check_file("= 0.1\n", "= nan\n", "a.toml:13:17: nan is not a finite number");
    check_file("= 0.1\n", "= -inf\n", "a.toml:13:17: -inf is not a finite number");
    check_file("= 0.1\n", "= 1e999\n", "a.toml:13:17: 1e999 is not a finite number");
    check_file("= 64", "= 99999999999999999999", "a.toml:16:14: 99999999999999999999 does not fit a 64-bit integer");
    check_file("valid = 0.2", "valid = 1.0", "a.toml:5:38: data.split.valid: must be");
    check_file("[16, 8]", "[16, 0]", "a.toml:9:21: model.hidden_sizes[1]: must be");
    check_file(
        "\"tiny\"",
        "\"../../x\"",
        "a.toml:1:8: name: must be 1 to 64 letters, digits, `_` or `-`, found \"../../x\"",
    );
    check_file("\"tiny\"", "\"\"", "a.toml:1:8: name: must be 1 to 64 letters");
    check_file("epochs = 3", "epochs = 0", "a.toml:17:10: training.epochs: must be at least 1");
    check_file("[training]", "[augment]\nzoom = 1.5\n[training]", "a.toml:16:8: augment.zoom: must be");
    check_file(
        "[training]",
        "[schedule]\nkind = \"step\"\nstep_epochs = 0\n[training]",
        "a.toml:17:15: schedule.step_ep",
    );
}

#[test]
fn reports_are_read_strictly() {
    let check_report = |lines: &str, expected: &str| {
        let text = format!("{VALID}\n[reported]\nsource = \"A1\"\ndata = \"old files\"\n{lines}\n");
        check(&[("a.toml", &text)], &[], expected);
    };
    check_report("test_acuracy = 0.9", "a.toml:22:1: unknown key `test_acuracy` in [reported], did you mean `test_");
    check_report("test_accuracy = 91.0", "a.toml:22:17: reported.test_accuracy: must be at least 0.0 and at most 1.0");
    check_report("valid_loss = -1", "a.toml:22:14: reported.valid_loss: must be at least 0.0, found -1.0");
    check_report("note = \"two\\nlines\"", "a.toml:22:8: reported.note: must be one line that says something");
    check_report(
        "seconds_per_epoch = [45, 30]",
        "a.toml:22:21: reported.seconds_per_epoch: must be at least 0.0 and at",
    );
    check_report(
        "seconds_per_epoch = [45]",
        "a.toml:22:21: reported.seconds_per_epoch: invalid length 1, expected a num",
    );
    check_report("seconds_per_epoch = \"long\"", "a.toml:22:21: reported.seconds_per_epoch: invalid type: string");
    check_report(
        "first_epoch = { train_accuracy = 1.5 }",
        "a.toml:22:34: reported.first_epoch.train_accuracy: must be at least 0.0 and at most 1.0",
    );
    check_report("first_epoch = { loss = 1.0 }", "a.toml:22:17: unknown key `loss` in [reported.first_epoch]");
    check_report("parameters = 0", "a.toml:22:14: reported.parameters: must be at least 1, found 0");
    let without_source = format!("{VALID}\n[reported]\ndata = \"old files\"\n");
    check(&[("a.toml", &without_source)], &[], "a.toml:19:1: missing key `source` in [reported]");
}

#[test]
fn several_problems_are_reported_together() {
    let text = VALID.replace("= 64", "= 0").replace("= 0.1\n", "= -1\n").replace("\"tiny\"", "\"a b\"");
    let error = Project::new(&[("a.toml", &text)]).load("a.toml", &Overrides::default()).expect_err("three problems");
    let places: Vec<&str> = error.problems().iter().map(|it| it.place().rsplit('/').next().unwrap_or("")).collect();
    assert_eq!(places, ["a.toml:1:8", "a.toml:13:17", "a.toml:16:14"]);
}

#[test]
fn contradictions_are_explained() {
    let no_split = "split = { kind = \"fraction\", valid = 0.2, seed = 7 }\n";
    for (with, expected) in [
        ("select = \"best\"", "training.select: the best epoch is chosen by validation, but data.split is none"),
        ("early_stopping = { patience = 2 }", "training.early_stopping: stopping needs a validation metric, but"),
    ] {
        let text = VALID.replace(no_split, "").replace("epochs = 3", &format!("epochs = 3\n{with}"));
        check(&[("a.toml", &text)], &[], expected);
    }
    let phase = |lines: &str| VALID.replace("epochs = 3\n", &format!("[[phase]]\nname = \"p\"\n{lines}\n"));
    let check_phase = |lines: &str, expected: &str| check(&[("a.toml", &phase(lines))], &[], expected);
    check_phase("epochs = 0", "a.toml:19:10: phase.0.epochs: must be at least 1");
    check_phase("epochs = 1\naugment = true", "a.toml:20:11: phase.0.augment: is true, but [augment] changes nothing");
    check_phase("epochs = 1\n[[phase]]\nname = \"p\"\nepochs = 1", "a.toml:21:8: phase.1.name: two phases are called");
    check_phase("epochs = 1\n[augment]\nzoom = 0.1", "a.toml:20:2: augment: no [[phase]] says `augment = true`");
    check_file(
        "epochs = 3",
        "epochs = 3\n[[phase]]\nname = \"p\"\nepochs = 1",
        "a.toml:17:10: training.epochs: [[phase]]",
    );
    check_file("= 0.1\n", "= 0.1\nnesterov = true\n", "a.toml:14:12: optimizer.nesterov: needs momentum above 0");
    check_file(
        "[data]",
        "[data]\nclass_names = [\"a\", \"b\"]",
        "a.toml:4:15: data.class_names: the named data set has",
    );
}

#[test]
fn losses_fit_their_heads_and_tests_their_choices() {
    check_file(
        "[training]",
        "[loss]\nkind = \"binary_cross_entropy\"\n[training]\nlabel_smoothing = 0.1",
        "a.toml:18:19: training.label_smoothing: is for loss.kind = \"cross_entropy\" alone",
    );
    check_file("[16, 8]", "[16, 8]\nhead = \"sigmoid_softmax\"", "a.toml:10:8: model.head: sigmoid_softmax returns");
    check_file(
        "[16, 8]",
        "[16, 8]\nhead = \"sigmoid\"\n[loss]\nkind = \"binary_cross_entropy\"",
        "a.toml:12:8: loss.kind: binary_cross_entropy applies the sigmoids itself",
    );
    check_file(
        "[training]",
        "[loss]\nkind = \"cross_entropy\"\nclip = 0.5\n[training]",
        "a.toml:17:8: loss.clip: must",
    );
    let tested = |lines: &str| VALID.replace("[data]", "[data]\ntest = \"valid\"").replace("epochs = 3", lines);
    for (lines, expected) in [
        (
            "epochs = 3\nselect = \"best\"",
            "a.toml:19:10: training.select: the best epoch is chosen by validation, but d",
        ),
        ("epochs = 3\nearly_stopping = { patience = 2 }", "training.early_stopping: stopping is decided by validation"),
    ] {
        check(&[("a.toml", &tested(lines))], &[], expected);
    }
    let unsplit = tested("epochs = 3").replace("split = { kind = \"fraction\", valid = 0.2, seed = 7 }\n", "");
    check(
        &[("a.toml", &unsplit)],
        &[],
        "a.toml:4:8: data.test: asks for the validation images, but data.split is none",
    );
}

#[test]
fn broken_toml_is_located() {
    check_file("[data]", "[data", "a.toml:3:6: ");
    check_file("= 64", "=", "a.toml:16:13: ");
    check_file("epochs = 3", "batch_size = 3", "a.toml:17:1: duplicate key");
    let project = Project::new(&[]);
    project.write("a.toml", b"name = \"\xff\"");
    let message = project.load("a.toml", &Overrides::default()).expect_err("no UTF-8").to_string();
    assert!(message.ends_with("a.toml:1:9: the file is not UTF-8 text"), "{message}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let check_extends = |extends: &str, expected: &str| {
        let text = format!("extends = {extends}\n{VALID}");
        let circular = ("configs/c.toml", "extends = \"d.toml\"");
        let files = [
            ("experiments/a.toml", text.as_str()),
            circular,
            ("configs/d.toml", "extends = ['c.toml']"),
            ("configs/e.toml", "[optimizer]\nmomentun = 0.9"),
            ("configs/f.toml", "x = ["),
        ];
        check(&files, &[], expected);
    };
    check_extends("\"../configs/x.toml\"", "experiments/a.toml:1:11: cannot read configs/x.toml: No such file");
    check_extends("[\"../configs/e.toml\", 3]", "experiments/a.toml:1:33: extends: expected a path, found 3");
    check_extends("true", "experiments/a.toml:1:11: extends: expected a path or a list of paths, found true");
    check_extends("\"a.toml\"", "a.toml:1:11: circular extends: experiments/a.toml → experiments/a.toml");
    check_extends(
        "\"../configs/c.toml\"",
        "configs/d.toml:1:12: circular extends: configs/c.toml → configs/d.toml → configs/c.toml",
    );
    check_extends(
        "\"../configs/e.toml\"",
        "configs/e.toml:2:1: unknown key `momentun` in [optimizer], did you mean `m",
    );
    check_extends("\"../configs/f.toml\"", "configs/f.toml:1:6: ");
    check_extends("\"../configs\"", "experiments/a.toml:1:11: cannot read configs: ");
    check_extends("\"../../../../../../etc/hostname\"", "experiments/a.toml:1:11: extends: ");
    check_extends("\"/etc/hostname\"", "experiments/a.toml:1:11: extends: /etc/hostname is outside of ");
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_does_not_lead_out_of_the_tree() {
    let outside = Project::new(&[("secret.toml", "password = 1")]);
    let project =
        Project::new(&[("configs/x.toml", ""), ("a.toml", &format!("extends = 'configs/link.toml'\n{VALID}"))]);
    std::os::unix::fs::symlink(outside.path("secret.toml"), project.path("configs/link.toml")).expect("a link");
    let message = project.load("a.toml", &Overrides::default()).expect_err("it leads out").to_string();
    assert!(message.contains("a.toml:1:11: extends: "), "{message}");
    assert!(message.contains("configs/link.toml is outside of ") && !message.contains("password"), "{message}");
}

#[test]
fn a_missing_experiment_names_the_one_that_may_be_meant() {
    let project = Project::new(&[("experiments/cnn3.toml", VALID), ("experiments/dense.toml", VALID)]);
    for wanted in ["experiments/cnn33.toml", "experiments/cnn3"] {
        let report = project.load(wanted, &Overrides::default()).expect_err("there is none").report();
        let report = project.relative(&report);
        assert!(report.contains(&format!("{wanted}: cannot read the experiment file: No such file")), "{report}");
        assert!(report.contains("did you mean experiments/cnn3.toml?"), "{report}");
    }
}

#[test]
fn too_many_or_too_long_files_are_refused() {
    let mut files = vec![("a.toml".to_owned(), "extends = ['l1.toml', 'l1.toml']".to_owned())];
    for level in 1..30 {
        let next = level + 1;
        files.push((format!("l{level}.toml"), format!("extends = ['l{next}.toml', 'l{next}.toml']")));
    }
    files.push(("l30.toml".to_owned(), String::new()));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    check(&files, &[], "extends: more than 64 files");
    check(&[("a.toml", &"#".repeat((1 << 20) + 1))], &[], "a.toml: cannot read the experiment file: longer than 1 MiB");
}

#[test]
fn a_data_folder_stays_near_its_file() {
    let with_dir = |dir: &str| VALID.replace("[data]", &format!("[data]\ndir = \"{dir}\""));
    let check_dir = |dir: &str, expected: &str| check(&[("experiments/a.toml", &with_dir(dir))], &[], expected);
    check_dir("../../elsewhere", "experiments/a.toml:4:7: data.dir: ../../elsewhere is outside of ");
    check_dir("..", "experiments/a.toml:4:7: data.dir: .. is outside of ");
}

#[test]
fn overrides_name_their_flag() {
    check_set(
        &["optimzer.learning_rate=1"],
        "--set optimzer.learning_rate=1: unknown key `optimzer`, did you mean `opt",
    );
    check_set(&["training.batchsize=1"], "--set training.batchsize=1: unknown key `batchsize` in [training], did you");
    check_set(&["training.batch_size=0"], "--set training.batch_size=0: training.batch_size: must be at least 1");
    check_set(&["training.batch_size=many"], "expected a whole number, found the string \"many\"");
    check_set(
        &["optimizer.kind=adm"],
        "--set optimizer.kind=adm: optimizer.kind: unknown value `adm`, did you mean `adam`?",
    );
    check_set(&["training.batch_size"], "--set training.batch_size: expected key.path=value");
    check_set(&["=1"], "--set =1: `` is no dotted key");
    check_set(&["a b=1"], "--set a b=1: `a b` is no dotted key");
    check_set(&["model.hidden_sizes=[1"], "--set model.hidden_sizes=[1: ");
    check_set(&["model.hidden_sizes.2=4"], "no item `2` in model.hidden_sizes: it has 2, counted from 0");
    check_set(&["optimizer.learning_rate=nan"], "--set optimizer.learning_rate=nan: nan is not a finite number");
    check_set(&["augment.zoom=1e300"], "--set augment.zoom=1e300: augment.zoom: expected a number up to 3.4e38");
    check_set(&["extends=b.toml"], "--set extends=b.toml: `extends` can only be said in a file");
    check_set(&["phase.0.epochs=1"], "--set phase.0.epochs=1: phase: expected an array, found a table");
}

#[test]
fn flags_out_of_range_are_named() {
    let check_flags = |overrides: &Overrides, expected: &str| {
        let error = Project::new(&[("a.toml", VALID)]).load("a.toml", overrides).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    };
    let default = Overrides::default;
    check_flags(&Overrides { max_epochs: Some(0), ..default() }, "--max-epochs 0: must be at least 1, found 0");
    check_flags(
        &Overrides { seed: Some(u64::MAX), ..default() },
        "--seed 18446744073709551615: does not fit a 64-bit integer",
    );
    check_flags(
        &Overrides { train_samples: Some(0), ..default() },
        "--train-samples 0: data.train_samples: must be at least 1, found 0",
    );
}

/// Loads `VALID` with lines before it, and gives what is said of it. Test threads have a quarter of the main
/// thread's stack.
fn refused(replace: &str, with: &str) -> (String, String) {
    assert!(VALID.contains(replace), "{replace:?} is no part of the valid file");
    let project = Project::new(&[("a.toml", &VALID.replace(replace, with))]);
    let error = project.load("a.toml", &Overrides::default()).expect_err("it is huge");
    (project.relative(&error.to_string()), error.report())
}

#[test]
fn huge_files_are_refused_at_once() {
    let items = "1,".repeat(10_000);
    let (message, _) = refused("[16, 8]", &format!("[{items}]"));
    assert!(message.contains("a.toml:9:"), "{message}");
    assert!(message.contains("more than 10000 values"), "{message}");
    let nested = |levels: usize| format!("x = {}1{}\n[data]", "[".repeat(levels), "]".repeat(levels));
    let (message, _) = refused("[data]", &nested(33));
    assert!(message.contains("a.toml:3:37: more than 32 tables and arrays within each other"), "{message}");
    let (message, _) = refused("[data]", &nested(32));
    assert!(message.contains("unknown key `x`"), "{message}");
    let (message, _) = refused("[data]", &nested(200_000));
    assert!(message.contains("a.toml:3:"), "{message}");
}

#[test]
fn messages_stay_short() {
    let long = "x".repeat(500_000);
    for (replace, with) in [
        ("fashion-mnist", long.as_str()),
        ("sgd", &long),
        ("learning_rate", &long),
        ("name = \"tiny\"", &format!("name = \"{long}\"")),
        ("= 64", &format!("= \"{long}\"")),
        ("[data]", &format!("x = [\n{}]\n[data]", "'a',\n".repeat(9_000))),
        ("epochs = 3", &"[[phase]]\nname = 'p'\nepochs = 0\n".repeat(3_000)),
    ] {
        let (message, report) = refused(replace, with);
        assert!(message.contains("a.toml:"), "{}", &message[..200]);
        assert!(message.len() < 10_000 && report.len() < 20_000, "{} and {} bytes", message.len(), report.len());
    }
}

#[test]
fn problems_beyond_the_twentieth_are_counted() {
    let (message, report) = refused("epochs = 3", &"[[phase]]\nname = 'p'\nepochs = 0\n".repeat(50));
    assert_eq!(message.lines().count(), 21, "{message}");
    assert!(message.ends_with("and 79 more") && report.ends_with("and 79 more\n"), "{message}");
}
