//! Checkpoints: a few files that are committed as one, and found again only if every byte is as it was.
//!
//! `checkpoints/000007/` holds the files of the seventh checkpoint and `SHA256SUMS`, in the format of the program of
//! that name. It is filled under another name, synced, and renamed when it is complete; the two newest are kept.
//! What the files mean is decided elsewhere.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{RunDir, files};
use crate::error::Error;

const FOLDER: &str = "checkpoints";
const MANIFEST: &str = "SHA256SUMS";
/// A checkpoint that is being written.
const STAGING: &str = "staging";
/// A checkpoint that is being removed.
const REMOVING: &str = "removing";
/// Complete checkpoints that are kept: if the newest is damaged, the one before it is there.
const GENERATIONS: usize = 2;
/// More files, or longer names, than any checkpoint has.
const MAX_MANIFEST: u64 = 4096;

/// The files of a checkpoint by their names.
pub type CheckpointFiles = BTreeMap<String, Vec<u8>>;

impl RunDir {
    /// Writes a checkpoint: all of its files, or none of them. Older ones than the last two are removed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; then the checkpoints before are still there.
    pub fn commit_checkpoint(&self, files: &CheckpointFiles) -> Result<u64, Error> {
        let folder = self.checkpoint_folder();
        let generations = self.checkpoints()?;
        let number = generations.first().map_or(1, |newest| newest + 1);
        let staging = folder.join(STAGING);
        fs::create_dir_all(&folder).map_err(Error::io("cannot create the folder", &folder))?;
        let staged = remove(&staging).and_then(|()| stage(&staging, files)).and_then(|()| {
            let path = folder.join(name(number));
            fs::rename(&staging, &path).map_err(Error::io("cannot move the checkpoint to", &path))?;
            files::sync_folder(&folder).map_err(Error::io("cannot sync", &folder))
        });
        if let Err(error) = staged {
            // The failure is told already; what cannot be removed now is removed when the run goes on.
            let _ = fs::remove_dir_all(&staging);
            return Err(error);
        }
        for old in generations.into_iter().skip(GENERATIONS - 1) {
            self.remove_checkpoint(old)?;
        }
        Ok(number)
    }

    /// The numbers of the checkpoints, newest first, whether or not they are intact.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn checkpoints(&self) -> Result<Vec<u64>, Error> {
        let folder = self.checkpoint_folder();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("cannot list", &folder)(error)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("cannot list", &folder))?;
            let found = entry.file_name();
            let number = found.to_str().and_then(|text| text.parse().ok()).filter(|&it| *found == *name(it));
            numbers.extend(number);
        }
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    /// Where a checkpoint is.
    #[must_use]
    pub fn checkpoint_path(&self, number: u64) -> PathBuf {
        self.checkpoint_folder().join(name(number))
    }

    /// Reads a checkpoint and verifies every byte of it. No file may be longer than `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Malformed`] with the file that is not as it was written.
    pub fn read_checkpoint(&self, number: u64, limit: u64) -> Result<CheckpointFiles, Error> {
        let folder = self.checkpoint_path(number);
        let path = folder.join(MANIFEST);
        let manifest = read(&path, MAX_MANIFEST)?;
        let listed = parse(&manifest).ok_or_else(|| malformed(&path, "not a list of SHA-256 sums"))?;
        let mut files = CheckpointFiles::new();
        for (name, expected) in listed {
            let path = folder.join(&name);
            let bytes = read(&path, limit)?;
            let found = sha256(&bytes);
            if found != expected {
                return Err(malformed(&path, &format!("expected SHA-256 {expected}, found {found}")));
            }
            files.insert(name, bytes);
        }
        Ok(files)
    }

    /// Takes a damaged checkpoint out of the row, and keeps it for whoever wants to look at it until the run is done.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn set_checkpoint_aside(&self, number: u64) -> Result<PathBuf, Error> {
        let aside = self.checkpoint_folder().join(format!("damaged-{}", name(number)));
        remove(&aside)?;
        fs::rename(self.checkpoint_path(number), &aside).map_err(Error::io("cannot move the checkpoint to", &aside))?;
        Ok(aside)
    }

    /// Removes all checkpoints, and the best weights of a time when the run diverged: a run that is done needs none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn remove_checkpoints(&self) -> Result<(), Error> {
        // Oldest first, so that the newest complete one is there until the end.
        for number in self.checkpoints()?.into_iter().rev() {
            self.remove_checkpoint(number)?;
        }
        remove(&self.checkpoint_folder())?;
        let best = self.path().join(files::BEST_WEIGHTS);
        match fs::remove_file(&best) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot remove", best)(error)),
            _ => Ok(()),
        }
    }

    /// Removes what a process that died was just writing or removing.
    pub(super) fn sweep_checkpoints(&self) -> Result<(), Error> {
        let folder = self.checkpoint_folder();
        remove(&folder.join(STAGING))?;
        remove(&folder.join(REMOVING))
    }

    fn remove_checkpoint(&self, number: u64) -> Result<(), Error> {
        let (path, removing) = (self.checkpoint_path(number), self.checkpoint_folder().join(REMOVING));
        remove(&removing)?;
        // Under its own name a checkpoint is complete, to its last moment.
        fs::rename(&path, &removing).map_err(Error::io("cannot remove", &path))?;
        remove(&removing)
    }

    fn checkpoint_folder(&self) -> PathBuf {
        self.path().join(FOLDER)
    }
}

