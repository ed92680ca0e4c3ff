//! A 3×3 convolution with its bias, activation, 2×2 max-pooling and dropout, forward and backward.
//!
//! The work is done channels last: for one kernel row, column and channel are then contiguous, and the
//! convolution is three products whose tiles stay in registers until they are activated, pooled and
//! dropped out. What the backward pass needs to know of all that is one byte per output, its *code*, or nothing where
//! every gradient goes back to its own pixel.
//!
//! With vectors of input channels it goes Winograd's way instead (`minimal`, `points`, `filters`), with a quarter of
//! the products; backward with pooling, only the gradients that are not zero are visited (`sparse`); what is left of
//! first layers, and of images that hardly fill a tile, is a plain product (`full`). Knows nothing of batch norm,
//! strides or other kernel sizes.

mod backward;
mod filters;
mod forward;
mod full;
mod geometry;
mod grey;
mod layout;
mod minimal;
mod points;
mod reduce;
mod sparse;
mod tiles;
mod visit;

pub use backward::{Backward, OutputGradient};
pub use forward::{Forward, Prepared};

use crate::Activation;
use crate::dropout::Dropout;

/// Code of an output whose gradient stops: zero after the activation, or dropped. The other codes name
/// the pixel that the output comes from: 0 without pooling, else 0 to 3 in the window's rows.
pub const DEAD: u8 = 4;

/// Whether a gradient may stop on its way back, or has a pixel to choose.
pub(crate) fn has_codes(activation: Activation, pool: Pool, dropout: Option<Dropout>) -> bool {
    activation == Activation::Relu || pool == Pool::Max2 || dropout.is_some()
}

/// Order of the numbers of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[channels, height, width]`, as Burn has them.
    ChannelsFirst,
    /// `[height, width, channels]`; nothing has to be copied.
    ChannelsLast,
}

/// What happens at the border of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The kernel stays inside: the output is two pixels smaller along each axis.
    Valid,
    /// Zeros around the image: the output has its size.
    Same,
}

/// Pooling after the activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// None.
    None,
    /// The largest of 2×2 pixels, stride 2; an odd last row or column is dropped. Of equal pixels the
    /// first one counts.
    Max2,
}

/// A convolution block: what it is, not its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvBlock {
    /// Channels of the input.
    pub in_channels: usize,
    /// Filters.
    pub out_channels: usize,
    /// Height of the input in pixels.
    pub height: usize,
    /// Width of the input in pixels.
    pub width: usize,
    /// What happens at the border.
    pub padding: Padding,
    /// Activation after the bias.
    pub activation: Activation,
    /// Pooling after the activation.
    pub pool: Pool,
    /// Order of the input, and of its gradient.
    pub input_layout: Layout,
    /// Order of the output, and of its gradient.
    pub output_layout: Layout,
}

impl ConvBlock {
    /// Channels, height and width of the output.
    ///
    /// # Panics
    ///
    /// If the image is too small for the block, or has no channels.
    #[must_use]
    pub fn output_shape(&self) -> [usize; 3] {
        let [height, width] = self.convolved();
        match self.pool {
            Pool::None => [self.out_channels, height, width],
            Pool::Max2 => [self.out_channels, height / 2, width / 2],
        }
    }

    /// Numbers of one image of the input.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.in_channels * self.height * self.width
    }

    /// Numbers of one image of the output.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.output_shape().iter().product()
    }

    /// Codes of one image: as many as outputs, or none where every gradient goes back to its own pixel.
    #[must_use]
    pub fn codes_len(&self, dropout: Option<Dropout>) -> usize {
        if has_codes(self.activation, self.pool, dropout) { self.output_len() } else { 0 }
    }

    /// Numbers of the weights: `[out_channels, in_channels, 3, 3]`.
    #[must_use]
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * TAPS
    }

    /// Height and width after the convolution, before pooling.
    fn convolved(&self) -> [usize; 2] {
        let shrink = match self.padding {
            Padding::Valid => 2,
            Padding::Same => 0,
        };
        let least = shrink + if self.pool == Pool::Max2 { 2 } else { 1 };
        assert!(
            self.height >= least && self.width >= least,
            "image: expected at least {least}×{least} pixels, found {}×{}",
            self.height,
            self.width
        );
        assert!(
            self.in_channels > 0 && self.out_channels > 0,
            "channels: expected at least 1, found {} in and {} out",
            self.in_channels,
            self.out_channels
        );
        [self.height - shrink, self.width - shrink]
    }
}

/// Side of the kernel.
const SIDE: usize = 3;
/// Weights of the kernel per pair of channels.
const TAPS: usize = SIDE * SIDE;
