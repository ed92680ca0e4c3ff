//! `metrics.jsonl` and `metrics.csv`: one row per epoch, flushed at once.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::hexadecimal;
use crate::{error::Error, metrics::EpochRow};

/// The two metrics files, open for appending.
#[derive(Debug)]
pub struct MetricsLog {
    jsonl: Log,
    csv: Log,
}

/// How far both files count, and what they hold so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMark {
    /// Of `metrics.jsonl`.
    pub jsonl: FileMark,
    /// Of `metrics.csv`.
    pub csv: FileMark,
}

/// The start of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of these bytes.
    pub sha256: String,
}

impl Default for FileMark {
    fn default() -> Self {
        Self { bytes: 0, sha256: hexadecimal(&Sha256::digest([])) }
    }
}

/// A file that only grows, and the sum of what is in it.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    sum: Sha256,
}

impl Log {
    /// Opens the file and cuts off what comes after the mark.
    fn open(path: PathBuf, mark: &FileMark) -> Result<Self, Error> {
        let failed = |error| Error::io("cannot open", &path)(error);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        let mut sum = Sha256::new();
        let mut start = Read::by_ref(&mut file).take(mark.bytes);
        let bytes = io::copy(&mut start, &mut DigestWriter(&mut sum)).map_err(failed)?;
        let found = FileMark { bytes, sha256: hexadecimal(&sum.clone().finalize()) };
        if found != *mark {
            let message = format!(
                "was changed since the last checkpoint: expected {} bytes with SHA-256 {}, found {} with {}",
                mark.bytes, mark.sha256, found.bytes, found.sha256
            );
            return Err(Error::Malformed { path, message });
        }
        file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes))).map_err(failed)?;
        Ok(Self { path, file, bytes, sum })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::io("cannot append to", &self.path))?;
        self.bytes += bytes.len() as u64;
        self.sum.update(bytes);
        Ok(())
    }

    fn mark(&self) -> Result<FileMark, Error> {
        self.file.sync_data().map_err(Error::io("cannot sync", &self.path))?;
        Ok(FileMark { bytes: self.bytes, sha256: hexadecimal(&self.sum.clone().finalize()) })
    }
}

/// Sums up what is written.
struct DigestWriter<'a>(&'a mut Sha256);

impl Write for DigestWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MetricsLog {
    pub(super) fn open(jsonl: PathBuf, csv: PathBuf, mark: &LogMark) -> Result<Self, Error> {
        Ok(Self { jsonl: Log::open(jsonl, &mark.jsonl)?, csv: Log::open(csv, &mark.csv)? })
    }

    /// How far the files count by now; what is in them survives a power failure from here on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn mark(&self) -> Result<LogMark, Error> {
        Ok(LogMark { jsonl: self.jsonl.mark()?, csv: self.csv.mark()? })
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
        self.jsonl.append(line.as_bytes())?;
        let mut csv = csv::WriterBuilder::new().has_headers(self.csv.bytes == 0).from_writer(Vec::new());
        csv.serialize(row).expect("rows are flat");
        self.csv.append(&csv.into_inner().expect("memory does not fail to flush"))
    }
}

/// Reads all rows, none if there is no file yet; a torn last line, as a crash leaves it, is left out.
pub(super) fn read(path: &Path) -> Result<Vec<EpochRow>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("cannot read", path)(error)),
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize) -> EpochRow {
        EpochRow {
            epoch,
            phase: "a, b".into(),
            train_loss: 0.5,
            train_accuracy: 0.8,
            valid_loss: None,
            valid_accuracy: Some(0.9),
            learning_rate: 1e-3,
            train_seconds: 2.0,
            valid_seconds: 0.5,
            images_per_second: 10.0,
            train_error: None,
        }
    }

    fn open(folder: &Path, mark: &LogMark) -> Result<MetricsLog, Error> {
        MetricsLog::open(folder.join("jsonl"), folder.join("csv"), mark)
    }

    #[test]
    fn rows_after_the_mark_are_cut_off_and_the_header_stands_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut log = open(folder.path(), &LogMark::default()).expect("new files");
        log.append(&row(1)).expect("there is space");
        let mark = log.mark().expect("synced");
        // Two, of which the next one would cover the first.
        log.append(&row(2)).expect("there is space");
        log.append(&row(3)).expect("there is space");
        drop(log);
        let mut log = open(folder.path(), &mark).expect("the same files");
        log.append(&row(4)).expect("there is space");
        let epochs: Vec<_> = read(&folder.path().join("jsonl")).expect("rows").iter().map(|row| row.epoch).collect();
        assert_eq!(epochs, [1, 4]);
        let csv = fs::read_to_string(folder.path().join("csv")).expect("there");
        assert_eq!(csv.lines().filter(|line| line.starts_with("epoch")).count(), 1);
        assert!(csv.lines().nth(2).is_some_and(|line| line.starts_with("4,\"a, b\",")), "{csv}");
        assert_eq!(csv.lines().count(), 3);
    }

    #[test]
    fn a_changed_row_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut log = open(folder.path(), &LogMark::default()).expect("new files");
        log.append(&row(1)).expect("there is space");
        let mark = log.mark().expect("synced");
        let path = folder.path().join("csv");
        let text = fs::read_to_string(&path).expect("there").replace("0.9", "1.0");
        fs::write(&path, text).expect("writable");
        let said = open(folder.path(), &mark).expect_err("an accuracy was improved").to_string();
        assert!(said.contains("was changed"), "{said}");
        fs::write(&path, "").expect("writable");
        assert!(open(folder.path(), &mark).is_err());
    }
}
