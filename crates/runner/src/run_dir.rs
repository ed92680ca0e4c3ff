//! Run directories: the only module that reads or writes them.
//!
//! `results/<experiment>/<run>/` is created exclusively and never overwritten; its files are written whole
//! (a temporary first, then a rename), but for the metrics, which grow by one flushed row per epoch.
//! What the files mean is decided elsewhere.

mod files;
mod metrics_log;
mod records;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use metrics_log::MetricsLog;
pub use records::{State, Status, Summary, TestScores, Tile, Tiles, Times};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::Error, metrics::EpochRow};

/// A run directory that exists.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

/// Class names, and counts of true (rows) and predicted (columns) classes.
pub type NamedCounts = (Vec<String>, Vec<Vec<u64>>);

/// How a run directory gets its name.
#[derive(Clone, Debug)]
pub enum RunName {
    /// A name that the user chose.
    Given(String),
    /// A stem that is unique but for runs started in the same second; these get `-2`, `-3`, ….
    Generated(String),
}

impl RunDir {
    /// Creates `results/<experiment>/<name>/` and points `results/<experiment>/latest` to it.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if a run of the given name is going on, [`Error::Usage`] if it has ended,
    /// [`Error::Io`] if the directory cannot be made.
    pub fn create(results: &Path, experiment: &str, name: &RunName) -> Result<Self, Error> {
        let parent = results.join(experiment);
        fs::create_dir_all(&parent).map_err(Error::io("cannot create the results folder", &parent))?;
        let path = match name {
            RunName::Given(name) => {
                let path = parent.join(name);
                if !create_new(&path)? {
                    return Err(taken(path));
                }
                path
            }
            RunName::Generated(stem) => {
                let mut path = parent.join(stem);
                let mut copy = 1;
                while !create_new(&path)? {
                    copy += 1;
                    path = parent.join(format!("{stem}-{copy}"));
                }
                path
            }
        };
        let run = Self { path };
        let plots = run.path.join("plots");
        fs::create_dir(&plots).map_err(Error::io("cannot create the folder", &plots))?;
        run.point_latest(&parent)?;
        Ok(run)
    }

