//! A disk that is full, that fails, or that may not be written.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    lab::{DEADLINE, Lab},
    strace,
};
use crate::{
    command::{self, cannot_wait, say},
    experiment::{Experiment, Figures, Plan},
    random::Random,
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "disk",
    row: 3,
    what: "EIO and ENOSPC injected into writes, syncs and renames of a run; where file systems may be mounted, also a \
           real one of 1 MB that fills up, and one that becomes read-only",
    pass: "exit code 4 naming a path in the results; with the disk sound again, the run goes on from its last \
           checkpoint to the same results",
    tries: 60,
    quick: 3,
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 200)?;
    let (expected, _) = lab.reference("whole", &[])?;
    let mut figures = Figures::default();
    let mut notes = Vec::new();
    if strace::is_there() {
        let counts = counts(&lab)?;
        let tries = plan.tries.saturating_sub(2);
        figures = lab.try_all(tries, |lab, index| {
            let name = format!("failing-{index}");
            injected(lab, &name, &expected, &counts, &mut Random::of(plan.seed, index))?;
            lab.remove(&name);
            Ok(())
        })?;
        notes.push(format!("{tries} runs in which system calls failed"));
    } else {
        notes.push("no strace".to_owned());
    }
    for (name, kind) in [("full", Mounted::Full), ("read-only", Mounted::ReadOnly)] {
        match mounted(&lab, name, kind, &expected) {
            Ok(Some(tried)) => {
                figures.count(tried);
                notes.push(format!("a file system that becomes {name}"));
            }
            Ok(None) => notes.push("no right to mount".to_owned()),
            Err(error) => figures.count(Err(error)),
        }
    }
    if figures.tried == 0 {
        // Without strace and without the right to mount: at least a folder that is in the way.
        figures.count(blocked(&lab, &expected));
    }
    figures.notes = notes;
    Ok(figures)
}

/// System calls that may fail, under the names that `strace` knows on this machine.
const CALLS: [&str; 5] = ["fsync", "fdatasync", "?rename,?renameat,?renameat2", "?mkdir,?mkdirat", "write"];

/// How often a run makes each of [`CALLS`] on the files that it writes while it trains.
fn counts(lab: &Lab) -> Result<Vec<(&'static str, u64)>, String> {
    let log = lab.folder().join("strace.log");
    let count = |call: &'static str| {
        let name = "counted";
        let count = strace::count(&start(lab, name), call, &paths(&lab.run(name)), &log)?;
        lab.remove(name);
        Ok((call, count))
    };
    let counts = CALLS.into_iter().map(count).collect::<Result<Vec<_>, String>>()?;
    match counts.iter().find(|(_, count)| *count == 0) {
        Some((call, _)) => Err(format!("a run makes no {call} that strace sees")),
        None => Ok(counts),
    }
}

/// The command that starts a run and names its files by whole paths, as `strace` is told them.
fn start(lab: &Lab, name: &str) -> Command {
    let mut command = lab.start(name, &["--results-dir"]);
    command.arg(lab.folder().join("results"));
    command
}

/// A system call fails, and all of its kind after it: a full disk stays full.
fn injected(lab: &Lab, name: &str, expected: &str, counts: &[(&str, u64)], random: &mut Random) -> Result<(), String> {
    let error = *random.pick(&["EIO", "ENOSPC"]);
    let (call, count) = *random.pick(counts);
    let first = 1 + random.below(usize::try_from(count).unwrap_or(usize::MAX));
    let fault = format!("inject={call}:error={error}:when={first}+");
    // Only in this run's files, so that pipes and the terminal stay whole.
    let mut command = strace::with_fault(&start(lab, name), &fault, &paths(&lab.run(name)));
    let tried = command::run(&mut command, DEADLINE)?.expect(4, "results").and_then(|()| lab.finish(name, &[]));
    tried.and_then(|_| lab.expect_result(name, expected)).map_err(|error| format!("{fault}: {error}"))
}

