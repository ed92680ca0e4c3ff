//! One trip: from a resolved experiment to a finished run directory, in one go or with stops in between.
//!
//! Decides the order of the stations and nothing else: each is a module of its own. Knows no command line
//! and prints only through the display it is given.

mod departure;
mod outcome;
mod saver;
mod status;
pub mod xor;

use std::{path::Path, thread, time::Instant};

use data::LocateOptions;
use models::Model;

use self::{
    departure::{Damaged, Departure, Found},
    saver::Saver,
    status::StatusKeeper,
};
use crate::{
    backend::{self, Backend, Timing},
    error::Error,
    evaluate::evaluate_watched,
    experiment::{self, BackendName, Experiment, Overrides, Resolved},
    interrupt::Watch,
    loss::Loss,
    pipeline::{self, TrainingData},
    progress::Display,
    provenance::{self, Environment, Fingerprint},
    report::{self, Formats},
    run_dir::{Claim, Existing, Resumption, RunDir, RunName, State, Summary},
    tables,
    train::{self, Event},
    transfer::{self, FrozenBase},
};

/// What to run, and where its results go.
#[derive(Debug)]
pub struct Request<'a> {
    /// The experiment.
    pub resolved: &'a Resolved,
    /// The file that it was read from; its repository is named in the provenance.
    pub source: &'a Path,
    /// The folder that holds a folder per experiment.
    pub results_dir: &'a Path,
    /// Name of the run directory; none for `<UTC time>-<backend>-s<seed>`.
    pub run_name: Option<&'a str>,
    /// What happens to a run that has this name already.
    pub existing: Existing,
    /// How data are looked for.
    pub locate: LocateOptions,
    /// What figures are written as.
    pub formats: Formats,
}

/// Which run to go on with.
#[derive(Debug)]
pub struct Continuation<'a> {
    /// Its directory.
    pub run: &'a Path,
    /// What it must be a run of; none for what its own configuration says.
    pub resolved: Option<&'a Resolved>,
    /// What happens if something has changed since it was started.
    pub changes: Changes,
    /// How data are looked for.
    pub locate: LocateOptions,
    /// What figures are written as.
    pub formats: Formats,
}

/// What happens if a run's configuration, data, program or machine has changed since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Changes {
    /// The run does not go on.
    #[default]
    Refuse,
    /// The run goes on with what is there now, and says so in its directory.
    Accept,
}

/// A run that has come to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its directory.
    pub run: RunDir,
    /// Its scores.
    pub summary: Summary,
    /// Wall-clock seconds, drawing included.
    pub seconds: f64,
}

/// Runs an experiment: find the data, create the run directory, train, test once, write, draw.
///
/// # Errors
///
/// Whatever a station returns. Once the run directory is there, `status.json` in it tells of the failure, and the
/// curves of what was computed are drawn.
pub fn run(request: &Request<'_>, display: &Display) -> Result<Finished, Error> {
    let start = Instant::now();
    let Request { resolved, results_dir, existing, .. } = *request;
    let experiment = &resolved.experiment;
    let backend = backend::select(experiment.training.backend)?;
    // Before anything that takes long: whoever comes too late for a name is told at once.
    let claim = Claim::take(results_dir, &experiment.name, &run_name(request, &backend), existing)?;
    let prepared = Prepared::new(resolved, backend, &request.locate, display)?;
    let watch = Watch::start()?;
    let run = claim.begin()?;
    let keeper = StatusKeeper::start(&run, experiment)?;
    let trip = Trip { prepared: &prepared, formats: request.formats, run: &run, watch: &watch, start };
    trip.go(display, keeper, || {
        run.write_environment(&prepared.environment(request.source))?;
        // Last: from here on this is a run, which can go on.
        run.write_config(&resolved.to_toml())?;
        Ok(Departure::first(&prepared))
    })
}