    /// Opens a run directory to read it; `results/<experiment>/latest` will do.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if there is no run at `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let run = Self { path: path.to_owned() };
        if run.path.join(files::CONFIG).is_file() {
            return Ok(run);
        }
        Err(Error::Usage(format!(
            "{}: not a run directory: it has no {}; give a folder such as results/cnn3/latest",
            path.display(),
            files::CONFIG
        )))
    }

    /// Where the run directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name in the experiment's folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Reads the resolved experiment.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn config(&self) -> Result<String, Error> {
        let path = self.path.join(files::CONFIG);
        fs::read_to_string(&path).map_err(Error::io("cannot read", &path))
    }

    /// Writes the resolved experiment.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_config(&self, toml: &str) -> Result<(), Error> {
        self.write(files::CONFIG, toml.as_bytes())
    }

    /// Writes where and with what the run was made.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_environment(&self, environment: &impl Serialize) -> Result<(), Error> {
        self.write_json(files::ENVIRONMENT, environment)
    }

    /// Writes how the run stands.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_status(&self, status: &Status) -> Result<(), Error> {
        self.write_json(files::STATUS, status)
    }

    /// Opens the metrics files for one row per epoch.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn metrics_log(&self) -> Result<MetricsLog, Error> {
        MetricsLog::create(self.path.join(files::METRICS_JSONL), self.path.join(files::METRICS_CSV))
    }

    /// Writes the final scores.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_summary(&self, summary: &Summary) -> Result<(), Error> {
        self.write_json(files::SUMMARY, summary)
    }

    /// Writes the weights.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_weights(&self, safetensors: &[u8]) -> Result<(), Error> {
        self.write(files::WEIGHTS, safetensors)
    }

    /// Writes what a network without images has learnt: its rows, outputs and weights.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_learnt(&self, learnt: &impl Serialize) -> Result<(), Error> {
        self.write_json(files::LEARNT, learnt)
    }

    /// Writes the pixels that galleries show, so that they can be drawn again without the data set.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_tiles(&self, tiles: &Tiles) -> Result<(), Error> {
        self.write_json(files::TILES, tiles)
    }

    /// Writes counts of true (rows) and predicted (columns) classes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_confusion(&self, class_names: &[String], counts: &[Vec<u64>]) -> Result<(), Error> {
        self.write(files::CONFUSION, &files::confusion_csv(class_names, counts))
    }

    /// Writes one row per test sample: index, true and predicted class, probabilities.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_predictions(
        &self,
        class_names: &[String],
        rows: impl Iterator<Item = (usize, usize, Vec<f64>)>,
    ) -> Result<(), Error> {
        self.write(files::PREDICTIONS, &files::predictions_csv(class_names, rows))
    }

    /// Writes a picture under `plots/` and returns its path.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_plot(&self, file_name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let name = Path::new("plots").join(file_name);
        self.write(&name, bytes)?;
        Ok(self.path.join(name))
    }

    /// Reads every epoch's row.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn metrics(&self) -> Result<Vec<EpochRow>, Error> {
        metrics_log::read(&self.path.join(files::METRICS_JSONL))
    }

    /// Reads how the run stands.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn status(&self) -> Result<Status, Error> {
        self.read_json(files::STATUS)
    }

    /// Reads the final scores; none if the run has not come so far.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn summary(&self) -> Result<Option<Summary>, Error> {
        self.if_there(files::SUMMARY)
    }

    /// Reads the pixels that galleries show; none if the run has not come so far.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn tiles(&self) -> Result<Option<Tiles>, Error> {
        self.if_there(files::TILES)
    }

    /// Reads class names and counts of the confusion matrix; none if the run has not come so far.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn confusion(&self) -> Result<Option<NamedCounts>, Error> {
        let path = self.path.join(files::CONFUSION);
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
        files::parse_confusion(&text).map(Some).map_err(|message| Error::Malformed { path, message })
    }

    fn if_there<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        if self.path.join(name).is_file() { self.read_json(name).map(Some) } else { Ok(None) }
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let path = self.path.join(name);
        let text = fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
        serde_json::from_str(&text).map_err(|error| Error::Malformed { path, message: error.to_string() })
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        write_record(&self.path.join(name), value)
    }

    fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        files::write_whole(&path, bytes).map_err(Error::io("cannot write", &path))
    }

    /// Points `latest` to this run; a relative link, so that the results folder can be moved.
    fn point_latest(&self, parent: &Path) -> Result<(), Error> {
        let latest = parent.join("latest");
        let name = self.path.file_name().expect("a run directory has a name");
        files::replace_link(Path::new(name), &latest).map_err(Error::io("cannot point to the run", latest))
    }
}

/// The runs in an experiment's results folder, by name, which begins with the time for most; without `latest`.
///
/// # Errors
///
/// [`Error::Io`] if the folder is there and cannot be listed.
pub fn runs(results: &Path, experiment: &str) -> Result<Vec<RunDir>, Error> {
    let parent = results.join(experiment);
    let entries = match fs::read_dir(&parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("cannot list", &parent)(error)),
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| path.join(files::CONFIG).is_file())
        .collect();
    paths.sort();
    Ok(paths.into_iter().map(|path| RunDir { path }).collect())
}

/// Writes a record beside run directories: whole or not at all.
///
/// # Errors
///
/// [`Error::Io`].
///
/// # Panics
///
/// If the record has no form in JSON, which is a mistake in its type.
pub fn write_record(path: &Path, record: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_string_pretty(record).expect("records have string keys and finite depth");
    text.push('\n');
    write_text(path, &text)
}

/// Writes text beside run directories: whole or not at all.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    write_bytes(path, text.as_bytes())
}

/// Writes bytes beside run directories: whole or not at all.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    files::write_whole(path, bytes).map_err(Error::io("cannot write", path))
}

/// Makes a directory; false if something is there already.
fn create_new(path: &Path) -> Result<bool, Error> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("cannot create the run directory", path)(error)),
    }
}

fn taken(path: PathBuf) -> Error {
    let status = RunDir { path: path.clone() }.status();
    match status {
        Ok(status) if status.state == State::Running && status.process_is_alive() => {
            Error::Busy { path, holder: format!(" (process {})", status.process) }
        }
        _ => Error::Usage(format!(
            "{}: a run of this name is there already and is never overwritten; choose another --run-name",
            path.display()
        )),
    }
}
