//! Checkpoints with a bit flipped or an end cut off.

use std::{fs, path::PathBuf};

use super::lab::{self, DEADLINE, Lab};
use crate::{
    command,
    experiment::{Experiment, Figures, Plan},
    random::Random,
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "damage",
    row: 4,
    what: "a bit flipped (two tries of three) or the end cut off (every third) in a file of a run's newest checkpoint",
    pass: "the damage is found and said, the checkpoint before is used, and the run comes to the same results",
    tries: 300,
    quick: 3,
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 400)?;
    let (expected, _) = lab.reference("whole", &[])?;
    lab.leave("left", 2)?;
    lab.try_all(plan.tries, |lab, index| {
        let name = format!("damaged-{index}");
        lab.copy("left", &name)?;
        let what = damage(lab, &name, index, &mut Random::of(plan.seed, index))?;
        check(lab, &name, &expected).map_err(|error| format!("{what}: {error}"))?;
        lab.remove(&name);
        Ok(())
    })
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
