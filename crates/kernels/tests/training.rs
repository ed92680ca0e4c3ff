//! The loss, the updates and dropout.

mod reference;

use kernels::Isa;
use kernels::dropout::Dropout;
use kernels::loss::softmax_cross_entropy;
use kernels::optim::{Adam, Decay, Momentum, Sgd};
use reference::{check_close, draw};

fn cross_entropy(logits: &[f64], targets: &[u32], num_classes: usize, smoothing: f64) -> f64 {
    let mut loss = 0.0;
    for (row, &target) in logits.chunks(num_classes).zip(targets) {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        for (class, logit) in row.iter().enumerate() {
            let truth = f64::from(u8::from(class == target as usize)) * (1.0 - smoothing)
                + smoothing / f64::from(u32::try_from(num_classes).expect("a few"));
            loss -= truth * (logit - sum.ln());
        }
    }
    loss / f64::from(u32::try_from(targets.len()).expect("a few"))
}

fn check_loss(smoothing: f32) {
    let (batch, num_classes) = (5, 7);
    let logits: Vec<f32> = draw(batch * num_classes, 3).iter().map(|x| 4.0 * x).collect();
    let targets = [0, 6, 3, 3, 1];
    let mut gradient = vec![0.0; logits.len()];
    let loss = softmax_cross_entropy(&logits, &targets, num_classes, smoothing, &mut gradient);
    let exact: Vec<f64> = logits.iter().copied().map(f64::from).collect();
    let slow = |logits: &[f64]| cross_entropy(logits, &targets, num_classes, f64::from(smoothing));
    assert!((loss - slow(&exact)).abs() < 1e-6, "expected {}, found {loss}", slow(&exact));
    let slopes: Vec<f64> = (0..exact.len())
        .map(|i| {
            let mut moved = [exact.clone(), exact.clone()];
            moved[0][i] -= 1e-5;
            moved[1][i] += 1e-5;
            (slow(&moved[1]) - slow(&moved[0])) / 2e-5
        })
        .collect();
    check_close("grad_logits", &gradient, &slopes, 1e-6);
}

#[test]
fn the_loss_and_its_gradient_agree_with_differences() {
    check_loss(0.0);
    check_loss(0.1);
}

#[test]
fn large_logits_do_not_overflow() {
    let mut gradient = [0.0; 3];
    let loss = softmax_cross_entropy(&[1e30, -1e30, 0.0], &[0], 3, 0.0, &mut gradient);
    assert_eq!((loss, gradient), (0.0, [0.0; 3]));
}

#[test]
fn a_logit_that_is_not_a_number_shows_in_the_loss() {
    let mut gradient = [0.0; 2];
    assert!(softmax_cross_entropy(&[f32::NAN, 1.0], &[1], 2, 0.0, &mut gradient).is_nan());
}

fn check_adam(decay: Decay) {
    let adam = Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.01, decay };
    let (penalty, kept) = match decay {
        Decay::Gradient => (0.01, 1.0),
        Decay::Decoupled => (0.0, 1.0 - 1e-2 * 0.01),
    };
    let len = 16_400;
    for isa in Isa::available() {
        let mut parameters = draw(len, 1);
        let mut expected: Vec<f64> = parameters.iter().copied().map(f64::from).collect();
        let (mut m, mut v) = (vec![0.0; len], vec![0.0; len]);
        let (mut slow_m, mut slow_v) = (vec![0.0; len], vec![0.0; len]);
        for step in 1..=3_u8 {
            let gradients = draw(len, 10 + u64::from(step));
            adam.update(isa, 1e-2, step.into(), &mut parameters, &gradients, &mut m, &mut v);
            for i in 0..len {
                let g = f64::from(gradients[i]) + penalty * expected[i];
                slow_m[i] = 0.9 * slow_m[i] + 0.1 * g;
                slow_v[i] = 0.999 * slow_v[i] + 0.001 * g * g;
                let mean = slow_m[i] / (1.0 - 0.9_f64.powi(step.into()));
                let square: f64 = slow_v[i] / (1.0 - 0.999_f64.powi(step.into()));
                expected[i] = kept * expected[i] - 1e-2 * mean / (square.sqrt() + 1e-7);
            }
        }
        check_close("parameters", &parameters, &expected, 1e-4);
    }
}

#[test]
fn adam_agrees_with_the_algorithm() {
    check_adam(Decay::Gradient);
}

#[test]
fn decoupled_decay_stays_out_of_the_moments() {
    check_adam(Decay::Decoupled);
}

fn check_sgd(kind: Momentum, expected: [f32; 2]) {
    let sgd = Sgd { momentum: 0.5, kind, weight_decay: 0.0 };
    let (mut parameters, mut velocity) = ([1.0], [0.0]);
    for expected in expected {
        sgd.update(0.25, &mut parameters, &[1.0], Some(&mut velocity));
        assert_eq!(parameters[0].to_bits(), expected.to_bits(), "{kind:?}");
    }
}

