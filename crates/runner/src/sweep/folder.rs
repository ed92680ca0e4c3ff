//! A sweep's folder, `results/<experiment>/<sweep>/`: the only module that reads or writes one.
//!
//! `sweep.toml` is the resolved experiment, `environment.json` where and with what it is made; both are there before
//! the first fit and decide whether a later command may go on. `fits/` has a record per fit, written whole when the
//! fit ends. `sweep.json`, `trials.csv` and `plots/` say what they come to, and can be made again from the fits.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{fit::FitRecord, plan::Fit, ranking::Ranking};
use crate::{error::Error, provenance::Environment, run_dir};

const CONFIG: &str = "sweep.toml";
const ENVIRONMENT: &str = "environment.json";
const FITS: &str = "fits";
const LOCK: &str = "lock";
const RANKING: &str = "sweep.json";

/// What must not change while a sweep goes on, besides its experiment.
const PINNED: [&str; 4] = ["version", "burn", "backend", "data"];

/// A sweep's folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

/// Keeps other commands out of a sweep's folder while it lives.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

impl Folder {
    /// Creates `results/<experiment>/<name>/`, or opens what an earlier command has begun.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another command is at it; [`Error::Usage`] with all differences if it was begun with another
    /// experiment, program or data set, or if something else is there; [`Error::Io`].
    pub fn open(
        results: &Path,
        experiment: &str,
        name: &str,
        config: &str,
        environment: &Environment,
    ) -> Result<(Self, Held), Error> {
        let folder = Self { path: results.join(experiment).join(name) };
        let path = &folder.path;
        if path.join("config.toml").exists() {
            return Err(Error::Usage(format!("{}: is a run; give the sweep another --run-name", path.display())));
        }
        let fits = path.join(FITS);
        fs::create_dir_all(&fits).map_err(Error::io("cannot create the folder", &fits))?;
        let held = folder.hold()?;
        let written = path.join(CONFIG);
        if written.exists() {
            folder.compare(config, environment)?;
        } else {
            run_dir::write_record(&path.join(ENVIRONMENT), environment)?;
            run_dir::write_text(&written, config)?;
        }
        Ok((folder, held))
    }

    /// The folder of a sweep that is going on, for a process that helps.
    #[must_use]
    pub fn joined(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved experiment.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// Every fit that has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn records(&self) -> Result<Vec<FitRecord>, Error> {
        let fits = self.path.join(FITS);
        let listed = fs::read_dir(&fits).map_err(Error::io("cannot list", &fits))?;
        let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        paths.into_iter().map(|path| read_json(&path)).collect()
    }

    /// The record of one fit, if it has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn record(&self, fit: Fit) -> Result<FitRecord, Error> {
        read_json(&self.fit_path(fit))
    }

    /// Writes the record of a fit that has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_fit(&self, record: &FitRecord) -> Result<(), Error> {
        run_dir::write_record(&self.fit_path(record.fit), record)
    }

    /// Writes what the fits come to.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_ranking(&self, ranking: &Ranking) -> Result<(), Error> {
        run_dir::write_record(&self.path.join(RANKING), ranking)?;
        run_dir::write_text(&self.path.join("trials.csv"), &ranking.csv())
    }

    /// Writes a picture under `plots/`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_plot(&self, file_name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let plots = self.path.join("plots");
        fs::create_dir_all(&plots).map_err(Error::io("cannot create the folder", &plots))?;
        let path = plots.join(file_name);
        run_dir::write_bytes(&path, bytes)?;
        Ok(path)
    }

    fn fit_path(&self, fit: Fit) -> PathBuf {
        let fold = fit.fold.map(|fold| format!("-fold{fold}")).unwrap_or_default();
        self.path.join(FITS).join(format!("trial{:04}{fold}.json", fit.trial))
    }

    /// Takes the lock, which the system frees when this process ends, however it ends.
    fn hold(&self) -> Result<Held, Error> {
        let path = self.path.join(LOCK);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("cannot open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // Who it is only helps; that somebody is there is what counts.
                let _ = file.read_to_string(&mut process);
                let holder = if process.is_empty() { String::new() } else { format!(" (process {process})") };
                return Err(Error::Busy { path: self.path.clone(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("cannot lock", &path)(error)),
        }
        let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        noted.map_err(Error::io("cannot write", &path))?;
        Ok(Held { _lock: file })
    }

    /// Refuses to go on with anything but what was begun.
    fn compare(&self, config: &str, environment: &Environment) -> Result<(), Error> {
        let begun = fs::read_to_string(self.config()).map_err(Error::io("cannot read", self.config()))?;
        let mut differences = table_differences(&begun, config);
        let begun: Value = read_json(&self.path.join(ENVIRONMENT))?;
        let now = serde_json::to_value(environment).expect("records have string keys and finite depth");
        for key in PINNED {
            if begun[key] != now[key] {
                differences.push(format!("{key}: {}, now {}", begun[key], now[key]));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "{}: this sweep was begun otherwise; give another --run-name to begin a new one\n  {}",
            self.path.display(),
            differences.join("\n  ")
        )))
    }
}

/// The settings that two TOML files do not agree on, each with both values.
fn table_differences(before: &str, now: &str) -> Vec<String> {
    let flat = |text: &str| {
        let mut settings = Vec::new();
        flatten(&toml::from_str(text).unwrap_or_default(), "", &mut settings);
        settings
    };
    let (before, now) = (flat(before), flat(now));
    let value = |settings: &[(String, toml::Value)], key: &str| {
        settings.iter().find(|(other, _)| other == key).map_or_else(|| "nothing".to_owned(), |(_, it)| it.to_string())
    };
    let mut keys: Vec<&str> = before.iter().chain(&now).map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .map(|key| (key, value(&before, key), value(&now, key)))
        // Threads that prepare batches change nothing but the time it takes.
        .filter(|(key, before, now)| before != now && *key != "data.workers")
        .map(|(key, before, now)| format!("{key}: {before}, now {now}"))
        .collect()
}

fn flatten(table: &toml::Table, path: &str, settings: &mut Vec<(String, toml::Value)>) {
    for (key, value) in table {
        let key = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            toml::Value::Table(table) => flatten(table, &key, settings),
            value => settings.push((key, value.clone())),
        }
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
    serde_json::from_str(&text).map_err(|error| Error::Malformed { path: path.to_owned(), message: error.to_string() })
}

/// Reads a sweep's ranking; none if it has not come so far.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Malformed`].
pub fn ranking(folder: &Path) -> Result<Option<Ranking>, Error> {
    match read_json(&folder.join(RANKING)) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_key_and_both_values() {
        let before = "a = 1\n[t]\nx = [1, 2]\ngone = true\n[data]\nworkers = 1\n";
        let now = "a = 2\n[t]\nx = [1, 2]\nnew = 'y'\n[data]\nworkers = 0\n";
        assert_eq!(
            table_differences(before, now),
            ["a: 1, now 2", "t.gone: true, now nothing", "t.new: nothing, now \"y\""]
        );
        assert!(table_differences(before, before).is_empty());
    }
}
