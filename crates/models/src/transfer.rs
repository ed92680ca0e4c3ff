//! Transfer learning: the convolutional base of a trained VGG, frozen, and a dense head that is trained on its
//! features.
//!
//! The two are separate modules, because features are computed once and the head is trained on them many times:
//! [`Base`], or the [`Extractor`] made of it, turns images into features, [`Transfer`] turns features into logits. Layers are named as in
//! torchvision, so that its weights fit by name. Which file holds them is the caller's business.

mod extractor;

use std::io::{Read, Seek};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

pub use self::extractor::Extractor;
use crate::block::{BatchNormPlacement, Block, ConvBlock, DenseBlock, Head, Kernels, classify};
use crate::initializer::{Draws, Initializer};
use crate::naming::Style;
use crate::plan::{Blueprint, Plan};
use crate::weights::{TensorFile, WeightsError, fill};
use crate::{FieldError, InputShape, VggConfig, VggVariant};

/// What VGG's first layer expects: red, green and blue.
const CHANNELS: usize = 3;

/// Configuration of a transfer: a frozen [`Base`] and the [`Transfer`] head that is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferConfig {
    /// The network whose convolutions are the base, frozen.
    pub base: VggVariant,
    /// Weights of the base: the name of a published file, or the path of one. Not read here.
    pub weights: String,
    /// Units of each hidden dense layer of the head. Default 512.
    #[serde(default = "hidden_sizes")]
    pub hidden_sizes: Vec<usize>,
    /// Rate of the dropout after every hidden dense layer. Default 0.5.
    #[serde(default = "dropout")]
    pub dropout: f64,
    /// Distribution of the head's initial weights.
    #[serde(default)]
    pub initializer: Initializer,
}

fn hidden_sizes() -> Vec<usize> {
    vec![512]
}

fn dropout() -> f64 {
    0.5
}

impl TransferConfig {
    /// A head of one hidden layer of 512 units with dropout 0.5.
    #[must_use]
    pub fn new(base: VggVariant, weights: impl Into<String>) -> Self {
        Self {
            base,
            weights: weights.into(),
            hidden_sizes: hidden_sizes(),
            dropout: dropout(),
            initializer: Initializer::default(),
        }
    }

    /// The shape of the features that the base makes of an image.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if images of this shape do not fit through the base.
    pub fn features(&self, input: InputShape) -> Result<InputShape, FieldError> {
        let layers = self.plan(input, 1)?.summary.layers;
        let last = layers.iter().rev().find_map(|layer| match *layer.output_shape {
            [channels, height, width] => Some(InputShape { channels, height, width }),
            _ => None,
        });
        last.ok_or_else(|| FieldError::new("base", "has no convolutions"))
    }

    /// Makes the base with the weights of a file, on the CPU ([`Device::flex`]).
    ///
    /// The file must hold every tensor of the base; of others, only those of a `classifier`, as torchvision's
    /// files do.
    ///
    /// # Errors
    ///
    /// A [`WeightsError`] that lists every tensor that is missing, wrong or unexpected.
    ///
    /// # Panics
    ///
    /// Never: the image below fits through every base.
    pub fn base(&self, file: &mut TensorFile<impl Read + Seek>) -> Result<Base, WeightsError> {
        // The weights of a convolution do not depend on the size of the image: one that fits is enough.
        let least = InputShape { channels: CHANNELS, height: 32, width: 32 };
        let plan = Self::new(self.base, "").plan(least, 1).expect("32x32 pixels fit through every base");
        let draws = Draws { seed: 0, initializer: self.initializer };
        let mut base = Base { features: plan.conv_blocks(&draws, &Device::flex()) };
        let slots = base.features.iter_mut().flat_map(ConvBlock::slots).collect();
        fill(slots, file, |name| name.starts_with("classifier."))?;
        Ok(base)
    }

    pub(crate) fn plan(&self, input: InputShape, num_classes: usize) -> Result<Blueprint, FieldError> {
        if input.channels != CHANNELS {
            let message = format!(
                "expects images of {CHANNELS} channels, found {}; set data.normalize to kind imagenet",
                input.channels
            );
            return Err(FieldError::new("base", message));
        }
        let network = self.network();
        let mut plan = Plan::new(input, Style::Sequentials)?;
        let rename = |error: FieldError| FieldError { field: error.field.replace("variant", "base"), ..error };
        network.plan_stages(&mut plan).map_err(rename)?;
        plan.freeze();
        network.plan_classifier(plan, num_classes)
    }

    /// The network that base and head make up together.
    fn network(&self) -> VggConfig {
        VggConfig {
            variant: Some(self.base),
            batch_norm: BatchNormPlacement::None,
            hidden_sizes: self.hidden_sizes.clone(),
            dropout: self.dropout,
            initializer: self.initializer,
            ..VggConfig::default()
        }
    }

    pub(crate) fn init(blueprint: &Blueprint, draws: &Draws, device: &Device) -> Transfer {
        Transfer { classifier: blueprint.dense_blocks(draws, device), head: blueprint.head(draws, device) }
    }
}

/// The convolutions of a VGG, which are not trained.
#[derive(Module, Debug)]
pub struct Base {
    /// The convolutions of all stages; the last of each ends with a pool.
    pub features: Vec<ConvBlock>,
}

impl Base {
    /// Computes the features: the maps of the last stage.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, 3, height, width]`
    /// - output: `[batch, channels', height', width']`
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let blocks = self.features.iter();
        blocks.fold(images, |x, block| block.forward(x))
    }

    /// Chooses what runs the blocks; [`Kernels::Fused`] unless this says otherwise.
    #[must_use]
    pub fn with_kernels(mut self, kernels: Kernels) -> Self {
        for block in &mut self.features {
            Block::Conv(block).set_kernels(kernels);
        }
        self
    }
}

/// The head that is trained: dense layers on the features of a [`Base`].
#[derive(Module, Debug)]
pub struct Transfer {
    /// The hidden dense layers.
    pub classifier: Vec<DenseBlock>,
    /// The last layer.
    pub head: Head,
}

impl Transfer {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - features: `[batch, channels, height, width]` as [`Base::forward`] makes them
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        classify(&self.classifier, &self.head, features)
    }

    pub(crate) fn blocks(&mut self) -> Vec<Block<'_>> {
        let classifier = self.classifier.iter_mut().map(Block::Dense);
        classifier.chain([Block::Head(&mut self.head)]).collect()
    }
}
