//! Experiment files from the outside: text and flags in, an experiment or an error message out.

mod bad_input;
mod experiments;
mod overrides;

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{ConfigError, Overrides, Resolved, load};

/// A file that is right in all its parts. Line numbers in the tables of tests count on it.
const VALID: &str = r#"name = "tiny"

[data]
name = "fashion-mnist"
split = { kind = "fraction", valid = 0.2, seed = 7 }

[model]
kind = "dense"
hidden_sizes = [16, 8]

[optimizer]
kind = "sgd"
learning_rate = 0.1

[training]
batch_size = 64
epochs = 3
"#;

/// A folder with experiment files, gone when the test ends.
struct Project {
    dir: TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let project = Self { dir };
        for (path, text) in files {
            project.write(path, text.as_bytes());
        }
        project
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("below the project")).expect("a folder for the file");
        fs::write(path, bytes).expect("a file in the project");
    }

    fn load(&self, path: &str, overrides: &Overrides) -> Result<Resolved, ConfigError> {
        load(&self.path(path), overrides)
    }

    /// Without the project's folder, so that tests can compare.
    fn relative(&self, text: &str) -> String {
        let canonical = self.dir.path().canonicalize().expect("it is there");
        [self.dir.path(), &canonical]
            .iter()
            .fold(text.to_owned(), |text, dir| text.replace(&format!("{}/", dir.display()), ""))
    }
}

fn set(values: &[&str]) -> Overrides {
    Overrides { set: values.iter().map(|&it| it.to_owned()).collect(), ..Overrides::default() }
}

/// Loads a file with this text as `experiments/a.toml`.
fn resolve(text: &str, overrides: &Overrides) -> Resolved {
    let project = Project::new(&[("experiments/a.toml", text)]);
    project.load("experiments/a.toml", overrides).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What is said of this file must be the same after it was written and read again.
fn check_round_trip(resolved: &Resolved) {
    for text in [resolved.to_toml(), resolved.annotated_toml()] {
        assert_eq!(resolve(&text, &Overrides::default()).experiment, resolved.experiment, "{text}");
    }
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
