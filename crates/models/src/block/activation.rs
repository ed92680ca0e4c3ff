//! The non-linear functions between layers.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// A non-linear function, applied to every unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `eˣ / Σ eˣ` over the units of a layer, which makes them compete.
    Softmax,
    /// `x · Φ(x)` with the normal distribution function `Φ` itself, not its approximation.
    Gelu,
    /// `x / (1 + e⁻ˣ)`, also called swish.
    Silu,
}

impl Activation {
    /// Applies the function.
    ///
    /// # Shapes
    ///
    /// - input and output: `[batch, features, …]`; softmax runs over the features.
    pub(crate) fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(x),
            Self::Sigmoid => activation::sigmoid(x),
            Self::Tanh => activation::tanh(x),
            Self::Softmax => activation::softmax(x, 1),
            Self::Gelu => activation::gelu(x),
            Self::Silu => activation::silu(x),
        }
    }

    /// The name in experiment files and in the summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Softmax => "softmax",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
        }
    }
}
