//! The exclusive or, learnt by a network of nine weights: the first example of the network written from scratch.
//!
//! Plain functions in f64, since the article's printed digits are those of f64, and the article's update rule
//! as it stands: two quirks and all, each of which can be mended. Knows no tensor, no optimizer and no file.

use serde::{Deserialize, Serialize};

/// Units of the hidden layer.
const HIDDEN: usize = 3;

/// The four rows.
pub const INPUTS: [[f64; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// What each row should come to.
pub const TARGETS: [f64; 4] = [0.0, 1.0, 1.0, 0.0];

/// The weights of a 2-3-1 network without biases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Weights {
    /// From each input to the hidden units.
    pub hidden: [[f64; HIDDEN]; 2],
    /// From the hidden units to the output.
    pub output: [f64; HIDDEN],
}

impl Weights {
    /// Number of weights.
    pub const COUNT: usize = 2 * HIDDEN + HIDDEN;

    /// Where the article starts: `np.random.seed(42)` of `NumPy`'s legacy generator (MT19937), then
    /// `np.random.uniform(size=(2, 3))` for the hidden layer and `np.random.uniform(size=(3, 1))` for the output.
    pub const PUBLISHED: Self = Self {
        hidden: [
            [0.374_540_118_847_362_5, 0.950_714_306_409_916_2, 0.731_993_941_811_405_1],
            [0.598_658_484_197_036_6, 0.156_018_640_442_436_52, 0.155_994_520_336_202_65],
        ],
        output: [0.058_083_612_168_199_46, 0.866_176_145_774_935_2, 0.601_115_011_743_208_8],
    };
}

/// How the weights are updated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Step length. The error is not averaged over the rows.
    pub learning_rate: f64,
    /// When the output weights change.
    pub order: UpdateOrder,
    /// Where the sigmoid's slope is taken.
    pub slope: Slope,
}

/// When the output weights change: the hidden layer's error is computed from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOrder {
    /// First, so that the hidden layer's error comes from weights that have already changed: as published.
    OutputFirst,
    /// Together with the hidden weights: gradient descent.
    Together,
}

/// Where the slope of the hidden units' sigmoid is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slope {
    /// At the activation a = σ(z): σ(a)·(1 − σ(a)), as published.
    AtActivation,
    /// At the sum z that goes into the unit: a·(1 − a), the derivative.
    AtInput,
}

/// What the network computes for the four rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    /// Activations of the hidden units, per row.
    pub hidden: [[f64; HIDDEN]; 4],
    /// Outputs, per row.
    pub outputs: [f64; 4],
}

impl Pass {
    /// Σ (target − output) over the rows: what the article prints.
    #[must_use]
    pub fn error_sum(&self) -> f64 {
        self.errors().iter().sum()
    }

    /// Mean of (target − output)² over the rows.
    #[must_use]
    pub fn mean_squared_error(&self) -> f64 {
        self.errors().iter().map(|error| error * error).sum::<f64>() / 4.0
    }

    /// The class of each row: whether the output is nearer to 1 than to 0.
    #[must_use]
    pub fn predicted(&self) -> [usize; 4] {
        self.outputs.map(|output| usize::from(output >= 0.5))
    }

    fn errors(&self) -> [f64; 4] {
        std::array::from_fn(|row| TARGETS[row] - self.outputs[row])
    }
}

/// Runs the four rows through the network: sigmoid hidden units, a linear output.
#[must_use]
pub fn forward(weights: &Weights) -> Pass {
    let hidden = INPUTS
        .map(|[x, y]| std::array::from_fn(|unit| sigmoid(x * weights.hidden[0][unit] + y * weights.hidden[1][unit])));
    let outputs = hidden.map(|hidden: [f64; HIDDEN]| hidden.iter().zip(weights.output).map(|(a, w)| a * w).sum());
    Pass { hidden, outputs }
}

/// Changes the weights after a pass of all four rows.
#[must_use]
pub fn update(weights: &Weights, pass: &Pass, rule: &Rule) -> Weights {
    let steps = pass.errors().map(|error| error * rule.learning_rate);
    let mut new = *weights;
    for (unit, weight) in new.output.iter_mut().enumerate() {
        *weight += (0..4).map(|row| pass.hidden[row][unit] * steps[row]).sum::<f64>();
    }
    let output = match rule.order {
        UpdateOrder::OutputFirst => new.output,
        UpdateOrder::Together => weights.output,
    };
    for (input, row_weights) in new.hidden.iter_mut().enumerate() {
        for (unit, weight) in row_weights.iter_mut().enumerate() {
            let delta = |row: usize| steps[row] * output[unit] * slope(pass.hidden[row][unit], rule.slope);
            *weight += (0..4).map(|row| INPUTS[row][input] * delta(row)).sum::<f64>();
        }
    }
    new
}

