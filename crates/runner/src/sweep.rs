//! A search among settings: many cheap fits, a table of trials, the best trained once more and tested.
//!
//! The test part is read by the refit alone, so that no trial is chosen by it. Fits that are recorded are never
//! repeated: a sweep that was interrupted goes on where it was. Knows no command line.

pub mod fit;
pub mod folder;
mod picture;
pub mod plan;
pub mod ranking;
pub mod workers;

use std::{
    collections::HashSet,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use data::{Dataset, LocateOptions, Part as DataPart};

use self::{
    fit::FitRecord,
    folder::Folder,
    plan::{Fit, Part, Plan},
    ranking::{Ranking, Refit},
    workers::Answer,
};
use crate::{
    backend::{self, Backend},
    error::Error,
    experiment::{self, Overrides, Resolved, Sweep},
    pipeline,
    progress::Display,
    provenance::Environment,
    report::Formats,
    run_dir::Existing,
    seeds, tables, trip,
};

/// What to search, and where its results go.
pub struct Request<'a> {
    /// The experiment; it must have a sweep.
    pub resolved: &'a Resolved,
    /// The file that it was read from; its repository is named in the provenance.
    pub source: &'a Path,
    /// What was changed in it.
    pub overrides: &'a Overrides,
    /// The folder that holds a folder per experiment.
    pub results_dir: &'a Path,
    /// Name of the sweep's folder; none for the kind of the sweep.
    pub name: Option<&'a str>,
    /// How data are looked for.
    pub locate: LocateOptions,
    /// What figures are written as.
    pub formats: Formats,
    /// How many fits are made at once; more than one are made in processes of their own.
    pub jobs: NonZeroUsize,
    /// Starts one of these processes for a sweep's folder; it must call [`work`].
    pub worker: &'a (dyn Fn(&Path) -> Command + Sync),
}

/// A sweep that has come to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its folder.
    pub folder: PathBuf,
    /// What its fits came to.
    pub ranking: Ranking,
    /// Fits that were lost with their process, or not made because no process was left.
    pub lost: usize,
}

/// Makes every fit that is not recorded yet, ranks the trials, and has the best trained once more and tested.
///
/// # Errors
///
/// [`Error::Usage`] if the folder has another sweep's records; [`Error::Busy`]; whatever a fit or the refit returns,
/// but for a fit that diverges: its record says so, and the sweep goes on.
pub fn run(request: &Request<'_>, display: &Display) -> Result<Finished, Error> {
    let experiment = &request.resolved.experiment;
    let sweep = sweep_of(request.resolved)?;
    Plan::new(request.source, request.overrides, sweep).check()?;
    let backend = backend::select(experiment.training.backend)?;
    let files = pipeline::locate(&experiment.data, request.locate.clone())?;
    let environment = Environment::gather(request.source, &backend, &files);
    let name = request.name.unwrap_or_else(|| sweep.name());
    let config = request.resolved.to_toml();
    let (folder, _held) = Folder::open(request.results_dir, &experiment.name, name, &config, &environment)?;
    // From here on the folder's copy counts, as it does for other processes.
    let plan = Plan::new(&folder.config(), &Overrides::default(), sweep);

    let mut records = folder.records()?;
    let recorded: HashSet<Fit> = records.iter().map(|record| record.fit).collect();
    let missing: Vec<Fit> = plan.fits().into_iter().filter(|fit| !recorded.contains(fit)).collect();
    introduce(display, request, &plan, &backend, missing.len());

    let mut progress = Progress { display, total: plan.fits().len(), before: records.len(), start: Instant::now() };
    let lost = if missing.is_empty() {
        0
    } else if request.jobs.get() == 1 {
        let dataset = Arc::new(files.load(DataPart::Train)?);
        for fit in missing {
            folder.write_fit(&make(fit, &plan, &dataset, &backend, None)?)?;
            // As the file has it: a number that was written and read may differ in its last bit.
            let record = folder.record(fit)?;
            progress.tell(&record, records.len() + 1);
            records.push(record);
        }
        0
    } else {
        in_processes(request, &folder, missing, &mut records, &mut progress)?
    };

    let mut ranking = Ranking::new(experiment, sweep, &plan, &records);
    write(&folder, &ranking, request.formats)?;
    if let Some(best) = ranking.best.filter(|_| sweep.refit && lost == 0) {
        ranking.refit = Some(refit(request, &plan, best, display)?);
        write(&folder, &ranking, request.formats)?;
    }
    Ok(Finished { folder: folder.path().to_owned(), ranking, lost })
}