/// The files of a run that are written while it trains.
fn paths(run: &Path) -> Vec<PathBuf> {
    let staged = ["state.json", "model.safetensors", "optimizer.safetensors", "best.safetensors", "SHA256SUMS"];
    let names = ["", "metrics.jsonl", "metrics.csv", "checkpoints", "checkpoints/staging", "predictions.csv.tmp"];
    let staged = staged.iter().map(|name| run.join("checkpoints/staging").join(name));
    names.iter().map(|name| run.join(name)).chain(staged).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mounted {
    Full,
    ReadOnly,
}

/// A run in a small file system of its own; none if there is no right to mount one.
fn mounted(lab: &Lab, name: &str, kind: Mounted, expected: &str) -> Result<Option<Result<(), String>>, String> {
    let point = lab.folder().join(format!("mounted-{name}"));
    fs::create_dir_all(&point).map_err(|error| format!("{}: {error}", point.display()))?;
    let shown = point.to_string_lossy().into_owned();
    if !quietly("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", &shown]) {
        return Ok(None);
    }
    let tried = on_mounted(lab, name, &point, kind, expected);
    if !quietly("umount", &[&shown]) {
        say(&format!("  cannot unmount {shown}"));
    }
    Ok(Some(tried))
}

fn on_mounted(lab: &Lab, name: &str, point: &Path, kind: Mounted, expected: &str) -> Result<(), String> {
    let run = lab.run(name);
    symlink(point, &run).map_err(|error| format!("{}: {error}", run.display()))?;
    let shown = point.to_string_lossy().into_owned();
    // Two checkpoints, then the disk is as the experiment wants it.
    let mut command = lab.start(name, &["--set=training.checkpoint.steps=1"]);
    let mut child = command::start(&mut command)?;
    let start = std::time::Instant::now();
    while lab.checkpoints(name).len() < 2 && start.elapsed() < DEADLINE {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let ballast = point.join("ballast");
    match kind {
        Mounted::Full => {
            if let Ok(mut file) = File::create(&ballast) {
                while file.write_all(&[1; 4096]).is_ok() {}
            }
        }
        Mounted::ReadOnly => {
            // Busy as long as a file is open for writing, so that this may come to be true only later.
            super::signals::send("STOP", child.id())?;
            let is_done = quietly("mount", &["-o", "remount,ro,force", &shown])
                || quietly("mount", &["-o", "remount,ro", &shown]);
            super::signals::send("CONT", child.id())?;
            if !is_done {
                super::signals::send("TERM", child.id())?;
                child.wait().map_err(cannot_wait)?;
                if !quietly("mount", &["-o", "remount,ro", &shown]) {
                    return Err("cannot make it read-only".to_owned());
                }
                let outcome = command::run(&mut lab.resume(name, &[]), DEADLINE)?;
                outcome.expect(4, &shown)?;
            }
        }
    }
    let status = child.wait().map_err(cannot_wait)?;
    if kind == Mounted::Full && status.code() != Some(4) {
        return Err(format!("{name}: expected exit code 4, found {status}"));
    }
    let _ = fs::remove_file(&ballast);
    quietly("mount", &["-o", "remount,rw", &shown]);
    lab.finish(name, &[])?;
    let found = lab.digest(name)?;
    if found == expected { Ok(()) } else { Err(format!("{name}: expected the results {expected}, found {found}")) }
}

/// A file where the folder of checkpoints should be.
fn blocked(lab: &Lab, expected: &str) -> Result<(), String> {
    let run = lab.run("blocked");
    fs::create_dir_all(&run).map_err(|error| format!("{}: {error}", run.display()))?;
    super::lab::write(&run.join("checkpoints"), b"in the way")?;
    command::run(&mut lab.start("blocked", &[]), DEADLINE)?.expect(4, "checkpoints")?;
    fs::remove_file(run.join("checkpoints")).map_err(|error| format!("{}: {error}", run.display()))?;
    lab.finish("blocked", &[])?;
    lab.expect_result("blocked", expected)
}

fn quietly(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
