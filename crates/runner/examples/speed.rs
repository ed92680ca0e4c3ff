//! Times what the runner does with an experiment, with its own loaders, model, loop and optimizer.
//!
//! `speed EXPERIMENT step|epoch|loader|inference|profile [KEY=VALUE …]` reads numbers from standard input, one a
//! line. For a number it does so many steps, epochs, epochs of the loader alone, or passes over the test images, and
//! answers with a line of JSON: their milliseconds, the images of each, and the most memory the process has had so
//! far. In between it waits, so that another program can be timed in turn. It ends with its input. A profile is of
//! steps, after a few that are not counted: the milliseconds that each of the kernels takes of one.
//!
//! `speed peak` does the same with products of two square matrices.

#![expect(clippy::cast_precision_loss, reason = "counts here are small")]

use std::{
    env, io,
    path::Path,
    time::{Duration, Instant},
};

use data::{DataFiles, LocateOptions};
use kernels::{Activation, Isa, Workspace, dense, profile};
use runner::{
    backend::{self, Backend},
    error::Error,
    evaluate::evaluate,
    experiment::{self, Augmentation, Experiment, Overrides, Phase},
    loss::Loss,
    pipeline::{self, TrainingData},
    train::{self, Event, PhaseLoaders, State},
};
use serde_json::json;

/// Epochs that nobody waits for: the input ends earlier. Not more, since a schedule adds them up at every step.
const ENDLESS: usize = 1_000;

/// Side of the matrices that `peak` multiplies.
const SIDE: usize = 1536;

fn main() -> Result<(), Error> {
    backend::use_threads(None)?;
    let mut arguments = env::args().skip(1);
    let file = arguments.next().ok_or_else(usage)?;
    if file == "peak" {
        return peak();
    }
    let what = arguments.next().ok_or_else(usage)?;
    let overrides = Overrides { set: arguments.collect(), ..Overrides::default() };
    let mut experiment = experiment::load(Path::new(&file), &overrides)?.experiment;
    let augment = if what == "epoch" || what == "loader" { Augmentation::On } else { Augmentation::Off };
    let steps_per_epoch = experiment.phases.last().and_then(|phase| phase.steps_per_epoch);
    experiment.phases = vec![Phase { name: what.clone(), epochs: ENDLESS, augment, steps_per_epoch }];
    match what.as_str() {
        "step" | "epoch" | "profile" => training(&experiment, &what),
        "loader" => loading(&experiment),
        "inference" => inference(&experiment),
        _ => Err(usage()),
    }
}

fn usage() -> Error {
    Error::Usage("usage: speed EXPERIMENT step|epoch|loader|inference|profile [KEY=VALUE …], or: speed peak".to_owned())
}

/// What a line of the input asks for; none at its end.
fn asked() -> Option<usize> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).ok().filter(|&bytes| bytes > 0)?;
    line.trim().parse().ok()
}

/// Steps before a profile.
const WARM_UP: usize = 30;

/// Measurements until there are as many as were asked for.
struct Stopwatch {
    wanted: usize,
    /// Of one image forward: of all layers, and of the first one with any.
    multiply_adds: [u64; 2],
    times: Vec<f64>,
    start: Instant,
}

impl Stopwatch {
    /// Waits for the first line.
    fn new() -> Option<Self> {
        Some(Self { wanted: asked()?, multiply_adds: [0; 2], times: Vec::new(), start: Instant::now() })
    }

    /// Ends one measurement of so many images; after the last one waits for the next line.
    fn lap(&mut self, images: usize) -> Option<()> {
        self.times.push(self.start.elapsed().as_secs_f64() * 1e3);
        if self.times.len() >= self.wanted {
            let [all, first] = self.multiply_adds;
            let answer = json!({
                "milliseconds": self.times,
                "images": images,
                "peak_bytes": peak_bytes(),
                "multiply_adds": all,
                "first_multiply_adds": first,
            });
            println!("{answer}");
            self.times.clear();
            self.wanted = asked()?;
        }
        self.start = Instant::now();
        Some(())
    }
}

/// What the kernels take of some steps.
#[derive(Default)]
struct Profile {
    wanted: usize,
    steps: usize,
    start: Option<Instant>,
}

impl Profile {
    /// Ends a step; nothing after the last one.
    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        if self.steps == WARM_UP {
            profile::start();
            self.start = Some(Instant::now());
        }
        if self.steps < WARM_UP + self.wanted {
            return Some(());
        }
        let per_step = |time: Duration| time.as_secs_f64() * 1e3 / self.wanted as f64;
        let parts: Vec<_> = profile::finish().into_iter().map(|(name, part)| (name, per_step(part.time))).collect();
        println!("{}", json!({ "milliseconds": per_step(self.start?.elapsed()), "parts": parts }));
        None
    }
}

