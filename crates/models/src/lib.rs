//! Image classifiers as Burn modules: from a validated configuration to a network that turns images
//! into logits.
//!
//! [`ModelConfig`] names an architecture and its settings, [`ModelConfig::summary`] derives every
//! size from the image shape without making a tensor, [`ModelConfig::init_seeded`] draws the weights,
//! and [`Model::forward`] computes logits. [`to_safetensors`] and [`from_safetensors`] exchange
//! weights with PyTorch; [`TensorFile`] reads its own files, too, for the frozen [`Base`] of a [`Transfer`].
//!
//! The crate knows no data set, no file, no optimizer and no loss. Randomness is always an argument.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use models::{Cnn3Config, InputShape, ModelConfig};
//!
//! let config = ModelConfig::Cnn3(Cnn3Config::default());
//! let images = InputShape { channels: 1, height: 28, width: 28 };
//! assert_eq!(config.summary(images, 10)?.totals().parameters, 241_546);
//!
//! let model = config.init_seeded(images, 10, 42);
//! let logits = model.forward(Tensor::zeros([2, 1, 28, 28], &Device::flex()));
//! assert_eq!(logits.dims(), [2, 10]);
//! # Ok::<(), models::FieldError>(())
//! ```

mod activations;
mod block;
mod check;
mod cnn1;
mod cnn3;
mod cnn4;
mod dense;
mod error;
mod initializer;
mod model;
mod naming;
mod plan;
mod slot;
mod stream;
mod summary;
mod transfer;
mod vgg;
mod weights;

pub use activations::{Activations, LayerOutput, UnknownLayer};
pub use block::{
    Activation, BatchNormConstants, BatchNormPlacement, Bias, ConvBlock, DenseBlock, Head, HeadKind, Kernels,
};
pub use cnn1::{Cnn1, Cnn1Config};
pub use cnn3::{Cnn3, Cnn3Config};
pub use cnn4::{Cnn4, Cnn4Config};
pub use dense::{Dense, DenseConfig};
pub use error::FieldError;
pub use initializer::{Bounds, Initializer};
pub use model::{Model, ModelConfig};
pub use slot::Parameter;
pub use summary::{InputShape, Layer, Summary, Totals};
pub use transfer::{Base, Extractor, Transfer, TransferConfig};
pub use vgg::{Reduction, Vgg, VggConfig, VggVariant};
pub use weights::{NamedTensor, TensorFile, WeightsError, from_safetensors, read_tensors, to_safetensors};