/// Updates the weights so many times, and shows each epoch's number, from 0, with its pass to `observe` before
/// the update.
///
/// # Errors
///
/// Whatever `observe` returns.
pub fn train<E>(
    mut weights: Weights,
    rule: &Rule,
    epochs: usize,
    mut observe: impl FnMut(usize, &Pass) -> Result<(), E>,
) -> Result<Weights, E> {
    for epoch in 0..epochs {
        let pass = forward(&weights);
        observe(epoch, &pass)?;
        weights = update(&weights, &pass, rule);
    }
    Ok(weights)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn slope(activation: f64, slope: Slope) -> f64 {
    let a = match slope {
        Slope::AtActivation => sigmoid(activation),
        Slope::AtInput => activation,
    };
    a * (1.0 - a)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const PUBLISHED: Rule = Rule { learning_rate: 0.1, order: UpdateOrder::OutputFirst, slope: Slope::AtActivation };
    const DESCENT: Rule = Rule { learning_rate: 0.1, order: UpdateOrder::Together, slope: Slope::AtInput };

    fn run(rule: &Rule, epochs: usize) -> (Vec<f64>, Weights) {
        let mut sums = Vec::new();
        let weights = train(Weights::PUBLISHED, rule, epochs, |epoch, pass| {
            if epoch % 5_000 == 0 {
                sums.push(pass.error_sum());
            }
            Ok::<(), Infallible>(())
        });
        (sums, weights.expect("the observer does not fail"))
    }

    /// Printed by the article every 5,000 epochs, as many digits as it shows. The last three are sums of
    /// rounding errors around 1e-13, which depend on the order in which a library adds.
    const PRINTED: [(f64, f64); 7] = [
        (-1.774_960_16, 5e-9),
        (0.005_865_65, 5e-9),
        (0.005_256_99, 5e-9),
        (0.000_362_5, 5e-9),
        (-0.000_646_57, 5e-9),
        (0.001_895_32, 5e-9),
        (3.791e-8, 5e-12),
    ];

    #[test]
    fn the_printed_sums_of_errors_come_out() {
        let (sums, weights) = run(&PUBLISHED, 50_000);
        assert_eq!(sums.len(), 10);
        for (found, (printed, half_a_digit)) in sums.iter().zip(PRINTED) {
            assert!((found - printed).abs() <= half_a_digit, "{found} is not {printed}: {sums:?}");
        }
        assert!(sums[7..].iter().all(|sum| sum.abs() < 1e-11), "{sums:?}");
        let pass = forward(&weights);
        assert!((pass.outputs[1] - 1.0).abs() < 1e-9, "[0, 1] comes to {}", pass.outputs[1]);
        assert_eq!(pass.predicted(), [0, 1, 1, 0]);
    }

    #[test]
    fn each_quirk_changes_what_comes_out() {
        let sum = |rule: Rule| run(&rule, 5_001).0[1];
        let found = [
            sum(PUBLISHED),
            sum(DESCENT),
            sum(Rule { order: UpdateOrder::Together, ..PUBLISHED }),
            sum(Rule { slope: Slope::AtInput, ..PUBLISHED }),
        ];
        for (index, a) in found.iter().enumerate() {
            assert!(found[..index].iter().all(|b| (a - b).abs() > 1e-8), "{found:?}");
        }
    }

    /// The mended rule follows the gradient of half the summed squared error, by finite differences.
    #[test]
    fn without_quirks_the_rule_is_gradient_descent() {
        let weights = Weights::PUBLISHED;
        let loss = |weights: &Weights| 2.0 * forward(weights).mean_squared_error();
        let new = update(&weights, &forward(&weights), &DESCENT);
        let step = 1e-6;
        let check = |change: f64, shift: &dyn Fn(&mut Weights, f64)| {
            let (mut up, mut down) = (weights, weights);
            shift(&mut up, step);
            shift(&mut down, -step);
            let gradient = (loss(&up) - loss(&down)) / (2.0 * step);
            assert!((change + DESCENT.learning_rate * gradient).abs() < 1e-9, "{change}, gradient {gradient}");
        };
        for unit in 0..HIDDEN {
            check(new.output[unit] - weights.output[unit], &|it, by| it.output[unit] += by);
            for input in 0..2 {
                let change = new.hidden[input][unit] - weights.hidden[input][unit];
                check(change, &|it, by| it.hidden[input][unit] += by);
            }
        }
    }
}