/// Goes on with a run from its last checkpoint, to the same result as if it had never been left.
///
/// A run that is done already is left as it is.
///
/// # Errors
///
/// [`Error::Busy`] if the run is going on, [`Error::Changed`] if it would not be the same run, [`Error::Malformed`]
/// if there are checkpoints but none that can be used; else as [`run`].
pub fn resume(request: &Continuation<'_>, display: &Display) -> Result<Finished, Error> {
    let start = Instant::now();
    let run = RunDir::open(request.run)?.own()?;
    if let (Ok(status), Some(summary)) = (run.status(), run.summary()?)
        && status.state == State::Done
    {
        display.say(&format!("{}: is done already", run.path().display()));
        run.remove_checkpoints()?;
        return Ok(Finished { run, summary, seconds: start.elapsed().as_secs_f64() });
    }
    let own;
    let resolved = if let Some(resolved) = request.resolved {
        resolved
    } else {
        own = experiment::load(&run.config_path(), &Overrides::default())?;
        &own
    };
    let backend = backend::select(resolved.experiment.training.backend)?;
    let prepared = Prepared::new(resolved, backend, &request.locate, display)?;
    let Found { departure, damaged, changes } = departure::find(&run, &prepared, request.changes)?;
    let watch = Watch::start()?;
    for Damaged { number, message } in &damaged {
        let aside = run.set_checkpoint_aside(*number)?;
        tracing::warn!(
            "{message}; this checkpoint is damaged, going on from the one before; kept in {}",
            aside.display()
        );
    }
    if !changes.is_empty() {
        departure::record_changes(&run, &prepared)?;
        for change in &changes {
            tracing::warn!("accepted: {change}");
        }
    }
    run.note_resumption(&Resumption {
        time: status::now(),
        process: std::process::id(),
        command: provenance::command(),
        checkpoint: departure.checkpoint,
        step: departure.state.step(),
        damaged: damaged.into_iter().map(|it| it.message).collect(),
        accepted_changes: changes,
    })?;
    display.say(&format!("goes on {}", departure.place()));
    let keeper = StatusKeeper::resume(&run, prepared.experiment, departure.state.rows().len())?;
    let trip = Trip { prepared: &prepared, formats: request.formats, run: &run, watch: &watch, start };
    trip.go(display, keeper, || Ok(departure))
}

/// Everything that is found before anything is written into the run directory.
struct Prepared<'a> {
    experiment: &'a Experiment,
    backend: Backend,
    files: data::DataFiles,
    base: Option<FrozenBase>,
    data: TrainingData,
    /// What computing the training images' features took.
    extraction_seconds: f64,
    model: models::Summary,
    fingerprint: Fingerprint,
}

impl<'a> Prepared<'a> {
    fn new(resolved: &'a Resolved, backend: Backend, locate: &LocateOptions, display: &Display) -> Result<Self, Error> {
        let experiment = &resolved.experiment;
        // A program with three backends is large: summed up beside the data.
        let program = thread::spawn(provenance::program_sha256);
        let files = pipeline::locate(&experiment.data, locate.clone())?;
        let base = FrozenBase::open(experiment, &files, &backend, locate)?;
        let data = TrainingData::load(&files, &experiment.data)?;
        let model = experiment
            .model
            .summary(data.input_shape(), data.dataset.num_classes())
            .map_err(|fault| resolved.invalid(&format!("model.{}", fault.field), &fault.message))?;
        let mut extraction_seconds = 0.0;
        let data = transfer::training_data(base.as_ref(), data, experiment, &mut |extraction| {
            extraction_seconds = extraction.seconds;
            display.extraction(extraction);
            Ok(())
        })?;
        let program = program.join().expect("reading a file does not panic")?;
        let features = base.as_ref().map(FrozenBase::record);
        let fingerprint = Fingerprint::take(experiment, &backend, &files, features, program);
        Ok(Self { experiment, backend, files, base, data, extraction_seconds, model, fingerprint })
    }

    /// What `environment.json` says of a run of the experiment in `source`.
    fn environment(&self, source: &Path) -> Environment {
        Environment {
            features: self.base.as_ref().map(|base| base.record().clone()),
            fingerprint: Some(self.fingerprint.clone()),
            ..Environment::gather(source, &self.backend, &self.files)
        }
    }

    /// The model with the weights that the seed draws.
    fn drawn_model(&self) -> Model {
        let training = &self.experiment.training;
        let (input, classes) = (self.data.input_shape(), self.data.dataset.num_classes());
        self.experiment.model.init_seeded(input, classes, training.seed).with_kernels(training.kernels)
    }
}

/// What a trip needs once everything is checked and the run directory is there.
struct Trip<'a> {
    prepared: &'a Prepared<'a>,
    formats: Formats,
    run: &'a RunDir,
    watch: &'a Watch,
    start: Instant,
}

