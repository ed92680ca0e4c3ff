//! The backward pass of a convolution block.

use std::fmt;

use rayon::prelude::*;

use super::geometry::{Geometry, Pass};
use super::reduce::{add_parts, num_parts, part_len};
use super::sparse::{self, Lists, Outputs};
use super::visit::Group;
use super::{ConvBlock, Pool, filters, full, layout};
use crate::check_len;
use crate::dropout::Dropout;
use crate::groups::codes_of;
use crate::isa::{self, Isa};
use crate::threads;
use crate::tile::Start;
use crate::transpose::transpose;
use crate::workspace::{Buffer, Scratch, Workspace};

/// What the images worked on together may take of the first-level cache, or little more: with pooling
/// they are read in no order.
const CACHE_BYTES_1: usize = 24 << 10;
/// What they may take of the second-level cache.
const CACHE_BYTES_2: usize = 128 << 10;

/// The slices of a backward pass.
///
/// # Shapes
///
/// - `input`, `weight`, `codes`: as in [`Forward`](super::Forward)
/// - `grad_input`: as its input, in the same layout
/// - `grad_weight`, `grad_bias`: as the weights and biases
#[derive(Debug)]
pub struct Backward<'a> {
    /// Images of the forward pass.
    pub input: &'a [f32],
    /// Weights of the forward pass.
    pub weight: &'a [f32],
    /// What the forward pass wrote.
    pub codes: &'a [u8],
    /// Dropout of the forward pass.
    pub dropout: Option<Dropout>,
    /// Gradient of the output.
    pub grad_output: OutputGradient<'a>,
    /// Filled with the gradient of the input; the first layer does not need it.
    pub grad_input: Option<&'a mut [f32]>,
    /// Filled with the gradient of the weights.
    pub grad_weight: &'a mut [f32],
    /// Filled with the gradient of the biases.
    pub grad_bias: &'a mut [f32],
}

/// The gradient of the output of a block.
#[derive(Clone, Copy)]
pub enum OutputGradient<'a> {
    /// All of it, as the output of the forward pass.
    Given(&'a [f32]),
    /// Made a few images at a time while they are worked on, so that it never lies in memory as a whole. Called with
    /// the number of the first image and room for what they have: `[images, height', width', out_channels]`.
    Made(&'a (dyn Fn(usize, &mut [f32]) + Sync)),
}

impl fmt::Debug for OutputGradient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(gradient) => f.debug_tuple("Given").field(gradient).finish(),
            Self::Made(_) => f.write_str("Made"),
        }
    }
}

impl ConvBlock {
    /// Computes the gradients of the block.
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn backward(&self, isa: Isa, slices: Backward<'_>, workspace: &mut Workspace) {
        let Backward { input, weight, codes, dropout, grad_output, grad_input, grad_weight, grad_bias } = slices;
        let geometry = Geometry::new(self, isa, Pass::Backward);
        let (input_len, output_len) = (self.input_len(), self.output_len());
        let batch = input.len() / input_len;
        check_len("input", input.len(), batch * input_len);
        check_len("weight", weight.len(), self.weight_len());
        check_len("codes", codes.len(), batch * self.codes_len(dropout));
        if let OutputGradient::Given(gradient) = grad_output {
            check_len("grad_output", gradient.len(), batch * output_len);
        }
        check_len("grad_weight", grad_weight.len(), self.weight_len());
        check_len("grad_bias", grad_bias.len(), self.out_channels);
        if let Some(grad_input) = &grad_input {
            check_len("grad_input", grad_input.len(), batch * input_len);
        }
        if batch == 0 {
            grad_weight.fill(0.0);
            grad_bias.fill(0.0);
            return;
        }

        let filters: &[f32] = if grad_input.is_some() {
            let filters = workspace.weights.floats(geometry.filters_len());
            match self.pool {
                _ if geometry.transforms_backward() => filters::pack_filters(&geometry, isa, weight, filters),
                Pool::None => full::pack_filters(&geometry, weight, filters),
                Pool::Max2 => sparse::pack_filters(&geometry, weight, filters),
            }
            filters
        } else {
            &[]
        };
        let cache_bytes = match self.pool {
            Pool::None => CACHE_BYTES_2,
            Pool::Max2 => CACHE_BYTES_1,
        };
        let together = geometry.images_together(cache_bytes, geometry.transforms_backward());
        if !geometry.transforms_backward() {
            geometry.pixels(together, &mut workspace.offsets);
        }
        let part_batch = batch.div_ceil(num_parts(&geometry, batch));
        let part_len = part_len(&geometry);
        let partials = workspace.partials.floats(batch.div_ceil(part_batch) * part_len);

        let scale = dropout.map_or(1.0, |dropout| dropout.scale());
        let task = Task { geometry, filters, pixels: &workspace.offsets, together, scale, grad_output };
        let parts = partials.par_chunks_mut(part_len).zip(input.par_chunks(part_batch * input_len)).enumerate().map(
            |(part, (sums, input))| {
                let codes = codes_of(codes, part, part_batch * output_len);
                Part { sums, first: part * part_batch, input, codes }
            },
        );
        match grad_input {
            None => threads::for_each(parts, |mut part| task.run(isa, &mut part, None)),
            Some(grad_input) => {
                let parts = parts.zip(grad_input.par_chunks_mut(part_batch * input_len));
                threads::for_each(parts, |(mut part, grad_input)| task.run(isa, &mut part, Some(grad_input)));
            }
        }
        add_parts(&geometry, isa, partials, grad_weight, grad_bias);
    }
}

