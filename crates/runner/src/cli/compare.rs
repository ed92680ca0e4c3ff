//! `runner compare RUN…`: a table, and one plot over all runs.

use std::{fs, path::Path};

use comfy_table::presets;

use super::args::{CompareArguments, TableFormat};
use crate::{
    error::Error,
    metrics::EpochRow,
    report::{self, Overlay},
    run_dir::{RunDir, Summary},
    tables,
};

struct Compared {
    name: String,
    rows: Vec<EpochRow>,
    summary: Option<Summary>,
}

pub(super) fn compare(arguments: &CompareArguments) -> Result<(), Error> {
    let runs: Vec<Compared> = arguments.runs.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let mut table = table(&runs);
    if arguments.format == TableFormat::Markdown {
        table.load_style(presets::ASCII_MARKDOWN);
    }
    super::answer(&table)?;
    let formats = arguments.drawing.formats();
    let curves: Vec<_> = runs.into_iter().map(|run| (run.name, run.rows)).collect();
    let output = &arguments.output;
    fs::create_dir_all(output).map_err(Error::io("cannot create the folder", output))?;
    for (name, kind) in [("loss", Overlay::Loss), ("accuracy", Overlay::Accuracy)] {
        for (file, bytes) in report::render(name, &report::overlay(kind, &curves), formats)? {
            let path = output.join(file);
            fs::write(&path, bytes).map_err(Error::io("cannot write", &path))?;
            eprintln!("{}", path.display());
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Compared, Error> {
    let run = RunDir::open(path)?;
    let real = path.canonicalize().map_err(Error::io("cannot resolve", path))?;
    // The last two parts, experiment and run, tell one run from any other.
    let parts: Vec<_> = real.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
    let name = parts.into_iter().rev().collect::<Vec<_>>().join("/");
    Ok(Compared { name, rows: run.metrics()?, summary: run.summary()? })
}

fn table(runs: &[Compared]) -> comfy_table::Table {
    let header = [
        "run",
        "epochs",
        "best epoch",
        "valid loss",
        "valid accuracy",
        "test loss",
        "test accuracy",
        "parameters",
        "images/s",
        "seconds",
    ];
    let mut table = tables::plain(&header, 1);
    for run in runs {
        let summary = run.summary.as_ref();
        let chosen =
            summary.and_then(|it| run.rows.iter().find(|row| row.epoch == it.chosen_epoch)).or(run.rows.last());
        let score = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        table.add_row([
            run.name.clone(),
            run.rows.len().to_string(),
            summary.and_then(|it| it.best_epoch).map_or_else(|| "–".to_owned(), |epoch| epoch.to_string()),
            score(chosen.and_then(|row| row.valid_loss)),
            score(chosen.and_then(|row| row.valid_accuracy)),
            score(summary.map(|it| it.test_loss)),
            score(summary.map(|it| it.test_accuracy)),
            summary.map_or_else(|| "–".to_owned(), |it| plots::thousands(it.parameters as u64)),
            summary.map_or_else(|| "–".to_owned(), |it| format!("{:.0}", it.images_per_second)),
            summary.map_or_else(|| "–".to_owned(), |it| format!("{:.1}", it.seconds.total)),
        ]);
    }
    table
}
