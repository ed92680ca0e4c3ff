//! What is where, for people who ask before or instead of a run.

use crate::{
    error::DataError,
    files::{Origin, VerifiedFile},
    folder,
    locate::{LocateOptions, places},
    registry::DatasetInfo,
};

/// A place where a data set may be.
#[derive(Debug)]
pub struct Place {
    /// The place.
    pub origin: Origin,
    /// Training images, training labels, test images, test labels.
    pub files: [FileStatus; 4],
}

/// What was found of a file.
#[derive(Debug)]
pub enum FileStatus {
    /// Nothing.
    Missing,
    /// The published bytes.
    Verified(VerifiedFile),
    /// Something else, or something unreadable.
    Wrong(DataError),
}

impl Place {
    /// Whether all files are there and right.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.files.iter().all(|file| matches!(file, FileStatus::Verified(_)))
    }

    /// Whether no file is there at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| matches!(file, FileStatus::Missing))
    }
}

/// Looks into every place on this machine where [`locate`](crate::locate) would look, in its order.
///
/// Reads and hashes whole files; fetches and changes nothing.
#[must_use]
pub fn status(info: &DatasetInfo, options: &LocateOptions) -> Vec<Place> {
    places(info, options)
        .into_iter()
        .map(|origin| {
            let files = folder::inspect(info, origin.folder());
            Place { origin, files }
        })
        .collect()
}
