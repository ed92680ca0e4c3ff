//! `runner EXPERIMENT.toml…`: one trip from an experiment file to a finished run directory, for each file.

use std::{path::Path, time::Instant};

use data::LocateOptions;
use serde_json::json;

use super::{args::RunArguments, outcome, show};
use crate::{
    backend::{self, Backend, Timing},
    error::Error,
    evaluate::evaluate,
    experiment::{self, BackendName, Experiment, Overrides, Resolved},
    pipeline::{self, TrainingData},
    progress::Display,
    provenance::Environment,
    report,
    run_dir::{RunDir, RunName, State, Status},
    train::{self, Event},
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
    let start = Instant::now();
    let resolved = experiment::load(path, &overrides(arguments))?;
    if let Some(name) = &arguments.run_name {
        check_run_name(name)?;
    }
    if arguments.dry_run {
        return show::dry_run(&resolved);
    }
    let display = Display::new(arguments.progress);
    let backend = backend::select(resolved.experiment.training.backend)?;
    let files = pipeline::locate(&resolved.experiment.data, locate_options(arguments))?;
    let data = TrainingData::load(&files, &resolved.experiment.data)?;
    let input = data.input_shape();
    let classes = data.dataset.num_classes();
    let summary = resolved
        .experiment
        .model
        .summary(input, classes)
        .map_err(|fault| resolved.invalid(&format!("model.{}", fault.field), &fault.message))?;

    let run =
        RunDir::create(&arguments.results_dir, &resolved.experiment.name, &run_name(arguments, &resolved, &backend))?;
    let mut keeper = StatusKeeper::start(&run, &resolved.experiment)?;
    run.write_config(&resolved.to_toml())?;
    run.write_environment(&Environment::gather(path, &backend, &files))?;
    introduce(&display, &resolved, &backend, &data, &summary);

    let trip = Trip { experiment: &resolved.experiment, backend: &backend, files: &files, data: &data, run: &run };
    let finished = trip.train_and_test(&summary, &display, &mut keeper, start);
    display.finish();
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) => {
            keeper.fail(&error);
            return Err(draw_what_is_there(&run, arguments, error));
        }
    };
    if let Err(error) = report::draw(&run, formats(arguments)) {
        keeper.fail(&error);
        return Err(error);
    }
    keeper.end(State::Done, finished.stopped_early.clone())?;

    display.say(&format!(
        "test loss {:.4} accuracy {:.4} (weights of epoch {})  {:.1} s\nplots in {}",
        finished.test_loss,
        finished.test_accuracy,
        finished.chosen_epoch,
        start.elapsed().as_secs_f64(),
        run.path().join("plots").display(),
    ));
    if arguments.json {
        let object = json!({
            "run_dir": run.path(),
            "test_loss": finished.test_loss,
            "test_accuracy": finished.test_accuracy,
            "seconds": start.elapsed().as_secs_f64(),
        });
        super::answer(&object)?;
    }
    Ok(())
}

/// What a trip needs once everything is checked and the run directory is there.
struct Trip<'a> {
    experiment: &'a Experiment,
    backend: &'a Backend,
    files: &'a data::DataFiles,
    data: &'a TrainingData,
    run: &'a RunDir,
}