/// Makes the fits that are asked for on standard input: what the processes of [`Request::worker`] do.
///
/// # Errors
///
/// Whatever a fit returns, but for one that diverges.
pub fn work(folder: &Path, options: LocateOptions) -> Result<(), Error> {
    let folder = Folder::joined(folder);
    let resolved = experiment::load(&folder.config(), &Overrides::default())?;
    let sweep = sweep_of(&resolved)?;
    let backend = backend::select(resolved.experiment.training.backend)?;
    let plan = Plan::new(&folder.config(), &Overrides::default(), sweep);
    let files = pipeline::locate(&resolved.experiment.data, options)?;
    let dataset = Arc::new(files.load(DataPart::Train)?);
    // The processes keep all cores busy: further threads would only take turns with them.
    workers::answer(&mut |fit| folder.write_fit(&make(fit, &plan, &dataset, &backend, Some(0))?))
}

/// The trials of a sweep, as `--dry-run` lists them.
///
/// # Errors
///
/// [`Error::Config`] if a trial is no valid experiment.
pub fn listing(source: &Path, overrides: &Overrides, sweep: &Sweep) -> Result<String, Error> {
    let plan = Plan::new(source, overrides, sweep);
    plan.check()?;
    let keys: Vec<String> = sweep.parameters.iter().map(|(key, _)| key.to_owned()).collect();
    let header: Vec<&str> = std::iter::once("trial").chain(keys.iter().map(String::as_str)).collect();
    let mut table = tables::plain(&header, usize::MAX);
    for trial in &plan.trials {
        let values = trial.settings.values().map(ranking::shown);
        table.add_row(std::iter::once(trial.number.to_string()).chain(values));
    }
    let fits = plan.fits().len();
    let refit = if sweep.refit { ", then the best is trained on all training images and tested" } else { "" };
    Ok(format!("{table}\n{} trials, {fits} fits{refit}", plan.trials.len()))
}

/// The trials in the order of their ranks, for people.
#[must_use]
pub fn table(ranking: &Ranking) -> String {
    let keys = ranking.keys();
    let mut header = vec!["rank", "trial"];
    header.extend(&keys);
    let first_number = header.len();
    header.extend(["valid accuracy", "valid loss", "train accuracy", "parameters", "seconds"]);
    let mut table = tables::plain(&header, first_number);
    let dash = || "–".to_owned();
    for trial in ranking.by_rank() {
        let mut row = vec![trial.rank.map_or_else(dash, |rank| rank.to_string()), trial.trial.to_string()];
        row.extend(trial.settings.values().map(ranking::shown));
        let spreads = [trial.valid_accuracy, trial.valid_loss, trial.train_accuracy];
        row.extend(spreads.map(|spread| spread.map_or_else(dash, |it| it.to_string())));
        row.push(trial.parameters.map_or_else(dash, |count| plots::thousands(count as u64)));
        row.push(format!("{:.1}", trial.seconds));
        table.add_row(row);
    }
    table.to_string()
}

fn sweep_of(resolved: &Resolved) -> Result<&Sweep, Error> {
    let missing = || Error::Usage(format!("{}: has no [sweep] table", resolved.experiment.name));
    resolved.experiment.sweep.as_ref().ok_or_else(missing)
}

/// Makes a fit, with so many threads that prepare batches, or as many as the experiment says.
fn make(
    fit: Fit,
    plan: &Plan,
    dataset: &Arc<Dataset>,
    backend: &Backend,
    workers: Option<usize>,
) -> Result<FitRecord, Error> {
    let mut resolved = plan.resolve(fit.trial, Part::Fold(fit.fold))?;
    resolved.experiment.data.workers = workers.unwrap_or(resolved.experiment.data.workers);
    fit::run(fit, &plan.trials[fit.trial].settings, &resolved, dataset, backend)
}

