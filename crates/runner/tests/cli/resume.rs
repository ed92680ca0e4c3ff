//! Training goes on from any place to the same bytes.
//!
//! In this process, unlike the rest: every step of a run is tried, with every kind of layer and optimizer. What
//! happens around it to processes and files is `runner-torture`'s business.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use runner::{
    backend::{self, Backend},
    checkpoint::{self, Context, Continuity},
    error::Error,
    experiment::{self, BackendName, Overrides, Resolved},
    metrics::EpochRow,
    pipeline::{self, TrainingData},
    provenance::Fingerprint,
    run_dir::{CheckpointFiles, LogMark},
    train::{self, Event, PhaseLoaders, State, Trained},
};

/// Dropout draws from one generator of the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const SIDE: usize = 28;

struct Lab {
    resolved: Resolved,
    backend: Backend,
    data: TrainingData,
    loaders: Vec<PhaseLoaders>,
    // Holds the images.
    _folder: tempfile::TempDir,
}

impl Lab {
    fn new(tables: &str, set: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (part, count) in [("train", 32), ("t10k", 4)] {
            write_images(folder.path(), part, count);
        }
        let path = folder.path().join("lab.toml");
        fs::write(&path, format!("{TABLES}{tables}")).expect("writable");
        let set = set.iter().map(|it| (*it).to_owned()).collect();
        let resolved = experiment::load(&path, &Overrides { set, ..Overrides::default() })
            .unwrap_or_else(|error| panic!("{}", error.report()));
        let backend = backend::select(BackendName::Flex).expect("needs no hardware");
        let config = &resolved.experiment.data;
        let files = pipeline::locate(config, data::LocateOptions::default()).expect("written just now");
        let data = TrainingData::load(&files, config).expect("they are sound");
        let loaders = data.loaders(&resolved.experiment);
        Self { resolved, backend, data, loaders, _folder: folder }
    }

    fn model(&self) -> models::Model {
        let experiment = &self.resolved.experiment;
        let model = experiment.model.init_seeded(self.data.input_shape(), 4, experiment.training.seed);
        model.with_kernels(experiment.training.kernels)
    }

    fn first(&self) -> State {
        State::new(self.model(), &self.resolved.experiment, &self.backend)
    }

    fn train(&self, state: State, observe: &mut dyn FnMut(Event<'_>) -> Result<(), Error>) -> Result<Trained, Error> {
        train::train(state, &self.loaders, &self.resolved.experiment, &self.backend, observe)
    }

    fn decode(&self, files: &CheckpointFiles, rows: Vec<EpochRow>) -> State {
        let experiment = &self.resolved.experiment;
        let epochs = experiment.phases.iter().zip(&self.loaders);
        let clock: Vec<usize> =
            epochs.flat_map(|(phase, it)| std::iter::repeat_n(it.train.num_batches(), phase.epochs)).collect();
        let record = checkpoint::record(files).expect("written by this program");
        checkpoint::decode(files, record, rows, &self.model(), (&clock, Continuity::Exact), experiment, &self.backend)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

const TABLES: &str = r#"
name = "lab"
[data]
dir = "."
split = { kind = "first", valid = 8 }
[schedule]
kind = "cosine"
[augment]
shift = 0.1
[[phase]]
name = "plain"
epochs = 1
[[phase]]
name = "augmented"
epochs = 2
augment = true
[training]
batch_size = 8
seed = 3
select = "best"
metric = "valid_loss"
label_smoothing = 0.1
early_stopping = { metric = "valid_loss", patience = 9 }
"#;

fn write_images(folder: &Path, part: &str, count: usize) {
    let word = |number: usize| u32::try_from(number).expect("small").to_be_bytes();
    let pixels = (0..count * SIDE * SIDE).map(|it| u8::try_from((it * it % 251) ^ (it % 7)).expect("below 256"));
    let images: Vec<u8> =
        [&[0, 0, 8, 3], word(count).as_slice(), &word(SIDE), &word(SIDE)].concat().into_iter().chain(pixels).collect();
    let labels: Vec<u8> =
        [&[0, 0, 8, 1], word(count).as_slice()].concat().into_iter().chain((0..4).cycle().take(count)).collect();
    fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).expect("writable");
    fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).expect("writable");
}

fn context() -> Context {
    let fingerprint = Fingerprint {
        config: String::new(),
        program: String::new(),
        data: Vec::new(),
        backend: String::new(),
        machine: String::new(),
    };
    Context { fingerprint, metrics: LogMark::default(), seconds: 0.0, checkpoint_seconds: 0.0 }
}

/// The end of training, without what a clock measured: chosen weights, last weights, optimizer, rows.
fn end(trained: &Trained) -> (Vec<u8>, CheckpointFiles, Vec<EpochRow>) {
    let timeless =
        |row: &EpochRow| EpochRow { train_seconds: 0.0, valid_seconds: 0.0, images_per_second: 0.0, ..row.clone() };
    let files = checkpoint::encode(&trained.state, &context()).expect("finite weights");
    let weights = models::to_safetensors(&trained.model).expect("finite weights");
    (weights, files, trained.rows.iter().map(timeless).collect())
}

/// Stores every place of a run, goes on from each of them, and compares the ends.
fn check(tables: &str, set: &[&str]) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::new(tables, set);
    let mut places: Vec<(CheckpointFiles, Vec<EpochRow>)> = Vec::new();
    let whole = lab.train(lab.first(), &mut |event| {
        let (Event::Step(train::Step { state, .. })
        | Event::Validating(state)
        | Event::Epoch { state, .. }
        | Event::Diverged(state)) = event;
        places.push((checkpoint::encode(state, &context()).expect("finite weights"), state.rows().to_vec()));
        Ok(())
    });
    let expected = end(&whole.expect("it trains"));
    // Looking at a state changes nothing.
    let unwatched = lab.train(lab.first(), &mut |_| Ok(())).expect("it trains");
    assert!(end(&unwatched) == expected, "taking checkpoints changed the run: {tables} {set:?}");
    assert_eq!(places.len(), 3 * (3 + 1 + 1), "steps, validations and epochs");
    for (place, (files, rows)) in places.into_iter().enumerate() {
        let resumed = lab.train(lab.decode(&files, rows), &mut |_| Ok(())).expect("it trains");
        let found = end(&resumed);
        assert!(found.2 == expected.2, "rows differ from place {place} on: {:?} {:?}", found.2, expected.2);
        for (name, bytes) in &expected.1 {
            assert!(found.1[name] == *bytes, "{name} differs from place {place} on: {tables} {set:?}");
        }
        assert!(found.0 == expected.0, "the chosen weights differ from place {place} on");
    }
}

