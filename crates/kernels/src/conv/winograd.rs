//! A convolution block for inference, with fewer multiplications than its definition has: 16 for each 2×2 outputs
//! and pair of channels, and not 36.
//!
//! Winograd's minimal filtering F(2×2, 3×3) as in Lavin and Gray, 2016, "Fast algorithms for convolutional neural
//! networks" (arXiv 1509.09308), section 4.1: patches of 4×4 pixels and filters are transformed, multiplied position
//! by position (which are 16 matrix products over the channels), and transformed back. Results differ from the
//! direct sum in the last bits. Knows no gradient and no dropout.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and columns of a tile are counted alike in registers and in memory"
)]

use rayon::prelude::*;

use super::{ConvBlock, Layout, Padding, Pool, TAPS};
use crate::Activation;
use crate::check_len;
use crate::isa::{self, Isa, Kernel};
use crate::simd::Simd;
use crate::tile::{Tile, accumulate, store};
use crate::workspace::Scratch;

/// Side of a tile of outputs, and of the patch that it comes from.
const OUT: usize = 2;
const PATCH: usize = 4;
/// Positions of a patch.
const POSITIONS: usize = PATCH * PATCH;
/// Tiles worked on together: enough to read every weight seldom, few enough to stay in the nearer caches.
const TOGETHER: usize = 64;
/// Unused numbers between positions. Without them all sixteen would begin at multiples of a large power of two, and
/// compete for the same few lines of the first-level cache.
const GAP: usize = 80;

/// A block with its weights, transformed once.
#[derive(Debug, Clone)]
pub struct Winograd {
    block: ConvBlock,
    isa: Isa,
    /// Output channels of a panel.
    columns: usize,
    /// `[position][block of columns][in channel][column]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
    /// Channels of a pixel outside of the image.
    zeros: Vec<f32>,
}

impl Winograd {
    /// Prepares a block. None if the block is not one that this covers: padded, channels last on both sides, with
    /// channels that fill whole vectors.
    ///
    /// # Shapes
    ///
    /// - `weight`: `[out_channels, in_channels, 3, 3]`, `bias`: `[out_channels]`
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    #[must_use]
    pub fn new(block: ConvBlock, isa: Isa, weight: &[f32], bias: &[f32]) -> Option<Self> {
        let columns = 2 * isa.lanes();
        let covers = block.padding == Padding::Same
            && block.input_layout == Layout::ChannelsLast
            && block.output_layout == Layout::ChannelsLast
            && block.in_channels.is_multiple_of(isa.lanes())
            && block.out_channels.is_multiple_of(columns);
        if !covers {
            return None;
        }
        check_len("weight", weight.len(), block.weight_len());
        check_len("bias", bias.len(), block.out_channels);
        let (inputs, outputs) = (block.in_channels, block.out_channels);
        let mut weights = vec![0.0; POSITIONS * inputs * outputs];
        for (pair, taps) in weight.as_chunks::<TAPS>().0.iter().enumerate() {
            let (out, channel) = (pair / inputs, pair % inputs);
            let at = (out / columns * inputs + channel) * columns + out % columns;
            for (position, value) in filter(taps).into_iter().enumerate() {
                weights[position * inputs * outputs + at] = value;
            }
        }
        Some(Self { block, isa, columns, weights, bias: bias.to_vec(), zeros: vec![0.0; inputs] })
    }

    /// Computes the output of the block.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, height, width, in_channels]`
    /// - `output`: `[batch, height', width', out_channels]`
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn forward(&self, input: &[f32], output: &mut [f32]) {
        let batch = input.len() / self.block.input_len();
        check_len("input", input.len(), batch * self.block.input_len());
        check_len("output", output.len(), batch * self.block.output_len());
        let [rows_of_image, columns] = self.tiles();
        let together = (TOGETHER / columns).max(1);
        let rows = batch * rows_of_image;
        let mut groups = Vec::with_capacity(rows.div_ceil(together));
        let (mut first, mut left) = (0, output);
        while first < rows {
            let end = (first + together).min(rows);
            let len = (first..end).map(|row| self.output_rows(row % rows_of_image)).sum::<usize>();
            let (output, rest) = left.split_at_mut(len * self.output_row_len());
            groups.push((first..end, output));
            (first, left) = (end, rest);
        }
        groups.into_par_iter().for_each(|(rows, output)| {
            Scratch::with(|scratch| {
                let tiles = rows.len() * columns;
                let patches = scratch.images.floats(POSITIONS * (tiles * self.block.in_channels + GAP));
                let products = scratch.outputs.floats(POSITIONS * (tiles * self.block.out_channels + GAP));
                isa::run(self.isa, Group { whole: self, input, rows, tiles, patches, products, output });
            });
        });
    }

