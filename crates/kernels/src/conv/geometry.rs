//! Sizes that follow from a block and the width of the vectors.

use super::minimal;
use super::points::{WINDOW, point_len};
use super::{ConvBlock, Layout, Padding, Pool, TAPS};
use crate::isa::Isa;
use crate::workspace::round_up;

/// Which way through a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Forward,
    Backward,
}

/// The sizes of one pass through a block on one instruction set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    pub(super) block: ConvBlock,
    /// Numbers in a vector.
    pub(super) lanes: usize,
    /// Pixels of zeros on each side that the padding asks for.
    pub(super) padding: usize,
    /// How many of these the kernels find in memory: none by way of points, which know where an image ends.
    pub(super) border: usize,
    /// Height and width with the border.
    pub(super) height: usize,
    pub(super) width: usize,
    /// Channels of a pixel as the kernels read it: with zeros at the end to make whole vectors, unless
    /// there are so few that the first layer's way is better.
    pub(super) channels: usize,
    /// Channels of a pixel of the input's gradient: always whole vectors.
    pub(super) grad_channels: usize,
    /// Outputs of one image, per channel.
    pub(super) units: usize,
    /// Pixels that an output is taken from.
    pub(super) unit_pixels: usize,
    /// Output channels of a tile.
    pub(super) columns: usize,
    /// The side of the tiles whose points are taken, the one that needs the fewest products.
    pub(super) tile: usize,
}

impl Geometry {
    pub(super) fn new(block: &ConvBlock, isa: Isa, pass: Pass) -> Self {
        let lanes = isa.lanes();
        let padding = match block.padding {
            Padding::Valid => 0,
            Padding::Same => 1,
        };
        let [out_channels, out_height, out_width] = block.output_shape();
        let grad_channels = round_up(block.in_channels, lanes);
        let few = 2 * block.in_channels <= lanes;
        let bare = Self {
            block: *block,
            lanes,
            padding,
            border: 0,
            height: block.height,
            width: block.width,
            channels: if few { block.in_channels } else { grad_channels },
            grad_channels,
            units: out_height * out_width,
            unit_pixels: match block.pool {
                Pool::None => 1,
                Pool::Max2 => 4,
            },
            columns: if out_channels <= lanes { lanes } else { 2 * lanes },
            tile: minimal::SIDES[0].0,
        };
        let bare = Self { tile: bare.best_tile(), ..bare };
        let by_points = match pass {
            Pass::Forward => bare.transforms_forward(),
            Pass::Backward => bare.transforms_backward(),
        };
        if by_points {
            return bare;
        }
        Self { border: padding, height: block.height + 2 * padding, width: block.width + 2 * padding, ..bare }
    }

    /// The side of tiles that needs the fewest products, or nearly so: outputs that wait for pooling cost something too.
    fn best_tile(&self) -> usize {
        let costs = minimal::SIDES.map(|(tile, cost)| {
            let with = Self { tile, ..*self };
            (tile, (cost + usize::from(with.pools_later())) * with.products())
        });
        costs.into_iter().min_by_key(|&(_, cost)| cost).expect("there are sides").0
    }

    /// Whether there is pooling.
    #[inline]
    pub(super) fn pools(&self) -> bool {
        self.block.pool != Pool::None
    }

    /// Whether a window of pooling may lie in two tiles: the outputs of a few images are kept until all of their tiles are
    /// done, to be pooled then.
    #[inline]
    pub(super) fn pools_later(&self) -> bool {
        self.pools() && !self.tile.is_multiple_of(WINDOW)
    }

    /// Whether the weight gradient has its lanes in the output channels, as input channels are few.
    #[inline]
    pub(super) fn has_few_channels(&self) -> bool {
        !self.channels.is_multiple_of(self.lanes)
    }

    /// Whether the forward pass goes [Winograd's](super::points) way, which needs vectors of input channels
    /// and images that tiles do not exceed by much.
    #[inline]
    pub(super) fn transforms_forward(&self) -> bool {
        !self.has_few_channels() && self.products() < self.plain_products()
    }

    /// Whether the backward pass does; with pooling, skipping zeros is better.
    #[inline]
    pub(super) fn transforms_backward(&self) -> bool {
        self.transforms_forward() && !self.pools()
    }

    /// Products for every pair of channels of an image by definition.
    fn plain_products(&self) -> usize {
        TAPS * self.convolved().iter().product::<usize>()
    }

