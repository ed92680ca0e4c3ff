//! `[loss]`: what training makes small, and what an epoch's row says of it besides.

use serde::{Deserialize, Serialize};

use super::checks::Checks;

/// The loss of one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// −log p of the true class, where p is the softmax of the logits.
    CrossEntropy(CrossEntropy),
    /// The sum over classes of −y·log σ(z) − (1 − y)·log(1 − σ(z)), with y = 1 for the true class: its
    /// gradient in z is σ(z) − y.
    BinaryCrossEntropy(BinaryCrossEntropy),
}

/// Settings of cross-entropy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// How a batch's losses become one. Default mean.
    pub reduction: Reduction,
    /// Probabilities are cut off at `clip` and `1 - clip` before the logarithm, and no gradient flows from
    /// beyond: Keras does so with 1e-7 where a model returns probabilities. Default 0: nothing is cut.
    pub clip: f64,
}

/// Settings of binary cross-entropy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BinaryCrossEntropy {
    /// How a batch's losses become one. Default mean.
    pub reduction: Reduction,
    /// Another figure for `train_error` in each epoch's row. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Monitor>,
}

/// How the losses of a batch's samples become the one number whose gradient trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum: the size of a step grows with the batch.
    Sum,
}

/// A figure that is watched, not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// Half the mean over *classes* of (−y·log σ(z) summed over a batch, plus the L2 term λ/2·Σw²), averaged
    /// over the epoch's batches: the error curve of the network written from scratch in `NumPy`. λ is the
    /// optimizer's `weight_decay`.
    HalfClassMean,
}

impl Default for Loss {
    fn default() -> Self {
        Self::CrossEntropy(CrossEntropy::default())
    }
}

impl Loss {
    /// How a batch's losses become one.
    #[must_use]
    pub fn reduction(&self) -> Reduction {
        match self {
            Self::CrossEntropy(loss) => loss.reduction,
            Self::BinaryCrossEntropy(loss) => loss.reduction,
        }
    }

    /// The figure that is watched besides.
    #[must_use]
    pub fn monitor(&self) -> Option<Monitor> {
        match self {
            Self::CrossEntropy(_) => None,
            Self::BinaryCrossEntropy(loss) => loss.monitor,
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        if let Self::CrossEntropy(loss) = self {
            checks.within("loss.clip", loss.clip, 0.0..0.5);
        }
    }
}