    /// Rows and columns of tiles of an image. With pooling an odd last pixel is of no use.
    fn tiles(&self) -> [usize; 2] {
        [self.block.height, self.block.width].map(|side| match self.block.pool {
            Pool::None => side.div_ceil(OUT),
            Pool::Max2 => side / OUT,
        })
    }

    /// Rows of the output that a row of tiles makes.
    fn output_rows(&self, row: usize) -> usize {
        match self.block.pool {
            Pool::None => OUT.min(self.block.height - OUT * row),
            Pool::Max2 => 1,
        }
    }

    fn output_row_len(&self) -> usize {
        let [channels, _, width] = self.block.output_shape();
        channels * width
    }
}

/// `G · g · Gᵀ` of a filter, with `G = [1 0 0; ½ ½ ½; ½ −½ ½; 0 0 1]`.
fn filter(taps: &[f32; TAPS]) -> [f32; POSITIONS] {
    let line = |[a, b, c]: [f32; 3]| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
    let columns = [0, 1, 2].map(|x| line([taps[x], taps[3 + x], taps[6 + x]]));
    let mut transformed = [0.0; POSITIONS];
    for y in 0..PATCH {
        transformed[PATCH * y..][..PATCH].copy_from_slice(&line(columns.map(|column| column[y])));
    }
    transformed
}

/// Where the channels of a tile begin.
#[inline(always)]
fn place(position: usize, tiles: usize, tile: usize, channels: usize) -> usize {
    position * (tiles * channels + GAP) + tile * channels
}

/// Some rows of tiles, worked on by one thread.
struct Group<'a> {
    whole: &'a Winograd,
    /// All images.
    input: &'a [f32],
    /// Over all images, one after the other.
    rows: std::ops::Range<usize>,
    tiles: usize,
    /// `[position][tile][in channel]`, with a gap behind each position.
    patches: &'a mut [f32],
    /// `[position][tile][out channel]`, with gaps, too.
    products: &'a mut [f32],
    /// What these rows make.
    output: &'a mut [f32],
}

impl Kernel for Group<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let block = &self.whole.block;
        let (inputs, outputs) = (block.in_channels, block.out_channels);
        // The addresses below follow from these lengths.
        assert!(2 * S::LANES == self.whole.columns && inputs.is_multiple_of(S::LANES));
        assert!(self.patches.len() == POSITIONS * (self.tiles * inputs + GAP));
        assert!(self.products.len() == POSITIONS * (self.tiles * outputs + GAP));
        self.transform_input(s);
        self.multiply(s);
        self.transform_output(s);
    }
}