/// Has the fits made by other processes of this program; returns how many were lost.
fn in_processes(
    request: &Request<'_>,
    folder: &Folder,
    missing: Vec<Fit>,
    records: &mut Vec<FitRecord>,
    progress: &mut Progress<'_>,
) -> Result<usize, Error> {
    let jobs = request.jobs.get().min(missing.len());
    let mut lost = 0;
    let left = workers::hand_out(missing, jobs, &|| (request.worker)(folder.path()), &mut |answer| {
        match answer {
            Answer::Recorded(fit) => {
                let record = folder.record(fit)?;
                progress.tell(&record, records.len() + 1);
                records.push(record);
            }
            Answer::Lost { fit, message } => {
                lost += 1;
                tracing::warn!("{}: {message}; run the same command again to make it", named(fit));
            }
        }
        Ok(())
    })?;
    Ok(lost + left.len())
}

/// Trains the best trial on all training images and tests it; a run that has done just that is found again.
fn refit(request: &Request<'_>, plan: &Plan, best: usize, display: &Display) -> Result<Refit, Error> {
    let resolved = plan.resolve(best, Part::All)?;
    let (run, summary) = if let Some(ended) = seeds::finished(request.results_dir, &resolved)? {
        (ended.run, ended.summary)
    } else {
        display.say(&format!("trial {best} is the best so far as its folds tell; training it on all training images"));
        let trip = trip::Request {
            resolved: &resolved,
            source: request.source,
            results_dir: request.results_dir,
            run_name: None,
            existing: Existing::Keep,
            locate: request.locate.clone(),
            formats: request.formats,
        };
        let finished = trip::run(&trip, display)?;
        (finished.run, finished.summary)
    };
    Ok(Refit {
        run: run.name(),
        test_accuracy: summary.test_accuracy,
        test_loss: summary.test_loss,
        seconds: summary.seconds.total,
    })
}

fn write(folder: &Folder, ranking: &Ranking, formats: Formats) -> Result<(), Error> {
    folder.write_ranking(ranking)?;
    for (file, bytes) in crate::report::render("trials", &picture::trials(ranking), formats)? {
        folder.write_plot(&file, &bytes)?;
    }
    Ok(())
}

fn introduce(display: &Display, request: &Request<'_>, plan: &Plan, backend: &Backend, missing: usize) {
    let total = plan.fits().len();
    let done = match total - missing {
        0 => String::new(),
        done => format!(", {done} of them done already"),
    };
    display.say(&format!(
        "{}: {} trials, {total} fits{done}; backend {}, {} at once, seed {}",
        request.resolved.experiment.name,
        plan.trials.len(),
        backend.name,
        request.jobs,
        request.resolved.experiment.training.seed,
    ));
}

/// Says how far a sweep has come.
struct Progress<'a> {
    display: &'a Display,
    total: usize,
    before: usize,
    start: Instant,
}

impl Progress<'_> {
    fn tell(&self, record: &FitRecord, done: usize) {
        let outcome = match (&record.scores, &record.failure) {
            (Some(scores), _) => format!("valid accuracy {:.4} loss {:.4}", scores.valid_accuracy, scores.valid_loss),
            (None, Some(failure)) => format!("failed: {failure}"),
            (None, None) => "nothing measured".to_owned(),
        };
        let settings: Vec<String> = record.settings.values().map(ranking::shown).collect();
        self.display.say(&format!(
            "fit {done}/{}  {}  {}  {outcome}  {:.1} s{}",
            self.total,
            named(record.fit),
            settings.join("  "),
            record.seconds,
            self.left(done),
        ));
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of fits are small")]
    fn left(&self, done: usize) -> String {
        let (made, left) = ((done - self.before) as f64, (self.total - done) as f64);
        let minutes = self.start.elapsed().as_secs_f64() / made * left / 60.0;
        if left == 0.0 { String::new() } else { format!("  about {:.0} min left", minutes.ceil()) }
    }
}

fn named(fit: Fit) -> String {
    let fold = fit.fold.map(|fold| format!(" fold {fold}")).unwrap_or_default();
    format!("trial {}{fold}", fit.trial)
}
