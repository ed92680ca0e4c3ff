//! What files, fragments and flags come to together, and where each value is said to come from.

use std::path::Path;

use super::{
    super::{
        Adam, Augmentation, BackendName, Cosine, Optimizer, Origin, Overrides, Schedule, Seconds, Select, Sgd, load,
    },
    Project, VALID, check_round_trip, resolve, set,
};

#[test]
fn later_fragments_win_and_the_file_wins_over_all() {
    let project = Project::new(&[
        ("configs/a.toml", "[optimizer]\nkind = 'sgd'\nmomentum = 0.5\nweight_decay = 0.1\nlearning_rate = 9"),
        ("configs/b.toml", "[optimizer]\nmomentum = 0.9"),
        ("experiments/x.toml", &format!("extends = ['../configs/a.toml', '../configs/b.toml']\n{VALID}")),
    ]);
    let resolved = project.load("experiments/x.toml", &Overrides::default()).expect("it is valid");
    let expected = Sgd { learning_rate: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.1 };
    assert_eq!(resolved.experiment.optimizer, Optimizer::Sgd(expected));
    let origin = |key: &str| project.relative(&resolved.origins.of(key).to_string());
    assert_eq!(origin("optimizer.weight_decay"), "configs/a.toml:4");
    assert_eq!(origin("optimizer.momentum"), "configs/b.toml:2");
    assert_eq!(origin("optimizer.learning_rate"), "experiments/x.toml:14");
    assert_eq!(origin("optimizer.nesterov"), "default");
}

#[test]
fn another_kind_replaces_the_whole_table() {
    let project =
        Project::new(&[("a.toml", VALID), ("b.toml", "extends = 'a.toml'\n[optimizer]\nkind = 'adam'\nbeta_1 = 0.8")]);
    let optimizer = |overrides| project.load("b.toml", &overrides).expect("it is valid").experiment.optimizer;
    assert_eq!(optimizer(Overrides::default()), Optimizer::Adam(Adam { beta_1: 0.8, ..Adam::default() }));
    assert_eq!(optimizer(set(&["optimizer.kind=sgd"])), Optimizer::Sgd(Sgd::default()));
    let expected = Optimizer::Sgd(Sgd { learning_rate: 3.0, ..Sgd::default() });
    assert_eq!(optimizer(set(&["optimizer.learning_rate=3", "optimizer.kind=sgd"])), expected);
    assert_eq!(optimizer(set(&["optimizer=sgd", "optimizer.learning_rate=3"])), expected);
    assert_eq!(optimizer(set(&["optimizer={ kind = 'sgd', learning_rate = 3 }"])), expected);
}

#[test]
fn a_kind_joins_the_settings_that_wait_for_it() {
    let text = VALID.replace("kind = \"sgd\"\n", "");
    let expected = Optimizer::Adam(Adam { learning_rate: 0.1, ..Adam::default() });
    assert_eq!(resolve(&text, &set(&["optimizer.kind=adam"])).experiment.optimizer, expected);
}

#[test]
fn values_are_toml_or_else_plain_strings() {
    let experiment = resolve(
        VALID,
        &set(&["training.select=best", "model.hidden_sizes=[4, 2, 1]", "training.label_smoothing=0", "name='x'"]),
    )
    .experiment;
    assert_eq!(experiment.training.select, Select::Best);
    assert_eq!(experiment.name, "x");
    let models::ModelConfig::Dense(dense) = experiment.model else { panic!("it is dense") };
    assert_eq!(dense.hidden_sizes, [4, 2, 1]);
}

#[test]
fn a_table_that_nobody_wrote_can_be_set() {
    let settings = ["schedule.final_fraction=0.1", "schedule.kind=cosine", "training.early_stopping.patience=3"];
    let experiment = resolve(VALID, &set(&settings)).experiment;
    assert_eq!(experiment.schedule, Schedule::Cosine(Cosine { final_fraction: 0.1 }));
    assert_eq!(experiment.training.early_stopping.map(|it| it.patience), Some(3));
}

