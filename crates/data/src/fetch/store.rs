//! The cache folder of one data set: files get their final name once they are whole, right and on disk.
//!
//! One process at a time holds the folder's lock, which the system releases however the process ends.
//! Bytes go to a temporary file in the same folder, are hashed on the way, flushed, and renamed. Whatever
//! temporaries a killed process has left are removed by the next one that holds the lock. Readers need no
//! lock: a file under its final name is complete.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    content::{CopyError, copy_verified},
    error::DataError,
    registry::FileInfo,
};

const LOCK_NAME: &str = ".lock";
/// How names of temporaries begin.
const TEMPORARY_PREFIX: &str = ".partial-";

/// A locked cache folder.
pub(super) struct Store {
    folder: PathBuf,
    /// Unlocked when it is closed.
    _lock: File,
}

impl Store {
    /// Makes the folder if there is none, and waits for its lock.
    pub(super) fn open(folder: &Path) -> Result<Self, DataError> {
        fs::create_dir_all(folder).map_err(DataError::io("cannot create", folder))?;
        // Programs that fetch packages run elsewhere and need whole paths.
        let folder = folder.canonicalize().map_err(DataError::io("cannot resolve", folder))?;
        let lock = lock(&folder.join(LOCK_NAME))?;
        sweep(&folder);
        Ok(Self { folder, _lock: lock })
    }

    /// Writes the decompressed bytes of `file` under its name if they are right; otherwise nothing.
    pub(super) fn put(&self, file: &FileInfo, reader: impl Read) -> Result<(), CopyError<DataError>> {
        self.put_with(file.name, |sink| copy_verified(reader, file, sink))
    }

    /// Writes under a name what `copy` hands to the sink that it gets, if it succeeds; otherwise nothing.
    pub(super) fn put_with<T>(
        &self,
        name: &str,
        copy: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), DataError>) -> Result<T, CopyError<DataError>>,
    ) -> Result<T, CopyError<DataError>> {
        let path = self.folder.join(name);
        let failed = |error| CopyError::Sink(DataError::io("cannot write", &path)(error));
        let mut temporary =
            tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(&self.folder).map_err(failed)?;
        let copied =
            copy(&mut |bytes: &[u8]| temporary.write_all(bytes).map_err(DataError::io("cannot write", &path)))?;
        temporary.as_file().sync_all().map_err(failed)?;
        temporary.persist(&path).map_err(|error| failed(error.error))?;
        // The new name is in the folder, which is flushed on its own.
        #[cfg(unix)]
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(copied)
    }

    /// A folder for work in progress; it goes away with the returned value.
    pub(super) fn work_folder(&self) -> Result<TempDir, DataError> {
        tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir_in(&self.folder)
            .map_err(DataError::io("cannot write", &self.folder))
    }
}

/// Removes temporaries: with the lock held, none is in use.
///
/// What cannot be removed is in nobody's way, so it is left for the next time: a package
/// manager may outlive the process that started it for a moment.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed {
            tracing::warn!("{}: cannot remove: {error}", path.display());
        }
    }
}

fn lock(path: &Path) -> Result<File, DataError> {
    let failed = || DataError::io("cannot lock", path);
    let file = File::create(path).map_err(failed())?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            tracing::info!("{}: waiting for another run that is fetching", path.display());
            file.lock().map_err(failed())?;
        }
        Err(TryLockError::Error(error)) => return Err(failed()(error)),
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ContentError;

    /// SHA-256 of "abc" (FIPS 180-2, example B.1).
    const ABC: FileInfo =
        FileInfo { name: "abc", sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", bytes: 3 };

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("it exists");
        entries.map(|it| it.expect("readable").file_name().into_string().expect("ascii")).collect()
    }

    #[test]
    fn right_bytes_get_their_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(folder.path()).expect("it can be written");
        store.put(&ABC, &b"abc"[..]).expect("the bytes are right");
        assert_eq!(fs::read(folder.path().join("abc")).expect("it is there"), b"abc");
    }

    #[test]
    fn wrong_bytes_leave_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(folder.path()).expect("it can be written");
        for bytes in [&b"abd"[..], b"ab", b"abcd", b""] {
            let error = store.put(&ABC, bytes).expect_err("the bytes are wrong");
            assert!(matches!(error, CopyError::Content(_)), "{error:?}");
            assert_eq!(names(folder.path()), [LOCK_NAME]);
        }
    }

    #[test]
    fn an_endless_source_is_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(folder.path()).expect("it can be written");
        let error = store.put(&ABC, std::io::repeat(b'a')).expect_err("it never ends");
        assert!(matches!(error, CopyError::Content(ContentError::TooLong { expected: 3 })));
    }

    #[test]
    fn temporaries_of_killed_processes_are_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(".partial-file"), "half").expect("writable");
        fs::create_dir_all(folder.path().join(".partial-folder/lists")).expect("writable");
        let _store = Store::open(folder.path()).expect("it can be written");
        assert_eq!(names(folder.path()), [LOCK_NAME]);
    }

    #[test]
    fn a_second_process_waits_for_the_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = Store::open(folder.path()).expect("it can be written");
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Store::open(folder.path()).map(drop));
            first.put(&ABC, &b"abc"[..]).expect("the lock is still held");
            assert!(!second.is_finished());
            drop(first);
            second.join().expect("no panic").expect("the lock is free");
        });
    }
}
