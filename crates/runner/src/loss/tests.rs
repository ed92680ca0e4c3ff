//! Values and gradients against the published formulas in f64.

use super::*;
use crate::experiment::BinaryCrossEntropy;
use burn::tensor::{Device, Tensor, TensorData};

/// Two samples of three classes: one sure and right, one sure and wrong.
const OUTPUTS: [f32; 6] = [0.5, -1.25, 3.0, 20.0, -0.5, 1.5];
const TARGETS: [u8; 2] = [2, 1];

fn entropy(reduction: Reduction, clip: f64, label_smoothing: f64) -> Loss {
    Loss {
        kind: experiment::Loss::CrossEntropy(CrossEntropy { reduction, clip }),
        label_smoothing,
        update: Update::Composed,
    }
}

fn binary(reduction: Reduction) -> Loss {
    let kind = experiment::Loss::BinaryCrossEntropy(BinaryCrossEntropy { reduction, monitor: None });
    Loss { kind, label_smoothing: 0.0, update: Update::Composed }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Value and gradient on the device.
fn device(loss: &Loss, outputs: &[f32]) -> (f64, Vec<f64>) {
    let device = Device::flex().autodiff();
    let batch = TARGETS.len();
    let data = TensorData::new(outputs.to_vec(), [batch, outputs.len() / batch]);
    let outputs = Tensor::<2>::from_data(data, &device).require_grad();
    let targets = Tensor::from_ints(TARGETS.map(i32::from), &device);
    let value = loss.forward(outputs.clone(), targets, &TARGETS);
    let gradients = value.backward();
    let gradient = outputs.grad(&gradients).expect("the loss depends on the outputs");
    (value.into_data().iter::<f64>().next().expect("one number"), gradient.into_data().iter::<f64>().collect())
}

/// The host's sum over the batch, as a function of outputs in f64 that f32 holds exactly enough.
fn host(loss: &Loss, outputs: &[f32]) -> f64 {
    let width = outputs.len() / TARGETS.len();
    let rows = outputs.chunks_exact(width).zip(TARGETS);
    rows.map(|(row, target)| loss.of_sample(row, usize::from(target))).sum()
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found}, expected {expected}");
}

/// Host and device agree on the value; the device's gradient is the host's, by finite differences.
fn check(loss: &Loss, scale: f64) {
    let (value, gradient) = device(loss, &OUTPUTS);
    near(value, scale * host(loss, &OUTPUTS), 1e-5, "value");
    // A power of two, so that neither sum rounds in f32.
    let step = 1.0_f32 / 256.0;
    for (index, &found) in gradient.iter().enumerate() {
        let shifted = |by: f32| {
            let mut outputs = OUTPUTS;
            outputs[index] += by;
            host(loss, &outputs)
        };
        let slope = (shifted(step) - shifted(-step)) / (2.0 * f64::from(step));
        near(found, scale * slope, 1e-4, &format!("gradient {index} of {loss:?}"));
    }
}

#[test]
fn every_loss_has_the_gradient_of_its_value() {
    for (reduction, scale) in [(Reduction::Mean, 0.5), (Reduction::Sum, 1.0)] {
        for smoothing in [0.0, 0.1] {
            check(&entropy(reduction, 0.0, smoothing), scale);
            check(&Loss { update: Update::Fused, ..entropy(reduction, 0.0, smoothing) }, scale);
            check(&entropy(reduction, 1e-7, smoothing), scale);
            check(&entropy(reduction, 1e-2, smoothing), scale);
        }
        check(&binary(reduction), scale);
    }
}

#[test]
fn summed_binary_cross_entropy_trains_by_activation_minus_one_hot() {
    let (_, gradient) = device(&binary(Reduction::Sum), &OUTPUTS);
    for (index, found) in gradient.into_iter().enumerate() {
        let one_hot = f64::from(u8::from(usize::from(TARGETS[index / 3]) == index % 3));
        near(found, sigmoid(f64::from(OUTPUTS[index])) - one_hot, 1e-6, "activation − one-hot");
    }
}

#[test]
fn binary_cross_entropy_is_the_textbook_sum() {
    let expected: f64 = OUTPUTS
        .iter()
        .enumerate()
        .map(|(index, &z)| {
            let a = sigmoid(f64::from(z));
            if usize::from(TARGETS[index / 3]) == index % 3 { -a.ln() } else { -(1.0 - a).ln() }
        })
        .sum();
    near(host(&binary(Reduction::Sum), &OUTPUTS), expected, 1e-6, "sum over classes");
}

