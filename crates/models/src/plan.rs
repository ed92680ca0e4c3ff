//! The plan of a network: every size derived from the image, block by block, before any tensor exists.
//!
//! A model's configuration adds its blocks in order. The plan checks that they fit, gives them their
//! input sizes and names, and writes the summary's rows. It knows no particular model.

use burn::tensor::Device;
use kernels::conv::Layout;

use crate::block::{
    Activation, Bias, BlockNames, ConvBlock, ConvBlockConfig, ConvPadding, DenseBlock, DenseBlockConfig, Head,
    HeadConfig, HeadKind, KERNEL_SIZE, Op, POOL_SIZE,
};
use crate::check;
use crate::initializer::Draws;
use crate::naming::{Names, Style};
use crate::{FieldError, InputShape, Layer, Summary};

/// The most parameters that a network may have: 4 GB of weights, and as much for each of the gradients
/// and an optimizer's moments.
const MAX_PARAMETERS: usize = 1_000_000_000;

/// A network on paper.
#[derive(Debug)]
pub(crate) struct Plan {
    names: Names,
    /// Shape of one image after what was added so far.
    shape: Vec<usize>,
    layers: Vec<Layer>,
    parameters: usize,
    conv_blocks: Vec<ConvBlockConfig>,
    dense_blocks: Vec<DenseBlockConfig>,
}

impl Plan {
    pub(crate) fn new(input: InputShape, style: Style) -> Result<Self, FieldError> {
        check::size("input.channels", input.channels)?;
        check::size("input.height", input.height)?;
        check::size("input.width", input.width)?;
        Ok(Self {
            names: Names::new(style),
            shape: vec![input.channels, input.height, input.width],
            layers: Vec::new(),
            parameters: 0,
            conv_blocks: Vec::new(),
            dense_blocks: Vec::new(),
        })
    }

    /// Adds a convolution block; `field` is to blame if it does not fit.
    pub(crate) fn conv(&mut self, field: &str, mut block: ConvBlockConfig) -> Result<(), FieldError> {
        check::size(field, block.channels)?;
        block.in_channels = self.shape[0];
        block.names = self.add_all(field, block.ops())?;
        self.conv_blocks.push(block);
        Ok(())
    }

    /// Says of everything added so far that it is not trained.
    pub(crate) fn freeze(&mut self) {
        for layer in self.layers.iter_mut().filter(|layer| layer.parameters > 0) {
            layer.non_trainable = layer.parameters;
            layer.kind += ", frozen";
        }
    }

    /// Turns each image into one row of features: [`Op::Flatten`] or [`Op::GlobalAverage`].
    pub(crate) fn reduce(&mut self, op: Op) -> Result<(), FieldError> {
        // A mean is taken over pixels that lie next to each other; a dense block reads maps as they lie.
        if let (Op::GlobalAverage, Some(block)) = (op, self.conv_blocks.last_mut()) {
            block.layout = Layout::ChannelsFirst;
        }
        self.add("input", op).map(drop)
    }

    /// Adds a dense block; `field` is to blame if it does not fit.
    pub(crate) fn dense(&mut self, field: &str, mut block: DenseBlockConfig) -> Result<(), FieldError> {
        check::size(field, block.features)?;
        block.in_features = self.shape[0];
        block.names = self.add_all(field, block.ops())?;
        self.dense_blocks.push(block);
        Ok(())
    }

    /// Adds the last layer, with biases, which completes the plan.
    pub(crate) fn head(self, num_classes: usize, kind: HeadKind) -> Result<Blueprint, FieldError> {
        self.head_with(num_classes, kind, Bias::On)
    }

    /// Adds the last layer, which completes the plan.
    pub(crate) fn head_with(mut self, num_classes: usize, kind: HeadKind, bias: Bias) -> Result<Blueprint, FieldError> {
        check::size("num_classes", num_classes)?;
        let in_features = self.shape[0];
        let name = self.add("num_classes", Op::Head { num_classes, kind, bias })?;
        Ok(Blueprint {
            summary: Summary { layers: self.layers },
            conv_blocks: self.conv_blocks,
            dense_blocks: self.dense_blocks,
            head: HeadConfig { in_features, num_classes, kind, bias, name },
        })
    }

    /// Adds the operations of one block.
    fn add_all(&mut self, field: &str, ops: Vec<Op>) -> Result<BlockNames, FieldError> {
        let mut names = BlockNames::default();
        for op in ops {
            let name = self.add(field, op)?;
            match op {
                Op::Conv { .. } | Op::Linear { .. } => names.layer = name,
                Op::BatchNorm => names.batch_norm = name,
                Op::MaxPool => names.pool = name,
                Op::Dropout(rate) if rate > 0.0 => names.dropout = name,
                _ => {}
            }
        }
        Ok(names)
    }