/// What all parts of the batch have in common.
pub(super) struct Task<'a> {
    pub(super) geometry: Geometry,
    pub(super) filters: &'a [f32],
    pub(super) pixels: &'a [u32],
    pub(super) together: usize,
    pub(super) scale: f32,
    grad_output: OutputGradient<'a>,
}

/// A part of the batch, whose sums one thread takes.
struct Part<'a> {
    sums: &'a mut [f32],
    /// The number of its first image.
    first: usize,
    input: &'a [f32],
    codes: &'a [u8],
}

impl Task<'_> {
    fn run(&self, isa: Isa, part: &mut Part<'_>, mut grad_input: Option<&mut [f32]>) {
        let block = &self.geometry.block;
        let (input_len, output_len) = (self.together * block.input_len(), self.together * block.output_len());
        // The points' sums are written by the first images, and need not be cleared; nobody reads what is between them.
        let cleared = if self.geometry.transforms_backward() { self.geometry.sums_len() } else { 0 };
        part.sums[cleared..].fill(0.0);
        for (index, input) in part.input.chunks(input_len).enumerate() {
            let codes = codes_of(part.codes, index, output_len);
            let grad_input = grad_input.as_mut().map(|grad_input| {
                let first = index * input_len;
                &mut grad_input[first..first + input.len()]
            });
            let first = part.first + index * self.together;
            let mut group = Part { sums: &mut *part.sums, first, input, codes };
            let start = if index == 0 { Start::Zero } else { Start::Result };
            Scratch::with(|scratch| self.run_group(isa, scratch, &mut group, start, grad_input));
        }
    }

    fn run_group(
        &self,
        isa: Isa,
        scratch: &mut Scratch,
        group: &mut Part<'_>,
        start: Start,
        grad_input: Option<&mut [f32]>,
    ) {
        let geometry = &self.geometry;
        let images = group.input.len() / geometry.block.input_len();
        let Scratch { images: packed, outputs, work, grad_images, values, pixels, ends, .. } = scratch;
        // What is few is read number by number.
        let input = if geometry.reads_input() && (geometry.has_few_channels() || is_aligned(group.input)) {
            group.input
        } else {
            let packed = packed.floats(images * geometry.image_len());
            layout::pack_images(geometry, group.input, packed);
            packed
        };
        let gradients = self.gradients(isa, group.first, images, outputs);
        let outputs = Outputs { gradients, codes: group.codes, scale: self.scale };
        let units = images * geometry.units;
        let by_points = geometry.transforms_backward();
        let most = if geometry.pools() { units * geometry.block.out_channels + 1 } else { 0 };
        values.resize(values.len().max(most), 0.0);
        pixels.resize(pixels.len().max(most), 0);
        ends.resize(geometry.block.out_channels, 0);
        let work = match geometry.block.pool {
            _ if by_points => work.floats(geometry.backward_work_len()),
            Pool::None => work.floats(units * geometry.out_channels()),
            Pool::Max2 => &mut [],
        };
        let lists = Lists { pixels, values, ends };
        let sums = &mut *group.sums;
        let task = Group { task: self, input, outputs, work, lists, sums, start, grad_images: None };
        match grad_input {
            None => isa::run(isa, task),
            Some(grad_input) if geometry.writes_grad_input() && is_aligned(grad_input) => {
                if !by_points {
                    grad_input.fill(0.0);
                }
                isa::run(isa, Group { grad_images: Some(grad_input), ..task });
            }
            Some(grad_input) => {
                let len = images * geometry.grad_image_len();
                let own = if by_points { grad_images.floats(len) } else { grad_images.zeros(len) };
                isa::run(isa, Group { grad_images: Some(&mut *own), ..task });
                layout::unpack_images(geometry, own, grad_input);
            }
        }
    }
}

impl Task<'_> {
    /// The gradients at the outputs of a few images, channels last; made, or brought into that order, in `room`.
    fn gradients<'a>(&'a self, isa: Isa, first: usize, images: usize, room: &'a mut Buffer) -> &'a [f32] {
        let geometry = &self.geometry;
        let len = geometry.block.output_len();
        match self.grad_output {
            OutputGradient::Given(all) => {
                let given = &all[first * len..(first + images) * len];
                if geometry.writes_output() {
                    return given;
                }
                let packed = room.floats(given.len());
                transpose(isa, given, geometry.block.out_channels, geometry.units, packed);
                packed
            }
            OutputGradient::Made(make) => {
                let gradients = room.floats(images * len);
                make(first, gradients);
                gradients
            }
        }
    }
}

/// Whether vectors of the slice lie within cache lines; with others the kernels take twice as long.
fn is_aligned(slice: &[f32]) -> bool {
    slice.as_ptr().addr().is_multiple_of(64)
}
