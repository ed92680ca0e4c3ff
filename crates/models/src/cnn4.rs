//! CNN-4: four convolutions and two dense layers, every one of them batch-normalised after its ReLU.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::block::{
    BatchNormConstants, BatchNormPlacement, Block, ConvBlock, ConvBlockConfig, ConvPadding, DenseBlock,
    DenseBlockConfig, Head, HeadKind, Op,
};
use crate::initializer::{Draws, Initializer};
use crate::naming::Style;
use crate::plan::{Blueprint, Plan};
use crate::{FieldError, InputShape, check};

/// Configuration of [`Cnn4`]: C32 BN C32 BN P D C64 BN D C128 BN P D FC512 BN D FC128 BN D, with 3×3
/// convolutions without padding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cnn4Config {
    /// Rates of the dropouts, in the order of the layers.
    pub dropout: [f64; 5],
    /// Constants of the batch norms.
    pub batch_norm_constants: BatchNormConstants,
    /// Distribution of the initial weights.
    pub initializer: Initializer,
}

impl Default for Cnn4Config {
    fn default() -> Self {
        Self {
            dropout: [0.25, 0.25, 0.25, 0.5, 0.5],
            batch_norm_constants: BatchNormConstants::default(),
            initializer: Initializer::GlorotUniform,
        }
    }
}

impl Cnn4Config {
    pub(crate) fn plan(&self, input: InputShape, num_classes: usize) -> Result<Blueprint, FieldError> {
        check::rates("dropout", &self.dropout)?;
        self.batch_norm_constants.validate("batch_norm_constants")?;
        let placement = BatchNormPlacement::AfterActivation;
        let conv = |channels| {
            ConvBlockConfig::new(channels, ConvPadding::Valid).with_batch_norm(placement, self.batch_norm_constants)
        };
        let dense = |features, rate| {
            DenseBlockConfig::new(features, rate).with_batch_norm(placement, self.batch_norm_constants)
        };
        let [rate1, rate2, rate3, rate4, rate5] = self.dropout;
        let mut plan = Plan::new(input, Style::Attributes)?;
        plan.conv("kind", conv(32))?;
        plan.conv("kind", conv(32).with_pool().with_dropout(rate1))?;
        plan.conv("kind", conv(64).with_dropout(rate2))?;
        plan.conv("kind", conv(128).with_pool().with_dropout(rate3))?;
        plan.reduce(Op::Flatten)?;
        plan.dense("kind", dense(512, rate4))?;
        plan.dense("kind", dense(128, rate5))?;
        plan.head(num_classes, HeadKind::Softmax)
    }

    pub(crate) fn init(blueprint: &Blueprint, draws: &Draws, device: &Device) -> Cnn4 {
        let [conv1, conv2, conv3, conv4] = blueprint.all_conv_blocks(draws, device);
        let [dense1, dense2] = blueprint.all_dense_blocks(draws, device);
        let head = blueprint.head(draws, device);
        Cnn4 { conv1, conv2, conv3, conv4, dense1, dense2, head }
    }
}

/// A network of four convolutions and three dense layers.
#[derive(Module, Debug)]
pub struct Cnn4 {
    /// 32 filters, batch norm.
    pub conv1: ConvBlock,
    /// 32 filters, batch norm, pool, dropout.
    pub conv2: ConvBlock,
    /// 64 filters, batch norm, dropout.
    pub conv3: ConvBlock,
    /// 128 filters, batch norm, pool, dropout.
    pub conv4: ConvBlock,
    /// 512 units, batch norm, dropout.
    pub dense1: DenseBlock,
    /// 128 units, batch norm, dropout.
    pub dense2: DenseBlock,
    /// The last layer.
    pub head: Head,
}

impl Cnn4 {
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
        let x = self.conv4.forward(x);
        let x = self.dense1.forward(x);
        let x = self.dense2.forward(x);
        self.head.forward(x)
    }

    pub(crate) fn blocks(&mut self) -> Vec<Block<'_>> {
        vec![
            Block::Conv(&mut self.conv1),
            Block::Conv(&mut self.conv2),
            Block::Conv(&mut self.conv3),
            Block::Conv(&mut self.conv4),
            Block::Dense(&mut self.dense1),
            Block::Dense(&mut self.dense2),
            Block::Head(&mut self.head),
        ]
    }
}
