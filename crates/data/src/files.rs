//! The four files of a data set, found and verified, and their way into memory.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{
    content::{self, ContentError, Hashing},
    dataset::{Dataset, Part},
    error::DataError,
    idx::{IdxError, Images, read_images, read_labels},
};

/// A data set whose files are known to be whole and right.
#[derive(Clone, Debug)]
pub struct DataFiles {
    /// Name of the data set; for a folder without a known name, the folder's.
    pub name: String,
    /// What the classes are called, by label.
    pub class_names: Vec<String>,
    /// Training images, training labels, test images, test labels.
    pub(crate) files: [VerifiedFile; 4],
    pub(crate) origin: Origin,
}

/// A file with the hash of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFile {
    /// Where it is, compressed or not.
    pub path: PathBuf,
    /// SHA-256 of its decompressed bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// Number of its decompressed bytes.
    pub bytes: u64,
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The folder that the user named.
    Given(PathBuf),
    /// The folder of the system's package.
    System(PathBuf),
    /// The user's cache, filled by an earlier run.
    Cache(PathBuf),
    /// The user's cache, filled just now.
    Fetched {
        /// The cache.
        folder: PathBuf,
        /// Who supplied files, in order.
        suppliers: Vec<String>,
    },
}

impl Origin {
    /// The folder that has the files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self {
            Self::Given(folder) | Self::System(folder) | Self::Cache(folder) | Self::Fetched { folder, .. } => folder,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder().display())?;
        match self {
            Self::Given(_) => Ok(()),
            Self::System(_) => f.write_str(" (installed)"),
            Self::Cache(_) => f.write_str(" (cache)"),
            Self::Fetched { suppliers, .. } => {
                write!(f, " (fetched from {})", suppliers.join(" and "))
            }
        }
    }
}

impl DataFiles {
    /// The files: training images, training labels, test images, test labels.
    #[must_use]
    pub fn files(&self) -> &[VerifiedFile] {
        &self.files
    }

    /// Where they come from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Reads one part into memory; opens no file of the other part.
    ///
    /// # Errors
    ///
    /// [`DataError`] if a file cannot be read, is no IDX file, disagrees with the other one, has labels
    /// without a class, or has changed since it was verified.
    pub fn load(&self, part: Part) -> Result<Dataset, DataError> {
        let [train_images, train_labels, test_images, test_labels] = &self.files;
        let (images, labels) = match part {
            Part::Train => (train_images, train_labels),
            Part::Test => (test_images, test_labels),
        };
        tracing::debug!("{}: reads the {part:?} part", self.name);
        let contents = PartContents::read(&images.path, &labels.path)?;
        for (verified, found) in [images, labels].into_iter().zip(&contents.files) {
            if verified.sha256 != found.sha256 {
                let (expected, found) = (verified.sha256.clone(), found.sha256.clone());
                let source = ContentError::WrongHash { expected, found };
                return Err(DataError::Content { path: verified.path.clone(), source });
            }
        }
        contents.check_labels(self.class_names.len())?;
        let PartContents { images, labels, .. } = contents;
        let size = (images.height, images.width);
        Ok(Dataset::new(images.pixels, labels, size, self.class_names.clone()))
    }
}

/// One part as it is in its two files.
pub(crate) struct PartContents {
    pub(crate) images: Images,
    pub(crate) labels: Vec<u8>,
    /// The image file and the label file.
    pub(crate) files: [VerifiedFile; 2],
}

impl PartContents {
    /// Reads both files and compares their counts.
    pub(crate) fn read(images: &Path, labels: &Path) -> Result<Self, DataError> {
        let (images, image_file) = read(images, |reader| read_images(reader))?;
        let (labels, label_file) = read(labels, |reader| read_labels(reader))?;
        if labels.len() != images.count {
            return Err(DataError::CountMismatch {
                labels: label_file.path,
                images: image_file.path,
                expected: images.count,
                found: labels.len(),
            });
        }
        Ok(Self { images, labels, files: [image_file, label_file] })
    }

    /// Checks that every label names one of `num_classes` classes.
    pub(crate) fn check_labels(&self, num_classes: usize) -> Result<(), DataError> {
        match self.labels.iter().position(|&label| usize::from(label) >= num_classes) {
            None => Ok(()),
            Some(index) => Err(DataError::LabelRange {
                path: self.files[1].path.clone(),
                num_classes,
                found: self.labels[index],
                index,
            }),
        }
    }
}

/// Parses a file and hashes what was read.
pub(crate) fn read<T>(
    path: &Path,
    parse: impl FnOnce(&mut dyn std::io::Read) -> Result<T, IdxError>,
) -> Result<(T, VerifiedFile), DataError> {
    let reader = content::open(path).map_err(DataError::io("cannot open", path))?;
    let mut reader = Hashing::new(reader);
    let parsed = parse(&mut reader).map_err(|source| DataError::Idx { path: path.to_owned(), source })?;
    // A parser that succeeds has read to the end.
    let (bytes, sha256) = reader.finish();
    Ok((parsed, VerifiedFile { path: path.to_owned(), sha256, bytes }))
}
