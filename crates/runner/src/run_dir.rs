//! Run directories: the only module that reads or writes them.
//!
//! `results/<experiment>/<run>/` is created exclusively and never overwritten; its files are written whole
//! (a temporary first, then a rename), but for the metrics, which grow by one flushed row per epoch. Who writes owns
//! the directory: nobody else can meanwhile. What the files mean is decided elsewhere.

mod checkpoints;
mod create;
mod figures;
mod files;
mod lock;
mod metrics_log;
mod records;
mod unfinished;

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use checkpoints::CheckpointFiles;
pub use create::{Claim, Existing, RunName};
pub use figures::{FigureFolder, PredictionRow};
use files::Durability;
pub(crate) use files::hexadecimal;
use lock::Lock;
pub use metrics_log::{FileMark, LogMark, MetricsLog};
pub use records::{Resumption, State, Status, Summary, TestScores, Tile, Tiles, Times};
use serde::{Serialize, de::DeserializeOwned};
pub use unfinished::latest_unfinished;

use crate::{error::Error, metrics::EpochRow};

/// A run directory that exists.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held by whoever writes; free when the last copy is gone.
    #[expect(dead_code, reason = "it is held, not read")]
    lock: Option<Arc<Lock>>,
}

/// Class names, and counts of true (rows) and predicted (columns) classes.
pub type NamedCounts = (Vec<String>, Vec<Vec<u64>>);

impl RunDir {
    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None }
    }

    /// Opens a run directory to read it; `results/<experiment>/latest` will do.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if there is no run at `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let run = Self::at(path);
        if run.path.join(files::CONFIG).is_file() {
            return Ok(run);
        }
        Err(Error::Usage(format!(
            "{}: not a run directory: it has no {}; give a folder such as results/cnn3/latest",
            path.display(),
            files::CONFIG
        )))
    }

    /// Takes ownership of the run directory, to go on writing, and removes what an owner that died was just writing.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] with the holder if somebody else owns it, [`Error::Io`].
    pub fn own(&self) -> Result<Self, Error> {
        // `latest` may point elsewhere by the time that something is written.
        let path = self.path.canonicalize().map_err(Error::io("cannot resolve", &self.path))?;
        let lock = Lock::acquire(&path)?;
        let run = Self { path, lock: Some(Arc::new(lock)) };
        for folder in [run.path.clone(), run.path.join(files::PLOTS)] {
            match files::sweep(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("cannot clean up", folder)(error));
                }
                _ => {}
            }
        }
        run.sweep_checkpoints()?;
        Ok(run)
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
        // Written at every epoch's end, and rebuilt when the run goes on.
        let text = json(status);
        self.write_as(files::STATUS, text.as_bytes(), Durability::Renamed)
    }

    /// Opens the metrics files for one row per epoch, and cuts off what comes after the mark.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Malformed`] if what comes before the mark is not as it was.
    pub fn metrics_log(&self, mark: &LogMark) -> Result<MetricsLog, Error> {
        MetricsLog::open(self.path.join(files::METRICS_JSONL), self.path.join(files::METRICS_CSV), mark)
    }

    /// Notes that the run goes on, for good.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    ///
    /// # Panics
    ///
    /// Never: a record has a form in JSON.
    pub fn note_resumption(&self, resumption: &Resumption) -> Result<(), Error> {
        let path = self.path.join(files::RESUMES);
        let mut line = serde_json::to_string(resumption).expect("records have string keys");
        line.push('\n');
        let file = fs::OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(Error::io("cannot append to", path))
    }

    /// Writes the final scores.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_summary(&self, summary: &Summary) -> Result<(), Error> {
        self.write_json(files::SUMMARY, summary)
    }

    /// Writes the weights of the best epoch of a run that came to no good end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_best_weights(&self, safetensors: &[u8]) -> Result<(), Error> {
        self.write(files::BEST_WEIGHTS, safetensors)
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

    /// Whether a network without images has learnt here.
    #[must_use]
    pub fn has_learnt(&self) -> bool {
        self.path().join(files::LEARNT).is_file()
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
        let name = Path::new(files::PLOTS).join(file_name);
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

    /// Where the resolved experiment is.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.path.join(files::CONFIG)
    }

    /// Reads one of the records whose meaning this module does not know, such as the environment.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn environment<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.read_json(files::ENVIRONMENT)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        self.write(name, json(value).as_bytes())
    }

    fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
        self.write_as(name, bytes, Durability::Synced)
    }

    fn write_as(&self, name: impl AsRef<Path>, bytes: &[u8], durability: Durability) -> Result<(), Error> {
        let path = self.path.join(name);
        files::write_whole(&path, bytes, durability).map_err(Error::io("cannot write", &path))
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
    Ok(paths.iter().map(|path| RunDir::at(path)).collect())
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
    write_text(path, &json(record))
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
    files::write_whole(path, bytes, Durability::Synced).map_err(Error::io("cannot write", path))
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("records have string keys and finite depth");
    text.push('\n');
    text
}