impl Trip<'_> {
    fn train_and_test(
        &self,
        summary: &models::Summary,
        display: &Display,
        keeper: &mut StatusKeeper<'_>,
        start: Instant,
    ) -> Result<crate::run_dir::Summary, Error> {
        let experiment = self.experiment;
        let classes = self.data.dataset.num_classes();
        let training = &experiment.training;
        let model = experiment.model.init_seeded(self.data.input_shape(), classes, training.seed);
        let model = model.with_kernels(training.kernels);
        let loaders = self.data.loaders(experiment);
        let mut log = self.run.metrics_log()?;
        let planned = experiment.phases.iter().map(|phase| phase.epochs).sum();
        let trained = train::train(model, &loaders, experiment, self.backend, &mut |event| {
            display.show(&event, planned);
            if let Event::Epoch { row, .. } = event {
                log.append(row)?;
                keeper.epoch_done(row.epoch)?;
            }
            Ok(())
        })?;
        display.finish();

        let test_start = Instant::now();
        let (test, loader) = pipeline::test_data(self.files, experiment, &self.data.normalizer)?;
        let predictions = evaluate(&trained.model, &loader, 0, &self.backend.device);
        let loss = predictions.tally.loss();
        if !loss.is_finite() {
            // The weights grew beyond use in the very last steps: nothing here is worth keeping.
            let (epoch, row) = (trained.chosen_epoch, trained.rows.last());
            let learning_rate = row.map_or(0.0, |row| row.learning_rate);
            let step = loaders.last().map_or(0, |loaders| loaders.train.num_batches());
            return Err(Error::Diverged { epoch, step, loss, learning_rate });
        }
        self.run.write_weights(&models::to_safetensors(&trained.model)?)?;
        let outcome = outcome::Outcome {
            experiment,
            backend: self.backend,
            data: self.data,
            test: &test,
            trained: &trained,
            predictions: &predictions,
            model: summary,
        };
        let test_seconds = test_start.elapsed().as_secs_f64();
        outcome.write(self.run, test_seconds, start.elapsed().as_secs_f64())
    }
}

/// Keeps `status.json` true.
struct StatusKeeper<'a> {
    run: &'a RunDir,
    status: Status,
}

impl<'a> StatusKeeper<'a> {
    fn start(run: &'a RunDir, experiment: &Experiment) -> Result<Self, Error> {
        let now = now();
        let status = Status {
            state: State::Running,
            process: std::process::id(),
            started: now.clone(),
            updated: now,
            epochs_done: 0,
            epochs_planned: experiment.phases.iter().map(|phase| phase.epochs).sum(),
            message: None,
        };
        run.write_status(&status)?;
        Ok(Self { run, status })
    }

    fn epoch_done(&mut self, epoch: usize) -> Result<(), Error> {
        self.status.epochs_done = epoch;
        self.write()
    }

    fn end(&mut self, state: State, message: Option<String>) -> Result<(), Error> {
        self.status.state = state;
        self.status.message = message;
        self.write()
    }

    /// Writes down a failure; the failure itself is what the caller reports, whether or not this succeeds.
    fn fail(&mut self, error: &Error) {
        let state = if matches!(error, Error::Diverged { .. }) { State::Diverged } else { State::Failed };
        if let Err(second) = self.end(state, Some(error.to_string())) {
            tracing::warn!("{second}");
        }
    }

    fn write(&mut self) -> Result<(), Error> {
        self.status.updated = now();
        self.run.write_status(&self.status)
    }
}

/// Draws the curves of a run that failed, so that what was computed can be looked at.
fn draw_what_is_there(run: &RunDir, arguments: &RunArguments, error: Error) -> Error {
    if let Err(second) = report::draw(run, formats(arguments)) {
        tracing::warn!("{second}");
    }
    error
}

fn introduce(
    display: &Display,
    resolved: &Resolved,
    backend: &Backend,
    data: &TrainingData,
    summary: &models::Summary,
) {
    let experiment = &resolved.experiment;
    display.say(&show::model_table(experiment.model.name(), summary));
    let adapter = backend.adapter.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    display.say(&format!(
        "{}: {} train, {} valid images; backend {}{adapter}, seed {}",
        experiment.name,
        data.train.len(),
        data.valid.len(),
        backend.name,
        experiment.training.seed,
    ));
    match backend.name {
        BackendName::Ndarray => display.say(backend::NDARRAY_NOTICE),
        BackendName::Wgpu => display.say(backend::WGPU_NOTICE),
        _ => debug_assert_eq!(backend.timing, Timing::Immediate),
    }
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

fn run_name(arguments: &RunArguments, resolved: &Resolved, backend: &Backend) -> RunName {
    arguments.run_name.clone().map_or_else(
        || {
            let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
            RunName::Generated(format!("{time}-{}-s{}", backend.name, resolved.experiment.training.seed))
        },
        RunName::Given,
    )
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

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
