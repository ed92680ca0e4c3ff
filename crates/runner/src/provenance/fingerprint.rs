//! What must not change between two parts of one run: its configuration, program, data and what computes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use data::DataFiles;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DataRecord, cpu_name, record};
use crate::{backend::Backend, error::Error, experiment::Experiment, run_dir::hexadecimal, transfer::FeaturesRecord};

/// Settings that change no result: where things are, how often something is written, how many threads prepare data,
/// words for people. The backend is compared by what it came to.
const WITHOUT_EFFECT: &[&str] = &["description", "data.dir", "data.workers", "training.backend", "training.checkpoint"];

/// Everything that a result depends on and that can be told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The resolved experiment, in TOML.
    pub config: String,
    /// SHA-256 of the program's file.
    pub program: String,
    /// The data files.
    pub data: Vec<DataRecord>,
    /// The backend, with the adapter of a GPU.
    pub backend: String,
    /// Operating system and processor.
    pub machine: String,
}

impl Fingerprint {
    /// Looks around; `program` is what [`program_sha256`] says.
    #[must_use]
    pub fn take(
        experiment: &Experiment,
        backend: &Backend,
        files: &DataFiles,
        features: Option<&FeaturesRecord>,
        program: String,
    ) -> Self {
        let adapter = backend.adapter.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
        let (os, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
        let cpu = cpu_name().unwrap_or_else(|| "unknown processor".to_owned());
        Self {
            config: experiment.to_toml(),
            program,
            data: files.files().iter().map(record).chain(features.map(base)).collect(),
            backend: format!("{}{adapter}", backend.name),
            machine: format!("{os}-{architecture}, {cpu}"),
        }
    }

    /// What differs now from what was then, a line each.
    #[must_use]
    pub fn differences(then: &Self, now: &Self) -> Vec<String> {
        let mut differences = compare("", &settings(&then.config), &settings(&now.config));
        let files = |records: &[DataRecord]| -> BTreeMap<String, String> {
            records.iter().map(|it| (it.file.clone(), it.sha256.clone())).collect()
        };
        differences.extend(compare("data file ", &files(&then.data), &files(&now.data)));
        let rest = [
            ("program (SHA-256)", &then.program, &now.program),
            ("backend", &then.backend, &now.backend),
            ("machine", &then.machine, &now.machine),
        ];
        differences.extend(rest.into_iter().filter(|(_, then, now)| then != now).map(|it| line(it.0, it.1, it.2)));
        differences
    }
}

/// The weights of a frozen base count as data.
fn base(features: &FeaturesRecord) -> DataRecord {
    DataRecord { file: features.weights.clone(), sha256: features.weights_sha256.clone() }
}

/// Dotted keys and values of a resolved configuration, without those that change no result.
fn settings(config: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    match config.parse::<toml::Table>() {
        Ok(table) => flatten("", &toml::Value::Table(table), &mut found),
        // Somebody changed it; it differs from any that can be read.
        Err(_) => drop(found.insert("configuration".to_owned(), "unreadable".to_owned())),
    }
    let has_effect = |key: &str| {
        let covers = |it: &str| key.strip_prefix(it).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        !WITHOUT_EFFECT.iter().any(|it| covers(it))
    };
    found.retain(|key, _| has_effect(key));
    found
}

fn flatten(key: &str, value: &toml::Value, found: &mut BTreeMap<String, String>) {
    let join = |part: &str| if key.is_empty() { part.to_owned() } else { format!("{key}.{part}") };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(name, value)| flatten(&join(name), value, found)),
        toml::Value::Array(array) if array.iter().any(toml::Value::is_table) => {
            array.iter().enumerate().for_each(|(index, value)| flatten(&join(&index.to_string()), value, found));
        }
        value => drop(found.insert(key.to_owned(), value.to_string())),
    }
}

fn compare(what: &str, then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let value = |map: &BTreeMap<String, String>, key: &String| map.get(key).cloned().unwrap_or_else(|| "none".into());
    let changed = keys.into_iter().filter(|&key| then.get(key) != now.get(key));
    changed.map(|key| line(&format!("{what}{key}"), &value(then, key), &value(now, key))).collect()
}

fn line(what: &str, then: &str, now: &str) -> String {
    format!("{what}: was {then}, is {now}")
}

/// SHA-256 of the file that this program was started from.
///
/// # Errors
///
/// [`Error::Io`] if it cannot be read.
pub fn program_sha256() -> Result<String, Error> {
    let path = program()?;
    let mut file = File::open(&path).map_err(Error::io("cannot read the program", &path))?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io("cannot read the program", &path))? {
            0 => return Ok(hexadecimal(&sum.finalize())),
            length => sum.update(&buffer[..length]),
        }
    }
}

fn program() -> Result<PathBuf, Error> {
    // What runs, even if another program has taken its path since.
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(Error::io("cannot find", "this program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(config: &str) -> Fingerprint {
        Fingerprint {
            config: config.to_owned(),
            program: "aa".into(),
            data: vec![DataRecord { file: "train".into(), sha256: "bb".into() }],
            backend: "flex".into(),
            machine: "linux-x86_64, some".into(),
        }
    }

    #[test]
    fn differences_name_the_key_and_both_values() {
        let then = fingerprint("[training]\nbatch_size = 32\nseed = 1\n[[phase]]\nname = \"a\"\nepochs = 2\n");
        let config = "[training]\nbatch_size = 64\nseed = 1\n[[phase]]\nname = \"a\"\nepochs = 3\naugment = true\n";
        let now = Fingerprint { program: "cc".into(), data: Vec::new(), ..fingerprint(config) };
        let expected = [
            "phase.0.augment: was none, is true",
            "phase.0.epochs: was 2, is 3",
            "training.batch_size: was 32, is 64",
            "data file train: was bb, is none",
            "program (SHA-256): was aa, is cc",
        ];
        assert_eq!(Fingerprint::differences(&then, &now), expected);
        assert!(Fingerprint::differences(&then, &then).is_empty());
    }

    #[test]
    fn what_changes_no_result_is_no_difference() {
        let then = fingerprint("description = \"a\"\n[data]\nworkers = 1\n[training.checkpoint]\nseconds = 60\n");
        let now =
            fingerprint("description = \"b\"\n[data]\nworkers = 4\ndir = \"/x\"\n[training]\nbackend = \"flex\"\n");
        assert!(Fingerprint::differences(&then, &now).is_empty());
    }

    #[test]
    fn a_program_has_a_sum() {
        assert_eq!(program_sha256().expect("it runs").len(), 64);
    }
}
