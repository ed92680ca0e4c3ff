//! The forward pass of a convolution block.

use rayon::prelude::*;

use super::geometry::{Geometry, Pass};
use super::tiles::Group;
use super::{ConvBlock, TAPS, filters, layout};
use crate::check_len;
use crate::dropout::Dropout;
use crate::ending::Ending;
use crate::groups::for_each_group;
use crate::isa::{self, Isa};
use crate::threads;
use crate::transpose::transpose;
use crate::workspace::{Scratch, Workspace};

/// What the images worked on together may take of the second-level cache.
const CACHE_BYTES: usize = 192 << 10;

/// The slices of a forward pass.
///
/// # Shapes
///
/// - `input`: `[batch, in_channels, height, width]` in the block's input layout
/// - `weight`: `[out_channels, in_channels, 3, 3]`
/// - `bias`: `[out_channels]`
/// - `output`: `[batch, …]` of the block's output shape, in its output layout
/// - `codes`: as `output`, always channels last, or empty: as many as [`ConvBlock::codes_len`] says; not needed for
///   inference
#[derive(Debug)]
pub struct Forward<'a> {
    /// Images.
    pub input: &'a [f32],
    /// Weights of the convolution.
    pub weight: &'a [f32],
    /// Its biases.
    pub bias: &'a [f32],
    /// Dropout of this step, in training.
    pub dropout: Option<Dropout>,
    /// Filled with the result.
    pub output: &'a mut [f32],
    /// Filled with what the backward pass needs.
    pub codes: Option<&'a mut [u8]>,
}

impl ConvBlock {
    /// Computes the output of the block.
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn forward(&self, isa: Isa, slices: Forward<'_>, workspace: &mut Workspace) {
        let Forward { input, weight, bias, dropout, output, codes } = slices;
        let geometry = Geometry::new(self, isa, Pass::Forward);
        arrange(&geometry, isa, weight, bias, workspace);
        Task::of(geometry, dropout, workspace).forward(isa, input, output, codes);
    }

    /// Brings weights into the order that the kernels read, once for many batches.
    ///
    /// # Shapes
    ///
    /// - `weight`: `[out_channels, in_channels, 3, 3]`
    /// - `bias`: `[out_channels]`
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    #[must_use]
    pub fn prepare(&self, isa: Isa, weight: &[f32], bias: &[f32]) -> Prepared {
        let geometry = Geometry::new(self, isa, Pass::Forward);
        let mut workspace = Workspace::new();
        arrange(&geometry, isa, weight, bias, &mut workspace);
        Prepared { geometry, isa, workspace }
    }
}

/// A block with its weights, for inference.
#[derive(Debug)]
pub struct Prepared {
    geometry: Geometry,
    isa: Isa,
    workspace: Workspace,
}

impl Prepared {
    /// The block that was prepared.
    #[must_use]
    pub fn block(&self) -> &ConvBlock {
        &self.geometry.block
    }

    /// Computes the output of the block, without dropout.
    ///
    /// # Shapes
    ///
    /// - `input`, `output`: as in [`Forward`]
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn forward(&self, input: &[f32], output: &mut [f32]) {
        Task::of(self.geometry, None, &self.workspace).forward(self.isa, input, output, None);
    }
}

/// Brings weights, biases and the positions of pixels into a workspace, as the kernels read them.
fn arrange(geometry: &Geometry, isa: Isa, weight: &[f32], bias: &[f32], workspace: &mut Workspace) {
    check_len("weight", weight.len(), geometry.block.weight_len());
    check_len("bias", bias.len(), geometry.block.out_channels);
    let packed = workspace.weights.floats(geometry.weights_len());
    if geometry.transforms_forward() {
        filters::pack_weights(geometry, isa, weight, packed);
    } else {
        pack_weights(geometry, weight, packed);
        geometry.pixels(images_together(geometry), &mut workspace.offsets);
        for pixel in &mut workspace.offsets {
            *pixel *= u32::try_from(geometry.channels).expect("channels are few");
        }
    }
    let padded_bias = workspace.bias.zeros(geometry.out_channels());
    padded_bias[..bias.len()].copy_from_slice(bias);
}

