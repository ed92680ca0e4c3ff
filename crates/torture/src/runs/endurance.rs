//! Many epochs, and many resumptions: nothing adds up.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::lab::{Lab, expect_tidy};
use crate::{
    command::{self, cannot_wait},
    experiment::{Experiment, Figures, Plan},
};

/// What a long run may need more than a short one: rows of metrics, and luck of the allocator.
const MAX_GROWTH: u64 = 16 << 20;
const DEADLINE: Duration = Duration::from_mins(20);

pub(crate) const EPOCHS: Experiment = Experiment {
    name: "epochs",
    row: 15,
    what: "a run of many tiny epochs, its memory and open files read from /proc as it goes",
    pass: "between a tenth of the way and the end, memory grows by less than 16 MB and open files, at their least, by \
           none; nothing is left behind",
    tries: 1000,
    quick: 40,
    run: epochs,
};

pub(crate) const RESUMES: Experiment = Experiment {
    name: "resumes",
    row: 15,
    what: "a run that is stopped by SIGTERM and resumed again and again, an epoch or more each time, and saved only when \
           it is stopped",
    pass: "the last process needs no more memory than the first but for 16 MB; the results are those of a run that was \
           never touched; nothing is left behind",
    tries: 100,
    quick: 3,
    run: resumes,
};

fn epochs(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 64)?;
    let count = plan.tries;
    let mut command =
        lab.start("long", &[&format!("--set=phase.1.epochs={count}"), "--set=training.checkpoint.steps=30"]);
    command.arg("--set=training.early_stopping.patience=100000");
    let mut child = command::start(&mut command)?;
    let rows = || rows(&lab, "long");
    let mut looks = Vec::new();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(cannot_wait)? {
            break status;
        }
        if start.elapsed() > DEADLINE {
            let _ = child.kill();
            let _ = child.wait();
            return Err("the run does not end".to_owned());
        }
        // Once it tests, it holds other things.
        if (count / 10..count).contains(&rows()) {
            looks.extend(usage(child.id()));
        }
        thread::sleep(Duration::from_millis(5));
    };
    let mut figures = Figures { tried: rows(), ..Figures::default() };
    let [(early, _), .., (late, _)] = looks[..] else { return Err("the run was too short to look at".to_owned()) };
    // A file that is being written is open for a moment, so that only the least of many looks tells.
    let quarter = looks.len().div_ceil(4);
    let least_open = |looks: &[(u64, u64)]| looks.iter().map(|&(_, files)| files).fold(u64::MAX, u64::min);
    let (before, after) = (least_open(&looks[..quarter]), least_open(&looks[looks.len() - quarter..]));
    let verdict = if !status.success() {
        Err(format!("the run ended with {status}"))
    } else if late > early + MAX_GROWTH || after > before {
        Err(format!("from {early} to {late} bytes, from {before} to {after} open files"))
    } else {
        expect_tidy(&lab.run("long"))
    };
    match verdict {
        Ok(()) => figures.passed = figures.tried,
        Err(failure) => figures.failures.push(failure),
    }
    figures.notes = vec![
        format!("memory from {} to {} MB", early >> 20, late >> 20),
        format!("open files from {before} to {after}"),
    ];
    Ok(figures)
}

fn resumes(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 64)?;
    let arguments = [
        // Longer than it can come by being stopped so often.
        format!("--set=phase.1.epochs={}", 4 * plan.tries),
        "--set=training.early_stopping.patience=100000".to_owned(),
        // It is saved when it is stopped, and at no other time.
        "--set=training.checkpoint.steps=1000000".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (expected, _) = lab.reference("whole", &arguments)?;
    let mut figures = Figures::default();
    let (mut first, mut last) = (None, None);
    for index in 0..plan.tries {
        let mut command = if index == 0 { lab.start("again", &arguments) } else { lab.resume("again", &[]) };
        let (saved, before) = (newest(&lab), rows(&lab, "again"));
        let mut child = command::start(&mut command)?;
        let start = Instant::now();
        // Until it has come an epoch further.
        while rows(&lab, "again") <= before && start.elapsed() < Duration::from_secs(30) {
            last = usage(child.id()).or(last);
            thread::sleep(Duration::from_millis(1));
        }
        super::signals::send("TERM", child.id())?;
        let status = child.wait().map_err(cannot_wait)?;
        first = first.or(last);
        figures.count(match status.code() {
            Some(143) if newest(&lab) <= saved => Err(format!("resumption {index} saved nothing")),
            Some(143 | 0) => Ok(()),
            _ => Err(format!("resumption {index} ended with {status}")),
        });
    }
    let end = lab.finish("again", &arguments).and_then(|_| lab.expect_result("again", &expected));
    let growth = match (first, last) {
        (Some(first), Some(last)) if last.0 > first.0 + MAX_GROWTH => {
            Err(format!("memory grew from {first:?} to {last:?}"))
        }
        _ => Ok(()),
    };
    if let Err(failure) = end.and(growth) {
        figures.passed = 0;
        figures.failures.push(failure);
    }
    let megabytes = |usage: Option<(u64, u64)>| usage.map_or(0, |it| it.0 >> 20);
    figures.notes = vec![format!("memory of the first {} MB, of the last {} MB", megabytes(first), megabytes(last))];
    Ok(figures)
}

/// The newest checkpoint.
fn newest(lab: &Lab) -> Option<std::path::PathBuf> {
    lab.checkpoints("again").into_iter().next()
}

/// How many epochs a run has done.
fn rows(lab: &Lab, name: &str) -> u64 {
    fs::read_to_string(lab.run(name).join("metrics.jsonl")).unwrap_or_default().lines().count() as u64
}

/// Resident bytes and open files of a process, where `/proc` says so.
fn usage(process: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64;
    Some((kilobytes << 10, files))
}