const PHASES: &str = "\n[augment]\nzoom = 0.1\n[[phase]]\nname = 'plain'\nepochs = 10\n\
                      [[phase]]\nname = 'augmented'\nepochs = 50\naugment = true\nsteps_per_epoch = 187\n";

fn with_phases() -> String {
    VALID.replace("epochs = 3\n", PHASES)
}

#[test]
fn phases_are_addressed_by_their_number() {
    let resolved = resolve(&with_phases(), &set(&["phase.1.epochs=7"]));
    let epochs: Vec<usize> = resolved.experiment.phases.iter().map(|phase| phase.epochs).collect();
    assert_eq!(epochs, [10, 7]);
    assert_eq!(resolved.origins.of("phase.1.epochs").to_string(), "--set phase.1.epochs=7");
    check_round_trip(&resolved);
}

#[test]
fn max_epochs_cuts_phases_in_their_order() {
    for (max, expected) in [(100, vec![10, 50]), (60, vec![10, 50]), (59, vec![10, 49]), (11, vec![10, 1])] {
        check_capped(max, &expected, "augment");
    }
    // [augment] would be at odds with a run that never uses it.
    for (max, expected) in [(10, vec![10]), (1, vec![1])] {
        check_capped(max, &expected, "no augment");
    }
}

fn check_capped(max: usize, expected: &[usize], augment: &str) {
    let resolved = resolve(&with_phases(), &Overrides { max_epochs: Some(max), ..Overrides::default() });
    let epochs: Vec<usize> = resolved.experiment.phases.iter().map(|phase| phase.epochs).collect();
    assert_eq!(epochs, expected, "at most {max}");
    assert_eq!(resolved.experiment.augment.is_identity(), augment == "no augment", "at most {max}");
    check_round_trip(&resolved);
}

#[test]
fn max_epochs_cuts_a_run_without_phases() {
    let resolved = resolve(VALID, &Overrides { max_epochs: Some(2), ..Overrides::default() });
    assert_eq!(resolved.experiment.phases[0].epochs, 2);
    assert_eq!(resolved.experiment.training.epochs, Some(2));
    assert_eq!(resolved.origins.of("training.epochs").to_string(), "--max-epochs 2");
    check_round_trip(&resolved);
}

#[test]
fn a_run_without_phases_augments_if_there_is_something_to_do() {
    let phase = |text: &str| resolve(text, &Overrides::default()).experiment.phases[0].clone();
    assert_eq!(phase(VALID).augment, Augmentation::Off);
    assert_eq!(phase(&VALID.replace("[training]", "[augment]\nzoom = 0.1\n[training]")).augment, Augmentation::On);
}

#[test]
fn flags_win_over_set_and_are_named() {
    let overrides = Overrides {
        set: vec!["training.seed=1".to_owned(), "data.workers=0".to_owned()],
        backend: Some(BackendName::Ndarray),
        seed: Some(9),
        train_samples: Some(100),
        test_samples: Some(50),
        data_dir: Some("/srv/images".into()),
        max_epochs: None,
    };
    let resolved = resolve(VALID, &overrides);
    let experiment = &resolved.experiment;
    assert_eq!((experiment.training.seed, experiment.training.backend), (9, BackendName::Ndarray));
    assert_eq!((experiment.data.train_samples, experiment.data.test_samples), (Some(100), Some(50)));
    assert_eq!(experiment.data.dir.as_deref(), Some(Path::new("/srv/images")));
    for (key, origin) in [
        ("training.seed", "--seed 9"),
        ("training.backend", "--backend ndarray"),
        ("data.train_samples", "--train-samples 100"),
        ("data.dir", "--data-dir /srv/images"),
        ("data.workers", "--set data.workers=0"),
    ] {
        assert_eq!(resolved.origins.of(key).to_string(), origin);
    }
    check_round_trip(&resolved);
}

