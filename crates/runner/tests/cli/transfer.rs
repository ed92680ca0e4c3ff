//! Transfer learning from weights of a network with random ones: what is computed, kept, and refused.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use models::{BatchNormPlacement, InputShape, ModelConfig, VggConfig, VggVariant, to_safetensors};

use crate::suite::Suite;

/// Seconds of work: 32 × 32 pixels through the smallest base. Shuffled samples reach over the first few chunks.
const EXPERIMENT: &str = r#"
name = "transfer"

[data]
name = "fashion-mnist"
resize = [32, 32]
normalize = { kind = "imagenet" }
split = { kind = "fraction", valid = 0.2 }
train_samples = 64
test_samples = 50

[model]
kind = "transfer"
base = "vgg11"
weights = "base.safetensors"
hidden_sizes = [32]

[optimizer]
kind = "adam"

[training]
epochs = 1
backend = "flex"
select = "best"
"#;

struct Transfer {
    suite: Suite,
    experiment: String,
}

impl Transfer {
    fn new() -> Self {
        let suite = Suite::new();
        let experiment = suite.experiment("transfer", EXPERIMENT);
        let config = VggConfig {
            variant: Some(VggVariant::Vgg11),
            batch_norm: BatchNormPlacement::None,
            hidden_sizes: vec![],
            ..VggConfig::default()
        };
        let images = InputShape { channels: 3, height: 32, width: 32 };
        let network = ModelConfig::Vgg(config).init_seeded(images, 10, 1);
        fs::write(suite.path().join("base.safetensors"), to_safetensors(&network).expect("finite")).expect("writable");
        Self { suite, experiment }
    }

    /// Runs with a cache of its own for everything but the data.
    fn output(&self, arguments: &[&str]) -> Output {
        let mut command = self.suite.command();
        command.env("XDG_CACHE_HOME", self.suite.path().join("cache"));
        command.arg(&self.experiment).args(["--offline", "--progress=plain"]).args(arguments);
        command.arg("--data-dir").arg(data_dir()).arg("--results-dir").arg(self.suite.results());
        command.output().expect("the binary starts")
    }

    /// Runs what must succeed and returns what it said.
    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let name = format!("--run-name={name}");
        let output = self.output(&[&[name.as_str()], arguments].concat());
        let said = String::from_utf8(output.stderr).expect("utf-8");
        assert!(output.status.success(), "{said}");
        said
    }

    fn fails(&self, arguments: &[&str], expected: &[&str]) {
        let output = self.output(arguments);
        let said = String::from_utf8(output.stderr).expect("utf-8");
        assert_eq!(output.status.code(), Some(3), "{said}");
        for expected in expected {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(!self.suite.results().exists(), "a run that cannot start leaves nothing");
    }

    fn read(&self, run: &str, file: &str) -> Vec<u8> {
        fs::read(self.suite.results().join("transfer").join(run).join(file)).expect("the run has it")
    }

    /// The chunks in the cache, each with its key's folder.
    fn chunks(&self) -> Vec<PathBuf> {
        let mut chunks = Vec::new();
        for folder in list(&self.suite.path().join("cache/burn-image-suite/features")) {
            chunks.extend(list(&folder).into_iter().filter(|path| path.extension().is_some()));
        }
        chunks.sort();
        chunks
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()).collect()
}

/// The folder that holds a folder per data set: the user's cache, as the other tests leave it.
fn data_dir() -> PathBuf {
    crate::suite::fetched();
    let root = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let root = root.unwrap_or_else(|| std::env::home_dir().expect("a home").join(".cache"));
    let cached = root.join("burn-image-suite");
    if cached.join("fashion-mnist").is_dir() { cached } else { PathBuf::from("/usr/share/datasets") }
}

#[test]
fn features_are_computed_once_and_a_damaged_chunk_again() {
    let transfer = Transfer::new();
    let first = transfer.run("first", &[]);
    assert!(first.contains("features of training images"), "{first}");
    assert!(first.contains("features of test images: 256 of 256"), "{first}");
    assert!(
        first.contains("conv2d 3x3, relu, frozen") && first.contains("of which 9,220,480 are not trained"),
        "{first}"
    );
    let chunks = transfer.chunks();
    assert!(chunks.len() > 2, "{chunks:?}");

    let environment: serde_json::Value =
        serde_json::from_slice(&transfer.read("first", "environment.json")).expect("an object");
    let key = environment["features"]["key"].as_str().expect("the key of the features");
    assert!(chunks[0].to_str().expect("utf-8").contains(key));
    let head = transfer.read("first", "model.safetensors");
    assert!(head.len() < 4 * (512 * 32 + 32 + 32 * 10 + 10) + 2000, "only the head is kept: {} bytes", head.len());

    let feature_seconds = |run: &str| {
        let summary: serde_json::Value =
            serde_json::from_slice(&transfer.read(run, "summary.json")).expect("an object");
        let seconds = |name: &str| summary["seconds"][name].as_f64().unwrap_or_else(|| panic!("no {name}: {summary}"));
        assert!(seconds("features") <= seconds("total"), "{summary}");
        seconds("features")
    };
    assert!(feature_seconds("first") > 0.0);

    let second = transfer.run("second", &[]);
    assert!(feature_seconds("second").abs() < f64::EPSILON, "all of them were in the cache");
    assert!(!second.contains("features of"), "{second}");
    assert!(transfer.read("second", "model.safetensors") == head);

    let mut bytes = fs::read(&chunks[0]).expect("readable");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&chunks[0], bytes).expect("writable");
    fs::remove_file(&chunks[1]).expect("there");
    let third = transfer.run("third", &[]);
    assert!(third.contains("wrong checksum") && third.contains("computed again"), "{third}");
    assert!(feature_seconds("third") > 0.0);
    assert!(transfer.read("third", "model.safetensors") == head);
    assert_eq!(transfer.chunks(), chunks);
}

