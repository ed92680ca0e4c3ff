//! CNN-3: three convolutions of 32, 64 and 128 filters, then a dense layer of 128 units.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::block::{Block, ConvBlock, ConvBlockConfig, ConvPadding, DenseBlock, DenseBlockConfig, Head, HeadKind, Op};
use crate::initializer::{Draws, Initializer};
use crate::naming::Style;
use crate::plan::{Blueprint, Plan};
use crate::{FieldError, InputShape, check};

/// Configuration of [`Cnn3`]: C32 P D C64 P D C128 D FC128 D, with 3×3 convolutions without padding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cnn3Config {
    /// Rates of the dropouts, in the order of the layers.
    pub dropout: [f64; 4],
    /// Distribution of the initial weights.
    pub initializer: Initializer,
}

impl Default for Cnn3Config {
    fn default() -> Self {
        Self { dropout: [0.25, 0.25, 0.4, 0.3], initializer: Initializer::GlorotUniform }
    }
}

impl Cnn3Config {
    pub(crate) fn plan(&self, input: InputShape, num_classes: usize) -> Result<Blueprint, FieldError> {
        check::rates("dropout", &self.dropout)?;
        let conv = |channels| ConvBlockConfig::new(channels, ConvPadding::Valid);
        let [rate1, rate2, rate3, rate4] = self.dropout;
        let mut plan = Plan::new(input, Style::Attributes)?;
        plan.conv("kind", conv(32).with_pool().with_dropout(rate1))?;
        plan.conv("kind", conv(64).with_pool().with_dropout(rate2))?;
        plan.conv("kind", conv(128).with_dropout(rate3))?;
        plan.reduce(Op::Flatten)?;
        plan.dense("kind", DenseBlockConfig::new(128, rate4))?;
        plan.head(num_classes, HeadKind::Softmax)
    }

    pub(crate) fn init(blueprint: &Blueprint, draws: &Draws, device: &Device) -> Cnn3 {
        let [conv1, conv2, conv3] = blueprint.all_conv_blocks(draws, device);
        let [dense1] = blueprint.all_dense_blocks(draws, device);
        let head = blueprint.head(draws, device);
        Cnn3 { conv1, conv2, conv3, dense1, head }
    }
}

/// A network of three convolutions and two dense layers.
#[derive(Module, Debug)]
pub struct Cnn3 {
    /// 32 filters, pool, dropout.
    pub conv1: ConvBlock,
    /// 64 filters, pool, dropout.
    pub conv2: ConvBlock,
    /// 128 filters, dropout.
    pub conv3: ConvBlock,
    /// 128 units, dropout.
    pub dense1: DenseBlock,
    /// The last layer.
    pub head: Head,
}

impl Cnn3 {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.conv1.forward(images);
        let x = self.conv2.forward(x);
        let x = self.conv3.forward(x);
        let x = self.dense1.forward(x);
        self.head.forward(x)
    }

    pub(crate) fn blocks(&mut self) -> Vec<Block<'_>> {
        vec![
            Block::Conv(&mut self.conv1),
            Block::Conv(&mut self.conv2),
            Block::Conv(&mut self.conv3),
            Block::Dense(&mut self.dense1),
            Block::Head(&mut self.head),
        ]
    }
}