/// Images that are worked on together at most.
fn images_together(geometry: &Geometry) -> usize {
    geometry.images_together(CACHE_BYTES, geometry.transforms_forward())
}

/// Orders weights as `[blocks of columns][kernel row][kernel column][in channel][column]`, zeros where
/// there is no channel.
fn pack_weights(geometry: &Geometry, weight: &[f32], packed: &mut [f32]) {
    let (columns, channels) = (geometry.columns, geometry.channels);
    let (inputs, outputs) = (geometry.block.in_channels, geometry.block.out_channels);
    let panel_len = geometry.filter_len() * columns;
    threads::for_each(packed.par_chunks_mut(panel_len).enumerate(), |(block, panel)| {
        panel.fill(0.0);
        let first = block * columns;
        for out in first..outputs.min(first + columns) {
            let filter = &weight[out * inputs * TAPS..][..inputs * TAPS];
            for (channel, taps) in filter.chunks_exact(TAPS).enumerate() {
                for (tap, &value) in taps.iter().enumerate() {
                    panel[(tap * channels + channel) * columns + out - first] = value;
                }
            }
        }
    });
}

/// What all groups of images have in common.
pub(super) struct Task<'a> {
    pub(super) geometry: Geometry,
    pub(super) weights: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) offsets: &'a [u32],
    pub(super) dropout: Option<Dropout>,
}

impl<'a> Task<'a> {
    /// A task with the weights and biases that were [arranged](arrange) in a workspace.
    fn of(geometry: Geometry, dropout: Option<Dropout>, workspace: &'a Workspace) -> Self {
        Self {
            geometry,
            weights: workspace.weights.filled(geometry.weights_len()),
            bias: workspace.bias.filled(geometry.out_channels()),
            offsets: &workspace.offsets,
            dropout,
        }
    }

    /// How the outputs of a sample end.
    pub(super) fn ending(&self, sample: usize) -> Ending {
        Ending::new(self.geometry.block.activation, self.dropout, sample)
    }

    /// A few images at a time, which is nothing that a result depends on.
    fn forward(&self, isa: Isa, input: &[f32], output: &mut [f32], codes: Option<&mut [u8]>) {
        let geometry = &self.geometry;
        let (input_len, output_len) = (geometry.block.input_len(), geometry.block.output_len());
        let batch = input.len() / input_len;
        check_len("input", input.len(), batch * input_len);
        check_len("output", output.len(), batch * output_len);
        if let Some(codes) = &codes {
            check_len("codes", codes.len(), batch * geometry.block.codes_len(self.dropout));
        }
        let codes = codes.filter(|codes| !codes.is_empty());
        let share = batch.div_ceil(2 * threads::count()).max(1);
        let together = images_together(geometry).min(share);
        let (input, output) = ((input, input_len), (output, output_len));
        for_each_group(together, input, output, codes, |first_sample, input, output, codes| {
            Scratch::with(|scratch| self.run(isa, scratch, first_sample, input, output, codes));
        });
    }

    fn run(
        &self,
        isa: Isa,
        scratch: &mut Scratch,
        first_sample: usize,
        input: &[f32],
        output: &mut [f32],
        codes: Option<&mut [u8]>,
    ) {
        let geometry = &self.geometry;
        let images = input.len() / geometry.block.input_len();
        let input = if geometry.reads_input() {
            input
        } else {
            let packed = scratch.images.floats(images * geometry.image_len());
            layout::pack_images(geometry, input, packed);
            packed
        };
        let units = images * geometry.units;
        let work_len = if geometry.transforms_forward() { geometry.forward_work_len() } else { 0 };
        let work = scratch.work.floats(work_len);
        let convolved = scratch.convolved.floats(geometry.convolved_len(images));
        let work = (work, convolved);
        if geometry.writes_output() {
            return isa::run(isa, Group::new(self, input, work, units, first_sample, output, codes));
        }
        let channels = geometry.block.out_channels;
        let own = scratch.outputs.floats(output.len());
        isa::run(isa, Group::new(self, input, work, units, first_sample, own, codes));
        transpose(isa, own, geometry.units, channels, output);
    }
}
