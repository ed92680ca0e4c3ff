//! Runs that must not be touched, or not go on as if nothing had happened.

use std::fs;

use super::lab::{self, DEADLINE, Lab};
use crate::{
    command::{self, Outcome},
    experiment::{Experiment, Figures, Plan},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "refusals",
    row: 7,
    what: "a finished run started again; a run that was left resumed with another configuration, data set or program",
    pass: "the finished run is not touched, and moved aside whole with --force; a change exits with code 2 and a list \
           of what differs, and is accepted and noted with --accept-changes",
    tries: 6,
    quick: 6,
    run,
};

/// Changes what a run of this name depends on.
type Change<'a> = &'a dyn Fn(&str) -> Result<(), String>;

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 600)?;
    let (expected, _) = lab.reference("whole", &[])?;
    let mut figures = Figures::default();
    figures.count(finished_run(&lab, &expected));
    lab.leave("left", 1)?;
    let cases: [(&str, Change<'_>); 3] = [
        ("configuration", &|name| {
            let path = lab.run(name).join("config.toml");
            let text = String::from_utf8_lossy(&lab::read(&path)?).replace("batch_size = 16", "batch_size = 8");
            lab::write(&path, text.as_bytes())
        }),
        ("data", &|_| {
            let path = lab.folder().join("data/t10k-labels-idx1-ubyte");
            let mut bytes = lab::read(&path)?;
            let last = bytes.len() - 1;
            bytes[last] = (bytes[last] + 1) % 4;
            lab::write(&path, &bytes)
        }),
        ("program", &|_| {
            let copy = lab.folder().join("runner");
            let mut bytes = lab::read(&plan.runner)?;
            // Behind all that the system loads.
            bytes.push(0);
            lab::write(&copy, &bytes)?;
            fs::set_permissions(&copy, fs::metadata(&plan.runner).map_err(|error| error.to_string())?.permissions())
                .map_err(|error| error.to_string())
        }),
    ];
    let said = ["training.batch_size: was 16, is 8", "data file t10k-labels-idx1-ubyte", "program (SHA-256)"];
    for ((what, change), said) in cases.into_iter().zip(said) {
        lab.copy("left", what)?;
        let labels = lab::read(&lab.folder().join("data/t10k-labels-idx1-ubyte"))?;
        let tried = change(what).and_then(|()| changed(&lab, what, said));
        lab::write(&lab.folder().join("data/t10k-labels-idx1-ubyte"), &labels)?;
        figures.count(tried.map_err(|error| format!("{what}: {error}")));
    }
    figures.count(from_experiment(&lab, &expected));
    figures.count(forced(&lab, &expected));
    Ok(figures)
}

fn finished_run(lab: &Lab, expected: &str) -> Result<(), String> {
    command::run(&mut lab.start("whole", &[]), DEADLINE)?.expect(2, "never overwritten")?;
    lab.expect_result("whole", expected)?;
    // Nothing is left to do, and nothing is done.
    Lab::succeed(&mut lab.resume("whole", &[]))?.expect(0, "")?;
    lab.expect_result("whole", expected)
}

/// Refused as it is, accepted if asked for.
fn changed(lab: &Lab, name: &str, said: &str) -> Result<(), String> {
    let command = |arguments: &[&str]| {
        let mut command = lab.resume(name, arguments);
        if name == "program" {
            let mut copy = std::process::Command::new(lab.folder().join("runner"));
            copy.args(command.get_args()).current_dir(lab.folder()).env("NO_COLOR", "1");
            command = copy;
        }
        command
    };
    let refused: Outcome = command::run(&mut command(&[]), DEADLINE)?;
    refused.expect(2, said)?;
    refused.expect(2, "--accept-changes")?;
    Lab::succeed(&mut command(&["--accept-changes"]))?;
    let path = lab.run(name).join("resumes.jsonl");
    let noted = String::from_utf8_lossy(&lab::read(&path)?).into_owned();
    if noted.contains(said) { Ok(()) } else { Err(format!("{}: expected {said:?}, found {noted}", path.display())) }
}

/// `--resume` goes on with the unfinished run of an experiment, unless the experiment has changed.
fn from_experiment(lab: &Lab, expected: &str) -> Result<(), String> {
    let command = |arguments: &[&str]| {
        let mut command = lab.command(&["lab.toml", "--resume", "--progress=none", "--offline"]);
        command.args(arguments);
        command
    };
    command::run(&mut command(&["--seed=12"]), DEADLINE)?.expect(2, "training.seed: was 11, is 12")?;
    Lab::succeed(&mut command(&[]))?;
    lab.expect_result("left", expected)?;
    command::run(&mut command(&[]), DEADLINE)?.expect(2, "no run here is unfinished")
}

fn forced(lab: &Lab, expected: &str) -> Result<(), String> {
    Lab::succeed(&mut lab.start("whole", &["--force", "--seed=12"]))?;
    let entries = fs::read_dir(lab.run("whole").with_file_name("")).map_err(|error| error.to_string())?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let aside = names.into_iter().find(|name| name.starts_with("whole.until-")).ok_or("the old run is gone")?;
    lab.expect_result(&aside, expected)?;
    if lab.digest("whole")? == expected { Err("the new run is the old one".to_owned()) } else { Ok(()) }
}