#[test]
fn momentum_moves_by_the_velocity() {
    check_sgd(Momentum::Plain, [0.75, 0.375]);
    check_sgd(Momentum::Nesterov, [0.625, 0.1875]);
}

#[test]
fn without_momentum_there_is_no_velocity() {
    for kind in [Momentum::Plain, Momentum::Nesterov] {
        let sgd = Sgd { momentum: 0.0, kind, weight_decay: 0.5 };
        let mut parameters = [1.0];
        sgd.update(0.25, &mut parameters, &[1.0], None);
        assert_eq!(parameters[0].to_bits(), 0.625_f32.to_bits(), "{kind:?}");
    }
}

/// Whether all numbers have the digits that others have, or are zero.
fn are_settled(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| number.is_normal() || *number == 0.0)
}

#[test]
fn what_an_optimizer_remembers_of_gradients_that_have_stopped_comes_to_rest() {
    // Longer than it takes from 1 to the smallest numbers at these decays.
    const STEPS: u64 = 1500;
    let len = 40;
    let gradients = |step, seed| match step {
        0..=3 => draw(len, seed),
        // So small that their squares are no numbers with all digits.
        4..=6 => draw(len, seed).iter().map(|gradient| gradient * 1e-20).collect(),
        _ => vec![0.0; len],
    };
    for isa in Isa::available() {
        let adam = Adam { beta_1: 0.9, beta_2: 0.9, epsilon: 1e-7, weight_decay: 0.0, decay: Decay::Gradient };
        let (mut parameters, mut m, mut v) = (draw(len, 1), vec![0.0; len], vec![0.0; len]);
        for step in 1..=STEPS {
            adam.update(isa, 1e-2, step, &mut parameters, &gradients(step, step), &mut m, &mut v);
            assert!(are_settled(&m) && are_settled(&v), "{isa:?}, step {step}: {m:?} {v:?}");
        }
        assert!(m.iter().chain(&v).all(|&moment| moment == 0.0), "{isa:?}: {m:?} {v:?}");
    }
    for kind in [Momentum::Plain, Momentum::Nesterov] {
        let sgd = Sgd { momentum: 0.9, kind, weight_decay: 0.0 };
        let (mut parameters, mut velocity) = (draw(len, 1), vec![0.0; len]);
        for step in 1..=STEPS {
            sgd.update(1e-2, &mut parameters, &gradients(step, step), Some(&mut velocity));
            assert!(are_settled(&velocity), "{kind:?}, step {step}: {velocity:?}");
        }
        assert!(velocity.iter().all(|&velocity| velocity == 0.0), "{kind:?}: {velocity:?}");
    }
}

#[test]
fn a_gradient_that_is_not_a_number_shows_in_all_that_an_optimizer_has() {
    for isa in Isa::available() {
        let adam = Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0, decay: Decay::Gradient };
        let (mut parameters, mut m, mut v) = ([1.0], [0.0], [0.0]);
        adam.update(isa, 1e-2, 1, &mut parameters, &[f32::NAN], &mut m, &mut v);
        assert!(parameters[0].is_nan() && m[0].is_nan() && v[0].is_nan(), "{isa:?}: {parameters:?} {m:?} {v:?}");
    }
    let (mut parameters, mut velocity) = ([1.0], [0.0]);
    let sgd = Sgd { momentum: 0.5, kind: Momentum::Plain, weight_decay: 0.0 };
    sgd.update(0.25, &mut parameters, &[f32::NAN], Some(&mut velocity));
    assert!(parameters[0].is_nan() && velocity[0].is_nan(), "{parameters:?} {velocity:?}");
}

/// Share of 64,000 elements that are kept.
fn share(dropout: &Dropout) -> f64 {
    let kept = (0..64).flat_map(|sample| (0..1000).map(move |element| (sample, element)));
    let kept = kept.filter(|&(sample, element)| dropout.keeps(sample, element)).count();
    f64::from(u32::try_from(kept).expect("a few")) / 64_000.0
}

#[test]
fn dropout_keeps_the_share_it_should() {
    for rate in [0.0, 0.2, 0.5, 0.9] {
        let share = share(&Dropout::new(rate, 7, 8, 9));
        // Five standard deviations.
        assert!((share - (1.0 - f64::from(rate))).abs() < 0.01, "expected {}, found {share}", 1.0 - rate);
    }
}

#[test]
fn dropout_changes_with_every_part_of_its_key() {
    let base = Dropout::new(0.5, 1, 2, 3);
    let others = [Dropout::new(0.5, 0, 2, 3), Dropout::new(0.5, 1, 3, 3), Dropout::new(0.5, 1, 2, 2)];
    for other in others {
        let equal = (0..10_000).filter(|&i| base.keeps(i / 100, i % 100) == other.keeps(i / 100, i % 100)).count();
        assert!((4_700..5_300).contains(&equal), "{equal} of 10000 agree");
    }
    let neighbours = (0..10_000).filter(|&i| base.keeps(i, 5) == base.keeps(i + 1, 5)).count();
    assert!((4_700..5_300).contains(&neighbours), "{neighbours} of 10000 agree");
}
