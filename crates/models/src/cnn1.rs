//! CNN-1: one convolution of 32 filters, then a dense layer of 128 units.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::block::{Block, ConvBlock, ConvBlockConfig, ConvPadding, DenseBlock, DenseBlockConfig, Head, HeadKind, Op};
use crate::initializer::{Draws, Initializer};
use crate::naming::Style;
use crate::plan::{Blueprint, Plan};
use crate::{FieldError, InputShape, check};

/// Configuration of [`Cnn1`]: C32 P D FC128, with a 3×3 convolution without padding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cnn1Config {
    /// Rate of the dropout after the pool.
    pub dropout: f64,
    /// Distribution of the initial weights.
    pub initializer: Initializer,
}

impl Default for Cnn1Config {
    fn default() -> Self {
        Self { dropout: 0.2, initializer: Initializer::GlorotUniform }
    }
}

impl Cnn1Config {
    pub(crate) fn plan(&self, input: InputShape, num_classes: usize) -> Result<Blueprint, FieldError> {
        check::rate("dropout", self.dropout)?;
        let conv1 = ConvBlockConfig::new(32, ConvPadding::Valid).with_pool().with_dropout(self.dropout);
        let mut plan = Plan::new(input, Style::Attributes)?;
        plan.conv("kind", conv1)?;
        plan.reduce(Op::Flatten)?;
        plan.dense("kind", DenseBlockConfig::new(128, 0.0))?;
        plan.head(num_classes, HeadKind::Softmax)
    }

    pub(crate) fn init(blueprint: &Blueprint, draws: &Draws, device: &Device) -> Cnn1 {
        let [conv1] = blueprint.all_conv_blocks(draws, device);
        let [dense1] = blueprint.all_dense_blocks(draws, device);
        let head = blueprint.head(draws, device);
        Cnn1 { conv1, dense1, head }
    }
}

/// A network of one convolution and two dense layers.
#[derive(Module, Debug)]
pub struct Cnn1 {
    /// 32 filters, pool, dropout.
    pub conv1: ConvBlock,
    /// 128 units.
    pub dense1: DenseBlock,
    /// The last layer.
    pub head: Head,
}

impl Cnn1 {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.conv1.forward(images);
        let x = self.dense1.forward(x);
        self.head.forward(x)
    }

    pub(crate) fn blocks(&mut self) -> Vec<Block<'_>> {
        vec![Block::Conv(&mut self.conv1), Block::Dense(&mut self.dense1), Block::Head(&mut self.head)]
    }
}
