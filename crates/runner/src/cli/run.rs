//! `runner EXPERIMENT.toml…`: one trip from an experiment file to a finished run directory, for each file.

use std::path::Path;

use serde_json::json;

use super::{
    args::{ResumeArguments, RunArguments},
    seeds, show, sweep,
};
use crate::{
    backend,
    error::Error,
    experiment::{self, Overrides, Resolved, ResolvedXor},
    progress::Display,
    run_dir::{Existing, RunDir, latest_unfinished},
    seeds::Ended,
    trip::{self, Changes, Continuation, Finished, Request},
};

/// Runs every experiment that was given; goes on after one that fails.
pub(super) fn all(arguments: &RunArguments) -> Result<(), Error> {
    backend::use_threads(arguments.threads)?;
    if let [experiment] = arguments.experiments.as_slice() {
        return one(experiment, arguments);
    }
    if arguments.run_name.is_some() && arguments.experiments.len() > 1 && !arguments.dry_run {
        tracing::info!("every experiment gets a run of the same name, each in its own folder");
    }
    let mut failed = 0;
    for path in &arguments.experiments {
        match one(path, arguments) {
            Ok(()) => {}
            // Whoever stops one means all.
            Err(error @ Error::Interrupted { .. }) => return Err(error),
            Err(error) => {
                super::complain(error);
                failed += 1;
            }
        }
    }
    let total = arguments.experiments.len();
    if failed > 0 { Err(Error::Several { failed, total, what: "experiments" }) } else { Ok(()) }
}

fn one(path: &Path, arguments: &RunArguments) -> Result<(), Error> {
    if let Some(name) = &arguments.run_name {
        check_run_name(name)?;
    }
    if let Some(resolved) = experiment::load_xor(path, &overrides(arguments))? {
        return exclusive_or(path, &resolved, arguments);
    }
    let mut resolved = experiment::load(path, &overrides(arguments))?;
    if arguments.dry_run {
        show::dry_run(&resolved)?;
        return match &resolved.experiment.sweep {
            Some(sweep) => super::answer(&crate::sweep::listing(path, &overrides(arguments), sweep)?),
            None => Ok(()),
        };
    }
    if resolved.experiment.sweep.is_some() {
        return sweep::all(path, &resolved, arguments);
    }
    if let Some(wanted) = seeds::wanted(arguments, &resolved.experiment)? {
        return seeds::all(path, &resolved, &wanted, arguments);
    }
    let training = &resolved.experiment.training;
    if training.seeds.is_some() {
        // The run's configuration must name its own seed alone.
        resolved = resolved.with_seed(training.seed, &format!("--seed {}", training.seed));
    }
    trained(path, &resolved, arguments.run_name.as_deref(), arguments).map(drop)
}

/// Makes a run, or with `--skip-finished` finds it made, and says what it came to.
pub(super) fn trained(
    path: &Path,
    resolved: &Resolved,
    run_name: Option<&str>,
    arguments: &RunArguments,
) -> Result<Ended, Error> {
    let display = Display::new(arguments.fetching.progress);
    if arguments.skip_finished
        && let Some(ended) = crate::seeds::finished(&arguments.results_dir, resolved)?
    {
        let seconds = ended.summary.seconds.total;
        display.say(&format!("finished already: {}", ended.run.path().display()));
        report_on(&ended, seconds, &display, arguments.json)?;
        return Ok(ended);
    }
    let (locate, formats) = (arguments.fetching.options(), arguments.drawing.formats());
    let finished = if arguments.resume {
        let run = unfinished(resolved, run_name, arguments)?;
        let changes = changes(arguments.accept_changes);
        trip::resume(&Continuation { run: run.path(), resolved: Some(resolved), changes, locate, formats }, &display)?
    } else {
        let existing = if arguments.force { Existing::MoveAside } else { Existing::Keep };
        let results_dir = &arguments.results_dir;
        trip::run(&Request { resolved, source: path, results_dir, run_name, existing, locate, formats }, &display)?
    };
    let Finished { run, summary, seconds } = finished;
    let ended = Ended { run, summary, reused: false };
    report_on(&ended, seconds, &display, arguments.json)?;
    Ok(ended)
}

