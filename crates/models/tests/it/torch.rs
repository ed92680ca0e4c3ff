//! The same weights give the same logits in PyTorch, in both directions.
//!
//! Needs Python with `torch` and `safetensors`: the interpreter in the environment variable `PYTHON`, else
//! `python3`. Where they are absent the test says on stderr that it was not run; a `PYTHON` that was asked
//! for must have them. What was found goes to stderr, and as JSON to the folder that `PYTORCH_RECORD` names.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::module::Module;
use burn::tensor::Device;
use models::{
    InputShape, Model, ModelConfig, TensorFile, TransferConfig, VggVariant, from_safetensors, to_safetensors,
};
use serde_json::{Value, json};

use crate::{every_kind, forward_in_training, images, values};

const NUM_CLASSES: usize = 10;
const TOLERANCE: f32 = 1e-4;

#[test]
fn pytorch_computes_the_same_logits() {
    let Some(python) = python_with_torch() else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let cases: Vec<_> = every_kind()
        .into_iter()
        .enumerate()
        .map(|(index, (config, shape))| Case::write(root.path().join(index.to_string()), config, shape))
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/torch_reference.py");
    let folders = cases.iter().map(|case| &case.folder);
    let output = Command::new(python).arg(script).args(folders).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let largest = cases.iter().map(Case::check).fold(0.0, f32::max);
    let versions = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let found = json!({ "versions": versions, "networks": cases.len(), "largest_difference_of_logits": largest });
    record("networks.json", &found);
}

/// A VGG19 with torchvision's names and weights of PyTorch's own, saved in both of PyTorch's formats, and a head on it.
#[test]
fn pytorch_files_give_pytorchs_features_and_logits() {
    let Some(python) = python_with_torch() else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let shape = InputShape { channels: 3, height: 64, width: 64 };
    let input = || images(2, shape, &Device::flex());
    let bytes: Vec<u8> = values(input()).into_iter().flat_map(f32::to_le_bytes).collect();
    fs::write(root.path().join("images.bin"), bytes).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/torch_vgg19.py");
    let output = Command::new(python).arg(script).arg(root.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [expected, logits] = ["features.bin", "logits.bin"].map(|file| floats(&root.path().join(file)));
    let scale = |values: &[f32]| values.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
    for values in [&expected, &logits] {
        assert!(scale(values) > 0.1, "values that are all but zero would prove nothing: {}", scale(values));
    }
    let head = fs::read(root.path().join("head.safetensors")).unwrap();
    let mut found =
        json!({ "versions": String::from_utf8_lossy(&output.stdout).trim(), "largest_feature": scale(&expected) });
    for file in ["vgg19.pth", "vgg19_legacy.pth"] {
        let path = root.path().join(file);
        let mut tensors = TensorFile::open(fs::File::open(path).unwrap()).unwrap();
        let config = TransferConfig::new(VggVariant::Vgg19, "");
        let base = config.base(&mut tensors).unwrap();
        let features = base.forward(input());
        let model = ModelConfig::Transfer(config).init_seeded(shape, NUM_CLASSES, 18);
        let model = from_safetensors(model, &head).unwrap();
        let of_logits = largest_difference(&values(model.forward(features.clone())), &logits);
        assert!(of_logits < TOLERANCE, "{file}: logits differ by {of_logits}");
        let blocks = values(features);
        let extracted = base.extractor(shape, &Device::flex()).forward(input());
        let of_features = largest_difference(&blocks, &expected).max(largest_difference(&extracted, &expected));
        assert!(of_features < TOLERANCE, "{file}: features differ by {of_features}");
        found[file] = json!({
            "largest_difference_of_features": of_features,
            "largest_difference_of_logits": of_logits,
        });
    }
    record("vgg19.json", &found);
}

fn floats(file: &Path) -> Vec<f32> {
    let bytes = fs::read(file).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

/// Infinite where anything is not a number, which a maximum would lose.
fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    differences
        .fold(0.0, |largest, difference| if difference.is_nan() { f32::INFINITY } else { largest.max(difference) })
}

struct Case {
    folder: PathBuf,
    config: ModelConfig,
    shape: InputShape,
    logits: Vec<f32>,
}

impl Case {
    fn write(folder: PathBuf, config: ModelConfig, shape: InputShape) -> Self {
        fs::create_dir(&folder).unwrap();
        let model = config.init_seeded(shape, NUM_CLASSES, 17).train();
        // One step in training, so that running statistics are not 0 and 1.
        forward_in_training(&model, 16, shape);
        let model = model.valid();
        fs::write(folder.join("model.safetensors"), to_safetensors(&model).unwrap()).unwrap();
        let InputShape { channels, height, width } = shape;
        let case = json!({
            "model": config,
            "image": [channels, height, width],
            "num_classes": NUM_CLASSES,
        });
        fs::write(folder.join("case.json"), case.to_string()).unwrap();
        let pixels = values(images(16, shape, &Device::flex()));
        let bytes: Vec<u8> = pixels.into_iter().flat_map(f32::to_le_bytes).collect();
        fs::write(folder.join("images.bin"), bytes).unwrap();
        let logits = logits(&model, shape);
        Self { folder, config, shape, logits }
    }

    /// Compares both directions and returns the largest difference.
    fn check(&self) -> f32 {
        let exported = self.compare("our weights", &self.logits, "logits.bin");
        let bytes = fs::read(self.folder.join("torch.safetensors")).unwrap();
        let model = self.config.init_seeded(self.shape, NUM_CLASSES, 18);
        let model = from_safetensors(model, &bytes).unwrap_or_else(|error| panic!("{:?}: {error}", self.config));
        let imported = self.compare("PyTorch's weights", &logits(&model, self.shape), "torch_logits.bin");
        exported.max(imported)
    }

    fn compare(&self, weights: &str, ours: &[f32], file: &str) -> f32 {
        let difference = largest_difference(ours, &floats(&self.folder.join(file)));
        assert!(difference < TOLERANCE, "{:?} with {weights}: logits differ by {difference}", self.config);
        difference
    }
}

fn logits(model: &Model, shape: InputShape) -> Vec<f32> {
    values(model.forward(images(16, shape, &Device::flex())))
}

fn python_with_torch() -> Option<String> {
    let asked = env::var("PYTHON").ok();
    let python = asked.clone().unwrap_or_else(|| "python3".to_string());
    let probe = Command::new(&python).args(["-c", "import torch, safetensors.torch"]).output();
    let missing = match probe {
        Ok(output) if output.status.success() => return Some(python),
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            stderr.lines().last().unwrap_or_default().to_string()
        }
        Err(error) => error.to_string(),
    };
    assert!(asked.is_none(), "{python}: {missing}");
    note(&format!("the comparison with PyTorch was not run: {python}: {missing}"));
    None
}

/// Says what was found, and keeps it where that is asked for.
fn record(file: &str, found: &Value) {
    note(&format!("compared with PyTorch: {found}"));
    if let Ok(folder) = env::var("PYTORCH_RECORD") {
        let path = Path::new(&folder).join(file);
        fs::write(&path, format!("{found:#}\n")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Writes past the test harness, which would swallow what a passing test prints.
fn note(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
