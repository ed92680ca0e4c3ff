//! `runner summary`, `runner list` and `--dry-run`: what an experiment is, without running it. Of data, a folder of IDX
//! files is looked into, as the size of its images decides what layers are.

use std::{fs, path::Path};

use crate::{
    error::Error,
    experiment::{self, ConfigError, Experiment, Overrides, Resolved, ResolvedXor},
    pipeline,
    run_dir::{RunDir, State, Status},
    tables,
    xor::Weights,
};

/// The network of files of `kind = "xor"`.
const XOR_MODEL: &str = "2-3-1";

/// Prints the resolved configuration, where each value came from, and the model.
pub(super) fn dry_run(resolved: &Resolved) -> Result<(), Error> {
    super::answer(&resolved.annotated_toml())?;
    print_model(resolved)
}

/// Prints the model of an experiment.
pub(super) fn summary(path: &Path, set: &[String]) -> Result<(), Error> {
    if experiment::load_xor(path, &Overrides::default())?.is_some() {
        return super::answer(&format!("{XOR_MODEL}: {} parameters", Weights::COUNT));
    }
    print_model(&experiment::load(path, &Overrides { set: set.to_vec(), ..Overrides::default() })?)
}

fn print_model(resolved: &Resolved) -> Result<(), Error> {
    let experiment = &resolved.experiment;
    let (input, num_classes) = match pipeline::shape(&experiment.data) {
        Ok(shape) => shape,
        Err(error) => {
            let name = experiment.model.name();
            let note = "its layers depend on the images in data.dir, which cannot be read";
            return super::answer(&format!("model {name}: {note}: {error}"));
        }
    };
    let summary = experiment
        .model
        .summary(input, num_classes)
        .map_err(|fault| resolved.invalid(&format!("model.{}", fault.field), &fault.message))?;
    super::answer(&tables::model(experiment.model.name(), &summary))
}

/// Lists the experiments of a folder, each with what its last run came to. A file that is wrong is reported and
/// left out.
pub(super) fn list(folder: &Path, results: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("cannot list", folder))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    let mut table =
        tables::plain(&["experiment", "model", "parameters", "epochs", "last run", "test accuracy", "about"], 2);
    for path in &paths {
        match listed(path) {
            Ok(it) => {
                let last = RunDir::open(&results.join(&it.name).join("latest")).ok();
                let standing = last.as_ref().and_then(|run| run.status().ok()).map(|it| standing(&it));
                let standing = standing.unwrap_or_else(|| "–".to_owned());
                let summary = last.and_then(|run| run.summary().ok().flatten());
                let accuracy = summary.map_or_else(|| "–".to_owned(), |it| format!("{:.4}", it.test_accuracy));
                let path = path.display().to_string();
                table.add_row([
                    path,
                    it.model,
                    it.parameters,
                    it.epochs.to_string(),
                    standing,
                    accuracy,
                    it.description,
                ]);
            }
            Err(error) => super::complain(error.into()),
        }
    }
    super::answer(&table)
}

/// How a run stands, and how far it has come if it is not done.
fn standing(status: &Status) -> String {
    let Status { epochs_done, epochs_planned, .. } = status;
    match (status.state, status.standing()) {
        (State::Done, word) => word.to_owned(),
        (_, word) => format!("{word}, {epochs_done}/{epochs_planned}"),
    }
}

/// What a row of the list says of a file.
struct Listed {
    name: String,
    model: String,
    parameters: String,
    epochs: usize,
    description: String,
}

fn listed(path: &Path) -> Result<Listed, ConfigError> {
    if let Some(ResolvedXor { experiment, .. }) = experiment::load_xor(path, &Overrides::default())? {
        return Ok(Listed {
            name: experiment.name,
            model: XOR_MODEL.to_owned(),
            parameters: Weights::COUNT.to_string(),
            epochs: experiment.training.epochs,
            description: experiment.description.unwrap_or_default(),
        });
    }
    let experiment = experiment::load(path, &Overrides::default())?.experiment;
    Ok(Listed {
        parameters: parameters(&experiment),
        model: experiment.model.name().to_owned(),
        epochs: experiment.phases.iter().map(|phase| phase.epochs).sum(),
        name: experiment.name,
        description: experiment.description.unwrap_or_default(),
    })
}

/// Parameters of an experiment's model; none where its images cannot be looked at, which is said.
fn parameters(experiment: &Experiment) -> String {
    let shape = pipeline::shape(&experiment.data).inspect_err(|error| tracing::warn!("{}: {error}", experiment.name));
    let summary = shape.ok().and_then(|(input, num_classes)| experiment.model.summary(input, num_classes).ok());
    summary.map_or_else(|| "–".to_owned(), |summary| plots::thousands(summary.totals().parameters as u64))
}
