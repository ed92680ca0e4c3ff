//! What an epoch consists of, and how one of its batches is made.

use std::sync::Arc;

use crate::{
    augment::{Augmenter, DrawKey},
    dataset::Dataset,
    normalize::Normalizer,
};

/// What happens to a sample on its way into a batch.
#[derive(Debug)]
pub(super) struct Preparation {
    pub(super) dataset: Arc<Dataset>,
    pub(super) normalizer: Arc<Normalizer>,
    pub(super) augmentation: Option<(Augmenter, u64)>,
}

/// The samples of one epoch in their order, cut into batches.
#[derive(Debug)]
pub(super) struct Plan {
    preparation: Arc<Preparation>,
    indices: Vec<usize>,
    epoch: u64,
    batch_size: usize,
}

/// A batch in plain memory.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `[labels.len(), 1, height, width]`, flat.
    pub(super) pixels: Vec<f32>,
    pub(super) labels: Vec<u8>,
}

impl Plan {
    pub(super) fn new(preparation: Arc<Preparation>, indices: Vec<usize>, epoch: u64, batch_size: usize) -> Self {
        Self { preparation, indices, epoch, batch_size }
    }

    pub(super) fn num_batches(&self) -> usize {
        self.indices.len().div_ceil(self.batch_size)
    }

    /// Height and width of an image.
    pub(super) fn image_size(&self) -> (usize, usize) {
        let dataset = &self.preparation.dataset;
        (dataset.height(), dataset.width())
    }

    /// Makes batch number `batch`, which depends on nothing but the plan.
    pub(super) fn prepare(&self, batch: usize) -> Prepared {
        let Preparation { dataset, normalizer, augmentation } = &*self.preparation;
        let start = batch * self.batch_size;
        let end = (start + self.batch_size).min(self.indices.len());
        let indices = &self.indices[start..end];

        let size = dataset.height() * dataset.width();
        let mut pixels = vec![0.0; indices.len() * size];
        let (mut raw, mut augmented) = (vec![0.0; size], vec![0.0; size]);
        for (&index, out) in indices.iter().zip(pixels.chunks_exact_mut(size)) {
            for (raw, &pixel) in raw.iter_mut().zip(dataset.image(index)) {
                *raw = f32::from(pixel);
            }
            if let Some((augmenter, seed)) = augmentation {
                let key = DrawKey { seed: *seed, epoch: self.epoch, index: index as u64 };
                augmenter.apply(key, &raw, &mut augmented);
                normalizer.apply(&augmented, out);
            } else {
                normalizer.apply(&raw, out);
            }
        }
        Prepared { pixels, labels: indices.iter().map(|&index| dataset.label(index)).collect() }
    }
}
