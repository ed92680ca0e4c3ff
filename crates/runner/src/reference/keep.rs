//! What is kept of a finished run or sweep: numbers and a few small pictures.

use std::{
    fs,
    path::{Path, PathBuf},
};

use models::{Kernels, ModelConfig};
use serde_json::Value;

use super::measured::COMPOSED;
use crate::{
    error::Error,
    experiment::{self, Overrides},
    run_dir::{self, RunDir, State},
    sweep::folder,
};

/// Files of a run that say what it came to. Weights, predictions and the pixels of galleries are too large.
const RUN_FILES: [&str; 6] =
    ["summary.json", "metrics.jsonl", "metrics.csv", "confusion_matrix.csv", "status.json", "xor.json"];

/// Pictures of a run that a reader of the table wants to see.
const RUN_PLOTS: [&str; 4] = ["accuracy.png", "loss.png", "error.png", "confusion_matrix.png"];

const SWEEP_FILES: [&str; 2] = ["sweep.json", "trials.csv"];
const SWEEP_PLOTS: [&str; 1] = ["trials.png"];

/// What becomes of a reference that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// It stays, and that is an error.
    Never,
    /// It gives way.
    Always,
}

/// Keeps a run or a sweep as reference and returns the folder.
///
/// Pictures are kept of one run per experiment, numbers alone of runs with Burn's operations, whose name ends in
/// `-composed-s<seed>`. Paths of this machine are left out.
///
/// # Errors
///
/// [`Error::Usage`] if there is no finished run or sweep at `path`, or its reference is there already;
/// [`Error::Io`], [`Error::Malformed`], [`Error::Config`].
pub fn keep(path: &Path, references: &Path, replace: Replace) -> Result<PathBuf, Error> {
    let kept = if path.join("sweep.toml").is_file() { sweep(path)? } else { run(path, references)? };
    let target = references.join(&kept.name);
    if target.exists() && replace == Replace::Never {
        return Err(Error::Usage(format!("{}: is there already; --force replaces it", target.display())));
    }
    let staged = references.join(format!(".{}.tmp", kept.name));
    kept.write(&staged)?;
    if target.exists() {
        fs::remove_dir_all(&target).map_err(Error::io("cannot replace", &target))?;
    }
    fs::rename(&staged, &target).map_err(Error::io("cannot put in place", &target))?;
    Ok(target)
}

/// A folder to be.
struct Kept {
    name: String,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Kept {
    fn write(&self, folder: &Path) -> Result<(), Error> {
        if folder.exists() {
            // What a command that was interrupted has left.
            fs::remove_dir_all(folder).map_err(Error::io("cannot remove", folder))?;
        }
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(Error::io("cannot create the folder", parent))?;
            run_dir::write_bytes(&path, bytes)?;
        }
        Ok(())
    }

    /// Adds the files that are there.
    fn add(&mut self, from: &Path, names: &[&str]) -> Result<(), Error> {
        for name in names.iter().filter(|name| from.join(name).is_file()) {
            self.files.push((PathBuf::from(name), read(&from.join(name))?));
        }
        Ok(())
    }

    fn add_plots(&mut self, from: &Path, names: &[&str]) -> Result<(), Error> {
        for name in names.iter().filter(|name| from.join("plots").join(name).is_file()) {
            let bytes = read(&from.join("plots").join(name))?;
            let small = plots::with_palette(&bytes).filter(|small| small.len() < bytes.len()).unwrap_or(bytes);
            self.files.push((Path::new("plots").join(name), small));
        }
        Ok(())
    }

    fn add_config(&mut self, from: &Path, name: &str) -> Result<(), Error> {
        self.files.push((PathBuf::from(name), portable_config(&from.join(name))?.into_bytes()));
        Ok(())
    }

    fn add_environment(&mut self, from: &Path) -> Result<(), Error> {
        let path = from.join("environment.json");
        if !path.is_file() {
            return Ok(());
        }
        let bytes = read(&path)?;
        let mut environment: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Malformed { path: path.clone(), message: error.to_string() })?;
        // It repeats the configuration, folders included, for a run that goes on; this one has ended.
        if let Some(record) = environment.as_object_mut() {
            record.remove("fingerprint");
        }
        let mut text = serde_json::to_string_pretty(&portable(environment)).expect("it was JSON before");
        text.push('\n');
        self.files.push((PathBuf::from("environment.json"), text.into_bytes()));
        Ok(())
    }
}

