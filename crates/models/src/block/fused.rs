//! Blocks run by the fused CPU kernels, where these cover the device and the block; else the caller composes
//! them of Burn's own operations. Both give the same function; only dropout draws other numbers.

use burn::nn::{BatchNorm, Dropout, Linear, conv::Conv2d};
use burn::tensor::{Device, Distribution, Tensor};
use kernels::{
    Activation as Function,
    burn_ext::{self, ConvNormParameters},
    conv::{ConvBlock as ConvKernel, Layout, Padding, Pool},
    conv_norm::ConvNorm,
    dense::DenseBlock as DenseKernel,
    dropout::Dropout as Draw,
    norm::NormBlock as NormKernel,
};
use serde::{Deserialize, Serialize};

use super::ConvPadding;

/// What runs the blocks of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernels {
    /// The fused CPU kernels, where they cover device and block.
    #[default]
    Fused,
    /// Burn's own operations, everywhere.
    Composed,
}

impl Kernels {
    /// Whether the fused kernels are wanted and run on a device.
    pub(crate) fn cover(self, device: &Device) -> bool {
        self == Self::Fused && burn_ext::supports(device)
    }
}

/// A convolution with what follows it up to a batch norm or the end of the block.
pub(super) struct Conv<'a> {
    pub(super) layer: &'a Conv2d,
    pub(super) padding: ConvPadding,
    pub(super) function: Function,
    pub(super) pool: Pool,
    pub(super) dropout: Option<&'a Dropout>,
    pub(super) layout: Layout,
}

impl Conv<'_> {
    /// # Shapes
    ///
    /// - images: `[batch, in_channels, height, width]`
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let kernel = self.kernel(images.dims());
        let dropout = self.dropout.and_then(|dropout| draw(dropout, &images.device()));
        burn_ext::conv_block(kernel, dropout, images, self.layer.weight.val(), bias(self.layer.bias.as_ref()))
    }

    fn kernel(&self, [_, in_channels, height, width]: [usize; 4]) -> ConvKernel {
        ConvKernel {
            in_channels,
            out_channels: self.layer.weight.dims()[0],
            height,
            width,
            padding: match self.padding {
                ConvPadding::Valid => Padding::Valid,
                ConvPadding::Same => Padding::Same,
            },
            activation: self.function,
            pool: self.pool,
            // Found from the images by the call below.
            input_layout: Layout::ChannelsFirst,
            output_layout: self.layout,
        }
    }
}

/// A batch norm with what follows it up to the end of the block.
pub(super) struct Norm<'a> {
    pub(super) layer: &'a BatchNorm,
    pub(super) function: Function,
    pub(super) pool: Pool,
    pub(super) dropout: Option<&'a Dropout>,
    pub(super) layout: Layout,
}

impl<'a> Norm<'a> {
    /// A batch norm of units, with nothing that follows it.
    pub(super) fn of_units(layer: &'a BatchNorm) -> Self {
        Self { layer, function: Function::Identity, pool: Pool::None, dropout: None, layout: Layout::ChannelsFirst }
    }

    /// As [`Norm::forward`], of units: images of one pixel.
    ///
    /// # Shapes
    ///
    /// - x: `[batch, features]`
    pub(super) fn units(&self, x: Tensor<2>) -> Tensor<2> {
        let [batch, features] = x.dims();
        self.forward(x.reshape([batch, features, 1, 1])).reshape([batch, features])
    }