/// Goes on with a run.
pub(super) fn resume(arguments: &ResumeArguments) -> Result<(), Error> {
    backend::use_threads(arguments.threads)?;
    let display = Display::new(arguments.fetching.progress);
    let continuation = Continuation {
        run: &arguments.run,
        resolved: None,
        changes: changes(arguments.accept_changes),
        locate: arguments.fetching.options(),
        formats: arguments.drawing.formats(),
    };
    let Finished { run, summary, seconds } = trip::resume(&continuation, &display)?;
    report_on(&Ended { run, summary, reused: false }, seconds, &display, arguments.json)
}

/// The run that `--resume` means.
fn unfinished(resolved: &Resolved, run_name: Option<&str>, arguments: &RunArguments) -> Result<RunDir, Error> {
    let (results, experiment) = (&arguments.results_dir, &resolved.experiment.name);
    if let Some(name) = run_name {
        return RunDir::open(&results.join(experiment).join(name));
    }
    latest_unfinished(results, experiment)?.ok_or_else(|| {
        let folder = results.join(experiment);
        Error::Usage(format!("{}: no run here is unfinished; start one without --resume", folder.display()))
    })
}

fn changes(accept: bool) -> Changes {
    if accept { Changes::Accept } else { Changes::Refuse }
}

/// Runs a file of `kind = "xor"`, which needs neither data nor a backend, and whose start is fixed.
fn exclusive_or(path: &Path, resolved: &ResolvedXor, arguments: &RunArguments) -> Result<(), Error> {
    refuse_without_data(path, arguments)?;
    if arguments.dry_run {
        return super::answer(&resolved.annotated_toml());
    }
    let display = Display::new(arguments.fetching.progress);
    let ignored = [
        ("--backend", arguments.backend.is_some()),
        ("--seed", arguments.seed.is_some()),
        ("--skip-finished", arguments.skip_finished),
    ];
    for (flag, _) in ignored.iter().filter(|(_, given)| *given) {
        display.say(&format!("{}: {flag} changes nothing here", path.display()));
    }
    let request = trip::xor::Request {
        resolved,
        source: path,
        results_dir: &arguments.results_dir,
        run_name: arguments.run_name.as_deref(),
        existing: if arguments.force { Existing::MoveAside } else { Existing::Keep },
        formats: arguments.drawing.formats(),
    };
    let Finished { run, summary, seconds } = trip::xor::run(&request, &display)?;
    report_on(&Ended { run, summary, reused: false }, seconds, &display, arguments.json)
}

/// Refuses flags that ask an exclusive or for what it does not have.
fn refuse_without_data(path: &Path, arguments: &RunArguments) -> Result<(), Error> {
    let refused = [
        ("--seeds", arguments.seeds.is_some(), "its start is fixed"),
        ("--data-dir", arguments.data_dir.is_some(), "it reads no data"),
        ("--mirror", !arguments.fetching.mirror.is_empty(), "it reads no data"),
        ("--train-samples", arguments.train_samples.is_some(), "it has four rows"),
        ("--test-samples", arguments.test_samples.is_some(), "it has four rows"),
        ("--resume", arguments.resume, "it takes no longer than starting again"),
    ];
    match refused.into_iter().find(|(_, given, _)| *given) {
        Some((flag, _, why)) => {
            Err(Error::Usage(format!("{}: an exclusive or has no use for {flag}: {why}", path.display())))
        }
        None => Ok(()),
    }
}

/// Says how a run has ended, to a person and to a script.
fn report_on(ended: &Ended, seconds: f64, display: &Display, json: bool) -> Result<(), Error> {
    let Ended { run, summary, .. } = ended;
    display.say(&format!(
        "test loss {:.4} accuracy {:.4} (weights of epoch {})  {:.1} s\nplots in {}",
        summary.test_loss,
        summary.test_accuracy,
        summary.chosen_epoch,
        seconds,
        run.path().join("plots").display(),
    ));
    if json {
        let object = json!({
            "run_dir": run.path(),
            "seed": summary.seed,
            "test_loss": summary.test_loss,
            "test_accuracy": summary.test_accuracy,
            "seconds": seconds,
        });
        super::answer(&object)?;
    }
    Ok(())
}

pub(super) fn overrides(arguments: &RunArguments) -> Overrides {
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
