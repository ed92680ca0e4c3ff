//! A folder to run the binary in, and what its run directories hold.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Once,
};

use serde_json::Value;
use tempfile::TempDir;

/// Options for a run of seconds on real images.
pub(crate) const SMALL: &[&str] = &[
    "--backend=flex",
    "--max-epochs=1",
    "--train-samples=256",
    "--test-samples=200",
    "--set=training.batch_size=64",
    "--progress=plain",
    "--json",
];

/// A results folder of its own.
pub(crate) struct Suite {
    folder: TempDir,
}

/// What a run printed and left.
pub(crate) struct Run {
    pub(crate) dir: PathBuf,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Suite {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.path().join("results")
    }

    /// The command, started in the repository, writing into this folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.current_dir(repository()).env("NO_COLOR", "1").env_remove("RUST_LOG");
        // Trying every variant of every kernel takes minutes on a software adapter, which looks for this folder.
        command.env("CUBECL_AUTOTUNE_LEVEL", "minimal").env("XDG_RUNTIME_DIR", self.path());
        command
    }

    /// Runs with the given arguments and this suite's results folder.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        fetched();
        let mut command = self.command();
        command.args(arguments).arg("--results-dir").arg(self.results());
        command.output().expect("the binary starts")
    }

    /// Runs an experiment that must succeed and print one JSON object.
    pub(crate) fn run(&self, experiment: &str, arguments: &[&str]) -> Run {
        let path = format!("experiments/{experiment}.toml");
        let output = self.output(&[&[path.as_str()], arguments].concat());
        let stderr = String::from_utf8(output.stderr).expect("utf-8");
        assert!(output.status.success(), "{experiment} {arguments:?}: {stderr}");
        let stdout = String::from_utf8(output.stdout).expect("utf-8");
        let json: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout:?}"));
        let dir = PathBuf::from(json["run_dir"].as_str().expect("run_dir is text"));
        Run { dir, json, stderr }
    }

    /// Runs what must fail, checks its exit code, and returns what it said.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let stderr = String::from_utf8(output.stderr).expect("utf-8");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        stderr
    }

    /// Writes an experiment file that stands on its own.
    pub(crate) fn experiment(&self, name: &str, toml: &str) -> String {
        let path = self.path().join(format!("{name}.toml"));
        fs::write(&path, toml).expect("writable");
        path.to_str().expect("utf-8").to_owned()
    }
}

impl Run {
    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub(crate) fn text(&self, file: &str) -> String {
        String::from_utf8(self.read(file)).expect("utf-8")
    }

    pub(crate) fn record(&self, file: &str) -> Value {
        serde_json::from_slice(&self.read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The epochs' rows, without what a clock measured.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let timeless = |line: &str| {
            let mut row: Value = serde_json::from_str(line).expect("a row is an object");
            let fields = row.as_object_mut().expect("a row is an object");
            for field in ["train_seconds", "valid_seconds", "images_per_second"] {
                assert!(fields.remove(field).is_some(), "{field} is missing");
            }
            row
        };
        self.text("metrics.jsonl").lines().map(timeless).collect()
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// Brings Fashion-MNIST into the user's cache, once for all tests.
pub(crate) fn fetched() {
    static FETCHED: Once = Once::new();
    FETCHED.call_once(|| {
        let output = Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(["data", "fetch", "fashion-mnist", "--progress=none"])
            .output()
            .expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}
