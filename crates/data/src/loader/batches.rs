//! The batches of one epoch, from worker threads through bounded channels, in order.

use std::{
    panic,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
};

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{
    LoaderConfig,
    plan::{Plan, Prepared},
};

/// Samples that are trained on or evaluated together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Normalised pixels, or features.
    ///
    /// # Shapes
    ///
    /// `[batch, channels, height, width]`
    pub images: Tensor<4>,
    /// Classes.
    ///
    /// # Shapes
    ///
    /// `[batch]`
    pub targets: Tensor<1, Int>,
    /// The same classes on the host, where counting them costs no transfer.
    pub labels: Vec<u8>,
}

/// An iterator over the batches of one epoch.
///
/// # Panics
///
/// [`next`](Iterator::next) goes on with the panic of a worker that panicked.
#[derive(Debug)]
pub struct Batches {
    plan: Arc<Plan>,
    /// The batch that the first worker starts with.
    first: usize,
    next: usize,
    workers: Vec<Worker>,
    device: Device,
}

/// A thread that prepares every `workers`-th batch.
#[derive(Debug)]
struct Worker {
    prepared: Receiver<Prepared>,
    thread: JoinHandle<()>,
}

impl Batches {
    pub(super) fn start(plan: Plan, skipped: usize, config: &LoaderConfig, device: Device) -> Self {
        let plan = Arc::new(plan);
        let next = skipped.min(plan.num_batches());
        let count = config.workers.min(plan.num_batches() - next);
        let worker = |index| Worker::start(Arc::clone(&plan), next + index, count, config.prefetch);
        Self { next, workers: (0..count).map(worker).collect(), first: next, plan, device }
    }

    fn prepared(&mut self, batch: usize) -> Prepared {
        if self.workers.is_empty() {
            return self.plan.prepare(batch);
        }
        let worker = (batch - self.first) % self.workers.len();
        if let Ok(prepared) = self.workers[worker].prepared.recv() {
            return prepared;
        }
        // A worker hangs up before its last batch only if it panics. There is nothing to go on with then.
        self.next = self.plan.num_batches();
        match self.workers.swap_remove(worker).thread.join() {
            Err(payload) => panic::resume_unwind(payload),
            Ok(()) => unreachable!("a worker sends all of its batches"),
        }
    }
}

impl Worker {
    fn start(plan: Arc<Plan>, first: usize, step: usize, prefetch: usize) -> Self {
        let (sender, prepared) = mpsc::sync_channel(prefetch);
        let thread = thread::Builder::new()
            .name(format!("loader-{}", first % step))
            .spawn(move || {
                for batch in (first..plan.num_batches()).step_by(step) {
                    // Nobody listens any more: the epoch was left early.
                    if sender.send(plan.prepare(batch)).is_err() {
                        break;
                    }
                }
            })
            .expect("the system starts another thread");
        Self { prepared, thread }
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next == self.plan.num_batches() {
            return None;
        }
        let Prepared { pixels, labels } = self.prepared(self.next);
        self.next += 1;

        let [channels, height, width] = self.plan.shape();
        let images = TensorData::new(pixels, [labels.len(), channels, height, width]);
        let targets = labels.iter().map(|&label| i32::from(label)).collect();
        let targets = TensorData::new(targets, [labels.len()]);
        Some(Batch {
            images: Tensor::from_data(images, &self.device),
            targets: Tensor::from_data(targets, &self.device),
            labels,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.plan.num_batches() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

impl Drop for Batches {
    fn drop(&mut self) {
        // Hang up on all workers first, so that they stop together.
        let threads: Vec<_> = self.workers.drain(..).map(|worker| worker.thread).collect();
        for thread in threads {
            // A panic here belongs to a batch that nobody asked for.
            let _ = thread.join();
        }
    }
}
