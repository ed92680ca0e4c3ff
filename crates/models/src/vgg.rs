//! VGG-style networks (Simonyan and Zisserman, 2014, "Very deep convolutional networks for large-scale
//! image recognition"): stages of padded 3×3 convolutions, each ended by a pool, then dense layers.
//!
//! Layers are named as in torchvision, so that weights trained on ImageNet fit by name.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::block::{
    BatchNormConstants, BatchNormPlacement, Block, ConvBlock, ConvBlockConfig, ConvPadding, DenseBlock,
    DenseBlockConfig, Head, HeadKind, Op, classify,
};
use crate::initializer::{Draws, Initializer};
use crate::naming::Style;
use crate::plan::{Blueprint, Plan};
use crate::{FieldError, InputShape, check};

/// The networks of the article, by their number of layers with weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VggVariant {
    /// Column A of the article's table 1.
    Vgg11,
    /// Column B.
    Vgg13,
    /// Column D.
    Vgg16,
    /// Column E.
    Vgg19,
}

impl VggVariant {
    /// The channels of each convolution, stage by stage.
    #[must_use]
    pub fn stages(self) -> Vec<Vec<usize>> {
        let depths = match self {
            Self::Vgg11 => [1, 1, 2, 2, 2],
            Self::Vgg13 => [2, 2, 2, 2, 2],
            Self::Vgg16 => [2, 2, 3, 3, 3],
            Self::Vgg19 => [2, 2, 4, 4, 4],
        };
        let widths = [64, 128, 256, 512, 512];
        let stages = depths.into_iter().zip(widths);
        stages.map(|(depth, width)| vec![width; depth]).collect()
    }
}

/// How the last stage's maps become one row of features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// All pixels of all channels, channels outermost.
    #[default]
    Flatten,
    /// The mean of each channel.
    GlobalAverage,
}

impl Reduction {
    /// # Shapes
    ///
    /// - maps: `[batch, channels, height, width]`
    /// - output: `[batch, features]`
    pub(crate) fn forward(self, maps: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Flatten => maps.flatten(1, 3),
            // Over the flattened pixels: one mean over both axes.
            Self::GlobalAverage => maps.flatten::<3>(2, 3).mean_dim(2).flatten(1, 2),
        }
    }

    /// The name that the plan gives this step.
    pub(crate) fn layer_name(self) -> &'static str {
        match self {
            Self::Flatten => "flatten",
            Self::GlobalAverage => "avgpool",
        }
    }
}

/// Configuration of a [`Vgg`].
///
/// The default is a network for images of 28×28 pixels: the first three stages of VGG-13 at a quarter of
/// the width, with batch norm. The article's networks cannot take such images, since a fifth pool would
/// find a single pixel. Three stages leave 3×3, the channels double whenever the pixels are quartered,
/// and 7.4 million multiply-adds an image are few enough to train on a CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VggConfig {
    /// A network of the article, instead of `stages`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<VggVariant>,
    /// The channels of each convolution, stage by stage, instead of `variant`. With neither, the stages
    /// are 16 16, 32 32 and 64 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<Vec<usize>>>,
    /// Where every convolution is batch-normalised, if at all. The article has none.
    pub batch_norm: BatchNormPlacement,
    /// Constants of the batch norms.
    pub batch_norm_constants: BatchNormConstants,
    /// How the last stage's maps become features.
    pub reduction: Reduction,
    /// Units of each hidden dense layer. The article has 4096 and 4096.
    pub hidden_sizes: Vec<usize>,
    /// Rate of the dropout after every hidden dense layer.
    pub dropout: f64,
    /// Distribution of the initial weights.
    pub initializer: Initializer,
}

impl Default for VggConfig {
    fn default() -> Self {
        Self {
            variant: None,
            stages: None,
            batch_norm: BatchNormPlacement::BeforeActivation,
            batch_norm_constants: BatchNormConstants::default(),
            reduction: Reduction::Flatten,
            hidden_sizes: vec![128],
            dropout: 0.5,
            initializer: Initializer::GlorotUniform,
        }
    }
}

impl VggConfig {
    pub(crate) fn plan(&self, input: InputShape, num_classes: usize) -> Result<Blueprint, FieldError> {
        let mut plan = Plan::new(input, Style::Sequentials)?;
        self.plan_stages(&mut plan)?;
        self.plan_classifier(plan, num_classes)
    }

