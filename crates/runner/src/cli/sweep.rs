//! `runner EXPERIMENT.toml` for an experiment with a `[sweep]`, and the processes that help with one.

use std::{
    num::NonZeroUsize,
    path::Path,
    process::{Command, Stdio},
};

use data::{LocateOptions, Network};
use serde_json::json;

use super::{args::RunArguments, run};
use crate::{
    backend,
    error::Error,
    experiment::Resolved,
    progress::Display,
    sweep::{self, Finished, Request, ranking::Ranking},
};

/// Runs a sweep and says what it came to.
pub(super) fn all(path: &Path, resolved: &Resolved, arguments: &RunArguments) -> Result<(), Error> {
    if arguments.seeds.is_some() {
        let message = "--seeds: a sweep trains with one seed; give its best run's config.toml more seeds";
        return Err(Error::Usage(message.to_owned()));
    }
    let display = Display::new(arguments.fetching.progress);
    // The machine's threads are shared out: processes that each use all of them only wait for each other.
    let threads = (rayon::current_num_threads() / arguments.jobs.get()).max(1);
    let program = std::env::current_exe().map_err(Error::io("cannot find", "this program"))?;
    let request = Request {
        resolved,
        source: path,
        overrides: &run::overrides(arguments),
        results_dir: &arguments.results_dir,
        name: arguments.run_name.as_deref(),
        locate: arguments.fetching.options(),
        formats: arguments.drawing.formats(),
        jobs: arguments.jobs,
        worker: &|folder| {
            let mut command = Command::new(&program);
            command.arg("sweep-worker").arg(folder).args(["--threads", &threads.to_string()]).stderr(Stdio::inherit());
            command
        },
    };
    let finished = sweep::run(&request, &display)?;
    report_on(&finished, &display, arguments)?;
    let Finished { ranking, lost, .. } = finished;
    match ranking.failed + lost {
        0 => Ok(()),
        failed => Err(Error::Several { failed, total: ranking.fits + lost, what: "fits" }),
    }
}

/// Makes the fits that are asked for on standard input.
pub(super) fn work(folder: &Path, threads: NonZeroUsize) -> Result<(), Error> {
    backend::use_threads(Some(threads))?;
    // The command that started this process has found the data already.
    sweep::work(folder, LocateOptions { network: Network::Forbidden, ..LocateOptions::default() })
}

fn report_on(finished: &Finished, display: &Display, arguments: &RunArguments) -> Result<(), Error> {
    let Finished { folder, ranking, lost } = finished;
    if arguments.json {
        super::answer(&json!({
            "sweep_dir": folder,
            "fits": ranking.fits,
            "failed": ranking.failed,
            "lost": lost,
            "best": ranking.best.map(|best| &ranking.trials[best]),
            "refit": ranking.refit,
        }))?;
    } else {
        super::answer(&sweep::table(ranking))?;
    }
    display.say(&verdict(ranking));
    display.say(&format!("table and picture in {}", folder.display()));
    Ok(())
}

fn verdict(ranking: &Ranking) -> String {
    let Some(best) = ranking.best else { return "no trial has all of its fits, so none is the best".to_owned() };
    let trial = &ranking.trials[best];
    let settings = trial.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ");
    let accuracy = trial.valid_accuracy.map(|it| it.to_string()).unwrap_or_default();
    let tested = ranking.refit.as_ref().map_or_else(String::new, |refit| {
        let (accuracy, loss) = (refit.test_accuracy, refit.test_loss);
        format!("\ntrained on all training images: test loss {loss:.4} accuracy {accuracy:.4} (run {})", refit.run)
    });
    format!("best: trial {best}, {settings}; valid accuracy {accuracy}{tested}")
}
