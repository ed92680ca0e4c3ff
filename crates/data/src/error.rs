//! What can be wrong with data, and with the settings that say what to do with it.

use std::{io, path::PathBuf};

use crate::{content::ContentError, fetch::Attempt, idx::IdxError};

/// A setting outside of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// Path of the field at fault within its table, as in `erase.min_area`.
    pub field: String,
    /// What it must be and what was found.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why a data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file is not the IDX file that it should be.
    #[error("{}: {source}", path.display())]
    Idx {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        source: IdxError,
    },
    /// A file of a known data set has other bytes than the published ones, or changed while in use.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        source: ContentError,
    },
    /// A folder has some files of a data set and lacks others.
    #[error("{}: expected {file} or {file}.gz, found neither", folder.display())]
    MissingFile {
        /// The folder looked into.
        folder: PathBuf,
        /// Name of the file without `.gz`.
        file: &'static str,
    },
    /// The files of one part disagree on the number of samples.
    #[error(
        "{}: expected {expected} labels, one for each image of {}, found {found}",
        labels.display(),
        images.display()
    )]
    CountMismatch {
        /// The label file.
        labels: PathBuf,
        /// The image file.
        images: PathBuf,
        /// Number of images.
        expected: usize,
        /// Number of labels.
        found: usize,
    },
    /// Test images differ in size from training images.
    #[error(
        "{}: expected images of {}x{} pixels like the training images, found {}x{}",
        path.display(), expected.0, expected.1, found.0, found.1
    )]
    SizeMismatch {
        /// The test image file.
        path: PathBuf,
        /// Height and width of the training images.
        expected: (usize, usize),
        /// Height and width of the test images.
        found: (usize, usize),
    },
    /// A label names no class.
    #[error("{}: expected labels below {num_classes}, found {found} at index {index}", path.display())]
    LabelRange {
        /// The label file.
        path: PathBuf,
        /// Number of classes.
        num_classes: usize,
        /// The label.
        found: u8,
        /// The sample that has it.
        index: usize,
    },
    /// Class names were given for a data set that has another number of classes.
    #[error("{name}: expected {expected} class names, found {found}")]
    ClassNames {
        /// Name of the data set.
        name: String,
        /// Number of classes.
        expected: usize,
        /// Number of names given.
        found: usize,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// What was being done, as in "cannot write".
        action: &'static str,
        /// The file or folder at fault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data set is nowhere on this machine and must not be fetched.
    #[error("{name}: not found in {}, and fetching is not allowed", list(looked))]
    NotFound {
        /// Name of the data set.
        name: String,
        /// Folders that were looked into, in order.
        looked: Vec<PathBuf>,
    },
    /// No source could supply the data set.
    #[error("{name}: no source could supply it\n  {}", lines(attempts))]
    Unavailable {
        /// Name of the data set.
        name: String,
        /// What was tried, in order.
        attempts: Vec<Attempt>,
    },
    /// There is no place to keep fetched files.
    #[error("expected XDG_CACHE_HOME or HOME to name the folder for fetched data, found neither set")]
    NoCacheDir,
    /// A split that the number of samples does not allow.
    #[error("split.{0}")]
    Split(FieldError),
}

impl DataError {
    /// An I/O failure with the path and the deed; for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn lines(attempts: &[Attempt]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}
