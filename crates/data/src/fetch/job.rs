//! What is still to be fetched, and where it goes.

use std::io::Read;

use super::{Deadlines, FetchError, Progress, store::Store};
use crate::{
    content::CopyError,
    locate::LocateOptions,
    registry::{DatasetInfo, FileInfo},
};

/// The missing files of one data set.
pub(super) struct Job<'a> {
    pub(super) info: &'a DatasetInfo,
    pub(super) store: Store,
    pub(super) deadlines: Deadlines,
    pub(super) progress: Progress,
    missing: Vec<&'a FileInfo>,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        info: &'a DatasetInfo,
        missing: Vec<&'a FileInfo>,
        store: Store,
        options: &LocateOptions,
    ) -> Self {
        Self { info, store, deadlines: options.deadlines, progress: options.progress, missing }
    }

    pub(super) fn is_done(&self) -> bool {
        self.missing.is_empty()
    }

    /// The next file to supply.
    pub(super) fn next(&self) -> Option<&'a FileInfo> {
        self.missing.first().copied()
    }

    /// Keeps the bytes of `file` if they are right, and takes it off the list.
    pub(super) fn put(&mut self, file: &FileInfo, reader: impl Read) -> Result<(), FetchError> {
        self.store.put(file, reader).map_err(|error| match error {
            CopyError::Content(source) => FetchError::Content { file: file.name, source },
            CopyError::Sink(error) => FetchError::Store(Box::new(error)),
        })?;
        self.missing.retain(|other| other.name != file.name);
        Ok(())
    }
}
