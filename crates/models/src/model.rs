//! The one place where a kind of model gets its name: configuration, module, `init`, `forward`.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::block::{Block, HeadKind, Kernels};
use crate::initializer::{Draws, Initializer};
use crate::plan::Blueprint;
use crate::slot::{Parameter, Slot};
use crate::{
    Cnn1, Cnn1Config, Cnn3, Cnn3Config, Cnn4, Cnn4Config, Dense, DenseConfig, FieldError, InputShape, Summary,
    Transfer, TransferConfig, Vgg, VggConfig,
};

/// Which network, with its settings.
///
/// ```
/// use models::{Activation, DenseConfig, InputShape, ModelConfig};
///
/// let config = ModelConfig::Dense(DenseConfig {
///     hidden_sizes: vec![300, 100, 0],
///     activation: Activation::Relu,
///     ..DenseConfig::default()
/// });
/// let images = InputShape { channels: 1, height: 28, width: 28 };
/// let error = config.validate(images, 10).unwrap_err();
/// assert_eq!(error.to_string(), "hidden_sizes[2]: must be between 1 and 16384, found 0");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelConfig {
    /// Dense layers.
    Dense(DenseConfig),
    /// One convolution.
    Cnn1(Cnn1Config),
    /// Three convolutions.
    Cnn3(Cnn3Config),
    /// Four convolutions with batch norm.
    Cnn4(Cnn4Config),
    /// Stages of padded convolutions.
    Vgg(VggConfig),
    /// A frozen base, and a trained head on its features.
    Transfer(TransferConfig),
}

impl ModelConfig {
    /// The model's name in experiment files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Cnn1(_) => "cnn1",
            Self::Cnn3(_) => "cnn3",
            Self::Cnn4(_) => "cnn4",
            Self::Vgg(_) => "vgg",
            Self::Transfer(_) => "transfer",
        }
    }

    /// Checks every setting, and that images of this shape fit through the network.
    ///
    /// # Errors
    ///
    /// The first field out of range. The field `kind` stands for a network that is too deep for the
    /// image, `input` and `num_classes` for the arguments.
    pub fn validate(&self, input: InputShape, num_classes: usize) -> Result<(), FieldError> {
        self.plan(input, num_classes).map(drop)
    }

    /// Lists the layers with their shapes and sizes. No tensor is made.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn summary(&self, input: InputShape, num_classes: usize) -> Result<Summary, FieldError> {
        Ok(self.plan(input, num_classes)?.summary)
    }

    /// Initialises the network on `device`, with a seed drawn from the device's own generator.
    ///
    /// [`Device::seed`] makes that reproducible, in one thread. To compare runs, pass the seed to
    /// [`init_seeded`](Self::init_seeded) instead.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) fails.
    #[must_use]
    pub fn init(&self, input: InputShape, num_classes: usize, device: &Device) -> Model {
        let sixteen_bits = Distribution::Uniform(0.0, 65_536.0);
        let parts = Tensor::<1, Int>::random([4], sixteen_bits, device).into_data();
        let seed = parts.iter::<u64>().fold(0, |seed, part| seed << 16 | part);
        self.init_from(input, num_classes, seed, device)
    }

    /// Initialises the network on the CPU ([`Device::flex`], without autodiff).
    ///
    /// Every weight is a function of the seed and of its name: the same on any thread, whatever else
    /// runs. Move the network with `fork`, and start training with `train`:
    ///
    /// ```
    /// use burn::module::Module;
    /// use burn::tensor::Device;
    /// # use models::{Cnn1Config, InputShape, ModelConfig};
    /// # let config = ModelConfig::Cnn1(Cnn1Config::default());
    /// # let images = InputShape { channels: 1, height: 28, width: 28 };
    /// let device = Device::flex();
    /// let model = config.init_seeded(images, 10, 42).fork(&device).train();
    /// ```
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) fails.
    #[must_use]
    pub fn init_seeded(&self, input: InputShape, num_classes: usize, seed: u64) -> Model {
        self.init_from(input, num_classes, seed, &Device::flex())
    }

    fn init_from(&self, input: InputShape, num_classes: usize, seed: u64, device: &Device) -> Model {
        let plan =
            self.plan(input, num_classes).unwrap_or_else(|error| panic!("{} was not validated: {error}", self.name()));
        let draws = Draws { seed, initializer: self.initializer() };
        match self {
            Self::Dense(_) => Model::Dense(DenseConfig::init(&plan, &draws, device)),
            Self::Cnn1(_) => Model::Cnn1(Cnn1Config::init(&plan, &draws, device)),
            Self::Cnn3(_) => Model::Cnn3(Cnn3Config::init(&plan, &draws, device)),
            Self::Cnn4(_) => Model::Cnn4(Cnn4Config::init(&plan, &draws, device)),
            Self::Vgg(config) => Model::Vgg(config.init(&plan, &draws, device)),
            Self::Transfer(_) => Model::Transfer(TransferConfig::init(&plan, &draws, device)),
        }
    }

    /// How the outputs of the last layer become probabilities.
    #[must_use]
    pub fn head(&self) -> HeadKind {
        match self {
            Self::Dense(config) => config.head,
            Self::Cnn1(_) | Self::Cnn3(_) | Self::Cnn4(_) | Self::Vgg(_) | Self::Transfer(_) => HeadKind::Softmax,
        }
    }

    fn plan(&self, input: InputShape, num_classes: usize) -> Result<Blueprint, FieldError> {
        self.initializer().validate("initializer")?;
        match self {
            Self::Dense(config) => config.plan(input, num_classes),
            Self::Cnn1(config) => config.plan(input, num_classes),
            Self::Cnn3(config) => config.plan(input, num_classes),
            Self::Cnn4(config) => config.plan(input, num_classes),
            Self::Vgg(config) => config.plan(input, num_classes),
            Self::Transfer(config) => config.plan(input, num_classes),
        }
    }

    fn initializer(&self) -> Initializer {
        match self {
            Self::Dense(config) => config.initializer,
            Self::Cnn1(config) => config.initializer,
            Self::Cnn3(config) => config.initializer,
            Self::Cnn4(config) => config.initializer,
            Self::Vgg(config) => config.initializer,
            Self::Transfer(config) => config.initializer,
        }
    }
}

