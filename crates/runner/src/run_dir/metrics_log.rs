//! `metrics.jsonl` and `metrics.csv`: one row per epoch, flushed at once.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use crate::{error::Error, metrics::EpochRow};

/// The two metrics files, open for appending.
#[derive(Debug)]
pub struct MetricsLog {
    jsonl: (PathBuf, File),
    csv: (PathBuf, csv::Writer<File>),
}

impl MetricsLog {
    pub(super) fn create(jsonl: PathBuf, csv: PathBuf) -> Result<Self, Error> {
        let open = |path: &Path| File::create_new(path).map_err(Error::io("cannot create", path));
        let jsonl_file = open(&jsonl)?;
        let csv_file = csv::Writer::from_writer(open(&csv)?);
        Ok(Self { jsonl: (jsonl, jsonl_file), csv: (csv, csv_file) })
    }

    /// Appends a row to both files and flushes them.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    ///
    /// # Panics
    ///
    /// Never: a row has a form in JSON.
    pub fn append(&mut self, row: &EpochRow) -> Result<(), Error> {
        let mut line = serde_json::to_string(row).expect("rows have string keys");
        line.push('\n');
        let (path, file) = &mut self.jsonl;
        file.write_all(line.as_bytes()).map_err(Error::io("cannot append to", path.as_path()))?;
        let (path, writer) = &mut self.csv;
        writer
            .serialize(row)
            .map_err(std::io::Error::from)
            .and_then(|()| writer.flush())
            .map_err(Error::io("cannot append to", path.as_path()))
    }
}

/// Reads all rows; a torn last line, as a crash leaves it, is left out.
pub(super) fn read(path: &Path) -> Result<Vec<EpochRow>, Error> {
    let text = fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
    let mut rows = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str(line) {
            Ok(row) => rows.push(row),
            Err(_) if !line.ends_with('\n') => break,
            Err(error) => {
                let message = format!("line {}: {error}", index + 1);
                return Err(Error::Malformed { path: path.to_owned(), message });
            }
        }
    }
    Ok(rows)
}
