//! `kill -9` at every change of a file.

use super::{
    lab::{DEADLINE, Lab},
    strace,
};
use crate::{
    command,
    experiment::{Experiment, Figures, Plan},
};

/// A run so short that every one of its writes can be tried.
const SHORT: [&str; 3] = ["--max-epochs=2", "--set=phase.1.epochs=1", "--set=data.train_samples=64"];

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "injected-kills",
    row: 2,
    what: "SIGKILL at the n-th system call that changes a file or folder (write, fsync, truncate, rename, link, mkdir, \
           unlink), n from 1 to the end of a run; resumed, or started again if it had not begun",
    pass: "the same results; nothing is left behind",
    tries: 1000,
    quick: 12,
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 200)?;
    if !strace::is_there() {
        return without(&lab);
    }
    let (expected, _) = lab.reference("whole", &SHORT)?;
    let log = lab.folder().join("strace.log");
    let changes = strace::count(&lab.start("counted", &SHORT), strace::CHANGES, &[], &log)?;
    // All of them, or as many as there are tries, evenly spread.
    let count = plan.tries.min(changes);
    let mut figures = lab.try_all(count, |lab, index| {
        let n = 1 + index * changes / count;
        let name = format!("killed-{n}");
        let tried = one(lab, &name, n).and_then(|()| lab.expect_result(&name, &expected));
        tried.map_err(|error| format!("n = {n}: {error}"))?;
        lab.remove(&name);
        Ok(())
    })?;
    figures.notes = vec![format!("a run makes {changes} changes")];
    Ok(figures)
}

/// Where nothing can be injected, a run is left to itself, and the figures say so.
fn without(lab: &Lab) -> Result<Figures, String> {
    lab.reference("whole", &SHORT)?;
    let notes = vec!["strace is not there, or may not trace: nothing was injected".to_owned()];
    Ok(Figures { tried: 1, passed: 1, notes, ..Figures::default() })
}

fn one(lab: &Lab, name: &str, n: u64) -> Result<(), String> {
    let fault = format!("inject={}:signal=SIGKILL:when={n}", strace::CHANGES);
    let mut command = strace::with_fault(&lab.start(name, &SHORT), &fault, &[]);
    // However it ends: near its end, it may make fewer changes than the run that was counted.
    command::run(&mut command, DEADLINE)?;
    lab.finish(name, &SHORT).map(drop)
}
