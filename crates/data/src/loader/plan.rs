//! What an epoch consists of, and how one of its batches is made.

use std::sync::Arc;

use crate::{
    augment::{self, Augmenter, DrawKey},
    dataset::Dataset,
    features::Features,
    normalize::Normalizer,
    resize::Resize,
};

/// Where samples come from, and what happens to them on their way into a batch.
#[derive(Clone, Debug)]
pub(super) enum Preparation {
    Images(Box<Images>),
    /// As they are.
    Features(Arc<Features>),
}

/// Images, and in this order what is done to each.
#[derive(Clone, Debug)]
pub(super) struct Images {
    pub(super) dataset: Arc<Dataset>,
    pub(super) augmentation: Option<(Augmenter, u64)>,
    pub(super) resize: Option<Resize>,
    pub(super) normalizer: Arc<Normalizer>,
}

impl Preparation {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Images(images) => images.dataset.len(),
            Self::Features(features) => features.len(),
        }
    }
}

impl Images {
    /// Height and width before and after resizing.
    fn sizes(&self) -> [(usize, usize); 2] {
        let from = (self.dataset.height(), self.dataset.width());
        [from, self.resize.as_ref().map_or(from, Resize::size)]
    }
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
    /// `[labels.len(), channels, height, width]`, flat.
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

    /// Channels, height and width of a sample.
    pub(super) fn shape(&self) -> [usize; 3] {
        match &*self.preparation {
            Preparation::Images(images) => {
                let [_, (height, width)] = images.sizes();
                [images.normalizer.channels(), height, width]
            }
            Preparation::Features(features) => features.shape(),
        }
    }

    /// Makes batch number `batch`, which depends on nothing but the plan.
    pub(super) fn prepare(&self, batch: usize) -> Prepared {
        let start = batch * self.batch_size;
        let end = (start + self.batch_size).min(self.indices.len());
        let indices = &self.indices[start..end];
        match &*self.preparation {
            Preparation::Images(images) => self.images(images, indices),
            Preparation::Features(features) => Prepared {
                pixels: indices.iter().flat_map(|&index| features.row(index)).copied().collect(),
                labels: indices.iter().map(|&index| features.label(index)).collect(),
            },
        }
    }

    fn images(&self, images: &Images, indices: &[usize]) -> Prepared {
        let Images { dataset, augmentation, resize, normalizer } = images;
        let mut augmentation = augmentation.clone();
        let [from, to] = images.sizes().map(|(height, width)| height * width);
        let size = to * normalizer.channels();
        let mut pixels = vec![0.0; indices.len() * size];
        let (mut raw, mut resized) = (vec![0.0; from], vec![0.0; to]);
        for (&index, out) in indices.iter().zip(pixels.chunks_exact_mut(size)) {
            let image = dataset.image(index);
            if let Some((augmenter, seed)) = &mut augmentation {
                let key = DrawKey { seed: *seed, epoch: self.epoch, index: index as u64 };
                augmenter.apply(key, image, &mut raw);
            } else {
                augment::unvaried(image, &mut raw);
            }
            let mut image = &raw;
            if let Some(resize) = resize {
                resize.apply(image, &mut resized);
                image = &resized;
            }
            normalizer.apply(image, out);
        }
        Prepared { pixels, labels: indices.iter().map(|&index| dataset.label(index)).collect() }
    }
}
