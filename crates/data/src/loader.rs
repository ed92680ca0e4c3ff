//! Batches, prepared ahead of the training step.
//!
//! Workers turn bytes into augmented, normalised `f32` pixels; tensors are made on the thread that asks
//! for batches, on the device that it names. Batch `i` of an epoch is worker `i % workers`'s, and batches
//! are handed out in order, so the number of workers changes nothing but the time it takes. Knows no
//! model and no metric.

mod batches;
mod plan;

use std::sync::Arc;

use burn::tensor::Device;

pub use batches::{Batch, Batches};

use crate::{
    augment::Augmenter,
    dataset::Dataset,
    features::Features,
    normalize::Normalizer,
    random::{Domain, Stream},
    resize::Resize,
};
use plan::{Images, Plan, Preparation};

/// The order of samples within an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As given, in every epoch.
    #[default]
    Sequential,
    /// Shuffled anew for every epoch.
    Shuffled {
        /// Seed of the order, which is a function of this and the epoch.
        seed: u64,
    },
}

/// How samples become batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Samples in a batch; the last one of an epoch may have fewer.
    pub batch_size: usize,
    /// Threads that prepare batches; 0 prepares them in the thread that asks.
    pub workers: usize,
    /// Batches that each worker keeps ready beyond the one it is preparing.
    pub prefetch: usize,
    /// Order of the samples.
    pub order: Order,
    /// The most batches in an epoch; none for as many as there are.
    pub steps: Option<usize>,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self { batch_size: 32, workers: 1, prefetch: 2, order: Order::Sequential, steps: None }
    }
}

/// Some samples of a data set, ready to be served epoch by epoch.
#[derive(Clone, Debug)]
pub struct Loader {
    preparation: Arc<Preparation>,
    indices: Vec<usize>,
    config: LoaderConfig,
}

impl Loader {
    /// A loader for the samples at `indices`.
    ///
    /// `augmentation` varies every image, with draws from the seed beside it.
    ///
    /// # Panics
    ///
    /// If the batch size is zero, or there is no sample at one of `indices`.
    #[must_use]
    pub fn new(
        dataset: Arc<Dataset>,
        indices: Vec<usize>,
        normalizer: Arc<Normalizer>,
        augmentation: Option<(Augmenter, u64)>,
        config: LoaderConfig,
    ) -> Self {
        let images = Images { dataset, augmentation, resize: None, normalizer };
        Self::serving(Preparation::Images(Box::new(images)), indices, config)
    }

    /// A loader for features, at rows `indices`, as they are. They take the place of images in its batches.
    ///
    /// # Panics
    ///
    /// If the batch size is zero, or there is no row at one of `indices`.
    #[must_use]
    pub fn of_features(features: Arc<Features>, indices: Vec<usize>, config: LoaderConfig) -> Self {
        Self::serving(Preparation::Features(features), indices, config)
    }

    /// Resizes images, after augmentation and before normalisation, to this height and width.
    ///
    /// # Panics
    ///
    /// If the loader serves features, or a size is zero.
    #[must_use]
    pub fn resized(mut self, to: (usize, usize)) -> Self {
        let Preparation::Images(images) = Arc::make_mut(&mut self.preparation) else {
            panic!("features cannot be resized");
        };
        assert!(to.0 > 0 && to.1 > 0, "an image has at least one pixel");
        images.resize = Some(Resize::new((images.dataset.height(), images.dataset.width()), to));
        self
    }

    fn serving(preparation: Preparation, indices: Vec<usize>, config: LoaderConfig) -> Self {
        assert!(config.batch_size > 0, "a batch has at least one sample");
        assert!(indices.iter().all(|&index| index < preparation.len()), "every index has a sample");
        Self { preparation: Arc::new(preparation), indices, config }
    }

    /// Number of samples in an epoch.
    #[must_use]
    pub fn len_samples(&self) -> usize {
        self.indices.len().min(self.num_batches() * self.config.batch_size)
    }

    /// Number of batches in an epoch.
    #[must_use]
    pub fn num_batches(&self) -> usize {
        let batches = self.indices.len().div_ceil(self.config.batch_size);
        self.config.steps.map_or(batches, |steps| batches.min(steps))
    }

    /// The batches of one epoch, with tensors on `device`.
    ///
    /// The same `epoch` gives the same batches, whatever was asked for before. Dropping the iterator
    /// stops its workers.
    #[must_use]
    pub fn epoch(&self, epoch: u64, device: &Device) -> Batches {
        self.epoch_from(epoch, 0, device)
    }

    /// The batches of one epoch without its first `skipped`, which are not prepared: how an epoch that was left
    /// in the middle goes on.
    #[must_use]
    pub fn epoch_from(&self, epoch: u64, skipped: usize, device: &Device) -> Batches {
        let mut indices = match self.config.order {
            Order::Sequential => self.indices.clone(),
            Order::Shuffled { seed } => Stream::keyed(Domain::Shuffle, &[seed, epoch])
                .permutation(self.indices.len())
                .into_iter()
                .map(|position| self.indices[position])
                .collect(),
        };
        indices.truncate(self.len_samples());
        let plan = Plan::new(Arc::clone(&self.preparation), indices, epoch, self.config.batch_size);
        Batches::start(plan, skipped, &self.config, device.clone())
    }
}
