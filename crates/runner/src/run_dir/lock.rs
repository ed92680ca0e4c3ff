//! One run directory has one owner at a time.
//!
//! The owner holds an advisory lock on a file in the directory. The system frees it when the owner ends, however it
//! ends. The file's text names the owner for people; it is the lock that counts, and a file without one means
//! nothing.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::error::Error;

const LOCK: &str = "lock";
/// How often, and how long apart, a file is looked at that is just changing hands.
const ATTEMPTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// Ownership of a run directory, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock on the run directory at `run`.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] with the holder if somebody else has it, [`Error::Io`].
    pub(super) fn acquire(run: &Path) -> Result<Self, Error> {
        let path = run.join(LOCK);
        for _ in 0..ATTEMPTS {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(Error::io("cannot open", &path))?;
            match file.try_lock() {
                // The last owner may have taken the file away since it was opened.
                Ok(()) if is_at(&file, &path) => {
                    let mut lock = Self { path, file };
                    lock.sign().map_err(Error::io("cannot write", &lock.path))?;
                    return Ok(lock);
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy(run, &path)),
                Err(TryLockError::Error(error)) => return Err(Error::io("cannot lock", &path)(error)),
            }
        }
        Err(busy(run, &path))
    }

    /// Follows the run directory to where it has been moved.
    pub(super) fn moved_to(&mut self, run: &Path) {
        self.path = run.join(LOCK);
    }

    fn sign(&mut self) -> io::Result<()> {
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "process {}{} since {time}", std::process::id(), host())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked, so that nobody's newer file is taken away. A file that stays does no harm.
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether `path` still leads to the open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Whether `path` still leads to the open file: open files are not taken away here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn busy(run: &Path, path: &Path) -> Error {
    let holder = holder(path).map(|it| format!(" ({it})")).unwrap_or_default();
    Error::Busy { path: run.to_owned(), holder }
}

/// Who holds the lock: a new owner signs right after taking it, so a text that names a dead process is not yet its.
fn holder(path: &Path) -> Option<String> {
    let mut text = String::new();
    for _ in 0..ATTEMPTS {
        text.clear();
        let read = File::open(path).and_then(|file| file.take(256).read_to_string(&mut text));
        let process = text.strip_prefix("process ").and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        match (read, process) {
            (Ok(_), Some(process)) if text.ends_with('\n') && is_alive(process) => break,
            _ => thread::sleep(PAUSE),
        }
    }
    // Somebody else's text may hold anything; it goes to a terminal.
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

/// Whether a process is there; true where that cannot be told.
pub(super) fn is_alive(process: u32) -> bool {
    !cfg!(target_os = "linux") || Path::new(&format!("/proc/{process}")).exists()
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => String::new(),
        name => format!(" on {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lock = Lock::acquire(folder.path()).expect("nobody has it");
        let said = Lock::acquire(folder.path()).expect_err("somebody has it").to_string();
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
        drop(lock);
        assert!(!folder.path().join(LOCK).exists());
        drop(Lock::acquire(folder.path()).expect("it is free again"));
    }

    #[test]
    fn a_dead_owners_file_stops_nobody() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(LOCK), "process 4194999 since long ago\n").expect("writable");
        drop(Lock::acquire(folder.path()).expect("the file is not locked"));
    }

    #[test]
    fn an_owner_that_moved_takes_no_newer_file_away() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        fs::create_dir(&here).expect("writable");
        let lock = Lock::acquire(&here).expect("nobody has it");
        fs::rename(&here, &there).expect("renamed");
        fs::create_dir(&here).expect("writable");
        let newer = Lock::acquire(&here).expect("another directory");
        drop(lock);
        assert!(here.join(LOCK).exists());
        drop(newer);
    }
}
