//! What a result depends on besides its configuration: source, program, machine, data.

mod fingerprint;

use std::{fs, path::Path, process::Command};

use data::DataFiles;
pub use fingerprint::{Fingerprint, program_sha256};
use serde::{Deserialize, Serialize};

use crate::{backend::Backend, transfer::FeaturesRecord};

/// The record in `environment.json`, written before the first step.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// The command line.
    pub command: Vec<String>,
    /// Commit of the repository that holds the experiment file; none outside of one.
    pub commit: Option<String>,
    /// Whether that repository has changes that are not committed.
    pub dirty: Option<bool>,
    /// Version of this program.
    pub version: &'static str,
    /// Version of Burn that it was built with.
    pub burn: String,
    /// Operating system and processor architecture.
    pub platform: String,
    /// Name of the processor.
    pub cpu: Option<String>,
    /// Threads that compute on the CPU.
    pub threads: usize,
    /// Backend that computes.
    pub backend: String,
    /// Graphics adapter, where one computes.
    pub adapter: Option<String>,
    /// Name of the data set.
    pub data_set: String,
    /// Where its files came from.
    pub data_origin: String,
    /// Its files.
    pub data: Vec<DataRecord>,
    /// What the features of a frozen base depend on, for a model that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeaturesRecord>,
    /// What a run must have in common with the one that it goes on with, for what can go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecord {
    /// Name of the file.
    pub file: String,
    /// SHA-256 of its decompressed bytes.
    pub sha256: String,
}

impl Environment {
    /// Looks around.
    #[must_use]
    pub fn gather(experiment: &Path, backend: &Backend, files: &DataFiles) -> Self {
        Self {
            adapter: backend.adapter.clone(),
            data_set: files.name.clone(),
            data_origin: files.origin().to_string(),
            data: files.files().iter().map(record).collect(),
            ..Self::without_data(experiment, &backend.name.to_string())
        }
    }

    /// Looks around for an experiment that reads no data files.
    #[must_use]
    pub fn without_data(experiment: &Path, backend: &str) -> Self {
        let folder = experiment.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self {
            command: command(),
            commit: git(folder, &["rev-parse", "HEAD"]),
            dirty: git(folder, &["status", "--porcelain"]).map(|changes| !changes.is_empty()),
            version: env!("CARGO_PKG_VERSION"),
            burn: burn_version(),
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: cpu_name(),
            threads: rayon::current_num_threads(),
            backend: backend.to_owned(),
            adapter: None,
            data_set: "none".to_owned(),
            data_origin: "none".to_owned(),
            data: Vec::new(),
            features: None,
            fingerprint: None,
        }
    }
}

/// The command line, the program without its folder.
#[must_use]
pub fn command() -> Vec<String> {
    let mut arguments: Vec<String> = std::env::args().collect();
    if let Some(program) = arguments.first_mut()
        && let Some(name) = Path::new(program.as_str()).file_name()
    {
        *program = name.to_string_lossy().into_owned();
    }
    arguments
}

fn record(file: &data::VerifiedFile) -> DataRecord {
    let name = file.path.file_name().unwrap_or(file.path.as_os_str());
    DataRecord { file: name.to_string_lossy().into_owned(), sha256: file.sha256.clone() }
}

/// What git answers in `folder`; none if it is missing or the folder is in no repository.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Version of Burn that this program was built with.
pub(crate) fn burn_version() -> String {
    locked_version("burn")
}

/// The version of a package in the lockfile that this program was built from.
fn locked_version(package: &str) -> String {
    const LOCKFILE: &str = include_str!("../../../Cargo.lock");
    LOCKFILE
        .split("[[package]]")
        .find_map(|entry| entry.strip_prefix(&format!("\nname = \"{package}\"\nversion = \""))?.split('"').next())
        .unwrap_or("unknown")
        .to_owned()
}

fn cpu_name() -> Option<String> {
    if cfg!(target_os = "macos") {
        let output = Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
        return Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lockfile_names_the_version_of_burn() {
        assert!(locked_version("burn").starts_with("0.22."), "{}", locked_version("burn"));
        assert_eq!(locked_version("no-such-package"), "unknown");
    }

    #[test]
    fn a_folder_outside_of_a_repository_has_no_commit() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(git(folder.path(), &["rev-parse", "HEAD"]), None);
    }
}
