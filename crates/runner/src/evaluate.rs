//! A model's predictions on a part of the data; opens no file.

use burn::tensor::Device;
use data::Loader;
use models::Model;

use crate::{
    error::Error,
    metrics::{Confusion, Tally, argmax, log_softmax},
};

/// The class probabilities of every sample, in the loader's order.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// Width of a row of `logits`.
    pub num_classes: usize,
    /// `[samples, num_classes]`, row-major.
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
        self.logits.chunks_exact(self.num_classes).map(|row| log_softmax(row).into_iter().map(f64::exp).collect())
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
pub fn evaluate(model: &Model, loader: &Loader, epoch: u64, device: &Device) -> Predictions {
    let never = &mut || Ok(());
    evaluate_watched(model, loader, epoch, device, never).expect("nothing else ends an evaluation")
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
    after_batch: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Predictions, Error> {
    let mut predictions =
        Predictions { num_classes: 0, logits: Vec::new(), targets: Vec::new(), tally: Tally::default() };
    for batch in loader.epoch(epoch, device) {
        let logits = model.forward(batch.images);
        predictions.num_classes = logits.dims()[1];
        let logits = host(logits);
        predictions.tally.add(&logits, &batch.labels, 0.0);
        predictions.logits.extend_from_slice(&logits);
        predictions.targets.extend_from_slice(&batch.labels);
        after_batch()?;
    }
    Ok(predictions)
}

/// Copies logits to the host, waiting for the device.
pub(crate) fn host(logits: burn::tensor::Tensor<2>) -> Vec<f32> {
    logits.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just above")
}
