//! `runner summary`, `runner list` and `--dry-run`: what an experiment is, without running it.

use std::{fs, path::Path};

use comfy_table::{CellAlignment, Table, presets};
use models::Summary;

use crate::{
    error::Error,
    experiment::{self, Experiment, Overrides, Resolved},
    run_dir::RunDir,
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
    super::answer(&model_table(experiment.model.name(), &summary))
}

/// The layers of a model as a table with totals.
pub(super) fn model_table(name: &str, summary: &Summary) -> String {
    let mut table = table(&["layer", "kind", "output shape", "parameters", "multiply-adds"], 3);
    for layer in &summary.layers {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        table.add_row([
            layer.name.clone(),
            layer.kind.clone(),
            shape.join(" × "),
            thousands(layer.parameters as u64),
            thousands(layer.multiply_adds),
        ]);
    }
    let totals = summary.totals();
    let frozen = match totals.non_trainable {
        0 => String::new(),
        count => format!(", of which {} are not trained", thousands(count as u64)),
    };
    format!(
        "{table}\n{name}: {} parameters{frozen}; {} multiply-adds per image",
        thousands(totals.parameters as u64),
        thousands(totals.multiply_adds),
    )
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
    let mut table = table(&["experiment", "model", "parameters", "epochs", "last test accuracy", "about"], 2);
    for path in &paths {
        let experiment = match experiment::load(path, &Overrides::default()) {
            Ok(resolved) => resolved.experiment,
            Err(error) => {
                super::complain(error.into());
                continue;
            }
        };
        let last = RunDir::open(&results.join(&experiment.name).join("latest")).ok();
        let accuracy = last.and_then(|run| run.summary().ok().flatten()).map(|it| format!("{:.4}", it.test_accuracy));
        table.add_row([
            path.display().to_string(),
            experiment.model.name().to_owned(),
            parameters(&experiment),
            experiment.phases.iter().map(|phase| phase.epochs).sum::<usize>().to_string(),
            accuracy.unwrap_or_else(|| "–".to_owned()),
            experiment.description.unwrap_or_default(),
        ]);
    }
    super::answer(&table)
}

fn parameters(experiment: &Experiment) -> String {
    let summary = experiment
        .data
        .known_shape()
        .and_then(|(input, num_classes)| experiment.model.summary(input, num_classes).ok());
    summary.map_or_else(|| "–".to_owned(), |summary| thousands(summary.totals().parameters as u64))
}

/// A plain table; columns from `first_number` on, but for "about", are numbers, aligned right.
pub(super) fn table(header: &[&str], first_number: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(header.iter().copied());
    for (index, name) in header.iter().enumerate().skip(first_number) {
        if let Some(column) = table.column_mut(index)
            && *name != "about"
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Groups digits by three, as in `1,221,546`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_221_546, "1,221,546")] {
            assert_eq!(thousands(number), expected);
        }
    }
}
