//! Checkpoints with a bit flipped or an end cut off.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    kills::killed,
    lab::{self, DEADLINE, Lab},
};
use crate::{
    command,
    experiment::{Experiment, Figures, Plan, Protection},
    random::Random,
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "damage",
    row: 4,
    what: "a bit flipped (two tries of three) or the end cut off (every third) in a file of a run's newest checkpoint",
    pass: "the damage is found and said, the checkpoint before is used, and the run comes to the same results",
    tries: 300,
    quick: 3,
    protections: &[
        Protection {
            what: "SHA-256 of every file of a checkpoint (`runner::run_dir::checkpoints`)",
            test: "runner::run_dir::checkpoints::tests::every_flipped_bit_and_every_truncation_is_found",
        },
        Protection {
            what: "two checkpoints are kept (`runner::run_dir::checkpoints`)",
            test: "runner::run_dir::checkpoints::tests::the_two_newest_are_kept_and_read_back",
        },
    ],
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 400)?;
    let (expected, whole) = lab.reference("whole", &[])?;
    let template = left(&lab, whole)?;
    let mut random = Random::new(plan.seed);
    let mut figures = Figures::default();
    for index in 0..plan.tries {
        let name = format!("damaged-{index}");
        let tried = lab
            .copy(&template, &name)
            .and_then(|()| damage(&lab, &name, index, &mut random))
            .and_then(|what| check(&lab, &name, &expected).map_err(|error| format!("{what}: {error}")));
        figures.count(tried);
        lab.remove(&name);
    }
    Ok(figures)
}

/// A run that was left with two checkpoints.
fn left(lab: &Lab, whole: Duration) -> Result<String, String> {
    // Killed ever later, until it is late enough.
    for attempt in 4..20_u32 {
        let name = format!("left-{attempt}");
        killed(&mut lab.start(&name, &[]), whole * attempt / 20)?;
        if lab.checkpoints(&name).len() == 2 {
            return Ok(name);
        }
        lab.remove(&name);
    }
    Err("no run was left with two checkpoints".to_owned())
}

/// Damages one file of the newest checkpoint, and says how.
fn damage(lab: &Lab, name: &str, index: u64, random: &mut Random) -> Result<String, String> {
    let newest = lab.checkpoints(name).into_iter().next().ok_or("no checkpoint")?;
    let mut files: Vec<PathBuf> =
        fs::read_dir(&newest).map_err(|error| error.to_string())?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let path = random.pick(&files);
    let mut bytes = lab::read(path)?;
    let what = if index % 3 == 2 {
        bytes.truncate(random.below(bytes.len()));
        format!("{} cut to {} bytes", path.display(), bytes.len())
    } else {
        let bit = random.below(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        format!("{}, bit {bit}", path.display())
    };
    lab::write(path, &bytes)?;
    Ok(what)
}

fn check(lab: &Lab, name: &str, expected: &str) -> Result<(), String> {
    command::run(&mut lab.resume(name, &[]), DEADLINE)?.expect(0, "damaged")?;
    lab.expect_result(name, expected)
}
