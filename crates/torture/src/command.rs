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
    /// How long it computed, where the system tells.
    pub computing: Option<Duration>,
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

/// Starts a command that nobody listens to.
pub(crate) fn start(command: &mut Command) -> Result<Child, String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    spawn(command)
}

/// Starts a command, kills it after a while, and says whether it was still there.
pub(crate) fn killed(command: &mut Command, after: Duration) -> Result<bool, String> {
    let mut child = start(command)?;
    thread::sleep(after);
    let was_there = child.try_wait().map_err(cannot_wait)?.is_none();
    // SIGKILL; a process that has ended by itself does not mind.
    child.kill().and_then(|()| child.wait()).map_err(|error| format!("cannot kill: {error}"))?;
    Ok(was_there)
}

/// What is said of a process that cannot be waited for.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn cannot_wait(error: std::io::Error) -> String {
    format!("cannot wait: {error}")
}

fn spawn(command: &mut Command) -> Result<Child, String> {
    command.spawn().map_err(|error| {
        let program = command.get_program().display();
        format!("cannot start {program}: {error}; build it with: cargo build --release")
    })
}

/// Runs a command to its end.
///
/// # Errors
///
/// If it cannot be started, or goes on past `deadline`; then it is killed.
pub(crate) fn run(command: &mut Command, deadline: Duration) -> Result<Outcome, String> {
    let shown = format!("{command:?}");
    let start = Instant::now();
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let (status, computing, peak_bytes) = wait(&mut child, start + deadline);
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        let bytes = reader.join().expect("the reader does not panic");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (stdout, stderr, elapsed) = (text(stdout), text(stderr), start.elapsed());
    match status {
        Some(status) => Ok(Outcome { code: status.code(), stdout, stderr, elapsed, computing, peak_bytes }),
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

    /// Checks how long was computed.
    pub(crate) fn expect_computing_below(&self, limit: Duration) -> Result<(), String> {
        match self.computing {
            Some(time) if time >= limit => {
                Err(format!("expected less than {} s of computing, found {} ms", limit.as_secs(), time.as_millis()))
            }
            _ => Ok(()),
        }
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

/// Waits for the end of a process, or kills it at `end`; its status, computing time and peak memory.
fn wait(child: &mut Child, end: Instant) -> (Option<ExitStatus>, Option<Duration>, Option<u64>) {
    let (mut computing, mut peak) = (None, None);
    loop {
        // Both only grow, so the last value seen is the one to keep.
        computing = computing_time(child.id()).or(computing);
        peak = peak_bytes(child.id()).or(peak);
        match child.try_wait() {
            Ok(Some(status)) => return (Some(status), computing, peak),
            Ok(None) if Instant::now() < end => thread::sleep(POLL),
            _ => {
                // It may have ended just now; either way it is gone after this.
                let _ = child.kill();
                let _ = child.wait();
                return (None, computing, peak);
            }
        }
    }
}

/// How long a process has computed so far, where `/proc` says it (`proc_pid_stat(5)`, `utime` and `stime`).
fn computing_time(process: u32) -> Option<Duration> {
    // Linux tells programs of a hundred ticks a second, whatever it counts itself.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the program's name in parentheses, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
    Some(TICK * (ticks(11)? + ticks(12)?))
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