impl Trip<'_> {
    /// From the departure to the end, with a status that says how it went.
    fn go(
        &self,
        display: &Display,
        mut keeper: StatusKeeper<'_>,
        departure: impl FnOnce() -> Result<Departure, Error>,
    ) -> Result<Finished, Error> {
        let finished = departure().and_then(|departure| self.train_and_test(departure, display, &mut keeper));
        display.finish();
        // After a failure, too: what was computed can be looked at.
        let drawn = report::draw(self.run, self.formats);
        if let (Err(_), Err(second)) = (&finished, &drawn) {
            tracing::warn!("{second}");
        }
        let summary = finished.and_then(|summary| drawn.map(|_| summary)).inspect_err(|error| keeper.fail(error))?;
        keeper.end(State::Done, summary.stopped_early.clone())?;
        self.run.remove_checkpoints()?;
        Ok(Finished { run: self.run.clone(), summary, seconds: self.start.elapsed().as_secs_f64() })
    }

    fn train_and_test(
        &self,
        departure: Departure,
        display: &Display,
        keeper: &mut StatusKeeper<'_>,
    ) -> Result<Summary, Error> {
        let Prepared { experiment, backend, files, base, data, model, fingerprint, .. } = self.prepared;
        introduce(display, experiment, backend, data, model);
        let loaders = data.loaders(experiment);
        let mut log = self.run.metrics_log(&departure.metrics)?;
        let setting = &experiment.training.checkpoint;
        let mut saver = Saver::new(self.run, self.watch, setting, fingerprint.clone(), self.start, &departure);
        let planned = experiment.phases.iter().map(|phase| phase.epochs).sum();
        let trained = train::train(departure.state, &loaders, experiment, backend, &mut |event| {
            display.show(&event, planned);
            match event {
                Event::Step(step) => saver.step(step.state, &log),
                Event::Validating(state) => saver.stop_if_asked(state, &log),
                Event::Epoch { row, state, .. } => {
                    log.append(row)?;
                    keeper.epoch_done(row.epoch)?;
                    // A loss that is no number ends training; that is no place to go on from.
                    let is_sound = row.valid_loss.is_none_or(f64::is_finite);
                    if is_sound { saver.epoch(state, &log) } else { Ok(()) }
                }
                Event::Diverged(state) => self.keep_best(state),
            }
        })?;
        display.finish();

        let test_start = Instant::now();
        let mut extraction_seconds = 0.0;
        let (test, loader) = transfer::test_data(base.as_ref(), files, experiment, data, &mut |extraction| {
            extraction_seconds = extraction.seconds;
            display.extraction(extraction);
            saver.stop_if_asked(&trained.state, &log)
        })?;
        display.finish();
        let predictions =
            evaluate_watched(&trained.model, &loader, 0, &backend.device, &Loss::evaluation(experiment), &mut || {
                saver.stop_if_asked(&trained.state, &log)
            })?;
        let loss = predictions.tally.loss();
        if !loss.is_finite() {
            // The weights grew beyond use in the very last steps: nothing here is worth keeping but an earlier best.
            self.keep_best(&trained.state)?;
            let (epoch, row) = (trained.chosen_epoch, trained.rows.last());
            let learning_rate = row.map_or(0.0, |row| row.learning_rate);
            let step = loaders.last().map_or(0, |loaders| loaders.train.num_batches());
            return Err(Error::Diverged { epoch, step, loss, learning_rate });
        }
        self.run.write_weights(&models::to_safetensors(&trained.model)?)?;
        let outcome = outcome::Outcome {
            experiment,
            backend,
            data,
            test: &test,
            trained: &trained,
            predictions: &predictions,
            model,
        };
        let times = outcome::Spent {
            test: test_start.elapsed().as_secs_f64(),
            checkpoints: saver.checkpoint_seconds(),
            features: base.as_ref().map(|_| self.prepared.extraction_seconds + extraction_seconds),
            total: saver.seconds(),
        };
        outcome.write(self.run, &times)
    }

    /// Writes the best weights of a run that diverges, if there are any.
    fn keep_best(&self, state: &train::State) -> Result<(), Error> {
        let Some(best) = state.selection().best() else { return Ok(()) };
        match models::to_safetensors(&best.model) {
            Ok(bytes) => {
                self.run.write_best_weights(&bytes)?;
                tracing::warn!("the weights of epoch {}, the best so far, are kept in best.safetensors", best.epoch);
                Ok(())
            }
            // Weights that gave a finite loss on all validation images may still hold a number that is none.
            Err(models::WeightsError::NonFinite { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn introduce(
    display: &Display,
    experiment: &Experiment,
    backend: &Backend,
    data: &TrainingData,
    model: &models::Summary,
) {
    display.say(&tables::model(experiment.model.name(), model));
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

fn run_name(request: &Request<'_>, backend: &Backend) -> RunName {
    request.run_name.map_or_else(
        || {
            let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
            let seed = request.resolved.experiment.training.seed;
            RunName::Generated(format!("{time}-{}-s{seed}", backend.name))
        },
        |name| RunName::Given(name.to_owned()),
    )
}
