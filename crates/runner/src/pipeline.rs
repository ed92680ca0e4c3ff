//! From data files to loaders: split, cut to size, fit the normaliser, one pair of loaders per phase.
//!
//! Opens the training part only; the test part has its own function, called once, after selection.

use std::sync::Arc;

use data::{
    Augmenter, DataFiles, Dataset, Features, Loader, LoaderConfig, LocateOptions, Normalizer, Order, Part, Source,
};
use models::InputShape;

use crate::{
    error::Error,
    experiment::{Augmentation, DataConfig, Experiment, NormalizeFit, Phase, Shuffle, TestPart},
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
    /// What validation images are scaled by: the same, unless the experiment fits each part on its own.
    pub valid_normalizer: Arc<Normalizer>,
    input: InputShape,
    features: Option<Arc<Features>>,
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
        (None, None) => return Err(no_source()),
    };
    Ok(data::locate(&source, &options)?)
}

/// Image shape, resized and scaled, and number of classes: known for the data sets of the registry, else by a look into
/// the folder.
///
/// # Errors
///
/// [`Error::Data`] if that cannot be read or is no folder of IDX files.
pub fn shape(config: &DataConfig) -> Result<(InputShape, usize), Error> {
    match (config.known_shape(), &config.dir) {
        (Some(known), _) => Ok(known),
        (None, Some(folder)) => {
            let outline = data::outline(folder, config.class_names.as_deref())?;
            let data::Outline { height, width, num_classes } = outline;
            Ok((config.prepared_shape(InputShape { channels: 1, height, width }), num_classes))
        }
        (None, None) => Err(no_source()),
    }
}

fn no_source() -> Error {
    Error::Usage("the experiment names neither data.name nor data.dir".to_owned())
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
        let normalizer = Arc::new(config.normalize.fit(&dataset, &split.train));
        let valid_normalizer = match config.normalize_fit {
            NormalizeFit::Train => Arc::clone(&normalizer),
            NormalizeFit::EachPart => Arc::new(config.normalize.fit(&dataset, &split.valid)),
        };
        let files_shape = InputShape { channels: dataset.channels(), height: dataset.height(), width: dataset.width() };
        Ok(Self {
            input: config.prepared_shape(files_shape),
            dataset,
            train: split.train,
            valid: split.valid,
            normalizer,
            valid_normalizer,
            features: None,
        })
    }

    /// The same with what a frozen base makes of the images in their place: of those that train, then of those that
    /// validate.
    #[must_use]
    pub fn with_features(self, features: Features) -> Self {
        Self { features: Some(Arc::new(features)), ..self }
    }

    /// Size of the images once they are resized and scaled.
    #[must_use]
    pub fn input_shape(&self) -> InputShape {
        self.input
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
        if let Some(features) = &self.features {
            let loader = |rows, config| Loader::of_features(Arc::clone(features), rows, config);
            let (trains, all) = (self.train.len(), self.train.len() + self.valid.len());
            return PhaseLoaders {
                train: loader((0..trains).collect(), train),
                valid: (!self.valid.is_empty()).then(|| loader((trains..all).collect(), valid)),
            };
        }
        let loader = |indices: &[usize], normalizer: &Arc<Normalizer>, augmenter, config| {
            image_loader(&self.dataset, indices.to_vec(), normalizer, augmenter, &experiment.data, config)
        };
        PhaseLoaders {
            train: loader(&self.train, &self.normalizer, self.augmenter(experiment, phase), train),
            valid: (!self.valid.is_empty()).then(|| {
                // Validation stays as it is unless the experiment asks otherwise.
                let augmenter = experiment.augment.valid.then(|| self.augmenter(experiment, phase)).flatten();
                loader(&self.valid, &self.valid_normalizer, augmenter, valid)
            }),
        }
    }
}

/// Reads the test part, for the one time that it is read; or takes the validation part, where the experiment
/// says that this is what is tested.
///
/// # Errors
///
/// [`Error::Data`].
pub fn test_data(
    files: &DataFiles,
    experiment: &Experiment,
    training: &TrainingData,
) -> Result<(Arc<Dataset>, Loader), Error> {
    let mut dataset = match experiment.data.test {
        TestPart::Test => files.load(Part::Test)?,
        TestPart::Valid => training.dataset.subset(&training.valid),
    };
    let normalizer = match (experiment.data.test, experiment.data.normalize_fit) {
        (TestPart::Valid, _) => Arc::clone(&training.valid_normalizer),
        (TestPart::Test, NormalizeFit::Train) => Arc::clone(&training.normalizer),
        (TestPart::Test, NormalizeFit::EachPart) => {
            let all: Vec<usize> = (0..dataset.len()).collect();
            Arc::new(experiment.data.normalize.fit(&dataset, &all))
        }
    };
    if let Some(limit) = experiment.data.test_samples {
        dataset = dataset.truncated(limit);
    }
    let dataset = Arc::new(dataset);
    let indices = (0..dataset.len()).collect();
    let loader = image_loader(&dataset, indices, &normalizer, None, &experiment.data, eval_config(experiment));
    Ok((dataset, loader))
}

/// A loader of images, prepared as the experiment says.
pub(crate) fn image_loader(
    dataset: &Arc<Dataset>,
    indices: Vec<usize>,
    normalizer: &Arc<Normalizer>,
    augmenter: Option<(Augmenter, u64)>,
    data: &DataConfig,
    config: LoaderConfig,
) -> Loader {
    let loader = Loader::new(Arc::clone(dataset), indices, Arc::clone(normalizer), augmenter, config);
    match data.resize {
        Some([height, width]) => loader.resized((height, width)),
        None => loader,
    }
}

pub(crate) fn eval_config(experiment: &Experiment) -> LoaderConfig {
    LoaderConfig {
        batch_size: experiment.training.eval_batch_size,
        workers: experiment.data.workers,
        order: Order::Sequential,
        ..LoaderConfig::default()
    }
}
