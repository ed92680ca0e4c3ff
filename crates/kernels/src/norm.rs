//! Batch normalisation with what follows it in a block: activation, 2×2 max-pooling and dropout, forward
//! and backward.
//!
//! Together with a [convolution](crate::conv) or [dense](crate::dense) block that ends before it, this
//! makes the blocks with batch norm after or before the activation. Everything is channels last; the
//! output of a dense layer is an image of one pixel. Keeps no running statistics.

mod backward;
mod forward;
mod statistics;

pub use backward::Backward;
pub(crate) use backward::Sums;
pub use forward::Forward;

use crate::Activation;
use crate::conv::{Layout, Pool, has_codes};
use crate::dropout::Dropout;

/// A normalisation block: what it is, not its weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormBlock {
    /// Channels of the input.
    pub channels: usize,
    /// Height of the input in pixels.
    pub height: usize,
    /// Width of the input in pixels.
    pub width: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// Activation after the normalisation.
    pub activation: Activation,
    /// Pooling after the activation.
    pub pool: Pool,
    /// Order of the output, and of its gradient.
    pub output_layout: Layout,
}

/// The mean and the variance of each channel over batch and pixels, in f64. The variance is divided by
/// the count, not by one less.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// `[channels]`
    pub mean: Vec<f64>,
    /// `[channels]`
    pub variance: Vec<f64>,
}

impl NormBlock {
    /// Channels, height and width of the output.
    #[must_use]
    pub fn output_shape(&self) -> [usize; 3] {
        match self.pool {
            Pool::None => [self.channels, self.height, self.width],
            Pool::Max2 => [self.channels, self.height / 2, self.width / 2],
        }
    }

    /// Numbers of one image of the input.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.channels * self.height * self.width
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

    /// Where the pixels of the output's `unit` are in the image; the first one alone without pooling.
    #[inline]
    fn pixels(&self, unit: usize) -> [usize; 4] {
        match self.pool {
            Pool::None => [unit; 4],
            Pool::Max2 => {
                let columns = self.width / 2;
                let first = unit / columns * 2 * self.width + unit % columns * 2;
                [first, first + 1, first + self.width, first + self.width + 1]
            }
        }
    }

    /// Pixels of an output.
    fn parts(&self) -> usize {
        match self.pool {
            Pool::None => 1,
            Pool::Max2 => 4,
        }
    }

    /// Images that one task takes, by shapes alone: sums are taken per task.
    fn images_together(&self) -> usize {
        /// Numbers that a task takes at least, if there are as many.
        const TASK_LEN: usize = 1 << 14;
        (TASK_LEN / self.input_len()).max(1)
    }
}

/// The codes of the pixels that an output may come from.
const PARTS: [u32; 4] = [0, 1, 2, 3];