fn name(number: u64) -> String {
    format!("{number:06}")
}

/// Writes and syncs all files, the manifest last.
fn stage(folder: &Path, files: &CheckpointFiles) -> Result<(), Error> {
    fs::create_dir(folder).map_err(Error::io("cannot create the folder", folder))?;
    let mut manifest = String::new();
    for (name, bytes) in files {
        write(&folder.join(name), bytes)?;
        manifest.extend([sha256(bytes).as_str(), "  ", name, "\n"]);
    }
    write(&folder.join(MANIFEST), manifest.as_bytes())?;
    files::sync_folder(folder).map_err(Error::io("cannot sync", folder))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::io("cannot write", path))
}

/// Reads a regular file of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::io("cannot read", path)(error);
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > limit {
        return Err(malformed(path, &format!("expected a file of at most {limit} bytes")));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// Names and sums of a manifest, which has one form only: any other byte is damage.
fn parse(manifest: &[u8]) -> Option<Vec<(String, String)>> {
    let text = str::from_utf8(manifest).ok()?;
    let lines = text.strip_suffix('\n')?.split('\n').map(|line| {
        let (sum, name) = line.split_once("  ")?;
        let is_hex = sum.len() == 64 && sum.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let is_name = name.bytes().all(|it| it.is_ascii_lowercase() || it == b'.') && !name.starts_with('.');
        (is_hex && is_name && !name.is_empty()).then(|| (name.to_owned(), sum.to_owned()))
    });
    lines.collect()
}

fn sha256(bytes: &[u8]) -> String {
    files::hexadecimal(&Sha256::digest(bytes))
}

fn malformed(path: &Path, message: &str) -> Error {
    Error::Malformed { path: path.to_owned(), message: message.to_owned() }
}

/// Removes a folder with all that is in it, if it is there.
fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot remove", folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1000;

    fn contents(text: &str) -> CheckpointFiles {
        CheckpointFiles::from([("state.json".into(), text.into()), ("best.safetensors".into(), b"weights".to_vec())])
    }

    fn run(folder: &tempfile::TempDir) -> RunDir {
        RunDir::at(folder.path())
    }

    #[test]
    fn the_two_newest_are_kept_and_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = run(&folder);
        for text in ["one", "two", "three"] {
            run.commit_checkpoint(&contents(text)).expect("there is space");
        }
        assert_eq!(run.checkpoints().expect("listable"), [3, 2]);
        assert_eq!(run.read_checkpoint(3, LIMIT).expect("intact"), contents("three"));
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).expect("listable").count(), 2);
        run.remove_checkpoints().expect("removable");
        assert!(!folder.path().join(FOLDER).exists());
    }

    #[test]
    fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = run(&folder);
        for text in ["one", "two"] {
            run.commit_checkpoint(&contents(text)).expect("there is space");
        }
        let unwritable = CheckpointFiles::from([("no/such/folder".to_owned(), Vec::new())]);
        assert!(matches!(run.commit_checkpoint(&unwritable), Err(Error::Io { .. })));
        assert_eq!(run.checkpoints().expect("listable"), [2, 1]);
        assert_eq!(run.read_checkpoint(1, LIMIT).expect("intact"), contents("one"));
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).expect("listable").count(), 2);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = run(&folder);
        let number = run.commit_checkpoint(&contents("state")).expect("there is space");
        for name in ["state.json", "best.safetensors", MANIFEST] {
            let path = run.checkpoint_path(number).join(name);
            let whole = fs::read(&path).expect("it is there");
            for bit in 0..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, &bytes).expect("writable");
                assert!(run.read_checkpoint(number, LIMIT).is_err(), "{name}, bit {bit}");
            }
            for length in 0..whole.len() {
                fs::write(&path, &whole[..length]).expect("writable");
                // A list that ends after a line is whole, but names fewer files than whoever reads them needs.
                let read = run.read_checkpoint(number, LIMIT);
                assert!(read.is_err() || read.is_ok_and(|files| files.len() < 2), "{name}, {length} bytes");
            }
            fs::write(&path, &whole).expect("writable");
        }
        assert!(run.read_checkpoint(number, LIMIT).is_ok());
    }

    #[test]
    fn a_file_that_is_too_long_or_none_is_refused_unread() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = run(&folder);
        let number = run.commit_checkpoint(&contents("state")).expect("there is space");
        let path = run.checkpoint_path(number).join("state.json");
        File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        let said = run.read_checkpoint(number, LIMIT).expect_err("a terabyte").to_string();
        assert!(said.contains("at most 1000 bytes"), "{said}");
        fs::remove_file(&path).expect("removable");
        fs::create_dir(&path).expect("writable");
        assert!(run.read_checkpoint(number, LIMIT).is_err());
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_hinders_nobody() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = run(&folder);
        for name in [STAGING, REMOVING] {
            let left = folder.path().join(FOLDER).join(name);
            fs::create_dir_all(&left).expect("writable");
            fs::write(left.join("state.json"), "torn").expect("writable");
        }
        assert!(run.checkpoints().expect("listable").is_empty());
        run.commit_checkpoint(&contents("one")).expect("the leftovers are in nobody's way");
        run.sweep_checkpoints().expect("removable");
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).expect("listable").count(), 1);
    }
}
