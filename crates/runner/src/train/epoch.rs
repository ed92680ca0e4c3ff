//! One epoch of training steps.

use std::time::Instant;

use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Tensor},
};
use data::{Batch, Loader};
use models::Model;

use super::{Event, Step};
use crate::{
    backend::Timing,
    error::Error,
    evaluate::host,
    experiment::{Experiment, GradientClipping, Monitor},
    loss::{Loss, half_class_mean},
    metrics::{EpochRow, Tally},
    optimizer::{clip_global_norm, squared_weights},
};

/// On queued backends, so many steps go by before their logits are read back: often enough for a live
/// display and an early word of divergence, seldom enough to keep the queue full.
const QUEUED_STEPS: usize = 16;

/// What changes from step to step.
pub(super) struct Trainer<'a> {
    pub(super) model: Model,
    pub(super) optimizer: ModuleOptimizer,
    pub(super) experiment: &'a Experiment,
    /// The device with automatic differentiation.
    pub(super) device: Device,
    pub(super) timing: Timing,
    /// Steps of every planned epoch.
    pub(super) clock: Vec<usize>,
    /// Steps done over all phases.
    pub(super) step: usize,
}

/// A step whose logits have not been read yet.
struct Pending {
    logits: Tensor<2>,
    labels: Vec<u8>,
    step: usize,
    learning_rate: f64,
    /// Σw² before the step, where the monitor wants it.
    squared_weights: Option<f64>,
}

impl Trainer<'_> {
    /// Trains on every batch once; the row lacks its validation fields.
    pub(super) fn epoch(
        &mut self,
        epoch: usize,
        phase: &str,
        loader: &Loader,
        observe: &mut dyn FnMut(Event<'_>) -> Result<(), Error>,
    ) -> Result<EpochRow, Error> {
        let start = Instant::now();
        let loss = Loss::training(self.experiment);
        let l2 = self.experiment.optimizer.l2_penalty();
        let (epochs, steps) = (self.clock.len(), loader.num_batches());
        let reading = match self.timing {
            Timing::Immediate => 1,
            Timing::Queued => QUEUED_STEPS,
        };
        let mut tally = Tally::default();
        let mut pending = Vec::with_capacity(reading);
        let mut learning_rate = 0.0;
        let mut errors = Vec::new();

        for (index, batch) in loader.epoch(epoch as u64, &self.device).enumerate() {
            let step = index + 1;
            learning_rate = self.learning_rate();
            pending.push(self.step(batch, &loss, step, learning_rate));
            if pending.len() == reading || step == steps {
                for Pending { logits, labels, step, learning_rate, squared_weights } in pending.drain(..) {
                    let outputs = host(logits);
                    let loss = tally.add(&outputs, &labels, |row, target| loss.of_sample(row, target));
                    errors.extend(squared_weights.map(|sum| half_class_mean(&outputs, &labels, l2, sum)));
                    if !loss.is_finite() {
                        return Err(Error::Diverged { epoch, step, loss, learning_rate });
                    }
                }
                let (loss, accuracy) = (tally.loss(), tally.accuracy());
                observe(Event::Step(Step { phase, epoch, epochs, step, steps, loss, accuracy }))?;
            }
        }

        let train_seconds = start.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "sample counts stay far below 2^52")]
        let images_per_second = tally.samples() as f64 / train_seconds;
        Ok(EpochRow {
            epoch,
            phase: phase.to_owned(),
            train_loss: tally.loss(),
            train_accuracy: tally.accuracy(),
            valid_loss: None,
            valid_accuracy: None,
            learning_rate,
            train_seconds,
            valid_seconds: 0.0,
            images_per_second,
            train_error: mean(&errors),
        })
    }

    fn step(&mut self, batch: Batch, loss: &Loss, step: usize, learning_rate: f64) -> Pending {
        // Dropout draws from the backend's one generator: seeding it per step makes the draw a function of
        // (seed, step), whatever else has drawn before.
        self.device.seed(step_seed(self.experiment.training.seed, self.step as u64));
        let squared_weights = self.experiment.loss.monitor().map(|Monitor::HalfClassMean| squared_weights(&self.model));
        let logits = self.model.forward(batch.images);
        let gradients = loss.forward(logits.clone(), batch.targets).backward();
        let mut gradients = GradientsParams::from_grads(gradients, &self.model);
        if let Some(GradientClipping::GlobalNorm(limit)) = &self.experiment.training.gradient_clipping {
            gradients = clip_global_norm(&self.model, gradients, limit.max);
        }
        self.model = self.optimizer.step(learning_rate, self.model.clone(), gradients);
        self.step += 1;
        Pending { logits: logits.inner(), labels: batch.labels, step, learning_rate, squared_weights }
    }

    fn learning_rate(&self) -> f64 {
        let base = self.experiment.optimizer.learning_rate();
        self.experiment.schedule.learning_rate(base, self.step, &self.clock)
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "step counts stay far below 2^52")]
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// A seed for one step: `SplitMix64`'s finaliser (Steele et al. 2014) over the run's seed and the step.
fn step_seed(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_add(step.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
