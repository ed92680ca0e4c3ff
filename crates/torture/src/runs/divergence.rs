//! Training that blows up.

use std::{fs, path::Path};

use super::lab::{self, DEADLINE, Lab};
use crate::{
    command::{self, cannot_wait},
    experiment::{Experiment, Figures, Plan},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "divergence",
    row: 13,
    what: "a learning rate of 1e30 from the start; the same from step k of a run on, k various",
    pass: "exit code 5 naming epoch and step; no number in any weights that were kept is NaN or infinite; the best \
           weights before are those of the run that ended there",
    tries: 6,
    quick: 2,
    run,
};

/// Nothing that would tame a large rate; every step is saved.
const BARE: [&str; 3] = [
    "--set=training.checkpoint.steps=1",
    "--set=training.gradient_clipping={ kind = \"value\", max = 1e30 }",
    "--set=optimizer={ kind = \"sgd\", learning_rate = 0.05 }",
];

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 400)?;
    let mut figures = Figures::default();
    figures.count(at_once(&lab));
    for index in 1..plan.tries {
        figures.count(later(&lab, index));
    }
    Ok(figures)
}

fn at_once(lab: &Lab) -> Result<(), String> {
    let rate = ["--set=optimizer={ kind = \"sgd\", learning_rate = 1e30 }"];
    let outcome = command::run(&mut lab.start("at-once", &[&BARE[..2], &rate[..]].concat()), DEADLINE)?;
    outcome.expect(5, "epoch 1, step")?;
    expect_finite(&lab.run("at-once"))
}

/// Two epochs as they should be, then a rate that rises: a run that went on with another optimizer.
fn later(lab: &Lab, index: u64) -> Result<(), String> {
    let (calm, name) = (format!("calm-{index}"), format!("later-{index}"));
    let seed = format!("--seed={index}");
    // At a constant rate, so that the first two epochs are the same whatever comes after them.
    let arguments = [&BARE[..], &[&seed, "--set=schedule=constant"]].concat();
    // What the best weights are after two epochs.
    Lab::succeed(&mut lab.start(&calm, &[&arguments[..], &["--max-epochs=2"]].concat()))?;
    let expected = lab::read(&lab.run(&calm).join("model.safetensors"))?;
    // The same run with a third epoch, stopped before its end, then with a rate that blows it up.
    let mut child = command::start(&mut lab.start(&name, &arguments))?;
    let start = std::time::Instant::now();
    let rows = || fs::read_to_string(lab.run(&name).join("metrics.jsonl")).unwrap_or_default().lines().count();
    while rows() < 2 && start.elapsed() < DEADLINE {
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    super::signals::send("TERM", child.id())?;
    child.wait().map_err(cannot_wait)?;
    let path = lab.run(&name).join("config.toml");
    let text = String::from_utf8_lossy(&lab::read(&path)?).replace("learning_rate = 0.05", "learning_rate = 1e30");
    lab::write(&path, text.as_bytes())?;
    let outcome = command::run(&mut lab.resume(&name, &["--accept-changes"]), DEADLINE)?;
    outcome.expect(5, "epoch 3, step")?;
    expect_finite(&lab.run(&name))?;
    let kept = lab::read(&lab.run(&name).join("best.safetensors"))?;
    if kept == expected { Ok(()) } else { Err(format!("{name}: the best weights are not those of two epochs")) }
}

/// Checks every f32 of every safetensors file below a folder.
fn expect_finite(folder: &Path) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            expect_finite(&path)?;
        } else if path.extension().is_some_and(|it| it == "safetensors") {
            let bytes = lab::read(&path)?;
            let header = bytes.get(..8).and_then(|it| it.try_into().ok()).map_or(0, u64::from_le_bytes);
            let numbers = usize::try_from(header).ok().and_then(|header| bytes.get(8 + header..)).unwrap_or_default();
            if numbers.as_chunks::<4>().0.iter().any(|&word| !f32::from_le_bytes(word).is_finite()) {
                return Err(format!("{}: holds numbers that are none", path.display()));
            }
        }
    }
    Ok(())
}