#[test]
fn large_outputs_stay_finite() {
    let outputs = [1e4, -1e4, 0.0, -1e4, 1e4, 0.0];
    for loss in [binary(Reduction::Sum), entropy(Reduction::Mean, 1e-7, 0.0)] {
        let (value, gradient) = device(&loss, &outputs);
        assert!(value.is_finite() && gradient.iter().all(|it| it.is_finite()), "{loss:?}: {value} {gradient:?}");
        assert!(host(&loss, &outputs).is_finite());
    }
}

#[test]
fn an_output_that_is_not_a_number_shows_in_every_loss() {
    for loss in [binary(Reduction::Sum), entropy(Reduction::Mean, 0.0, 0.0), entropy(Reduction::Mean, 1e-7, 0.0)] {
        assert!(loss.of_sample(&[f32::NAN, 1.0], 1).is_nan(), "{loss:?}");
    }
}

/// Keras, `categorical_crossentropy(from_logits=False)` behind a sigmoid layer: outputs are divided by their
/// sum, clipped to [ε, 1 − ε], and the loss is −log of the true class's.
#[test]
fn a_clipped_sigmoid_head_is_what_keras_computes() {
    const EPSILON: f64 = 1e-7;
    // The third sample's true class has a probability of about e⁻³⁰: beyond what is clipped.
    let z: [[f64; 3]; 3] = [[0.5, -1.25, 3.0], [2.0, -0.5, 1.5], [4.0, -30.0, 1.0]];
    let targets = [2, 1, 1];
    let keras = |z: &[f64; 3], target: usize| {
        let outputs = z.map(sigmoid);
        let p = outputs[target] / outputs.iter().sum::<f64>();
        -p.clamp(EPSILON, 1.0 - EPSILON).ln()
    };

    let device = Device::flex().autodiff();
    #[expect(clippy::cast_possible_truncation, reason = "the test's numbers are short")]
    let flat: Vec<f32> = z.iter().flatten().map(|&z| z as f32).collect();
    let outputs = Tensor::<2>::from_data(TensorData::new(flat, [3, 3]), &device).require_grad();
    let loss = entropy(Reduction::Sum, EPSILON, 0.0);
    // What `head = "sigmoid"` returns.
    let logits = log_sigmoid(outputs.clone());
    let value = loss.forward(logits.clone(), Tensor::from_ints([2, 1, 1], &device), &[2, 1, 1]);
    let gradients = value.backward();
    let gradient: Vec<f64> = outputs.grad(&gradients).expect("it is on the path").into_data().iter::<f64>().collect();

    let expected: f64 = z.iter().zip(targets).map(|(z, target)| keras(z, target)).sum();
    near(value.into_data().iter::<f64>().next().expect("one number"), expected, 1e-5, "loss");
    let rows: Vec<f32> = logits.into_data().iter::<f32>().collect();
    let recorded: f64 = rows.chunks_exact(3).zip(targets).map(|(row, target)| loss.of_sample(row, target)).sum();
    near(recorded, expected, 1e-5, "recorded loss");

    let step = 1e-6;
    for (index, found) in gradient.into_iter().enumerate() {
        let (sample, class) = (index / 3, index % 3);
        let shifted = |by: f64| {
            let mut z = z[sample];
            z[class] += by;
            keras(&z, targets[sample])
        };
        let slope = (shifted(step) - shifted(-step)) / (2.0 * step);
        near(found, slope, 1e-5, &format!("gradient of sample {sample}, class {class}"));
        if sample == 2 {
            near(found, 0.0, 0.0, "no gradient flows from a clipped probability");
        }
    }
}

#[test]
fn smoothing_mixes_in_the_even_distribution() {
    let log_p = metrics::log_softmax(&[2.0, 0.0]);
    let expected = -(0.95 * log_p[0] + 0.05 * log_p[1]);
    near(entropy(Reduction::Mean, 0.0, 0.1).of_sample(&[2.0, 0.0], 0), expected, 1e-12, "smoothed");
}

#[test]
fn the_error_curve_is_half_the_mean_over_classes() {
    // By hand: two samples, three classes; −log σ of the true outputs is ln 2 each.
    let outputs = [0.0, 9.0, 9.0, 9.0, 0.0, 9.0];
    let expected = 0.5 * (2.0 * 2.0_f64.ln() / 3.0 + 0.5 / 2.0 * 12.0);
    near(half_class_mean(&outputs, &[0, 1], 0.5, 12.0), expected, 1e-12, "error");
}