const ADAM: &str = "[optimizer]\nkind = \"adam\"\n";

#[test]
fn every_step_is_a_place_to_go_on_from() {
    let dense = "[model]\nkind = \"dense\"\nhidden_sizes = [16, 8]\ndropout = 0.3\nbatch_norm = \"after_dropout\"\n";
    for kernels in ["fused", "composed"] {
        let kernels = format!("training.kernels={kernels}");
        check(&format!("{ADAM}{dense}"), &[&kernels]);
        check(
            &format!("{ADAM}{dense}"),
            &[&kernels, "training.gradient_clipping={ kind = \"global_norm\", max = 0.5 }"],
        );
        check(&format!("[optimizer]\nkind = \"sgd\"\nmomentum = 0.9\nnesterov = true\n{dense}"), &[&kernels]);
        check(&format!("[optimizer]\nkind = \"adamw\"\nweight_decay = 0.1\n{dense}"), &[&kernels]);
    }
}

#[test]
fn convolutional_networks_go_on_from_every_step() {
    for kernels in ["fused", "composed"] {
        let kernels = format!("training.kernels={kernels}");
        check(&format!("{ADAM}[model]\nkind = \"cnn3\"\n"), &[&kernels]);
        check(&format!("{ADAM}[model]\nkind = \"cnn4\"\n"), &[&kernels]);
    }
}

#[test]
fn weights_that_are_no_numbers_are_never_saved() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let model = "[model]\nkind = \"dense\"\nhidden_sizes = [16]\n[optimizer]\nkind = \"sgd\"\nlearning_rate = 1e300\n";
    let lab = Lab::new(model, &[]);
    let (mut refused, mut last) = (0, false);
    let outcome = lab.train(lab.first(), &mut |event| {
        match event {
            Event::Step(train::Step { state, .. }) => match checkpoint::encode(state, &context()) {
                Ok(_) => {}
                Err(error) if error.is_divergence() => refused += 1,
                Err(error) => panic!("{error}"),
            },
            Event::Diverged(_) => last = true,
            _ => {}
        }
        Ok(())
    });
    assert!(matches!(outcome, Err(Error::Diverged { epoch: 1, .. })), "{outcome:?}");
    assert!(last && refused > 0, "{refused} checkpoints were refused");
}
