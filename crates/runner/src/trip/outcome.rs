//! What a finished run leaves: scores, predictions, confusion matrix, images for the galleries.

use data::{Dataset, DrawKey};

use crate::{
    backend::Backend,
    error::Error,
    evaluate::Predictions,
    experiment::Experiment,
    metrics::EpochRow,
    pipeline::TrainingData,
    run_dir::{RunDir, Summary, TestScores, Tile, Tiles, Times},
    train::Trained,
};

/// Galleries of test images are squares of this many images a side.
const GALLERY_SIDE: usize = 5;

/// Everything that is known once the test set has been read.
pub(super) struct Outcome<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) backend: &'a Backend,
    pub(super) data: &'a TrainingData,
    pub(super) test: &'a Dataset,
    pub(super) trained: &'a Trained,
    pub(super) predictions: &'a Predictions,
    pub(super) model: &'a models::Summary,
}

/// Wall-clock seconds that are not in the rows.
pub(super) struct Spent {
    pub(super) total: f64,
    pub(super) test: f64,
    pub(super) checkpoints: f64,
    /// None for a model without a frozen base.
    pub(super) features: Option<f64>,
}

impl Outcome<'_> {
    /// Writes it all; the summary last, so that its presence says that the rest is there.
    pub(super) fn write(&self, run: &RunDir, spent: &Spent) -> Result<Summary, Error> {
        let class_names = self.test.class_names();
        let confusion = self.predictions.confusion();
        run.write_confusion(class_names, &confusion.counts)?;
        let targets = self.predictions.targets.iter().map(|&target| usize::from(target));
        let rows = targets.zip(self.predictions.predicted()).zip(self.predictions.probabilities());
        run.write_predictions(class_names, rows.map(|((target, predicted), row)| (target, predicted, row)))?;
        run.write_tiles(&self.tiles())?;
        let summary = self.summary(TestScores::new(confusion.scores(class_names)), spent);
        run.write_summary(&summary)?;
        Ok(summary)
    }

    fn summary(&self, test: TestScores, spent: &Spent) -> Summary {
        let (experiment, trained) = (self.experiment, self.trained);
        let sum = |field: fn(&EpochRow) -> f64| trained.rows.iter().map(field).sum::<f64>();
        let train_seconds = sum(|row| row.train_seconds);
        let totals = self.model.totals();
        Summary {
            experiment: experiment.name.clone(),
            backend: self.backend.name.to_string(),
            seed: experiment.training.seed,
            test_loss: self.predictions.tally.loss(),
            test_accuracy: self.predictions.tally.accuracy(),
            test,
            chosen_epoch: trained.chosen_epoch,
            best_epoch: trained.best_epoch,
            epochs: trained.rows.len(),
            stopped_early: trained.stopped_early.clone(),
            samples: [self.data.train.len(), self.data.valid.len(), self.predictions.tally.samples()],
            parameters: totals.parameters,
            non_trainable_parameters: totals.non_trainable,
            seconds: Times {
                total: spent.total,
                train: train_seconds,
                valid: sum(|row| row.valid_seconds),
                test: spent.test,
                checkpoints: spent.checkpoints,
                features: spent.features,
            },
            images_per_second: sum(|row| row.images_per_second * row.train_seconds) / train_seconds,
        }
    }

    fn tiles(&self) -> Tiles {
        let judged = || self.predictions.targets.iter().map(|&t| usize::from(t)).zip(self.predictions.predicted());
        let first = |right: bool| {
            let wanted = judged().enumerate().filter(move |(_, (target, predicted))| (target == predicted) == right);
            wanted.take(GALLERY_SIDE * GALLERY_SIDE).map(|(index, _)| self.test_tile(index)).collect()
        };
        Tiles {
            height: self.test.height(),
            width: self.test.width(),
            samples: self.samples(),
            sample_columns: GALLERY_SIDE,
            correct: first(true),
            misclassified: first(false),
            mistakes: self.predictions.tally.samples() - self.predictions.tally.correct(),
            tested: self.predictions.tally.samples(),
        }
    }

    fn test_tile(&self, index: usize) -> Tile {
        let classes = self.test.class_names();
        let probabilities = self.predictions.probabilities_of(index);
        let start = index * self.predictions.num_classes;
        let predicted = crate::metrics::argmax(&self.predictions.logits[start..][..self.predictions.num_classes]);
        Tile {
            index,
            class: classes[usize::from(self.test.label(index))].clone(),
            predicted: Some(classes[predicted].clone()),
            probability: Some(probabilities[predicted]),
            augmented_in_epoch: None,
            pixels: self.test.image(index).to_vec(),
        }
    }

    /// The first training images; where a phase augments, fewer of them, each followed below by what the model
    /// sees of it in that phase's first epochs.
    fn samples(&self) -> Vec<Tile> {
        let mut before = 0;
        let first_augmented = self.experiment.phases.iter().find_map(|phase| {
            let augmenter = self.data.augmenter(self.experiment, phase);
            let first_epoch = before + 1;
            before += phase.epochs;
            augmenter.map(|(augmenter, seed)| (augmenter, seed, first_epoch))
        });
        let Some((mut augmenter, seed, first_epoch)) = first_augmented else {
            return self.data.train.iter().take(GALLERY_SIDE * GALLERY_SIDE).map(|&i| self.train_tile(i)).collect();
        };
        let indices: Vec<usize> = self.data.train.iter().copied().take(GALLERY_SIDE).collect();
        let mut tiles: Vec<Tile> = indices.iter().map(|&index| self.train_tile(index)).collect();
        for epoch in first_epoch..first_epoch + GALLERY_SIDE - 1 {
            for &index in &indices {
                let tile = self.train_tile(index);
                let mut out = vec![0.0; tile.pixels.len()];
                let key = DrawKey { seed, epoch: epoch as u64, index: index as u64 };
                augmenter.apply(key, &tile.pixels, &mut out);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
                let pixels = out.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect();
                tiles.push(Tile { pixels, augmented_in_epoch: Some(epoch), ..tile });
            }
        }
        tiles
    }

    fn train_tile(&self, index: usize) -> Tile {
        let dataset = &self.data.dataset;
        Tile {
            index,
            class: dataset.class_names()[usize::from(dataset.label(index))].clone(),
            predicted: None,
            probability: None,
            augmented_in_epoch: None,
            pixels: dataset.image(index).to_vec(),
        }
    }
}