/// A network with its weights.
///
/// Clones share the running statistics of their batch norms, as Burn's modules do: to keep a model as it
/// is while another copy goes on training, or to move a copy to another device, take
/// [`valid()`](Module::valid) of it.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a program holds a handful of models, each far larger than its handles")]
pub enum Model {
    /// Dense layers.
    Dense(Dense),
    /// One convolution.
    Cnn1(Cnn1),
    /// Three convolutions.
    Cnn3(Cnn3),
    /// Four convolutions with batch norm.
    Cnn4(Cnn4),
    /// Stages of padded convolutions.
    Vgg(Vgg),
    /// The head on the features of a frozen base.
    Transfer(Transfer),
}

impl Model {
    /// The model's name in experiment files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Cnn1(_) => "cnn1",
            Self::Cnn3(_) => "cnn3",
            Self::Cnn4(_) => "cnn4",
            Self::Vgg(_) => "vgg",
            Self::Transfer(_) => "transfer",
        }
    }

    /// Computes the logits; with [`HeadKind::SigmoidSoftmax`], what its `to_logits` makes them of.
    ///
    /// Dropout and the batch's own statistics act on autodiff devices only.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`; for [`Transfer`], the features of the base
    /// - output: `[batch, num_classes]`
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Dense(model) => model.forward(images),
            Self::Cnn1(model) => model.forward(images),
            Self::Cnn3(model) => model.forward(images),
            Self::Cnn4(model) => model.forward(images),
            Self::Vgg(model) => model.forward(images),
            Self::Transfer(model) => model.forward(images),
        }
    }

    /// How the outputs become probabilities.
    #[must_use]
    pub fn head(&self) -> HeadKind {
        match self {
            Self::Dense(model) => model.head.kind(),
            Self::Cnn1(model) => model.head.kind(),
            Self::Cnn3(model) => model.head.kind(),
            Self::Cnn4(model) => model.head.kind(),
            Self::Vgg(model) => model.head.kind(),
            Self::Transfer(model) => model.head.kind(),
        }
    }

    /// Chooses what runs the blocks; [`Kernels::Fused`] unless this says otherwise.
    #[must_use]
    pub fn with_kernels(mut self, kernels: Kernels) -> Self {
        for block in self.blocks() {
            block.set_kernels(kernels);
        }
        self
    }

    /// The parameters that gradients reach, in the order of the layers: how an optimizer's state finds its own.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut model = self.clone();
        model.slots().into_iter().filter_map(|(name, slot)| slot.parameter(name)).collect()
    }

    /// The tensors that the network holds, with the names they are stored under.
    pub(crate) fn slots(&mut self) -> Vec<(String, Slot<'_>)> {
        self.blocks().into_iter().flat_map(Block::slots).collect()
    }

    /// The blocks of the network, from first to last.
    pub(crate) fn blocks(&mut self) -> Vec<Block<'_>> {
        match self {
            Self::Dense(model) => model.blocks(),
            Self::Cnn1(model) => model.blocks(),
            Self::Cnn3(model) => model.blocks(),
            Self::Cnn4(model) => model.blocks(),
            Self::Vgg(model) => model.blocks(),
            Self::Transfer(model) => model.blocks(),
        }
    }
}
