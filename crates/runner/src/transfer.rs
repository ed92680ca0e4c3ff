//! Transfer learning: what a frozen base makes of images, computed once and kept in the user's cache.
//!
//! A run whose model is a `transfer` trains its head on features that take the place of images. They are computed
//! in chunks, each kept under a name that says everything it depends on, so that a killed run goes on where it
//! was, and another run with the same base and images computes nothing. Runs of other models pass through here
//! unchanged. Knows nothing of training.

mod cache;
mod extract;
mod key;
mod weights;

use std::{path::PathBuf, sync::Arc};

use burn::tensor::Device;
use data::{DataFiles, Dataset, Features, Loader, LoaderConfig, LocateOptions, Part};
use models::{InputShape, LayerOutput, ModelConfig, TransferConfig, UnknownLayer};
use serde::Serialize;

use self::extract::Images;
use crate::{
    backend::Backend,
    error::Error,
    experiment::Experiment,
    pipeline::{self, TrainingData},
};

/// How far the computation of features has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extraction {
    /// The part that the images are from.
    pub part: Part,
    /// Images done.
    pub done: usize,
    /// Images whose features were not in the cache.
    pub total: usize,
    /// Wall-clock seconds that those which this process has done took, image preparation included; neither reading nor
    /// writing the cache.
    pub seconds: f64,
}

/// Told after every batch; an error ends the computation, and what was kept stays.
pub type Observer<'a> = dyn FnMut(Extraction) -> Result<(), Error> + 'a;

/// A base with its weights, and where its features are kept.
#[derive(Debug)]
pub struct FrozenBase {
    config: TransferConfig,
    module: models::Base,
    device: Device,
    /// The folder of the features.
    folder: PathBuf,
    record: FeaturesRecord,
}

/// What the features of a run depend on, for `environment.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeaturesRecord {
    /// SHA-256 over everything that the features depend on; the name of their folder in the cache.
    pub key: String,
    /// File with the weights of the base.
    pub weights: String,
    /// SHA-256 of that file.
    pub weights_sha256: String,
}

impl FrozenBase {
    /// Reads the weights of the experiment's base, or fetches and then reads them; none if its model has no base.
    ///
    /// # Errors
    ///
    /// [`Error::Pretrained`] if a file is not to be had, cannot be read or does not hold the base; [`Error::Data`] if a
    /// named file is damaged or cannot be kept.
    pub fn open(
        experiment: &Experiment,
        files: &DataFiles,
        backend: &Backend,
        options: &LocateOptions,
    ) -> Result<Option<Self>, Error> {
        let ModelConfig::Transfer(config) = &experiment.model else { return Ok(None) };
        let (module, weights) = weights::open(config, options)?;
        let kernels = experiment.training.kernels;
        let key = key::key(&key::Dependencies { experiment, config, files, backend, weights_sha256: &weights.sha256 });
        let caches = data::cache_dir(options).ok_or(data::DataError::NoCacheDir)?;
        Ok(Some(Self {
            config: config.clone(),
            module: burn::module::Module::fork(module.with_kernels(kernels), &backend.device),
            device: backend.device.clone(),
            folder: caches.join("features").join(&key),
            record: FeaturesRecord { key, weights: weights.path.display().to_string(), weights_sha256: weights.sha256 },
        }))
    }

    /// What the features depend on.
    #[must_use]
    pub fn record(&self) -> &FeaturesRecord {
        &self.record
    }

    /// What layers of the base put out for some images, a batch of them at a time.
    pub fn activations(
        &self,
        (dataset, indices): (&Arc<Dataset>, &[usize]),
        training: &TrainingData,
        experiment: &Experiment,
        layers: &[&str],
    ) -> impl Iterator<Item = Result<Vec<LayerOutput>, UnknownLayer>> {
        // As many as go through the base at once where it is composed of Burn's operations.
        let config = LoaderConfig { batch_size: 8, ..LoaderConfig::default() };
        let normalizer = &training.normalizer;
        let loader = pipeline::image_loader(dataset, indices.to_vec(), normalizer, None, &experiment.data, config);
        loader.epoch(0, &self.device).map(move |batch| self.module.activations(batch.images, layers))
    }

    /// The features of some images, from the cache as far as they are there.
    fn features(&self, images: &Images<'_>, wanted: &[usize], observe: &mut Observer<'_>) -> Result<Features, Error> {
        let InputShape { channels, height, width } = self
            .config
            .features(images.shape())
            .map_err(|fault| Error::Usage(format!("model.{}: {}", fault.field, fault.message)))?;
        extract::features(self, [channels, height, width], images, wanted, observe)
    }
}

/// The training part of an experiment with a base: what it makes of the images takes their place. Without a base,
/// the images stay.
///
/// # Errors
///
/// [`Error::Io`] if the cache cannot be read or written; whatever `observe` returns.
pub fn training_data(
    base: Option<&FrozenBase>,
    data: TrainingData,
    experiment: &Experiment,
    observe: &mut Observer<'_>,
) -> Result<TrainingData, Error> {
    let Some(base) = base else { return Ok(data) };
    let images = Images::new(Part::Train, &data.dataset, &data.normalizer, &experiment.data);
    let wanted: Vec<usize> = data.train.iter().chain(&data.valid).copied().collect();
    let features = base.features(&images, &wanted, observe)?;
    Ok(data.with_features(features))
}

/// Reads the test part, for the one time that it is read: its images, and a loader of what the model sees of them.
///
/// # Errors
///
/// As [`training_data`]; [`Error::Data`].
pub fn test_data(
    base: Option<&FrozenBase>,
    files: &DataFiles,
    experiment: &Experiment,
    training: &TrainingData,
    observe: &mut Observer<'_>,
) -> Result<(Arc<Dataset>, Loader), Error> {
    let Some(base) = base else { return pipeline::test_data(files, experiment, training) };
    // Chunks are whole in the cache, so the data set is cut to size behind them.
    let whole = Arc::new(files.load(Part::Test)?);
    let len = experiment.data.test_samples.map_or(whole.len(), |limit| limit.min(whole.len()));
    let wanted: Vec<usize> = (0..len).collect();
    let images = Images::new(Part::Test, &whole, &training.normalizer, &experiment.data);
    let features = base.features(&images, &wanted, observe)?;
    let dataset = Arc::new(Arc::unwrap_or_clone(whole).truncated(len));
    let loader = Loader::of_features(Arc::new(features), wanted, pipeline::eval_config(experiment));
    Ok((dataset, loader))
}