    /// Numbers of the weights as the forward pass reads them.
    #[inline]
    pub(super) fn weights_len(&self) -> usize {
        self.matrices_len(self.transforms_forward())
    }

    /// Numbers of the weights as the backward pass reads them.
    #[inline]
    pub(super) fn filters_len(&self) -> usize {
        let (inputs, outputs) = (self.grad_channels, self.block.out_channels);
        if self.transforms_backward() {
            self.num_points() * point_len(outputs, inputs)
        } else {
            TAPS * inputs * outputs
        }
    }

    /// Numbers of the weights' gradients as the backward pass sums them.
    #[inline]
    pub(super) fn sums_len(&self) -> usize {
        self.matrices_len(self.transforms_backward())
    }

    /// Numbers of matrices of input channels by output channels: one for each point, or for each tap.
    #[inline]
    fn matrices_len(&self, by_points: bool) -> usize {
        if by_points {
            self.num_points() * point_len(self.channels, self.out_channels())
        } else {
            self.filter_len() * self.out_channels()
        }
    }

    /// Numbers of one image as the kernels read it.
    #[inline]
    pub(super) fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Numbers of the gradient of one image.
    #[inline]
    pub(super) fn grad_image_len(&self) -> usize {
        self.height * self.width * self.grad_channels
    }

    /// Whether the kernels can read the input as it is.
    pub(super) fn reads_input(&self) -> bool {
        let channels_last = self.block.input_layout == Layout::ChannelsLast || self.channels == 1;
        self.border == 0 && self.channels == self.block.in_channels && channels_last
    }

    /// Whether the kernels can write the input's gradient as it is wanted.
    pub(super) fn writes_grad_input(&self) -> bool {
        self.border == 0
            && self.grad_channels == self.block.in_channels
            && self.block.input_layout == Layout::ChannelsLast
    }

    /// In-channels of a tile of the images' gradient.
    #[inline]
    pub(super) fn grad_columns(&self) -> usize {
        if self.grad_channels.is_multiple_of(2 * self.lanes) { 2 * self.lanes } else { self.lanes }
    }

    /// Whether the sums of the filters' gradients are `[tap][in channel][out channel]`, and not
    /// `[out channel][tap][in channel]`.
    pub(super) fn sums_end_with_outputs(&self) -> bool {
        self.block.pool == Pool::None || self.has_few_channels()
    }

    /// Whether outputs are in the order that the kernels write.
    pub(super) fn writes_output(&self) -> bool {
        self.block.output_layout == Layout::ChannelsLast
    }

    /// Output channels, padded to whole tiles.
    #[inline]
    pub(super) fn out_channels(&self) -> usize {
        round_up(self.block.out_channels, self.columns)
    }

    /// Numbers of one output channel's weights as the kernels read them.
    #[inline]
    pub(super) fn filter_len(&self) -> usize {
        TAPS * self.channels
    }

    /// Images that are worked on together: as many as stay in the nearer caches, so that weights are read
    /// once for all of them; by way of points, at least as many as have the tiles that are transformed together.
    pub(super) fn images_together(&self, cache_bytes: usize, by_points: bool) -> usize {
        let cached = (cache_bytes / (4 * self.image_len())).clamp(1, 8);
        if !by_points {
            return cached;
        }
        let transformed = self.tiles_together().div_ceil(self.num_tiles(1));
        if self.pools_later() { transformed } else { cached.max(transformed) }
    }

    /// For `images` images, the pixel at the upper left of each output's part of the (bordered) image;
    /// with pooling, of the four parts of each output.
    pub(super) fn pixels(&self, images: usize, pixels: &mut Vec<u32>) {
        let [_, out_height, out_width] = self.block.output_shape();
        let image_pixels = self.height * self.width;
        let as_u32 = |pixel: usize| u32::try_from(pixel).expect("a few images have fewer than 2^32 pixels");
        pixels.clear();
        for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
            let at = |y, x| as_u32(y * self.width + x);
            match self.block.pool {
                Pool::None => pixels.push(at(y, x)),
                Pool::Max2 => {
                    let parts = [(0, 0), (0, 1), (1, 0), (1, 1)];
                    pixels.extend(parts.map(|(dy, dx)| at(2 * y + dy, 2 * x + dx)));
                }
            }
        }
        let len = pixels.len();
        for image in 1..images {
            let first = as_u32(image * image_pixels);
            pixels.extend_from_within(..len);
            for pixel in &mut pixels[image * len..] {
                *pixel += first;
            }
        }
    }
}
