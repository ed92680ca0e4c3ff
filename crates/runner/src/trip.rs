//! One trip: from a resolved experiment to a finished run directory.
//!
//! Decides the order of the stations and nothing else: each is a module of its own. Knows no command line
//! and prints only through the display it is given.

mod outcome;
mod status;
pub mod xor;

use std::{path::Path, time::Instant};

use data::LocateOptions;

use self::status::StatusKeeper;
use crate::{
    backend::{self, Backend, Timing},
    error::Error,
    evaluate::evaluate,
    experiment::{BackendName, Experiment, Resolved},
    loss::Loss,
    pipeline::{self, TrainingData},
    progress::Display,
    provenance::Environment,
    report::{self, Formats},
    run_dir::{RunDir, RunName, State, Summary},
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
    /// How data are looked for.
    pub locate: LocateOptions,
    /// What figures are written as.
    pub formats: Formats,
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
    let experiment = &request.resolved.experiment;
    let backend = backend::select(experiment.training.backend)?;
    let files = pipeline::locate(&experiment.data, request.locate.clone())?;
    let base = FrozenBase::open(experiment, &files, &backend, &request.locate)?;
    let data = TrainingData::load(&files, &experiment.data)?;
    let model = experiment
        .model
        .summary(data.input_shape(), data.dataset.num_classes())
        .map_err(|fault| request.resolved.invalid(&format!("model.{}", fault.field), &fault.message))?;

    let data = transfer::training_data(base.as_ref(), data, experiment, &mut |extraction| {
        display.extraction(extraction);
        Ok(())
    })?;

    let run = RunDir::create(request.results_dir, &experiment.name, &run_name(request, &backend))?;
    let mut keeper = StatusKeeper::start(&run, experiment)?;
    let (base, backend, files) = (base.as_ref(), &backend, &files);
    let trip = Trip { request, experiment, backend, files, base, data: &data, model: &model, run: &run };
    let finished = trip.train_and_test(display, &mut keeper, start);
    display.finish();
    // After a failure, too: what was computed can be looked at.
    let drawn = report::draw(&run, request.formats);
    if let (Err(_), Err(second)) = (&finished, &drawn) {
        tracing::warn!("{second}");
    }
    let summary = finished.and_then(|summary| drawn.map(|_| summary)).inspect_err(|error| keeper.fail(error))?;
    keeper.end(State::Done, summary.stopped_early.clone())?;
    Ok(Finished { run, summary, seconds: start.elapsed().as_secs_f64() })
}

/// What a trip needs once everything is checked and the run directory is there.
struct Trip<'a> {
    request: &'a Request<'a>,
    experiment: &'a Experiment,
    backend: &'a Backend,
    files: &'a data::DataFiles,
    base: Option<&'a FrozenBase>,
    data: &'a TrainingData,
    model: &'a models::Summary,
    run: &'a RunDir,
}

impl Trip<'_> {
    fn train_and_test(
        &self,
        display: &Display,
        keeper: &mut StatusKeeper<'_>,
        start: Instant,
    ) -> Result<Summary, Error> {
        let experiment = self.experiment;
        self.run.write_config(&self.request.resolved.to_toml())?;
        let features = self.base.map(|base| base.record().clone());
        let environment = Environment::gather(self.request.source, self.backend, self.files);
        self.run.write_environment(&Environment { features, ..environment })?;
        introduce(display, experiment, self.backend, self.data, self.model);

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
        let (test, loader) = transfer::test_data(self.base, self.files, experiment, self.data, &mut |extraction| {
            display.extraction(extraction);
            Ok(())
        })?;
        display.finish();
        let predictions = evaluate(&trained.model, &loader, 0, &self.backend.device, &Loss::evaluation(experiment));
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
            model: self.model,
        };
        let test_seconds = test_start.elapsed().as_secs_f64();
        outcome.write(self.run, test_seconds, start.elapsed().as_secs_f64())
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
