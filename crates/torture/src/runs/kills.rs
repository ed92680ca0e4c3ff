//! `kill -9` at any moment.

use std::{
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::lab::Lab;
use crate::{
    experiment::{Experiment, Figures, Plan, Protection},
    random::Random,
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "kills",
    row: 1,
    what: "`kill -9` at a random moment of a run of 3 epochs, then resumed; every second one killed and resumed again",
    pass: "weights, metrics, predictions and scores are those of a run that was never touched; nothing is left behind",
    tries: 50,
    quick: 2,
    protections: &[
        Protection {
            what: "the optimizer's moments and step counters are restored (`runner::optimizer::state`)",
            test: "runner::optimizer::state::tests::every_optimizer_goes_on_with_the_same_bytes",
        },
        Protection {
            what: "a checkpoint is taken with running statistics folded in (`runner::checkpoint::encode`)",
            test: "cli resume::every_step_is_a_place_to_go_on_from",
        },
        Protection {
            what: "metrics are cut off at the checkpoint (`runner::run_dir::metrics_log`)",
            test: "runner::run_dir::metrics_log::tests::rows_after_the_mark_are_cut_off_and_the_header_stands_once",
        },
    ],
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 1200)?;
    let (expected, whole) = lab.reference("whole", &[])?;
    let mut random = Random::new(plan.seed);
    let mut figures = Figures::default();
    let mut kills = 0;
    for index in 0..plan.tries {
        let name = format!("killed-{index}");
        let tried = one(&lab, &name, whole, index % 2 == 1, &mut random, &mut kills);
        figures.count(tried.and_then(|()| lab.expect_result(&name, &expected)));
        lab.remove(&name);
    }
    figures.notes = vec![format!("{kills} processes were killed before their end")];
    Ok(figures)
}

fn one(
    lab: &Lab,
    name: &str,
    whole: Duration,
    twice: bool,
    random: &mut Random,
    kills: &mut u64,
) -> Result<(), String> {
    *kills += u64::from(killed(&mut lab.start(name, &[]), moment(whole, random))?);
    if twice && lab.run(name).join("config.toml").exists() {
        *kills += u64::from(killed(&mut lab.resume(name, &[]), moment(whole, random))?);
    }
    lab.finish(name, &[]).map(drop)
}

fn moment(whole: Duration, random: &mut Random) -> Duration {
    let microseconds = whole.as_micros() as usize;
    Duration::from_micros(random.below(microseconds.max(1)) as u64)
}

/// Starts a process and kills it after a while; whether it was still there.
pub(super) fn killed(command: &mut Command, after: Duration) -> Result<bool, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    thread::sleep(after);
    let failed = |error| format!("cannot kill: {error}");
    let was_there = child.try_wait().map_err(failed)?.is_none();
    child.kill().and_then(|()| child.wait()).map_err(failed)?;
    Ok(was_there)
}