fn run(path: &Path, references: &Path) -> Result<Kept, Error> {
    let run = RunDir::open(path)?;
    let is_done = run.status()?.state == State::Done;
    let Some(summary) = run.summary()?.filter(|_| is_done) else {
        return Err(Error::Usage(format!("{}: the run is not finished", path.display())));
    };
    let (experiment, seed) = (&summary.experiment, summary.seed);
    let is_composed = kernels(&path.join("config.toml"))? == Kernels::Composed;
    let composed = if is_composed { COMPOSED } else { "" };
    let mut kept = Kept { name: format!("{experiment}{composed}-s{seed}"), files: Vec::new() };
    kept.add_config(path, "config.toml")?;
    kept.add(path, &RUN_FILES)?;
    kept.add_environment(path)?;
    if !is_composed && !has_pictures(references, experiment, &kept.name) {
        kept.add_plots(path, &RUN_PLOTS)?;
    }
    Ok(kept)
}

fn sweep(path: &Path) -> Result<Kept, Error> {
    let Some(ranking) = folder::ranking(path)?.filter(|it| it.best.is_some()) else {
        return Err(Error::Usage(format!("{}: the sweep is not finished", path.display())));
    };
    let mut kept = Kept { name: format!("{}-{}", ranking.experiment, ranking.kind), files: Vec::new() };
    kept.add_config(path, "sweep.toml")?;
    kept.add(path, &SWEEP_FILES)?;
    kept.add_environment(path)?;
    kept.add_plots(path, &SWEEP_PLOTS)?;
    Ok(kept)
}

/// Whether a reference run of the experiment, other than `except`, has pictures.
fn has_pictures(references: &Path, experiment: &str, except: &str) -> bool {
    let seed = |name: &str| name.strip_prefix(experiment)?.strip_prefix("-s")?.parse::<u64>().ok();
    let names = fs::read_dir(references).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .any(|name| name != except && seed(&name).is_some() && references.join(&name).join("plots").is_dir())
}

/// What ran the blocks of a run.
fn kernels(config: &Path) -> Result<Kernels, Error> {
    if experiment::load_xor(config, &Overrides::default())?.is_some() {
        return Ok(Kernels::default());
    }
    Ok(experiment::load(config, &Overrides::default())?.experiment.training.kernels)
}

/// The configuration without the folders that its data and the weights of its base were in: their names and their hashes
/// say more elsewhere.
fn portable_config(path: &Path) -> Result<String, Error> {
    if let Some(xor) = experiment::load_xor(path, &Overrides::default())? {
        return Ok(xor.to_toml());
    }
    let mut resolved = experiment::load(path, &Overrides::default())?;
    if resolved.experiment.data.name.is_some() {
        resolved.experiment.data.dir = None;
    }
    if let ModelConfig::Transfer(transfer) = &mut resolved.experiment.model {
        transfer.weights = portable_word(&transfer.weights);
    }
    Ok(resolved.to_toml())
}

/// The same record with each absolute path cut to its last part.
fn portable(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(portable_text(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(portable).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, portable(value))).collect()),
        other => other,
    }
}

fn portable_text(text: &str) -> String {
    text.split(' ').map(portable_word).collect::<Vec<_>>().join(" ")
}

/// `--results-dir=/home/me/results` becomes `--results-dir=…/results`; addresses on the web stay.
fn portable_word(word: &str) -> String {
    let (before, path) = word.split_once('=').map_or(("", word), |(flag, path)| (flag, path));
    if !Path::new(path).is_absolute() {
        return word.to_owned();
    }
    let last = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if before.is_empty() { format!("…/{last}") } else { format!("{before}=…/{last}") }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::io("cannot read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_lose_their_folders() {
        for (text, expected) in [
            ("experiments/cnn3.toml", "experiments/cnn3.toml"),
            ("--results-dir=/home/me/results", "--results-dir=…/results"),
            ("/home/me/.cache/images (cache)", "…/images (cache)"),
            ("fetched from https://example.org/a/b", "fetched from https://example.org/a/b"),
            ("AMD EPYC 7B13", "AMD EPYC 7B13"),
        ] {
            assert_eq!(portable_text(text), expected);
        }
    }

    #[test]
    fn a_kept_configuration_names_no_folder_of_this_machine() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run.toml");
        let tables = "name = 'a'\n[data]\nname = 'fashion-mnist'\ndir = '/home/me/images'\nresize = [64, 64]\nnormalize = { \
                      kind = 'imagenet', convention = 'torchvision', pixels = 'bytes' }\n[model]\nkind = 'transfer'\nbase = \
                      'vgg16'\nweights = '/home/me/weights/vgg16.safetensors'\n[optimizer]\nkind = 'adam'\n\
                      [training]\nepochs = 1\nbatch_size = 4\n";
        fs::write(&path, tables).expect("writable");
        let kept = portable_config(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(kept.contains("weights = \"…/vgg16.safetensors\"") && !kept.contains("/home"), "{kept}");
        fs::write(&path, &kept).expect("writable");
        assert_eq!(portable_config(&path).expect("it can be read again"), kept);
    }
}