impl Group<'_> {
    /// `Bᵀ · d · B` of every patch, with `Bᵀ = [1 0 −1 0; 0 1 1 0; 0 −1 1 0; 0 1 0 −1]`.
    #[inline(always)]
    fn transform_input<S: Simd>(&mut self, s: S) {
        let block = &self.whole.block;
        let channels = block.in_channels;
        let [rows_of_image, columns] = self.whole.tiles();
        let negative = s.splat(-1.0);
        let mut tile = 0;
        for row in self.rows.clone() {
            let (image, top) = (row / rows_of_image, OUT * (row % rows_of_image));
            for column in 0..columns {
                let pixels: [&[f32]; POSITIONS] = std::array::from_fn(|position| {
                    // One pixel of padding: a patch begins above and left of its tile.
                    let (y, x) = (top + position / PATCH, OUT * column + position % PATCH);
                    if (1..=block.height).contains(&y) && (1..=block.width).contains(&x) {
                        &self.input[((image * block.height + y - 1) * block.width + x - 1) * channels..][..channels]
                    } else {
                        &self.whole.zeros[..channels]
                    }
                });
                let line = |[a, b, c, d]: [S::F; PATCH]| {
                    [s.fma(c, negative, a), s.add(b, c), s.fma(b, negative, c), s.fma(d, negative, b)]
                };
                for channel in (0..channels).step_by(S::LANES) {
                    let mut half = [[negative; PATCH]; PATCH];
                    for x in 0..PATCH {
                        // SAFETY: every pixel has all channels, which are whole vectors.
                        let load = |y: usize| unsafe { s.load(pixels[PATCH * y + x].as_ptr().add(channel)) };
                        let transformed = line([load(0), load(1), load(2), load(3)]);
                        for y in 0..PATCH {
                            half[y][x] = transformed[y];
                        }
                    }
                    for y in 0..PATCH {
                        let transformed = line(half[y]);
                        for (x, value) in transformed.into_iter().enumerate() {
                            let at = place(PATCH * y + x, self.tiles, tile, channels) + channel;
                            // SAFETY: there is a place for every position, tile and channel.
                            unsafe { s.store(self.patches.as_mut_ptr().add(at), value) };
                        }
                    }
                }
                tile += 1;
            }
        }
    }

    /// Position by position, the product of all patches and the weights.
    #[inline(always)]
    fn multiply<S: Simd>(&mut self, s: S) {
        let outputs = self.whole.block.out_channels;
        for position in 0..POSITIONS {
            for block in 0..outputs / self.whole.columns {
                let mut tile = 0;
                while tile < self.tiles {
                    // SAFETY: no product has more rows than tiles are left.
                    tile += unsafe {
                        match self.tiles - tile {
                            12.. if S::WIDE => self.product::<S, 12>(s, position, block, tile),
                            6.. => self.product::<S, 6>(s, position, block, tile),
                            3.. => self.product::<S, 3>(s, position, block, tile),
                            _ => self.product::<S, 1>(s, position, block, tile),
                        }
                    };
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn product<S: Simd, const P: usize>(&mut self, s: S, position: usize, block: usize, first: usize) -> usize {
        let Winograd { block: shape, columns, weights, .. } = self.whole;
        let (inputs, outputs) = (shape.in_channels, shape.out_channels);
        let mut product: Tile<S, P, 2> = [[s.splat(0.0); 2]; P];
        // SAFETY: the caller promises `P` tiles from `first` on, and a panel of weights for the block; the lengths
        // are right.
        unsafe {
            let row = |p: usize| self.patches.as_ptr().add(place(position, self.tiles, first + p, inputs));
            let rows: [*const f32; P] = std::array::from_fn(row);
            let panel = weights.as_ptr().add(position * inputs * outputs + block * inputs * columns);
            accumulate::<S, P, 2>(s, &mut product, inputs, (rows, 1), (panel, *columns));
            let to = self.products.as_mut_ptr().add(place(position, self.tiles, first, outputs) + block * columns);
            store::<S, P, 2>(s, &product, to, outputs, *columns);
        }
        P
    }

    /// `Aᵀ · m · A` of every tile, with `Aᵀ = [1 1 1 0; 0 1 −1 −1]`; then bias, activation and pooling.
    #[inline(always)]
    fn transform_output<S: Simd>(&mut self, s: S) {
        let Winograd { block, bias, .. } = self.whole;
        let channels = block.out_channels;
        let [rows_of_image, columns] = self.whole.tiles();
        let [_, _, width] = block.output_shape();
        let (negative, zero) = (s.splat(-1.0), s.splat(0.0));
        let (mut tile, mut start) = (0, 0);
        for row in self.rows.clone() {
            let rows = self.whole.output_rows(row % rows_of_image);
            let output = &mut self.output[start * width * channels..][..rows * width * channels];
            for column in 0..columns {
                let line = |[a, b, c, d]: [S::F; PATCH]| [s.add(s.add(a, b), c), s.fma(s.add(c, d), negative, b)];
                for channel in (0..channels).step_by(S::LANES) {
                    let mut half = [[zero; PATCH]; OUT];
                    for x in 0..PATCH {
                        let load = |y: usize| {
                            let at = place(PATCH * y + x, self.tiles, tile, channels) + channel;
                            // SAFETY: there is a product for every position, tile and channel.
                            unsafe { s.load(self.products.as_ptr().add(at)) }
                        };
                        let [upper, lower] = line([load(0), load(1), load(2), load(3)]);
                        (half[0][x], half[1][x]) = (upper, lower);
                    }
                    // SAFETY: there is a bias for every channel.
                    let bias = unsafe { s.load(bias.as_ptr().add(channel)) };
                    let finish = |value: S::F| {
                        let value = s.add(value, bias);
                        // The value second: what is not a number must stay visible.
                        if block.activation == Activation::Relu { s.max(zero, value) } else { value }
                    };
                    let values = half.map(|half| line(half).map(finish));
                    match block.pool {
                        Pool::Max2 => {
                            let [upper, lower] = values.map(|[left, right]| s.max(right, left));
                            let to = &mut output[column * channels + channel..][..S::LANES];
                            // SAFETY: the slice has room for a vector.
                            unsafe { s.store(to.as_mut_ptr(), s.max(lower, upper)) };
                        }
                        Pool::None => {
                            for (y, values) in values.into_iter().enumerate().take(rows) {
                                for (x, value) in values.into_iter().enumerate().take(width - OUT * column) {
                                    let at = (y * width + OUT * column + x) * channels + channel;
                                    let to = &mut output[at..][..S::LANES];
                                    // SAFETY: the slice has room for a vector.
                                    unsafe { s.store(to.as_mut_ptr(), value) };
                                }
                            }
                        }
                    }
                }
                tile += 1;
            }
            start += rows;
        }
    }
}
