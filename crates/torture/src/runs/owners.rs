//! Several processes that want the same run directory.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::lab::Lab;
use crate::{
    command::cannot_wait,
    experiment::{Experiment, Figures, Plan},
};

/// Longest time until a process that comes too late says so.
const LIMIT: Duration = Duration::from_secs(2);
const PROCESSES: usize = 4;

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "owners",
    row: 6,
    what: "four processes started together on the same named run: every second time a new one, else one whose owner \
           was killed",
    pass: "one runs to its end; the others exit with code 75 within 2 s, naming the process that holds it",
    tries: 100,
    quick: 1,
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 1200)?;
    let (expected, _) = lab.reference("whole", &[])?;
    let mut figures = Figures::default();
    let mut slowest = Duration::ZERO;
    for index in 0..plan.tries {
        let name = format!("shared-{index}");
        let is_left = index % 2 == 0;
        if is_left {
            lab.leave(&name, 1)?;
        }
        let has_begun = lab.run(&name).join("config.toml").exists();
        let command = || if has_begun { lab.resume(&name, &[]) } else { lab.start(&name, &[]) };
        let tried = together(&command, &mut slowest).and_then(|()| lab.expect_result(&name, &expected));
        figures.count(tried);
        lab.remove(&name);
    }
    figures.notes = vec![format!("slowest refusal {} ms", slowest.as_millis())];
    Ok(figures)
}

fn together(command: &dyn Fn() -> Command, slowest: &mut Duration) -> Result<(), String> {
    let start = Instant::now();
    let mut children = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        children.push(command.spawn().map_err(|error| format!("cannot start the runner: {error}"))?);
    }
    let ids: Vec<u32> = children.iter().map(Child::id).collect();
    let ends: Vec<_> = children
        .into_iter()
        .map(|child| {
            thread::spawn(move || {
                let output = child.wait_with_output();
                (output, start.elapsed())
            })
        })
        .collect();
    let mut finished = 0;
    for end in ends {
        let (output, elapsed) = end.join().expect("waiting does not panic");
        let output = output.map_err(cannot_wait)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => finished += 1,
            Some(75) if elapsed <= LIMIT && ids.iter().any(|id| said.contains(&format!("process {id} "))) => {
                *slowest = (*slowest).max(elapsed);
            }
            _ => return Err(format!("{} after {} ms: {said}", output.status, elapsed.as_millis())),
        }
    }
    if finished == 1 { Ok(()) } else { Err(format!("{finished} processes ran to their end")) }
}