#[test]
fn the_maps_of_a_frozen_base_are_drawn_and_embedded() {
    let transfer = Transfer::new();
    transfer.run("seen", &[]);
    let run = transfer.suite.results().join("transfer/seen");
    let draw = |arguments: &[&str]| {
        let mut command = transfer.suite.command();
        command.env("XDG_CACHE_HOME", transfer.suite.path().join("cache")).arg("figures").arg(&run);
        command.args(arguments).arg("--offline").arg("--data-dir").arg(data_dir());
        let output = command.output().expect("the binary starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = draw(&["--only=activations", "--index=3", "--channel=63"]);
    assert_eq!(code, Some(0), "{said}");
    // The eight convolutions of VGG-11, by torchvision's names.
    for layer in [0, 3, 6, 8, 11, 13, 16, 18] {
        let name = format!("plots/activations_3_features.{layer}.png");
        assert!(run.join(&name).is_file(), "{name} is missing");
    }
    assert!(run.join("plots/channels_3_features.0.png").is_file());

    // The last convolution is seen before its pool: 2 × 2 pixels of 32 × 32.
    let layers = ["--layer=classifier.0", "--layer=features.18"];
    let embed = ["--only=embeddings", "--images=40", "--perplexity=5"];
    let (code, said) = draw(&[embed.as_slice(), &layers].concat());
    assert_eq!(code, Some(0), "{said}");
    let vectors = |layer: &str| {
        let text = fs::read_to_string(run.join(format!("projector/vectors_{layer}.tsv"))).expect("readable");
        (text.lines().count(), text.lines().next().map_or(0, |line| line.split('\t').count()))
    };
    assert_eq!((vectors("classifier.0"), vectors("features.18")), ((40, 32), (40, 512 * 2 * 2)));
    let embed = ["--only=embeddings", "--images=12", "--perplexity=3", "--part=valid"];
    assert_eq!(draw(&[embed.as_slice(), &["--layer=features.18"]].concat()).0, Some(0));
    let (code, said) = draw(&[embed.as_slice(), &["--layer=classifier.0"]].concat());
    assert!(code == Some(2) && said.contains("a layer of the base"), "{said}");
}

#[test]
fn other_preprocessing_and_other_weights_are_other_features() {
    let transfer = Transfer::new();
    transfer.run("right", &[]);
    let chunks = transfer.chunks().len();
    let said = transfer.run("twice", &["--set=data.normalize.pixels=unit"]);
    assert!(said.contains("features of training images"), "{said}");
    assert_eq!(transfer.chunks().len(), 2 * chunks);
    assert!(transfer.read("twice", "model.safetensors") != transfer.read("right", "model.safetensors"));
}

#[test]
fn weights_that_are_not_there_or_not_right_end_with_3_before_a_run_begins() {
    let transfer = Transfer::new();
    transfer.fails(&["--set=model.weights=missing.pth"], &["missing.pth", "vgg16 or vgg19 to fetch"]);
    transfer.fails(
        &["--set=model.weights=vgg19"],
        &["vgg19-dcbb9e9d.pth: not found in", "fetching is not allowed; get https://"],
    );
    transfer.fails(&["--set=model.weights=/dev/zero"], &["/dev/zero", "expected a file"]);
    transfer.fails(
        &["--set=model.base=vgg13"],
        &["base.safetensors", "32 tensors are wrong", "features.2.weight: missing"],
    );
    fs::write(transfer.suite.path().join("base.safetensors"), b"\x80\x02cos\nsystem\nX\x01\0\0\0a\x85R.")
        .expect("writable");
    transfer.fails(&[], &["base.safetensors", "\"os.system\"", "nothing was executed"]);
}

#[test]
fn a_file_may_not_name_weights_outside_of_its_folder_by_a_relative_path() {
    let suite = Suite::new();
    let path = suite.experiment("outside", &EXPERIMENT.replace("base.safetensors", "../../x.safetensors"));
    let said = suite.fails(2, &[&path, "--offline"]);
    assert!(said.contains("model.weights") && said.contains("outside of"), "{said}");
}

#[test]
fn augmentation_is_refused_as_features_are_computed_once() {
    let suite = Suite::new();
    let path = suite.experiment("augmented", &format!("{EXPERIMENT}\n[augment]\nshift = 0.1\n"));
    let said = suite.fails(2, &[&path, "--offline"]);
    assert!(said.contains("augmented.toml:") && said.contains("features of each image once"), "{said}");
}
