//! The distributions that weights are drawn from, as Keras and PyTorch define them.
//!
//! Burn's own initialisers are not used: they draw biases from the kernel's distribution, where Keras
//! sets them to zero, and they take their numbers from a generator that is global to the backend.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::stream::Stream;

/// The distribution of the initial weights.
///
/// A kernel's `fan_in` is the number of inputs of one output, `kernel area · input channels`, and its
/// `fan_out` the number of outputs of one input, `kernel area · output channels`; the area of a dense
/// layer's kernel is 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    /// Kernels from `U(±√(6 / (fan_in + fan_out)))`, biases zero: the default of Keras (Glorot and
    /// Bengio, 2010, equation 16).
    #[default]
    GlorotUniform,
    /// Kernels from `U(±√(6 / fan_in))`, biases zero (He et al., 2015, equation 10, as a uniform
    /// distribution of the same variance).
    HeUniform,
    /// Kernels from a normal distribution of variance `2 / fan_in` after it is cut at two deviations,
    /// as in Keras, biases zero (He et al., 2015, equation 10).
    HeNormal,
    /// Kernels and biases from `U(±1 / √fan_in)`: the default of PyTorch's `Linear` and `Conv2d`,
    /// there written as Kaiming-uniform with a = √5.
    #[serde(rename = "pytorch")]
    PyTorch,
    /// Kernels from a uniform distribution between two bounds, whatever the size of the layer; biases
    /// zero.
    Uniform(Bounds),
}

/// The bounds of a uniform distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The smallest number.
    pub low: f64,
    /// The number that all draws stay below.
    pub high: f64,
}

impl Initializer {
    /// Checks the bounds; `field` is the path of this initializer.
    pub(crate) fn validate(self, field: &str) -> Result<(), FieldError> {
        let Self::Uniform(Bounds { low, high }) = self else { return Ok(()) };
        for (name, bound) in [("low", low), ("high", high)] {
            if bound.is_nan() || bound.abs() > LARGEST_BOUND {
                let message = format!("must be between -{LARGEST_BOUND} and {LARGEST_BOUND}, found {bound}");
                return Err(FieldError::new(format!("{field}.{name}"), message));
            }
        }
        if low >= high {
            return Err(FieldError::new(format!("{field}.high"), format!("must be above low, {low}, found {high}")));
        }
        Ok(())
    }
}

/// Weights beyond this help nobody, and sums of them overflow.
const LARGEST_BOUND: f64 = 1e6;

/// Deviation of the standard normal distribution cut at ±2, by which Keras widens it again.
const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// The numbers of inputs of one output and of outputs of one input of a kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fans {
    fan_in: f64,
    fan_out: f64,
}

impl Fans {
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below the 2^53 that an f64 counts exactly")]
    pub(crate) fn new(kernel_area: usize, inputs: usize, outputs: usize) -> Self {
        Self { fan_in: (kernel_area * inputs) as f64, fan_out: (kernel_area * outputs) as f64 }
    }
}

/// Draws the tensors of one model: each from a stream of its own, keyed by the seed and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    pub(crate) seed: u64,
    pub(crate) initializer: Initializer,
}

impl Draws {
    /// Draws a kernel of the given shape. The parameter is initialised at once, on `device`.
    pub(crate) fn kernel<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        fans: Fans,
        device: &Device,
    ) -> Param<Tensor<D>> {
        let Fans { fan_in, fan_out } = fans;
        let mut stream = Stream::new(self.seed, name);
        let len = shape.iter().product();
        let values = match self.initializer {
            Initializer::GlorotUniform => {
                let bound = (6.0 / (fan_in + fan_out)).sqrt();
                fill(len, || stream.uniform(bound))
            }
            Initializer::HeUniform => {
                let bound = (6.0 / fan_in).sqrt();
                fill(len, || stream.uniform(bound))
            }
            Initializer::HeNormal => {
                let scale = (2.0 / fan_in).sqrt() / CUT_DEVIATION;
                fill(len, || scale * stream.truncated_normal())
            }
            Initializer::PyTorch => {
                let bound = 1.0 / fan_in.sqrt();
                fill(len, || stream.uniform(bound))
            }
            Initializer::Uniform(Bounds { low, high }) => {
                let (middle, half) = (f64::midpoint(low, high), (high - low) / 2.0);
                fill(len, || middle + stream.uniform(half))
            }
        };
        Param::from_data(TensorData::new(values, shape), device)
    }

    /// Draws the biases of a layer whose kernel has the given fans.
    pub(crate) fn bias(&self, name: &str, len: usize, fans: Fans, device: &Device) -> Param<Tensor<1>> {
        match self.initializer {
            Initializer::PyTorch => self.kernel(name, [len], fans, device),
            Initializer::GlorotUniform | Initializer::HeUniform | Initializer::HeNormal | Initializer::Uniform(_) => {
                Param::from_data(TensorData::zeros::<f32, _>([len]), device)
            }
        }
    }
}

