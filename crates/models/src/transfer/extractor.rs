//! A base prepared to turn many images into features.
//!
//! Where the fused kernels cover the device, the weights are brought into the order that they read once, and pixels stay
//! channels last from block to block. Elsewhere the base computes as it is.

use burn::tensor::{Device, Tensor};
use kernels::Activation as Function;
use kernels::Isa;
use kernels::conv::{ConvBlock as ConvKernel, Layout, Padding, Pool, Prepared};

use super::Base;
use crate::InputShape;

/// A base that was prepared for images of one shape on one device.
#[derive(Debug)]
pub struct Extractor {
    base: Base,
    /// None where the kernels do not cover the device.
    layers: Option<Vec<Prepared>>,
}

impl Base {
    /// Prepares the base, which must be on `device`, for images of a shape that fits it.
    #[must_use]
    pub fn extractor(self, images: InputShape, device: &Device) -> Extractor {
        let is_covered = self.features.iter().all(|block| block.kernels.cover(device));
        let layers = is_covered.then(|| layers(&self, images));
        Extractor { base: self, layers }
    }
}

impl Extractor {
    /// Computes the features, on the host.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, 3, height, width]`
    /// - output: `[batch, channels', height', width']`, flat
    ///
    /// # Panics
    ///
    /// If the images have another shape than the one that was prepared for.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Vec<f32> {
        match &self.layers {
            Some(layers) => run(layers, images.dims()[0], &host(images)),
            None => host(self.base.forward(images)),
        }
    }
}

fn layers(base: &Base, images: InputShape) -> Vec<Prepared> {
    let InputShape { mut channels, mut height, mut width } = images;
    let mut layers: Vec<Prepared> = Vec::with_capacity(base.features.len());
    for block in &base.features {
        let (weight, bias) = (block.conv.weight.val(), block.conv.bias.as_ref().map(burn::module::Param::val));
        let kernel = ConvKernel {
            in_channels: channels,
            out_channels: weight.dims()[0],
            height,
            width,
            padding: Padding::Same,
            activation: Function::Relu,
            pool: if block.pool.is_some() { Pool::Max2 } else { Pool::None },
            input_layout: if layers.is_empty() { Layout::ChannelsFirst } else { Layout::ChannelsLast },
            output_layout: Layout::ChannelsLast,
        };
        [channels, height, width] = kernel.output_shape();
        let (weight, bias) = (host(weight), bias.map_or_else(|| vec![0.0; channels], host));
        layers.push(kernel.prepare(Isa::detect(), &weight, &bias));
    }
    layers
}

fn run(layers: &[Prepared], batch: usize, images: &[f32]) -> Vec<f32> {
    let most = layers.iter().map(|layer| layer.block().output_len()).max().unwrap_or(0);
    let (mut input, mut output) = (vec![0.0; batch * most], vec![0.0; batch * most]);
    let mut len = 0;
    for (index, layer) in layers.iter().enumerate() {
        let images = if index == 0 { images } else { &input[..len] };
        len = batch * layer.block().output_len();
        layer.forward(images, &mut output[..len]);
        std::mem::swap(&mut input, &mut output);
    }
    let Some([channels, height, width]) = layers.last().map(|layer| layer.block().output_shape()) else {
        return images.to_vec();
    };
    let pixels = height * width;
    let mut features = Vec::with_capacity(len);
    for image in input[..len].chunks_exact(channels * pixels) {
        features.extend((0..channels * pixels).map(|index| image[index % pixels * channels + index / pixels]));
    }
    features
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just above")
}
