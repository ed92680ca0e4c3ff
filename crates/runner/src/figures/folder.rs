//! Where figures go: a folder, and what has been written there.

use std::path::PathBuf;

use plots::Figure;

use crate::{
    error::Error,
    report::{self, Formats},
    run_dir::FigureFolder,
};

/// A folder that figures are written to.
#[derive(Debug)]
pub struct Output {
    folder: FigureFolder,
    /// Where in the folder pictures go: empty, or a folder's name with its slash.
    pictures: &'static str,
    formats: Formats,
    written: Vec<PathBuf>,
}

impl Output {
    pub(super) fn new(folder: FigureFolder, pictures: &'static str, formats: Formats) -> Self {
        Self { folder, pictures, formats, written: Vec::new() }
    }

    /// The files written, in order.
    #[must_use]
    pub fn into_written(self) -> Vec<PathBuf> {
        self.written
    }

    /// Draws a figure and writes it.
    pub(super) fn figure(&mut self, name: &str, figure: &dyn Figure) -> Result<(), Error> {
        for (file, bytes) in report::render(name, figure, self.formats)? {
            self.file(&format!("{}{file}", self.pictures), &bytes)?;
        }
        Ok(())
    }

    /// Writes a file that is no drawn figure, by its path in the folder.
    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.written.push(self.folder.write(name, bytes)?);
        Ok(())
    }

    /// Notes files that were written elsewhere.
    pub(super) fn also(&mut self, written: impl IntoIterator<Item = PathBuf>) {
        self.written.extend(written);
    }
}
