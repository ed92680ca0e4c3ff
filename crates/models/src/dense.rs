//! Networks of dense layers: any number of hidden layers of any size.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::block::{
    Activation, BatchNormConstants, BatchNormPlacement, Bias, Block, DenseBlock, DenseBlockConfig, Head, HeadKind, Op,
    classify,
};
use crate::initializer::{Draws, Initializer};
use crate::naming::Style;
use crate::plan::{Blueprint, Plan};
use crate::{FieldError, InputShape, check};

/// Configuration of a [`Dense`] network: pixels, hidden layers, classes.
///
/// The default is one hidden layer of 128 units with ReLU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DenseConfig {
    /// Units of each hidden layer. None at all makes a linear classifier.
    pub hidden_sizes: Vec<usize>,
    /// Whether the layers have biases, the last one included. Default true.
    pub bias: Bias,
    /// The non-linear function of every hidden layer.
    pub activation: Activation,
    /// Rate of the dropout after every hidden layer.
    pub dropout: f64,
    /// Where every hidden layer is batch-normalised, if at all.
    pub batch_norm: BatchNormPlacement,
    /// Constants of the batch norm.
    pub batch_norm_constants: BatchNormConstants,
    /// How the last layer's outputs become probabilities.
    pub head: HeadKind,
    /// Distribution of the initial weights.
    pub initializer: Initializer,
}

impl Default for DenseConfig {
    fn default() -> Self {
        Self {
            hidden_sizes: vec![128],
            bias: Bias::On,
            activation: Activation::Relu,
            dropout: 0.0,
            batch_norm: BatchNormPlacement::None,
            batch_norm_constants: BatchNormConstants::default(),
            head: HeadKind::Softmax,
            initializer: Initializer::GlorotUniform,
        }
    }
}

impl DenseConfig {
    pub(crate) fn plan(&self, input: InputShape, num_classes: usize) -> Result<Blueprint, FieldError> {
        check::rate("dropout", self.dropout)?;
        self.batch_norm_constants.validate("batch_norm_constants")?;
        let mut plan = Plan::new(input, Style::Attributes)?;
        plan.reduce(Op::Flatten)?;
        for (index, &size) in self.hidden_sizes.iter().enumerate() {
            let block = DenseBlockConfig::new(size, self.dropout)
                .with_bias(self.bias)
                .with_activation(self.activation)
                .with_batch_norm(self.batch_norm, self.batch_norm_constants);
            plan.dense(&format!("hidden_sizes[{index}]"), block)?;
        }
        plan.head_with(num_classes, self.head, self.bias)
    }

    pub(crate) fn init(blueprint: &Blueprint, draws: &Draws, device: &Device) -> Dense {
        Dense { hidden: blueprint.dense_blocks(draws, device), head: blueprint.head(draws, device) }
    }
}

/// A network of dense layers.
#[derive(Module, Debug)]
pub struct Dense {
    /// The hidden layers, from the pixels on.
    pub hidden: Vec<DenseBlock>,
    /// The last layer.
    pub head: Head,
}

impl Dense {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        classify(&self.hidden, &self.head, images)
    }

    pub(crate) fn blocks(&mut self) -> Vec<Block<'_>> {
        let hidden = self.hidden.iter_mut().map(Block::Dense);
        hidden.chain([Block::Head(&mut self.head)]).collect()
    }
}
