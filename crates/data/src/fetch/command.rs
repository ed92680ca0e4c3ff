//! Other programs, with a deadline and without a terminal.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use indicatif::ProgressBar;

use super::FetchError;

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How much of a failed program's last words is told.
const MAX_OUTPUT_BYTES: u64 = 600;
const LOG_NAME: &str = "log";

/// Runs `command` in the folder `work`, and shows on `bar` how much there is in it meanwhile.
pub(super) fn run(command: &mut Command, work: &Path, deadline: Duration, bar: &ProgressBar) -> Result<(), FetchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let log = work.join(LOG_NAME);
    let failed = |error: &io::Error| FetchError::Program {
        program: program.clone(),
        status: error.to_string(),
        output: String::new(),
    };
    let output = File::create(&log).map_err(|error| failed(&error))?;
    let errors = output.try_clone().map_err(|error| failed(&error))?;
    let mut child = command
        .current_dir(work)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| not_started(&program, &error))?;

    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| failed(&error))? {
            break status;
        }
        if start.elapsed() > deadline {
            // It may have ended just now; either way it is gone after this.
            let _ = child.kill();
            let _ = child.wait();
            return Err(FetchError::Slow { program, deadline });
        }
        bar.set_position(size(work));
        thread::sleep(POLL);
    };
    if status.success() {
        Ok(())
    } else {
        Err(FetchError::Program { program, status: status.to_string(), output: last_words(&log) })
    }
}

/// The error of a program that could not be started.
pub(super) fn not_started(program: &str, error: &io::Error) -> FetchError {
    let program = program.to_owned();
    if error.kind() == io::ErrorKind::NotFound {
        FetchError::NoProgram { program }
    } else {
        FetchError::Program { program, status: error.to_string(), output: String::new() }
    }
}

/// The first file in `folder` with this extension.
pub(super) fn find(folder: &Path, extension: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.extension().is_some_and(|it| it == extension))
}

/// Bytes in all files under `folder`, as far as they can be seen: only for show.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The end of a log on one line.
fn last_words(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(MAX_OUTPUT_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn check(command: &mut Command, deadline: Duration) -> Result<(), FetchError> {
        let work = tempfile::tempdir().expect("a temporary folder");
        run(command, work.path(), deadline, &ProgressBar::hidden())
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_succeeds_is_fine() {
        check(&mut shell("echo hello"), Duration::from_secs(10)).expect("echo succeeds");
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let error =
            check(&mut shell("echo no such package >&2; exit 100"), Duration::from_secs(10)).expect_err("it fails");
        let text = error.to_string();
        assert!(text.contains("sh failed") && text.contains("no such package"), "{text}");
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let start = Instant::now();
        let error = check(&mut shell("exec sleep 60"), Duration::from_millis(100)).expect_err("it is stopped");
        assert!(matches!(error, FetchError::Slow { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_is_not_installed_is_named() {
        let error = check(&mut Command::new("no-such-program"), Duration::from_secs(1)).expect_err("it does not exist");
        assert_eq!(error.to_string(), "no-such-program is not installed");
    }
}