/// Multiply-adds of one image forward: of all layers, and of the first one with any.
fn multiply_adds(experiment: &Experiment, data: &TrainingData) -> Result<[u64; 2], Error> {
    let summary = experiment.model.summary(data.input_shape(), data.dataset.num_classes());
    let summary = summary.map_err(|fault| Error::Usage(fault.to_string()))?;
    let first = summary.layers.iter().map(|layer| layer.multiply_adds).find(|&count| count > 0);
    Ok([summary.totals().multiply_adds, first.unwrap_or(0)])
}

/// The most memory that the process has had, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}

/// What every measurement of an experiment needs.
fn opened(experiment: &Experiment) -> Result<(Backend, DataFiles, TrainingData), Error> {
    let backend = backend::select(experiment.training.backend)?;
    let files = pipeline::locate(&experiment.data, LocateOptions::default())?;
    let data = TrainingData::load(&files, &experiment.data)?;
    Ok((backend, files, data))
}

fn training(experiment: &Experiment, what: &str) -> Result<(), Error> {
    let (backend, _, data) = opened(experiment)?;
    let loaders: Vec<PhaseLoaders> =
        data.loaders(experiment).into_iter().map(|loaders| PhaseLoaders { valid: None, ..loaders }).collect();
    let model = experiment
        .model
        .init_seeded(data.input_shape(), data.dataset.num_classes(), experiment.training.seed)
        .with_kernels(experiment.training.kernels);
    let (batch, epoch) = (experiment.training.batch_size, loaders[0].train.len_samples());
    let Some(mut stopwatch) = Stopwatch::new() else { return Ok(()) };
    stopwatch.multiply_adds = multiply_adds(experiment, &data)?;
    let mut profile = Profile { wanted: stopwatch.wanted, ..Profile::default() };
    let ended = train::train(State::new(model, experiment, &backend), &loaders, experiment, &backend, &mut |event| {
        let lap = match event {
            Event::Step(_) if what == "step" => stopwatch.lap(batch),
            Event::Step(_) if what == "profile" => profile.step(),
            Event::Epoch { .. } if what == "epoch" => stopwatch.lap(epoch),
            _ => Some(()),
        };
        lap.ok_or_else(|| Error::Usage(String::new()))
    });
    match ended {
        // The input has ended.
        Err(Error::Usage(_)) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Training images as the loop gets them, with nobody to train.
fn loading(experiment: &Experiment) -> Result<(), Error> {
    let (backend, _, data) = opened(experiment)?;
    let loaders = data.loaders(experiment);
    let Some(mut stopwatch) = Stopwatch::new() else { return Ok(()) };
    for epoch in 1.. {
        let images = loaders[0].train.epoch(epoch, &backend.device).map(|batch| batch.labels.len()).sum();
        if stopwatch.lap(images).is_none() {
            break;
        }
    }
    Ok(())
}

fn inference(experiment: &Experiment) -> Result<(), Error> {
    let (backend, files, data) = opened(experiment)?;
    let (test, loader) = pipeline::test_data(&files, experiment, &data)?;
    let model = experiment
        .model
        .init_seeded(data.input_shape(), data.dataset.num_classes(), experiment.training.seed)
        .with_kernels(experiment.training.kernels);
    let model = burn::module::Module::fork(model, &backend.device);
    let Some(mut stopwatch) = Stopwatch::new() else { return Ok(()) };
    loop {
        let _ = evaluate(&model, &loader, 0, &backend.device, &Loss::evaluation(experiment));
        if stopwatch.lap(test.len()).is_none() {
            return Ok(());
        }
    }
}

/// A dense layer without anything around it is a product of matrices.
fn peak() -> Result<(), Error> {
    let block = dense::DenseBlock { inputs: SIDE, pixels: 1, outputs: SIDE, activation: Activation::Identity };
    let (input, weight) = (vec![0.5; SIDE * SIDE], vec![0.25; SIDE * SIDE]);
    let bias = vec![0.0; SIDE];
    let mut output = vec![0.0; SIDE * SIDE];
    let mut workspace = Workspace::new();
    let Some(mut stopwatch) = Stopwatch::new() else { return Ok(()) };
    loop {
        let slices = dense::Forward { input: &input, weight: &weight, bias: &bias, dropout: None, output: &mut output };
        block.forward(Isa::detect(), slices, &mut workspace);
        if stopwatch.lap(SIDE).is_none() {
            return Ok(());
        }
    }
}
