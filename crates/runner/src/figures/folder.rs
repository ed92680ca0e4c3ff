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

    /// Writes rows of one length, the first of them the columns' names, beside the pictures.
    pub(super) fn csv(&mut self, name: &str, rows: impl Iterator<Item = Vec<String>>) -> Result<(), Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in rows {
            writer.write_record(row).expect("rows of one length fit, and memory takes them");
        }
        let bytes = writer.into_inner().expect("memory takes all");
        self.file(&format!("{}{name}.csv", self.pictures), &bytes)
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
