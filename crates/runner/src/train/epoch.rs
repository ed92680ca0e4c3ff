//! One epoch of training steps.

use std::time::Instant;

use burn::{
    optim::GradientsParams,
    tensor::{Device, Tensor},
};
use data::{Batch, Loader};

use super::{Event, Partial, State, Step};
use crate::{
    backend::Timing,
    error::Error,
    evaluate::host,
    experiment::{Experiment, GradientClipping, Monitor},
    loss::{Loss, half_class_mean},
    metrics::EpochRow,
    optimizer::{Update, clip_global_norm, squared_weights},
};

/// On queued backends, so many steps go by before their logits are read back: often enough for a live
/// display and an early word of divergence, seldom enough to keep the queue full.
const QUEUED_STEPS: usize = 16;

/// What stays the same from step to step.
pub(super) struct Trainer<'a> {
    /// Steps of every planned epoch.
    pub(super) clock: Vec<usize>,
    pub(super) experiment: &'a Experiment,
    /// The device with automatic differentiation.
    pub(super) device: Device,
    pub(super) timing: Timing,
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
    /// Trains on every batch that the epoch in progress has left; the row lacks its validation fields.
    pub(super) fn epoch(
        &self,
        state: &mut State,
        phase: &str,
        loader: &Loader,
        observe: &mut dyn FnMut(Event<'_>) -> Result<(), Error>,
    ) -> Result<EpochRow, Error> {
        let mut since = Instant::now();
        let loss = Loss::training(self.experiment, Update::on(&self.device, self.experiment.training.kernels));
        let l2 = self.experiment.optimizer.l2_penalty();
        let (epoch, epochs, steps) = (state.rows.len() + 1, self.clock.len(), loader.num_batches());
        let reading = match self.timing {
            Timing::Immediate => 1,
            Timing::Queued => QUEUED_STEPS,
        };
        let mut pending = Vec::with_capacity(reading);
        let done = state.partial.steps;

        for (step, batch) in (done + 1..).zip(loader.epoch_from(epoch as u64, done, &self.device)) {
            let learning_rate = self.learning_rate(state.step);
            pending.push(self.step(state, batch, &loss, step, learning_rate));
            if pending.len() == reading || step == steps {
                for Pending { logits, labels, step, learning_rate, squared_weights } in pending.drain(..) {
                    let outputs = host(logits);
                    let loss = state.partial.tally.add(&outputs, &labels, |row, target| loss.of_sample(row, target));
                    if let Some(sum) = squared_weights {
                        state.partial.error.add(half_class_mean(&outputs, &labels, l2, sum));
                    }
                    if !loss.is_finite() {
                        return Err(Error::Diverged { epoch, step, loss, learning_rate });
                    }
                }
                // What the observer takes is not part of training.
                let seconds = state.partial.seconds + since.elapsed().as_secs_f64();
                state.partial = Partial { steps: step, learning_rate, seconds, ..state.partial };
                let (loss, accuracy) = (state.partial.tally.loss(), state.partial.tally.accuracy());
                observe(Event::Step(Step { phase, epoch, epochs, step, steps, loss, accuracy, state }))?;
                since = Instant::now();
            }
        }

        let Partial { tally, learning_rate, seconds, error, .. } = state.partial;
        #[expect(clippy::cast_precision_loss, reason = "sample counts stay far below 2^52")]
        let images_per_second = tally.samples() as f64 / seconds;
        Ok(EpochRow {
            epoch,
            phase: phase.to_owned(),
            train_loss: tally.loss(),
            train_accuracy: tally.accuracy(),
            valid_loss: None,
            valid_accuracy: None,
            learning_rate,
            train_seconds: seconds,
            valid_seconds: 0.0,
            images_per_second,
            train_error: error.mean(),
        })
    }

    fn step(&self, state: &mut State, batch: Batch, loss: &Loss, step: usize, learning_rate: f64) -> Pending {
        // Dropout draws from the backend's one generator: seeding it per step makes the draw a function of
        // (seed, step), whatever else has drawn before.
        self.device.seed(step_seed(self.experiment.training.seed, state.step as u64));
        let model = state.model.take().expect("the optimizer has given the model back");
        let squared_weights = self.experiment.loss.monitor().map(|Monitor::HalfClassMean| squared_weights(&model));
        let logits = model.forward(batch.images);
        let gradients = loss.forward(logits.clone(), batch.targets, &batch.labels).backward();
        let mut gradients = GradientsParams::from_grads(gradients, &model);
        if let Some(GradientClipping::GlobalNorm(limit)) = &self.experiment.training.gradient_clipping {
            gradients = clip_global_norm(&model, gradients, limit.max);
        }
        state.model = Some(state.optimizer.step(learning_rate, model, gradients));
        state.step += 1;
        Pending { logits: logits.inner(), labels: batch.labels, step, learning_rate, squared_weights }
    }

    fn learning_rate(&self, step: usize) -> f64 {
        let base = self.experiment.optimizer.learning_rate();
        self.experiment.schedule.learning_rate(base, step, &self.clock)
    }
}

/// A seed for one step: `SplitMix64`'s finaliser (Steele et al. 2014) over the run's seed and the step.
fn step_seed(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_add(step.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