    /// Normalises by the batch's own statistics, and updates the running ones, on autodiff devices; else by the
    /// running ones. As [`BatchNorm::forward`], the variance is the biased one.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let device = images.device();
        let kernel = self.kernel(images.dims());
        let statistics = if self.trains(&device) {
            self.statistics(kernel, images.clone().inner(), &device)
        } else {
            Tensor::stack(vec![self.layer.running_mean.value(), self.layer.running_var.value()], 0).to_device(&device)
        };
        let dropout = self.dropout.and_then(|dropout| draw(dropout, &device));
        let (gamma, beta) = (self.layer.gamma.val(), self.layer.beta.val());
        burn_ext::norm_block(kernel, dropout, images, gamma, beta, statistics)
    }

    /// As [`Norm::forward`] of what a convolution without pooling or dropout makes of the images; in training the way
    /// back through both is one.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, in_channels, height, width]`
    pub(super) fn after(&self, conv: &Conv<'_>, images: Tensor<4>) -> Tensor<4> {
        let device = images.device();
        let fits = conv.pool == Pool::None && conv.dropout.is_none();
        if !(fits && self.trains(&device)) {
            return self.forward(conv.forward(images));
        }
        let kernel = conv.kernel(images.dims());
        let parameters = ConvNormParameters {
            weight: conv.layer.weight.val(),
            bias: bias(conv.layer.bias.as_ref()),
            gamma: self.layer.gamma.val(),
            beta: self.layer.beta.val(),
        };
        let (weight, bias) = (parameters.weight.clone().inner(), parameters.bias.clone().inner());
        let convolved = burn_ext::conv_block(kernel, None, images.clone().inner(), weight, bias);
        let norm = self.kernel(convolved.dims());
        let statistics = self.statistics(norm, convolved.clone(), &device);
        let dropout = self.dropout.and_then(|dropout| draw(dropout, &device));
        let block = ConvNorm { conv: kernel, norm };
        burn_ext::conv_norm_block(block, dropout, images, parameters, Tensor::from_inner(convolved), statistics)
    }

    fn kernel(&self, [_, channels, height, width]: [usize; 4]) -> NormKernel {
        #[expect(clippy::cast_possible_truncation, reason = "the kernels compute in f32")]
        let epsilon = self.layer.epsilon as f32;
        NormKernel {
            channels,
            height,
            width,
            epsilon,
            activation: self.function,
            pool: self.pool,
            output_layout: self.layout,
        }
    }

    /// Whether a batch is normalised by its own statistics.
    fn trains(&self, device: &Device) -> bool {
        device.is_autodiff() && self.layer.training.is_enabled()
    }

    /// The statistics of a batch, `[2, channels]`, which the running ones move towards.
    fn statistics(&self, kernel: NormKernel, images: Tensor<4>, device: &Device) -> Tensor<2> {
        let statistics = Tensor::from_inner(burn_ext::norm_statistics(kernel, images));
        self.remember(&statistics, device);
        statistics
    }

    /// Moves the running statistics towards a batch's.
    fn remember(&self, statistics: &Tensor<2>, device: &Device) {
        let momentum = self.layer.momentum;
        let rows = statistics.clone().split(1, 0).into_iter().map(|row| row.squeeze_dim::<1>(0));
        for (running, batch) in [&self.layer.running_mean, &self.layer.running_var].into_iter().zip(rows) {
            let kept = running.value_sync().to_device(device).mul_scalar(1.0 - momentum);
            running.update(kept.add(batch.mul_scalar(momentum)).detach());
        }
    }
}

/// Applies a dense layer with an activation and dropout.
///
/// # Shapes
///
/// - x: `[batch, in_features]`, or the maps that are flattened to it
pub(super) fn dense<const D: usize>(
    linear: &Linear,
    function: Function,
    dropout: Option<&Dropout>,
    x: Tensor<D>,
) -> Tensor<2> {
    let weight = linear.weight.val();
    let [inputs, outputs] = weight.dims();
    // Pixels are found from the input by the call below.
    let kernel = DenseKernel { inputs, pixels: 1, outputs, activation: function };
    let dropout = dropout.and_then(|dropout| draw(dropout, &x.device()));
    burn_ext::dense_block(kernel, dropout, x, weight, bias(linear.bias.as_ref()))
}

fn bias(bias: Option<&burn::module::Param<Tensor<1>>>) -> Tensor<1> {
    bias.expect("every layer here is made with biases").val()
}

/// f32 holds every integer below this.
const RANGE: f64 = 16_777_216.0;

/// The dropout of one forward pass, where [`Dropout::forward`] would drop anything.
///
/// Its key comes from the generator of Burn's backend, which the training loop seeds before each step: what is
/// dropped follows from that seed and from the order of the layers.
fn draw(dropout: &Dropout, device: &Device) -> Option<Draw> {
    if !device.is_autodiff() || !dropout.training.is_enabled() || dropout.prob == 0.0 {
        return None;
    }
    let drawn = Tensor::<1>::random([2], Distribution::Uniform(0.0, RANGE), &device.clone().inner());
    let [high, low]: [f32; 2] = drawn
        .into_data()
        .try_into_vec()
        .ok()
        .and_then(|values: Vec<f32>| values.try_into().ok())
        .expect("two numbers were drawn in f32");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "integers below 2^24")]
    let seed = (u64::from(high as u32) << 24) | u64::from(low as u32);
    #[expect(clippy::cast_possible_truncation, reason = "the kernels compute in f32")]
    let rate = dropout.prob as f32;
    Some(Draw::new(rate, seed, 0, 0))
}
