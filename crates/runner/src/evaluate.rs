//! A model's predictions on a part of the data; opens no file.

use burn::tensor::Device;
use data::Loader;
use models::{HeadKind, Model};

use crate::{
    error::Error,
    loss::Loss,
    metrics::{Confusion, Tally, argmax, log_softmax},
};

/// The class probabilities of every sample, in the loader's order.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// Width of a row of `logits`.
    pub num_classes: usize,
    /// How the model's outputs become probabilities.
    pub head: HeadKind,
    /// What the model returned: `[samples, num_classes]`, row-major.
    pub logits: Vec<f32>,
    /// True class of every sample.
    pub targets: Vec<u8>,
    /// Loss and accuracy over all samples.
    pub tally: Tally,
}

impl Predictions {
    /// The predicted class of every sample.
    pub fn predicted(&self) -> impl Iterator<Item = usize> {
        self.logits.chunks_exact(self.num_classes).map(argmax)
    }

    /// The class probabilities of every sample.
    pub fn probabilities(&self) -> impl Iterator<Item = Vec<f64>> {
        self.logits.chunks_exact(self.num_classes).map(|row| probabilities(self.head, row))
    }

    /// The class probabilities of one sample.
    ///
    /// # Panics
    ///
    /// If there is no sample `index`.
    #[must_use]
    pub fn probabilities_of(&self, index: usize) -> Vec<f64> {
        probabilities(self.head, &self.logits[index * self.num_classes..][..self.num_classes])
    }

    /// Counts of true and predicted classes.
    #[must_use]
    pub fn confusion(&self) -> Confusion {
        let targets = self.targets.iter().map(|&target| usize::from(target));
        Confusion::new(self.num_classes, targets.zip(self.predicted()))
    }
}

/// Runs `model`, which must be in validation mode, over every sample of `loader`.
///
/// `epoch` is the key for augmentation, where the loader augments at all.
///
/// # Panics
///
/// Never.
#[must_use]
pub fn evaluate(model: &Model, loader: &Loader, epoch: u64, device: &Device, loss: &Loss) -> Predictions {
    let never = &mut || Ok(());
    evaluate_watched(model, loader, epoch, device, loss, never).expect("nothing else ends an evaluation")
}

/// As [`evaluate`], with a word after every batch.
///
/// # Errors
///
/// Whatever `after_batch` returns, which ends the evaluation.
pub fn evaluate_watched(
    model: &Model,
    loader: &Loader,
    epoch: u64,
    device: &Device,
    loss: &Loss,
    after_batch: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Predictions, Error> {
    let (head, tally) = (model.head(), Tally::default());
    let mut predictions = Predictions { num_classes: 0, head, logits: Vec::new(), targets: Vec::new(), tally };
    for batch in loader.epoch(epoch, device) {
        let logits = model.forward(batch.images);
        predictions.num_classes = logits.dims()[1];
        let logits = host(logits);
        predictions.tally.add(&logits, &batch.labels, |row, target| loss.of_sample(row, target));
        predictions.logits.extend_from_slice(&logits);
        predictions.targets.extend_from_slice(&batch.labels);
        after_batch()?;
    }
    Ok(predictions)
}

fn probabilities(head: HeadKind, outputs: &[f32]) -> Vec<f64> {
    let mut logits = outputs.to_vec();
    head.to_logits(&mut logits);
    log_softmax(&logits).into_iter().map(f64::exp).collect()
}

/// Copies logits to the host, waiting for the device.
pub(crate) fn host(logits: burn::tensor::Tensor<2>) -> Vec<f32> {
    logits.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just above")
}
