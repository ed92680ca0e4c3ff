//! The loss on tensors: it and its gradient are found in one pass.

use burn::backend::tensor::FloatTensor;

use super::CrossEntropyCall;
use super::blocks::{floats, in_order};
use super::cpu::Cpu;
use crate::loss::softmax_cross_entropy;
use crate::profile::timed;

/// The mean loss as `[1]`, and its gradient.
pub(super) fn cross_entropy<B: Cpu>(
    call: &CrossEntropyCall,
    logits: &FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let logits = in_order::<B>(logits);
    let values = floats::<B>(&logits);
    let batch = call.targets.len();
    let num_classes = values.len() / batch.max(1);
    let mut gradient = B::buffer(values.len());
    let mean = timed(
        || "loss".to_owned(),
        || softmax_cross_entropy(values, &call.targets, num_classes, call.label_smoothing, gradient.as_mut()),
    );
    let mut loss = B::buffer(1);
    #[expect(clippy::cast_possible_truncation, reason = "tensors here are f32")]
    loss.as_mut().fill(mean as f32);
    (B::tensor(loss, &[1]), B::tensor(gradient, &[batch, num_classes]))
}
