//! From images to features, chunk by chunk: from the cache, or through the base and into the cache.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use data::{Dataset, Features, Loader, LoaderConfig, Normalizer, Part};
use models::{Extractor, InputShape};

use super::{
    Extraction, FrozenBase, Observer,
    cache::{Cache, Lock},
};
use crate::{error::Error, experiment::DataConfig, pipeline};

/// Images of a chunk: so many are lost at most when a run is killed.
const CHUNK: usize = 256;
/// Pixels that go through the base at once, and bounds of the number of images that they make up. The first layers
/// take half a kilobyte for each.
const BATCH_PIXELS: usize = 1 << 18;
const MAX_BATCH: usize = 64;

/// One part of a data set, with how its images are prepared.
pub(super) struct Images<'a> {
    part: Part,
    dataset: &'a Arc<Dataset>,
    normalizer: &'a Arc<Normalizer>,
    config: &'a DataConfig,
}

impl<'a> Images<'a> {
    pub(super) fn new(
        part: Part,
        dataset: &'a Arc<Dataset>,
        normalizer: &'a Arc<Normalizer>,
        config: &'a DataConfig,
    ) -> Self {
        Self { part, dataset, normalizer, config }
    }

    /// What the base sees.
    pub(super) fn shape(&self) -> InputShape {
        let (height, width) = (self.dataset.height(), self.dataset.width());
        self.config.prepared_shape(InputShape { channels: self.dataset.channels(), height, width })
    }

    /// Name of a chunk in the cache.
    fn name(&self, chunk: usize) -> String {
        let part = match self.part {
            Part::Train => "train",
            Part::Test => "test",
        };
        format!("{part}-{chunk:05}")
    }

    /// The samples of a chunk.
    fn samples(&self, chunk: usize) -> std::ops::Range<usize> {
        chunk * CHUNK..((chunk + 1) * CHUNK).min(self.dataset.len())
    }

    fn loader(&self, chunk: usize) -> Loader {
        let InputShape { height, width, .. } = self.shape();
        let config = LoaderConfig {
            batch_size: (BATCH_PIXELS / (height * width)).clamp(1, MAX_BATCH),
            workers: self.config.workers,
            ..LoaderConfig::default()
        };
        pipeline::image_loader(self.dataset, self.samples(chunk).collect(), self.normalizer, None, self.config, config)
    }
}

/// The features of the samples `wanted`, in this order.
pub(super) fn features(
    base: &FrozenBase,
    shape: [usize; 3],
    images: &Images<'_>,
    wanted: &[usize],
    observe: &mut Observer<'_>,
) -> Result<Features, Error> {
    let cache = Cache { folder: &base.folder, key: &base.record.key, shape };
    let len: usize = shape.iter().product();
    let mut values = vec![0.0; wanted.len() * len];
    let mut positions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, &sample) in wanted.iter().enumerate() {
        positions.entry(sample / CHUNK).or_default().push(position);
    }

    let missing = positions.keys().filter(|&&chunk| !cache.path(&images.name(chunk)).exists());
    let total = missing.map(|&chunk| images.samples(chunk).len()).sum();
    let mut progress = Extraction { part: images.part, done: 0, total, seconds: 0.0 };
    let mut tools = Tools::default();
    for (chunk, positions) in positions {
        let samples = images.samples(chunk);
        let name = images.name(chunk);
        let rows = match cache.read(&name, samples.len())? {
            Some(rows) => rows,
            None => computed(base, &cache, images, chunk, &mut tools, &mut progress, observe)?,
        };
        for position in positions {
            let row = wanted[position] - samples.start;
            values[position * len..][..len].copy_from_slice(&rows[row * len..][..len]);
        }
    }
    let labels = wanted.iter().map(|&sample| images.dataset.label(sample)).collect();
    Ok(Features::new(values, labels, shape))
}

/// What computing needs, once there is something to compute.
#[derive(Default)]
struct Tools {
    lock: Option<Lock>,
    extractor: Option<Extractor>,
}

/// Computes the features of a chunk and keeps them, unless another process has done so in the meantime.
fn computed(
    base: &FrozenBase,
    cache: &Cache<'_>,
    images: &Images<'_>,
    chunk: usize,
    Tools { lock, extractor }: &mut Tools,
    progress: &mut Extraction,
    observe: &mut Observer<'_>,
) -> Result<Vec<f32>, Error> {
    let name = images.name(chunk);
    let samples = images.samples(chunk);
    let lock = match lock {
        Some(lock) => &*lock,
        None => lock.insert(cache.lock(&mut || observe(*progress))?),
    };
    if let Some(rows) = cache.read(&name, samples.len())? {
        progress.done += samples.len();
        observe(*progress)?;
        return Ok(rows);
    }
    let extractor = extractor.get_or_insert_with(|| base.module.clone().extractor(images.shape(), &base.device));
    let len: usize = cache.shape.iter().product();
    let mut rows = Vec::with_capacity(samples.len() * len);
    let mut since = Instant::now();
    for batch in images.loader(chunk).epoch(0, &base.device) {
        let features = extractor.forward(batch.images);
        assert_eq!(features.len(), batch.labels.len() * len, "the base makes what its plan says");
        rows.extend(features);
        progress.done += batch.labels.len();
        progress.total = progress.total.max(progress.done);
        progress.seconds += since.elapsed().as_secs_f64();
        observe(*progress)?;
        since = Instant::now();
    }
    if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
        let path = std::path::PathBuf::from(&base.record.weights);
        let message = format!("expected finite features, found {} in a chunk of {name}", rows[at]);
        return Err(Error::Pretrained { path, message });
    }
    cache.write(lock, &name, &rows)?;
    Ok(rows)
}
