//! From data files to loaders: split, cut to size, fit the normaliser, one pair of loaders per phase.
//!
//! Opens the training part only; the test part has its own function, called once, after selection.

use std::sync::Arc;

use data::{Augmenter, DataFiles, Dataset, Loader, LoaderConfig, LocateOptions, Normalizer, Order, Part, Source};
use models::InputShape;

use crate::{
    error::Error,
    experiment::{Augmentation, DataConfig, Experiment, Phase, Shuffle},
    train::PhaseLoaders,
};

/// The training part, divided and measured.
#[derive(Debug)]
pub struct TrainingData {
    /// The file's training images, those for validation included.
    pub dataset: Arc<Dataset>,
    /// Which of them train.
    pub train: Vec<usize>,
    /// Which of them validate.
    pub valid: Vec<usize>,
    /// Fitted on those that train.
    pub normalizer: Arc<Normalizer>,
}

/// Finds or fetches the data set that the experiment names.
///
/// # Errors
///
/// [`Error::Data`]; [`Error::Usage`] for a name that is not registered.
pub fn locate(config: &DataConfig, mut options: LocateOptions) -> Result<DataFiles, Error> {
    options.class_names.clone_from(&config.class_names);
    let source = match (&config.name, &config.dir) {
        (Some(name), dir) => {
            options.data_dir.clone_from(dir);
            let info = data::find(name).ok_or_else(|| Error::Usage(format!("no data set is called {name:?}")))?;
            Source::Named(info)
        }
        (None, Some(dir)) => Source::Folder(dir.clone()),
        (None, None) => return Err(Error::Usage("the experiment names neither data.name nor data.dir".to_owned())),
    };
    Ok(data::locate(&source, &options)?)
}

impl TrainingData {
    /// Reads the training part, splits it and fits the normaliser on what trains.
    ///
    /// # Errors
    ///
    /// [`Error::Data`].
    pub fn load(files: &DataFiles, config: &DataConfig) -> Result<Self, Error> {
        Self::divide(Arc::new(files.load(Part::Train)?), config)
    }

    /// Splits a training part that has been read and fits the normaliser on what trains.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the split leaves a part empty.
    pub fn divide(dataset: Arc<Dataset>, config: &DataConfig) -> Result<Self, Error> {
        let mut split = config.split.indices(dataset.len())?;
        if let Some(limit) = config.train_samples {
            split.train.truncate(limit);
            split.valid.truncate(limit);
        }
        let normalizer = config.normalize.fit(&dataset, &split.train);
        Ok(Self { dataset, train: split.train, valid: split.valid, normalizer: Arc::new(normalizer) })
    }

    /// Size of the images.
    #[must_use]
    pub fn input_shape(&self) -> InputShape {
        InputShape { channels: self.dataset.channels(), height: self.dataset.height(), width: self.dataset.width() }
    }

    /// One pair of loaders per phase.
    #[must_use]
    pub fn loaders(&self, experiment: &Experiment) -> Vec<PhaseLoaders> {
        experiment.phases.iter().map(|phase| self.phase_loaders(experiment, phase)).collect()
    }

    /// The augmentation of a phase, if it augments.
    #[must_use]
    pub fn augmenter(&self, experiment: &Experiment, phase: &Phase) -> Option<(Augmenter, u64)> {
        (phase.augment == Augmentation::On).then(|| {
            let augmenter = Augmenter::new(&experiment.augment, self.dataset.height(), self.dataset.width());
            (augmenter, experiment.training.seed)
        })
    }

    fn phase_loaders(&self, experiment: &Experiment, phase: &Phase) -> PhaseLoaders {
        let training = &experiment.training;
        let workers = experiment.data.workers;
        let order = match training.shuffle {
            Shuffle::On => Order::Shuffled { seed: training.seed },
            Shuffle::Off => Order::Sequential,
        };
        let train = LoaderConfig {
            batch_size: training.batch_size,
            workers,
            order,
            steps: phase.steps_per_epoch,
            ..LoaderConfig::default()
        };
        let valid = eval_config(experiment);
        let loader = |indices: &[usize], augmenter, config| {
            let (dataset, normalizer) = (Arc::clone(&self.dataset), Arc::clone(&self.normalizer));
            Loader::new(dataset, indices.to_vec(), normalizer, augmenter, config)
        };
        PhaseLoaders {
            train: loader(&self.train, self.augmenter(experiment, phase), train),
            valid: (!self.valid.is_empty()).then(|| {
                // Validation stays as it is unless the experiment asks otherwise.
                let augmenter = experiment.augment.valid.then(|| self.augmenter(experiment, phase)).flatten();
                loader(&self.valid, augmenter, valid)
            }),
        }
    }
}

/// Reads the test part, for the one time that it is read.
///
/// # Errors
///
/// [`Error::Data`].
pub fn test_data(
    files: &DataFiles,
    experiment: &Experiment,
    normalizer: &Arc<Normalizer>,
) -> Result<(Arc<Dataset>, Loader), Error> {
    let mut dataset = files.load(Part::Test)?;
    if let Some(limit) = experiment.data.test_samples {
        dataset = dataset.truncated(limit);
    }
    let dataset = Arc::new(dataset);
    let indices = (0..dataset.len()).collect();
    let loader = Loader::new(Arc::clone(&dataset), indices, Arc::clone(normalizer), None, eval_config(experiment));
    Ok((dataset, loader))
}

fn eval_config(experiment: &Experiment) -> LoaderConfig {
    LoaderConfig {
        batch_size: experiment.training.eval_batch_size,
        workers: experiment.data.workers,
        order: Order::Sequential,
        ..LoaderConfig::default()
    }
}
