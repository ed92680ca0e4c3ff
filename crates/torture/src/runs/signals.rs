//! SIGINT and SIGTERM at any moment.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::lab::{DEADLINE, Lab};
use crate::{
    command::{cannot_wait, start},
    experiment::{Experiment, Figures, Plan},
    random::Random,
};

/// Longest time from the signal to the end.
const LIMIT: Duration = Duration::from_secs(10);
/// The same after a second signal.
const AT_ONCE: Duration = Duration::from_secs(1);

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "signals",
    row: 5,
    what: "SIGINT and SIGTERM in turn at random moments of a run: in a batch, in evaluation, while saving; every \
           fourth time early in training, every fourth time a second one follows",
    pass: "exit code 130 or 143 within 10 s, at once after a second signal, unless training was over; the run is called \
           interrupted; resumed, it comes to the same results",
    tries: 40,
    quick: 4,
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 1200)?;
    let (expected, whole) = lab.reference("whole", &[])?;
    let mut random = Random::new(plan.seed);
    let mut figures = Figures::default();
    let (mut stopped, mut slowest) = (0, Duration::ZERO);
    for index in 0..plan.tries {
        let name = format!("stopped-{index}");
        let (signal, code) = if index % 2 == 0 { ("INT", 130) } else { ("TERM", 143) };
        let moment = if index % 4 == 0 { Moment::Training } else { Moment::After(random.moment(whole)) };
        let kind = if index % 4 == 3 { Kind::Twice } else { Kind::Once };
        let tried = one(&lab, &name, signal, moment, kind).and_then(|(status, took)| {
            slowest = slowest.max(took);
            let is_stopped = check(&lab, &name, status, took, code, kind)?;
            stopped += u64::from(is_stopped);
            if moment == Moment::Training && !is_stopped {
                return Err(format!("{name}: trained on after the signal"));
            }
            lab.finish(&name, &[])?;
            lab.expect_result(&name, &expected)
        });
        figures.count(tried);
        lab.remove(&name);
    }
    figures.notes =
        vec![format!("{stopped} were stopped by the signal"), format!("slowest end {} ms", slowest.as_millis())];
    Ok(figures)
}

/// When a run is signalled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Once it has a checkpoint, with most of its steps before it.
    Training,
    /// Whatever it does by then.
    After(Duration),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Once,
    Twice,
}

/// Starts a run, signals it, and returns how it ended and how long that took.
fn one(lab: &Lab, name: &str, signal: &str, moment: Moment, kind: Kind) -> Result<(ExitStatus, Duration), String> {
    let mut child = match moment {
        Moment::Training => lab.start_until(name, 1)?,
        Moment::After(time) => {
            let child = start(&mut lab.start(name, &[]))?;
            thread::sleep(time);
            child
        }
    };
    let mut since = Instant::now();
    send(signal, child.id())?;
    if kind == Kind::Twice {
        // Two that wait together are one to the process.
        while is_pending(child.id()) && since.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(1));
        }
        since = Instant::now();
        send(signal, child.id())?;
    }
    while since.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().map_err(cannot_wait)? {
            return Ok((status, since.elapsed()));
        }
        thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("{name}: SIG{signal} did not end it"))
}

/// Whether a signal waits for the process to be scheduled, where `/proc` says so (`proc_pid_status(5)`, `ShdPnd`).
fn is_pending(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
    mask.is_some_and(|mask| mask.trim().bytes().any(|digit| digit != b'0'))
}

/// Sends a signal; a process that has just ended does not mind.
pub(super) fn send(signal: &str, process: u32) -> Result<(), String> {
    let mut kill = Command::new("kill");
    kill.args(["-s", signal, &process.to_string()]).stderr(Stdio::null());
    kill.status().map(drop).map_err(|error| format!("cannot start kill: {error}"))
}

/// Checks how a process ended; whether the signal stopped its run.
fn check(lab: &Lab, name: &str, status: ExitStatus, took: Duration, code: i32, kind: Kind) -> Result<bool, String> {
    let limit = if kind == Kind::Twice { AT_ONCE } else { LIMIT };
    if took > limit {
        return Err(format!("{name}: ended {} ms after the signal", took.as_millis()));
    }
    let run = lab.run(name);
    let record = fs::read_to_string(run.join("status.json")).unwrap_or_default();
    match status.code() {
        // It had come to its end already.
        Some(0) if record.contains("\"done\"") => Ok(false),
        Some(found) if found == code && kind == Kind::Twice => Ok(true),
        Some(found) if found == code && record.contains("\"interrupted\"") => Ok(true),
        // Before there is a run and after it is done, a signal does what it does to any program.
        None if status.signal() == Some(code - 128)
            && (!run.join("config.toml").exists() || record.contains("\"done\"")) =>
        {
            Ok(false)
        }
        _ => Err(format!("{name}: expected exit code {code}, found {status}; status.json: {record}")),
    }
}