fn fill(len: usize, mut draw: impl FnMut() -> f64) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "weights are f32; the draw is rounded to the nearest")]
    (0..len).map(|_| draw() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 4] = [64, 32, 3, 3];

    fn draw(initializer: Initializer) -> Vec<f64> {
        let draws = Draws { seed: 7, initializer };
        let fans = Fans::new(9, SHAPE[1], SHAPE[0]);
        let kernel = draws.kernel("conv2.weight", SHAPE, fans, &Device::flex());
        kernel.val().into_data().iter::<f64>().collect()
    }

    /// Checks that `values` stay within `bound`, come close to it, and have mean 0 and `variance`.
    fn check(values: &[f64], bound: f64, variance: f64) {
        let n = f64::from(u32::try_from(values.len()).unwrap());
        let mean = values.iter().sum::<f64>() / n;
        let spread = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let largest = values.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
        assert!(largest <= bound * (1.0 + 1e-6), "{largest} above {bound}");
        assert!(largest > 0.99 * bound, "{largest} far below {bound}");
        // 18,432 draws: the mean's error is √(variance / n), the variance's at most 1.5% at 2σ.
        assert!(mean.abs() < 4.0 * (variance / n).sqrt(), "mean {mean}");
        assert!((spread / variance - 1.0).abs() < 0.04, "{spread}");
    }

    #[test]
    fn kernels_have_the_published_bounds_and_variances() {
        let (fan_in, fan_out) = (288.0, 576.0);
        let uniform = |bound: f64| (bound, bound * bound / 3.0);
        let he_deviation = (2.0_f64 / fan_in).sqrt();
        let cases = [
            (Initializer::GlorotUniform, uniform((6.0_f64 / (fan_in + fan_out)).sqrt())),
            (Initializer::HeUniform, uniform((6.0_f64 / fan_in).sqrt())),
            (Initializer::HeNormal, (2.0 * he_deviation / CUT_DEVIATION, 2.0 / fan_in)),
            (Initializer::PyTorch, uniform(1.0 / fan_in.sqrt())),
        ];
        for (initializer, (bound, variance)) in cases {
            check(&draw(initializer), bound, variance);
        }
    }

    #[test]
    fn bounds_need_not_be_symmetric() {
        let values = draw(Initializer::Uniform(Bounds { low: 0.25, high: 0.75 }));
        let centred: Vec<f64> = values.iter().map(|x| x - 0.5).collect();
        check(&centred, 0.25, 0.5 * 0.5 / 12.0);
        check(&draw(Initializer::Uniform(Bounds { low: -1.0, high: 1.0 })), 1.0, 1.0 / 3.0);
    }

    #[test]
    fn bounds_that_leave_nothing_to_draw_are_rejected() {
        let field = |low, high| {
            let error = Initializer::Uniform(Bounds { low, high }).validate("initializer").unwrap_err();
            error.field
        };
        assert_eq!(field(1.0, 1.0), "initializer.high");
        assert_eq!(field(f64::NAN, 1.0), "initializer.low");
        assert_eq!(field(0.0, f64::INFINITY), "initializer.high");
        assert_eq!(Initializer::Uniform(Bounds { low: -1.0, high: 1.0 }).validate("initializer"), Ok(()));
    }

    #[test]
    fn biases_are_zero_except_in_pytorch() {
        let bias = |initializer| {
            let draws = Draws { seed: 7, initializer };
            let fans = Fans::new(9, 32, 4096);
            let bias = draws.bias("conv2.bias", 4096, fans, &Device::flex());
            bias.val().into_data().iter::<f64>().collect::<Vec<_>>()
        };
        let bounds = Initializer::Uniform(Bounds { low: -1.0, high: 1.0 });
        for initializer in [Initializer::GlorotUniform, Initializer::HeUniform, Initializer::HeNormal, bounds] {
            assert!(bias(initializer).iter().all(|&x| x == 0.0));
        }
        let bound = 1.0 / 288.0_f64.sqrt();
        check(&bias(Initializer::PyTorch), bound, bound * bound / 3.0);
    }
}