    /// Adds the convolutions of all stages.
    pub(crate) fn plan_stages(&self, plan: &mut Plan) -> Result<(), FieldError> {
        self.batch_norm_constants.validate("batch_norm_constants")?;
        let (field, stages) = self.chosen_stages()?;
        for (index, stage) in stages.iter().enumerate() {
            let field = match field {
                "stages" => format!("stages[{index}]"),
                _ => field.to_string(),
            };
            self.plan_stage(plan, &field, stage)?;
        }
        Ok(())
    }

    /// Adds what comes after the stages, which completes the plan.
    pub(crate) fn plan_classifier(&self, mut plan: Plan, num_classes: usize) -> Result<Blueprint, FieldError> {
        check::rate("dropout", self.dropout)?;
        plan.reduce(match self.reduction {
            Reduction::Flatten => Op::Flatten,
            Reduction::GlobalAverage => Op::GlobalAverage,
        })?;
        for (index, &size) in self.hidden_sizes.iter().enumerate() {
            let block = DenseBlockConfig::new(size, self.dropout);
            plan.dense(&format!("hidden_sizes[{index}]"), block)?;
        }
        plan.head(num_classes, HeadKind::Softmax)
    }

    /// The stages, and the field that they come from.
    fn chosen_stages(&self) -> Result<(&'static str, Vec<Vec<usize>>), FieldError> {
        match (self.variant, &self.stages) {
            (Some(_), Some(_)) => {
                let message = "must not be given together with variant";
                Err(FieldError::new("stages", message))
            }
            (Some(variant), None) => Ok(("variant", variant.stages())),
            (None, Some(stages)) if stages.is_empty() => Err(FieldError::new("stages", "must hold at least one stage")),
            (None, Some(stages)) => Ok(("stages", stages.clone())),
            (None, None) => Ok(("kind", vec![vec![16; 2], vec![32; 2], vec![64; 2]])),
        }
    }

    fn plan_stage(&self, plan: &mut Plan, field: &str, stage: &[usize]) -> Result<(), FieldError> {
        let Some(last) = stage.len().checked_sub(1) else {
            let message = "must hold at least one number of channels";
            return Err(FieldError::new(field, message));
        };
        for (index, &channels) in stage.iter().enumerate() {
            check::size(&format!("{field}[{index}]"), channels)?;
            let block = ConvBlockConfig::new(channels, ConvPadding::Same)
                .with_batch_norm(self.batch_norm, self.batch_norm_constants);
            let block = if index == last { block.with_pool() } else { block };
            plan.conv(field, block)?;
        }
        Ok(())
    }

    pub(crate) fn init(&self, blueprint: &Blueprint, draws: &Draws, device: &Device) -> Vgg {
        Vgg {
            features: blueprint.conv_blocks(draws, device),
            classifier: blueprint.dense_blocks(draws, device),
            head: blueprint.head(draws, device),
            reduction: self.reduction,
        }
    }
}

/// A VGG-style network.
#[derive(Module, Debug)]
pub struct Vgg {
    /// The convolutions of all stages; the last of each ends with a pool.
    pub features: Vec<ConvBlock>,
    /// The hidden dense layers.
    pub classifier: Vec<DenseBlock>,
    /// The last layer.
    pub head: Head,
    #[module(skip)]
    reduction: Reduction,
}

impl Vgg {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = self.features(images);
        match self.reduction {
            Reduction::Flatten => classify(&self.classifier, &self.head, maps),
            Reduction::GlobalAverage => classify(&self.classifier, &self.head, self.reduction.forward(maps)),
        }
    }

    /// Computes the maps of the last stage, which is what transfer to another task starts from.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`
    /// - output: `[batch, channels', height', width']` of the last stage
    #[must_use]
    pub fn features(&self, images: Tensor<4>) -> Tensor<4> {
        let blocks = self.features.iter();
        blocks.fold(images, |x, block| block.forward(x))
    }

    pub(crate) fn reduction(&self) -> Reduction {
        self.reduction
    }

    pub(crate) fn blocks(&mut self) -> Vec<Block<'_>> {
        let features = self.features.iter_mut().map(Block::Conv);
        let classifier = self.classifier.iter_mut().map(Block::Dense);
        features.chain(classifier).chain([Block::Head(&mut self.head)]).collect()
    }
}
