//! The binary under test as a process: watched, limited in time, and measured.

use std::{
    fs,
    io::{Read, Write as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::experiment::Plan;

/// How often a process is looked at.
const POLL: Duration = Duration::from_millis(5);

/// How a process ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said along the way.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
    /// The most memory it held, where the system tells.
    pub peak_bytes: Option<u64>,
}

/// The `runner` command, in a home of its own inside of the plan's folder: no cache, no settings, no proxy.
pub(crate) fn runner(plan: &Plan, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(&plan.runner);
    command.args(arguments).current_dir(home).env("HOME", home).env("XDG_CACHE_HOME", home.join("cache"));
    command.env("NO_COLOR", "1").env_remove("RUST_LOG").stdin(Stdio::null());
    for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command
}

/// Runs a command to its end.
///
/// # Errors
///
/// If it cannot be started, or goes on past `deadline`; then it is killed.
pub(crate) fn run(command: &mut Command, deadline: Duration) -> Result<Outcome, String> {
    let shown = format!("{command:?}");
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| {
        let program = command.get_program().display();
        format!("cannot start {program}: {error}; build it with: cargo build --release")
    })?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let (status, peak_bytes) = wait(&mut child, start + deadline);
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        let bytes = reader.join().expect("the reader does not panic");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (stdout, stderr, elapsed) = (text(stdout), text(stderr), start.elapsed());
    match status {
        Some(status) => Ok(Outcome { code: status.code(), stdout, stderr, elapsed, peak_bytes }),
        None => Err(format!("{shown} goes on after {} s; it said: {stderr}", deadline.as_secs())),
    }
}

impl Outcome {
    /// Checks the exit code and a part of what was said.
    pub(crate) fn expect(&self, code: i32, said: &str) -> Result<(), String> {
        if self.code != Some(code) {
            return Err(format!("expected exit code {code}, found {:?}: {}", self.code, self.stderr));
        }
        if !self.stderr.contains(said) {
            return Err(format!("expected {said:?} to be said, found: {}", self.stderr));
        }
        Ok(())
    }

    /// Checks the most memory that was held.
    pub(crate) fn expect_peak_below(&self, limit: u64) -> Result<(), String> {
        match self.peak_bytes {
            Some(peak) if peak >= limit => {
                Err(format!("expected less than {} MB of memory, found {} MB", limit >> 20, peak >> 20))
            }
            _ => Ok(()),
        }
    }
}

/// Waits for the end of a process, or kills it at `end`.
fn wait(child: &mut Child, end: Instant) -> (Option<ExitStatus>, Option<u64>) {
    let mut peak = None;
    loop {
        // The high-water mark only grows, so the last value seen is the one to keep.
        peak = peak_bytes(child.id()).or(peak);
        match child.try_wait() {
            Ok(Some(status)) => return (Some(status), peak),
            Ok(None) if Instant::now() < end => thread::sleep(POLL),
            _ => {
                // It may have ended just now; either way it is gone after this.
                let _ = child.kill();
                let _ = child.wait();
                return (None, peak);
            }
        }
    }
}

/// The most memory that a process has held so far, where `/proc` says it (`proc_pid_status(5)`, `VmHWM`).
pub(crate) fn peak_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Reads a pipe to its end beside the process, so that it never waits for a reader.
fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read until then is all there is to tell.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Says on stderr how far an experiment is; nobody has to read it.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
