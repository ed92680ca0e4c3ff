//! Softmax and cross-entropy in one, with its gradient.

use crate::check_len;

/// Mean cross-entropy of a batch and, in `grad_logits`, its gradient.
///
/// With label smoothing ε the target is `1 - ε + ε / num_classes` for the true class and
/// `ε / num_classes` for the others (Szegedy et al., 2016, section 7). Sums are taken in f64, samples
/// in their order.
///
/// # Shapes
///
/// - logits, `grad_logits`: `[batch, num_classes]`
/// - targets: `[batch]`, each below `num_classes`
///
/// # Panics
///
/// If lengths do not match, the batch is empty, or a target is not below `num_classes`.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "gradients are f32; counts are small")]
pub fn softmax_cross_entropy(
    logits: &[f32],
    targets: &[u32],
    num_classes: usize,
    label_smoothing: f32,
    grad_logits: &mut [f32],
) -> f64 {
    let batch = targets.len();
    assert!(batch > 0 && num_classes > 0, "targets: expected at least one sample and one class");
    check_len("logits", logits.len(), batch * num_classes);
    check_len("grad_logits", grad_logits.len(), batch * num_classes);
    let other = f64::from(label_smoothing) / num_classes as f64;
    let mut loss = 0.0;
    let rows = logits.chunks_exact(num_classes).zip(grad_logits.chunks_exact_mut(num_classes));
    for ((row, grads), &target) in rows.zip(targets) {
        let target = target as usize;
        assert!(target < num_classes, "targets: expected classes below {num_classes}, found {target}");
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (&logit, grad) in row.iter().zip(&mut *grads) {
            *grad = (logit - max).exp();
            sum += f64::from(*grad);
        }
        let log_sum = sum.ln();
        for (class, (&logit, grad)) in row.iter().zip(grads).enumerate() {
            let truth = f64::from(u8::from(class == target)) * (1.0 - f64::from(label_smoothing)) + other;
            if truth > 0.0 {
                loss += truth * (log_sum - f64::from(logit - max));
            }
            *grad = ((f64::from(*grad) / sum - truth) / batch as f64) as f32;
        }
    }
    loss / batch as f64
}