    /// Applies an operation to the shape, writes its row and returns its name.
    fn add(&mut self, field: &str, op: Op) -> Result<String, FieldError> {
        let (kind, parameters, non_trainable) = match op {
            Op::Conv { channels, padding } => {
                let inputs = self.shape[0];
                self.convolve(channels, padding).map_err(|message| FieldError::new(field, message))?;
                let parameters = KERNEL_SIZE * KERNEL_SIZE * inputs * channels + channels;
                ("conv2d 3x3".to_string(), parameters, 0)
            }
            Op::Linear { features, bias } => {
                let inputs = std::mem::replace(&mut self.shape, vec![features])[0];
                ("linear".to_string(), inputs * features + bias.count(features), 0)
            }
            Op::Head { num_classes, kind, bias } => {
                let inputs = std::mem::replace(&mut self.shape, vec![num_classes])[0];
                let parameters = inputs * num_classes + bias.count(num_classes);
                (format!("linear, {}", kind.name()), parameters, 0)
            }
            Op::BatchNorm => {
                let features = self.shape[0];
                ("batch_norm".to_string(), 4 * features, 2 * features)
            }
            Op::MaxPool => {
                self.pool().map_err(|message| FieldError::new(field, message))?;
                ("max_pool 2x2".to_string(), 0, 0)
            }
            Op::Dropout(rate) => (format!("dropout {rate}"), 0, 0),
            Op::Flatten => {
                self.shape = vec![self.shape.iter().product()];
                ("flatten".to_string(), 0, 0)
            }
            Op::GlobalAverage => {
                self.shape.truncate(1);
                ("global_average".to_string(), 0, 0)
            }
            Op::Activation(activation) => {
                self.activate(activation);
                (String::new(), 0, 0)
            }
        };
        let name = self.names.next(op, self.shape.len());
        self.parameters += parameters;
        if self.parameters > MAX_PARAMETERS {
            let message = format!("makes a network of more than {MAX_PARAMETERS} parameters");
            return Err(FieldError::new(field, message));
        }
        // An activation is told in the row before it, and dropout at rate 0 does nothing.
        if !matches!(op, Op::Activation(_)) && op != Op::Dropout(0.0) {
            self.layers.push(Layer {
                name: name.clone(),
                kind,
                output_shape: self.shape.clone(),
                parameters,
                non_trainable,
                multiply_adds: multiply_adds(op, parameters, &self.shape),
            });
        }
        Ok(name)
    }

    fn convolve(&mut self, channels: usize, padding: ConvPadding) -> Result<(), String> {
        let (height, width) = (self.shape[1], self.shape[2]);
        if padding == ConvPadding::Valid && height.min(width) < KERNEL_SIZE {
            return Err(format!("a 3x3 convolution without padding needs at least 3x3 pixels, found {height}x{width}"));
        }
        let lost = match padding {
            ConvPadding::Valid => KERNEL_SIZE - 1,
            ConvPadding::Same => 0,
        };
        self.shape = vec![channels, height - lost, width - lost];
        Ok(())
    }

    fn pool(&mut self) -> Result<(), String> {
        let (height, width) = (self.shape[1], self.shape[2]);
        if height.min(width) < POOL_SIZE {
            return Err(format!("a 2x2 pool needs at least 2x2 pixels, found {height}x{width}"));
        }
        self.shape = vec![self.shape[0], height / POOL_SIZE, width / POOL_SIZE];
        Ok(())
    }

    fn activate(&mut self, activation: Activation) {
        if let Some(layer) = self.layers.last_mut() {
            layer.kind = format!("{}, {}", layer.kind, activation.name());
        }
    }
}

/// Multiply-adds for one image: every weight that is not a bias is used once per output pixel.
fn multiply_adds(op: Op, parameters: usize, output_shape: &[usize]) -> u64 {
    let (biases, pixels) = match op {
        Op::Conv { channels, .. } => (channels, output_shape[1] * output_shape[2]),
        Op::Linear { features, bias } => (bias.count(features), 1),
        Op::Head { num_classes, bias, .. } => (bias.count(num_classes), 1),
        _ => return 0,
    };
    // Sizes and parameters are capped, so that the product stays below 2⁶².
    (parameters - biases) as u64 * pixels as u64
}

/// A complete plan: what a model is initialised from.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) summary: Summary,
    conv_blocks: Vec<ConvBlockConfig>,
    dense_blocks: Vec<DenseBlockConfig>,
    head: HeadConfig,
}

impl Blueprint {
    pub(crate) fn conv_blocks(&self, draws: &Draws, device: &Device) -> Vec<ConvBlock> {
        let blocks = self.conv_blocks.iter();
        blocks.map(|block| block.init(draws, device)).collect()
    }

    pub(crate) fn dense_blocks(&self, draws: &Draws, device: &Device) -> Vec<DenseBlock> {
        let blocks = self.dense_blocks.iter();
        blocks.map(|block| block.init(draws, device)).collect()
    }

    /// The convolution blocks of a model whose number of them is fixed.
    pub(crate) fn all_conv_blocks<const N: usize>(&self, draws: &Draws, device: &Device) -> [ConvBlock; N] {
        let blocks = self.conv_blocks(draws, device).try_into();
        blocks.expect("a model is built from the blocks that it has planned")
    }

    /// The dense blocks of a model whose number of them is fixed.
    pub(crate) fn all_dense_blocks<const N: usize>(&self, draws: &Draws, device: &Device) -> [DenseBlock; N] {
        let blocks = self.dense_blocks(draws, device).try_into();
        blocks.expect("a model is built from the blocks that it has planned")
    }

    pub(crate) fn head(&self, draws: &Draws, device: &Device) -> Head {
        self.head.init(draws, device)
    }
}
