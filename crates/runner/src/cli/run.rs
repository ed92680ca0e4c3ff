//! `runner EXPERIMENT.toml…`: one trip from an experiment file to a finished run directory, for each file.

use std::path::Path;

use data::LocateOptions;
use serde_json::json;

use super::{args::RunArguments, show};
use crate::{
    error::Error,
    experiment::{self, Overrides},
    progress::Display,
    report,
    trip::{self, Request},
};

/// Runs every experiment that was given; goes on after one that fails.
pub(super) fn all(arguments: &RunArguments) -> Result<(), Error> {
    if let Some(threads) = arguments.threads {
        // The pool is built here for the first time, so this fails only where no thread can be started.
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()
            .map_err(|error| Error::Usage(format!("--threads {threads}: {error}")))?;
    }
    if let [experiment] = arguments.experiments.as_slice() {
        return one(experiment, arguments);
    }
    if arguments.run_name.is_some() && arguments.experiments.len() > 1 && !arguments.dry_run {
        tracing::info!("every experiment gets a run of the same name, each in its own folder");
    }
    let mut failed = 0;
    for path in &arguments.experiments {
        if let Err(error) = one(path, arguments) {
            super::complain(error);
            failed += 1;
        }
    }
    let total = arguments.experiments.len();
    if failed > 0 { Err(Error::Several { failed, total }) } else { Ok(()) }
}

fn one(path: &Path, arguments: &RunArguments) -> Result<(), Error> {
    let resolved = experiment::load(path, &overrides(arguments))?;
    if let Some(name) = &arguments.run_name {
        check_run_name(name)?;
    }
    if arguments.dry_run {
        return show::dry_run(&resolved);
    }
    let display = Display::new(arguments.progress);
    let request = Request {
        resolved: &resolved,
        source: path,
        results_dir: &arguments.results_dir,
        run_name: arguments.run_name.as_deref(),
        locate: locate_options(arguments),
        formats: formats(arguments),
    };
    let finished = trip::run(&request, &display)?;
    let summary = &finished.summary;
    display.say(&format!(
        "test loss {:.4} accuracy {:.4} (weights of epoch {})  {:.1} s\nplots in {}",
        summary.test_loss,
        summary.test_accuracy,
        summary.chosen_epoch,
        finished.seconds,
        finished.run.path().join("plots").display(),
    ));
    if arguments.json {
        let object = json!({
            "run_dir": finished.run.path(),
            "test_loss": summary.test_loss,
            "test_accuracy": summary.test_accuracy,
            "seconds": finished.seconds,
        });
        super::answer(&object)?;
    }
    Ok(())
}

fn overrides(arguments: &RunArguments) -> Overrides {
    Overrides {
        set: arguments.set.clone(),
        backend: arguments.backend,
        seed: arguments.seed,
        max_epochs: arguments.max_epochs,
        train_samples: arguments.train_samples,
        test_samples: arguments.test_samples,
        data_dir: arguments.data_dir.clone(),
    }
}

fn locate_options(arguments: &RunArguments) -> LocateOptions {
    super::data_sets::locate_options(arguments.offline, arguments.progress)
}

/// A run's name becomes a folder's, so it must not lead elsewhere.
fn check_run_name(name: &str) -> Result<(), Error> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_plain && !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name != "latest" {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--run-name {name:?}: expected 1 to 128 letters, digits, '-', '_' or '.', not starting with '.', and not \"latest\""
    )))
}

fn formats(arguments: &RunArguments) -> report::Formats {
    if arguments.svg { report::Formats::PngAndSvg } else { report::Formats::Png }
}
