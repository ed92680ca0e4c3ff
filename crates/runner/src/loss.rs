//! Losses twice over: on the device, whose gradients train, and on the host, in f64, for the record.
//!
//! Both take what a model returns. Knows no optimizer and no loop.

use burn::{
    nn::loss::CrossEntropyLossConfig,
    tensor::{
        Int, Tensor,
        activation::{log_sigmoid, log_softmax},
    },
};
use kernels::burn_ext;

use crate::{
    experiment::{self, CrossEntropy, Experiment, Reduction},
    metrics,
    optimizer::Update,
};

/// What an experiment makes small.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    kind: experiment::Loss,
    label_smoothing: f64,
    /// What runs plain cross-entropy.
    update: Update,
}

impl Loss {
    /// The loss of training steps.
    #[must_use]
    pub fn training(experiment: &Experiment, update: Update) -> Self {
        Self { kind: experiment.loss.clone(), label_smoothing: experiment.training.label_smoothing, update }
    }

    /// The loss that validation and test measure: without label smoothing.
    #[must_use]
    pub fn evaluation(experiment: &Experiment) -> Self {
        Self { kind: experiment.loss.clone(), label_smoothing: 0.0, update: Update::Composed }
    }

    /// The mean or sum over a batch, as the experiment says. `labels` are the targets on the host, which fused kernels
    /// read without a transfer.
    ///
    /// # Shapes
    ///
    /// - outputs: `[batch, num_classes]`
    /// - targets: `[batch]`
    /// - result: `[1]`
    #[must_use]
    pub fn forward(&self, outputs: Tensor<2>, targets: Tensor<1, Int>, labels: &[u8]) -> Tensor<1> {
        let [batch, _] = outputs.dims();
        let size = as_f64(batch);
        match &self.kind {
            experiment::Loss::CrossEntropy(CrossEntropy { reduction, clip }) if *clip > 0.0 => {
                let sum = clipped_cross_entropy(outputs, targets, *clip, self.label_smoothing);
                reduce_sum(sum, *reduction, size)
            }
            experiment::Loss::CrossEntropy(CrossEntropy { reduction, .. }) => {
                let mean = match self.update {
                    Update::Fused => fused_cross_entropy(outputs, labels, self.label_smoothing),
                    Update::Composed => cross_entropy(outputs, targets, self.label_smoothing),
                };
                match reduction {
                    Reduction::Mean => mean,
                    Reduction::Sum => mean.mul_scalar(size),
                }
            }
            experiment::Loss::BinaryCrossEntropy(loss) => {
                reduce_sum(binary_cross_entropy(outputs, targets), loss.reduction, size)
            }
        }
    }

    /// The loss of one sample, from a row of outputs.
    #[must_use]
    pub fn of_sample(&self, outputs: &[f32], target: usize) -> f64 {
        match &self.kind {
            experiment::Loss::CrossEntropy(loss) => of_probabilities(outputs, target, loss.clip, self.label_smoothing),
            experiment::Loss::BinaryCrossEntropy(_) => {
                let others: f64 = outputs.iter().map(|&z| softplus(f64::from(z))).sum();
                others - f64::from(outputs[target])
            }
        }
    }
}

/// [`experiment::Monitor::HalfClassMean`] of one batch.
///
/// # Shapes
///
/// - `outputs`: `[targets.len(), num_classes]`, row-major
#[must_use]
pub fn half_class_mean(outputs: &[f32], targets: &[u8], l2: f64, squared_weights: f64) -> f64 {
    let num_classes = outputs.len() / targets.len().max(1);
    // −log σ(z) = softplus(−z).
    let rows = outputs.chunks_exact(num_classes.max(1)).zip(targets);
    let summed: f64 = rows.map(|(row, &target)| softplus(-f64::from(row[usize::from(target)]))).sum();
    0.5 * (summed / as_f64(num_classes) + l2 / 2.0 * squared_weights)
}

/// One kernel of our own: the mean over a batch.
fn fused_cross_entropy(logits: Tensor<2>, labels: &[u8], label_smoothing: f64) -> Tensor<1> {
    #[expect(clippy::cast_possible_truncation, reason = "the kernels compute in f32")]
    let smoothing = label_smoothing as f32;
    burn_ext::cross_entropy(logits, labels.iter().copied().map(u32::from).collect(), smoothing)
}

/// Burn's own: the mean over a batch.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, label_smoothing: f64) -> Tensor<1> {
    #[expect(clippy::cast_possible_truncation, reason = "Burn keeps the smoothing in f32")]
    let smoothing = (label_smoothing > 0.0).then_some(label_smoothing as f32);
    let device = logits.device();
    CrossEntropyLossConfig::new().with_smoothing(smoothing).init(&device).forward(logits, targets)
}

/// As `keras.losses.categorical_crossentropy` computes it from probabilities, summed over a batch.
fn clipped_cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, clip: f64, label_smoothing: f64) -> Tensor<1> {
    let [batch, num_classes] = logits.dims();
    // The logarithm grows with its argument, so that cutting it cuts the probability.
    let log_p = log_softmax(logits, 1).clamp(clip.ln(), (-clip).ln_1p());
    let hard = log_p.clone().gather(1, targets.reshape([batch, 1])).sum();
    if label_smoothing > 0.0 {
        let even = log_p.sum().mul_scalar(label_smoothing / as_f64(num_classes));
        hard.mul_scalar(1.0 - label_smoothing).add(even).neg()
    } else {
        hard.neg()
    }
}

/// Σ −log σ(−z) − Σ z of the true class: the same as with one-hot targets, and no logarithm of zero. Summed
/// over a batch.
fn binary_cross_entropy(outputs: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = outputs.dims();
    let true_class = outputs.clone().gather(1, targets.reshape([batch, 1])).sum();
    log_sigmoid(outputs.neg()).sum().add(true_class).neg()
}

fn reduce_sum(sum: Tensor<1>, reduction: Reduction, batch: f64) -> Tensor<1> {
    match reduction {
        Reduction::Mean => sum.div_scalar(batch),
        Reduction::Sum => sum,
    }
}

fn of_probabilities(logits: &[f32], target: usize, clip: f64, label_smoothing: f64) -> f64 {
    let mut log_p = metrics::log_softmax(logits);
    if clip > 0.0 {
        // NaN stays NaN.
        for it in &mut log_p {
            *it = it.clamp(clip.ln(), (-clip).ln_1p());
        }
    }
    let hard = -log_p[target];
    let even = -log_p.iter().sum::<f64>() / as_f64(log_p.len());
    if label_smoothing > 0.0 { (1.0 - label_smoothing) * hard + label_smoothing * even } else { hard }
}

/// log(1 + eˣ), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
