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
    experiment::{Experiment, Figures, Plan, Protection},
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
           fourth time a second one follows",
    pass: "exit code 130 or 143 within 10 s, at once after a second signal; the run is called interrupted; resumed, it \
           comes to the same results",
    tries: 40,
    quick: 4,
    protections: &[
        Protection {
            what: "signals are noted and looked at between steps (`runner::interrupt`)",
            test: "reliability::signals_stop_a_run_cleanly",
        },
        Protection {
            what: "a second signal ends the process (`runner::interrupt`)",
            test: "reliability::signals_stop_a_run_cleanly",
        },
    ],
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
        let after = Duration::from_micros(random.below(whole.as_micros() as usize) as u64);
        let kind = if index % 4 == 3 { Kind::Twice } else { Kind::Once };
        let tried = one(&lab, &name, signal, after, kind).and_then(|(status, took)| {
            slowest = slowest.max(took);
            stopped += u64::from(check(&lab, &name, status, took, code, kind)?);
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Once,
    Twice,
}

/// Starts a run, signals it, and returns how it ended and how long that took.
fn one(lab: &Lab, name: &str, signal: &str, after: Duration, kind: Kind) -> Result<(ExitStatus, Duration), String> {
    let mut command = lab.start(name, &[]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("cannot start the runner: {error}"))?;
    thread::sleep(after);
    let start = Instant::now();
    send(signal, child.id())?;
    if kind == Kind::Twice {
        send(signal, child.id())?;
    }
    while start.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().map_err(|error| format!("cannot wait: {error}"))? {
            return Ok((status, start.elapsed()));
        }
        thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("SIG{signal} after {} ms did not end it", after.as_millis()))
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
