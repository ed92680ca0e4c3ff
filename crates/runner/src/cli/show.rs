//! `runner summary`, `runner list` and `--dry-run`: what an experiment is, without running it.

use std::{fs, path::Path};

use crate::{
    error::Error,
    experiment::{self, Experiment, Overrides, Resolved},
    run_dir::{RunDir, State, Status},
    tables,
};

/// Prints the resolved configuration, where each value came from, and the model.
pub(super) fn dry_run(resolved: &Resolved) -> Result<(), Error> {
    super::answer(&resolved.annotated_toml())?;
    print_model(resolved)
}

/// Prints the model of an experiment.
pub(super) fn summary(path: &Path, set: &[String]) -> Result<(), Error> {
    print_model(&experiment::load(path, &Overrides { set: set.to_vec(), ..Overrides::default() })?)
}

fn print_model(resolved: &Resolved) -> Result<(), Error> {
    let experiment = &resolved.experiment;
    let Some((input, num_classes)) = experiment.data.known_shape() else {
        let name = experiment.model.name();
        let note = "its layers depend on the images in data.dir, which are not read here";
        return super::answer(&format!("model {name}: {note}"));
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
        let experiment = match experiment::load(path, &Overrides::default()) {
            Ok(resolved) => resolved.experiment,
            Err(error) => {
                super::complain(error.into());
                continue;
            }
        };
        let last = RunDir::open(&results.join(&experiment.name).join("latest")).ok();
        let standing = last.as_ref().and_then(|run| run.status().ok()).map(|it| standing(&it));
        let accuracy = last.and_then(|run| run.summary().ok().flatten()).map(|it| format!("{:.4}", it.test_accuracy));
        table.add_row([
            path.display().to_string(),
            experiment.model.name().to_owned(),
            parameters(&experiment),
            experiment.phases.iter().map(|phase| phase.epochs).sum::<usize>().to_string(),
            standing.unwrap_or_else(|| "–".to_owned()),
            accuracy.unwrap_or_else(|| "–".to_owned()),
            experiment.description.unwrap_or_default(),
        ]);
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

fn parameters(experiment: &Experiment) -> String {
    let summary = experiment
        .data
        .known_shape()
        .and_then(|(input, num_classes)| experiment.model.summary(input, num_classes).ok());
    summary.map_or_else(|| "–".to_owned(), |summary| tables::thousands(summary.totals().parameters as u64))
}