#[test]
fn a_report_may_say_a_time_or_a_range_of_times() {
    for (text, low, high) in [("30", 30.0, 30.0), ("2.5", 2.5, 2.5), ("[30, 45]", 30.0, 45.0)] {
        let table = format!("[reported]\nsource = 'A1'\ndata = 'old files'\nseconds_per_epoch = {text}\n");
        let resolved = resolve(&format!("{VALID}\n{table}"), &Overrides::default());
        let reported = resolved.experiment.reported.clone().expect("there is a report");
        assert_eq!(reported.seconds_per_epoch, Some(Seconds { low, high }));
        check_round_trip(&resolved);
    }
}

#[test]
fn a_data_folder_starts_from_the_file_that_names_it() {
    let named = "[data]\ndir = \"../images\"\nclass_names = ['a', 'b']\nsplit = 'none'";
    let text = VALID.replace("[data]\nname = \"fashion-mnist\"\n", "extends = '../configs/data/mine.toml'\n[data]\n");
    let project = Project::new(&[("configs/data/mine.toml", named), ("experiments/sub/x.toml", "")]);
    project.write("experiments/sub/x.toml", text.replace("../configs", "../../configs").as_bytes());
    let resolved = project.load("experiments/sub/x.toml", &Overrides::default()).expect("it is valid");
    let expected = project.path("configs").canonicalize().expect("it is there").join("images");
    assert_eq!(resolved.experiment.data.dir, Some(expected));
    assert_eq!(resolved.experiment.data.known_shape(), None);
    check_round_trip(&resolved);
}

#[test]
fn a_data_folder_elsewhere_has_an_absolute_path() {
    let resolved = resolve(&VALID.replace("[data]", "[data]\ndir = '/srv/../srv/images'"), &Overrides::default());
    assert_eq!(resolved.experiment.data.dir.as_deref(), Some(Path::new("/srv/images")));
    assert_eq!(resolved.experiment.data.known_shape().map(|(_, num_classes)| num_classes), Some(10));
    check_round_trip(&resolved);
}

#[test]
fn annotations_name_file_line_flag_or_default() {
    let project = Project::new(&[("experiments/a.toml", VALID)]);
    let overrides = Overrides { seed: Some(4), ..set(&["optimizer=adam", "optimizer.beta_1=0.5"]) };
    let resolved = project.load("experiments/a.toml", &overrides).expect("it is valid");
    let text = project.relative(&resolved.annotated_toml());
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [
        "name = \"tiny\" # experiments/a.toml:1",
        "hidden_sizes = [16, 8] # experiments/a.toml:9",
        "seed = 4 # --seed 4",
        "kind = \"adam\" # --set optimizer=adam",
        "beta_1 = 0.5 # --set optimizer.beta_1=0.5",
        "epsilon = 1e-7 # default",
        "shuffle = true # default",
        "schedule = \"constant\" # default",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(lines.contains(&words), "expected {line:?} in\n{text}");
    }
}

#[test]
fn problems_found_later_point_at_the_same_places() {
    let project = Project::new(&[("a.toml", VALID)]);
    let resolved = project.load("a.toml", &Overrides::default()).expect("it is valid");
    let message = |key| project.relative(&resolved.invalid(key, "does not fit").to_string());
    assert_eq!(message("model.hidden_sizes[1]"), "a.toml:9:21: model.hidden_sizes[1]: does not fit");
    assert_eq!(message("model.dropout"), "a.toml:7:2: model.dropout: does not fit");
    assert_eq!(message("augment.zoom"), "a.toml:1:1: augment.zoom: does not fit");
}

#[test]
fn paths_are_shown_as_they_were_given() {
    // Cargo runs tests in the crate's folder.
    let path = Path::new("../../experiments/cnn1.toml");
    let resolved = load(path, &Overrides::default()).expect("it is valid");
    let origin = |key: &str| resolved.origins.of(key);
    assert!(matches!(origin("model.kind"), Origin::File { .. }));
    assert_eq!(origin("data.name").to_string(), "../../configs/data/fashion_mnist.toml:5");
}
