//! The backward pass of a normalisation block (Ioffe and Szegedy, 2015, section 3).

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]

use std::ops::Range;

use rayon::prelude::*;

use super::forward::as_f32;
use super::statistics::{add_parts, as_f64};
use super::{NormBlock, PARTS, Statistics};
use crate::check_len;
use crate::conv::{Layout, Pool};
use crate::dropout::Dropout;
use crate::isa::{self, Isa, Kernel};
use crate::simd::Simd;
use crate::threads;
use crate::transpose::transpose;
use crate::workspace::{Buffer, Workspace};

/// The slices of a backward pass.
///
/// # Shapes
///
/// - `input`, `gamma`, `codes`: as in [`Forward`](super::Forward)
/// - `grad_output`: as its output; `grad_input`: as its input
/// - `grad_gamma`, `grad_beta`: `[channels]`
#[derive(Debug)]
pub struct Backward<'a> {
    /// Images of the forward pass.
    pub input: &'a [f32],
    /// Statistics of these images.
    pub statistics: &'a Statistics,
    /// Factor after the normalisation.
    pub gamma: &'a [f32],
    /// What the forward pass wrote.
    pub codes: &'a [u8],
    /// Dropout of the forward pass.
    pub dropout: Option<Dropout>,
    /// Gradient of the output.
    pub grad_output: &'a [f32],
    /// Filled with the gradient of the input.
    pub grad_input: &'a mut [f32],
    /// Filled with the gradient of `gamma`.
    pub grad_gamma: &'a mut [f32],
    /// Filled with the gradient of `beta`.
    pub grad_beta: &'a mut [f32],
}

impl NormBlock {
    /// Computes the gradients of the block.
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub fn backward(&self, isa: Isa, slices: Backward<'_>, workspace: &mut Workspace) {
        let Backward { input, statistics, gamma, codes, dropout, grad_output, grad_input, grad_gamma, grad_beta } =
            slices;
        check_len("grad_input", grad_input.len(), input.len());
        let (output_len, channels) = (self.output_len(), self.channels);
        // Both passes read the gradients channels last.
        let gradients = match self.output_layout {
            Layout::ChannelsLast => grad_output,
            Layout::ChannelsFirst => {
                let own = workspace.gradients.floats(grad_output.len());
                let images = own.par_chunks_mut(output_len).zip(grad_output.par_chunks(output_len));
                threads::for_each(images, |(own, gradient)| {
                    transpose(isa, gradient, channels, output_len / channels, own);
                });
                own
            }
        };
        let sums = Sums { input, statistics, gamma, codes, dropout, gradients, grad_gamma, grad_beta };
        let input_gradient = self.input_gradient(isa, sums, &mut workspace.partials);
        let together = self.images_together();
        let groups = grad_input.par_chunks_mut(together * self.input_len()).enumerate();
        threads::for_each(groups, |(group, grad_input)| {
            input_gradient.write(isa, group * together, grad_input);
        });
    }

    /// Computes what the whole batch takes part in: the gradients of the parameters, and what the gradient of the input
    /// follows from.
    ///
    /// # Panics
    ///
    /// If a length does not match the shapes.
    pub(crate) fn input_gradient<'a>(&self, isa: Isa, slices: Sums<'a>, partials: &mut Buffer) -> InputGradient<'a> {
        let Sums { input, statistics, gamma, codes, dropout, gradients, grad_gamma, grad_beta } = slices;
        let (input_len, output_len, channels) = (self.input_len(), self.output_len(), self.channels);
        let batch = input.len() / input_len;
        check_len("input", input.len(), batch * input_len);
        check_len("gamma", gamma.len(), channels);
        check_len("codes", codes.len(), batch * self.codes_len(dropout));
        check_len("grad_output", gradients.len(), batch * output_len);
        check_len("grad_gamma", grad_gamma.len(), channels);
        check_len("grad_beta", grad_beta.len(), channels);

        let scale = dropout.map_or(1.0, |dropout| dropout.scale());
        let images = Images { block: *self, input, codes, gradients, scale };
        let together = self.images_together();
        let parts = (0..batch.div_ceil(together)).into_par_iter().map(|part| {
            let first = part * together;
            images.some(first..batch.min(first + together))
        });
        // Around the mean: a large one would cost digits of the products.
        let means: Vec<f32> = statistics.mean.iter().copied().map(as_f32).collect();
        let [sums, products] = add_parts(partials, channels, parts, |images, totals| {
            isa::run(isa, GradientSums { images, means: &means, totals });
        });

        // The gradient at a pixel is `a · gradient + b · x + c`, per channel.
        let mut coefficients = vec![0.0; 3 * channels];
        let (a, rest) = coefficients.split_at_mut(channels);
        let (b, c) = rest.split_at_mut(channels);
        let count = as_f64(input.len() / channels);
        for (channel, deviation) in statistics.deviations(self).enumerate() {
            let (sum, mean) = (sums[channel], statistics.mean[channel]);
            let slope = (products[channel] - (mean - f64::from(as_f32(mean))) * sum) / deviation;
            grad_gamma[channel] = as_f32(slope);
            grad_beta[channel] = as_f32(sum);
            let factor = f64::from(gamma[channel]) / deviation;
            let tilt = -factor * slope / (deviation * count);
            a[channel] = as_f32(factor);
            b[channel] = as_f32(tilt);
            c[channel] = as_f32(-factor * sum / count - tilt * mean);
        }
        InputGradient { images, coefficients, rectified: false }
    }
}

/// The slices of [`NormBlock::input_gradient`], as in [`Backward`]; gradients channels last.
pub(crate) struct Sums<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) statistics: &'a Statistics,
    pub(crate) gamma: &'a [f32],
    pub(crate) codes: &'a [u8],
    pub(crate) dropout: Option<Dropout>,
    pub(crate) gradients: &'a [f32],
    pub(crate) grad_gamma: &'a mut [f32],
    pub(crate) grad_beta: &'a mut [f32],
}

/// The gradient of the input, image by image, once the whole batch has been summed up.
pub(crate) struct InputGradient<'a> {
    images: Images<'a>,
    /// `[3, channels]`
    coefficients: Vec<f32>,
    /// Whether the input has been rectified, and the gradient is to be the one before that.
    rectified: bool,
}

impl InputGradient<'_> {
    /// The gradient before a ReLU that made the input.
    pub(crate) fn before_relu(self) -> Self {
        Self { rectified: true, ..self }
    }

    /// Writes the gradient of as many images as it is given room for, from number `first` on.
    pub(crate) fn write(&self, isa: Isa, first: usize, grad_input: &mut [f32]) {
        let images = self.images.some(first..first + grad_input.len() / self.images.block.input_len());
        let (coefficients, rectified) = (self.coefficients.as_slice(), self.rectified);
        isa::run(isa, Write { images, coefficients, rectified, grad_input });
    }
}

/// Some of the images, with the gradients of their outputs, channels last.
#[derive(Clone, Copy)]
struct Images<'a> {
    block: NormBlock,
    input: &'a [f32],
    codes: &'a [u8],
    gradients: &'a [f32],
    scale: f32,
}

impl Images<'_> {
    /// Those with these numbers.
    fn some(&self, images: Range<usize>) -> Self {
        let of = |len: usize| images.start * len..images.end * len;
        let outputs = of(self.block.output_len());
        let codes = if self.codes.is_empty() { self.codes } else { &self.codes[outputs.clone()] };
        Self { input: &self.input[of(self.block.input_len())], codes, gradients: &self.gradients[outputs], ..*self }
    }

    /// Shows the visitor each vector of numbers that an output may come from: which one of the `K` vectors from channel
    /// `first` on it belongs to, where it is, and the gradient that lives there, zero in the other lanes.
    #[inline(always)]
    fn each<S: Simd, const K: usize>(&self, s: S, first: usize, visitor: &mut impl Visitor<S>) {
        let (block, channels) = (&self.block, self.block.channels);
        let (pixels, units) = (block.input_len() / channels, block.output_len() / channels);
        let images = self.input.len() / block.input_len();
        let (parts, scale) = (block.parts(), s.splat(self.scale));
        let has_codes = !self.codes.is_empty();
        assert!(self.gradients.len() == images * block.output_len());
        assert!(!has_codes || self.codes.len() == self.gradients.len());
        for image in 0..images {
            for unit in 0..units {
                let at = block.pixels(unit);
                for k in 0..K {
                    let channel = first + k * S::LANES;
                    let (from, left) = ((image * units + unit) * channels + channel, channels - channel);
                    // SAFETY: gradients, and codes if there are any, have `left` channels from `channel` on, for every
                    // output.
                    let gradient = s.mul(unsafe { s.load_some(self.gradients.as_ptr().add(from), left) }, scale);
                    if !has_codes {
                        // SAFETY: the pixel is in the image, with so many channels left.
                        unsafe { visitor.visit(s, k, (image * pixels + at[0]) * channels + channel, left, gradient) };
                        continue;
                    }
                    // SAFETY: as above.
                    let code = unsafe { s.load_some_bytes(self.codes.as_ptr().add(from), left) };
                    for part in 0..parts {
                        let here = s.u_eq(code, s.u_splat(PARTS[part]));
                        let gradient = s.select(here, gradient, s.splat(0.0));
                        // SAFETY: as above.
                        unsafe {
                            visitor.visit(s, k, (image * pixels + at[part]) * channels + channel, left, gradient);
                        }
                    }
                }
            }
        }
    }
}

/// What is done with each vector of numbers. Not a closure, which nobody can ask to be inlined: on its own it would be
/// compiled without the instruction set.
trait Visitor<S: Simd> {
    /// See [`Images::each`]; `left` channels are left from the vector's first one on.
    ///
    /// # Safety
    ///
    /// They must be in the images at `at`.
    unsafe fn visit(&mut self, s: S, k: usize, at: usize, left: usize, gradient: S::F);
}

/// Vectors of channels that are worked on together, so that whole cache lines are; the last ones in twos, or alone.
const TOGETHER: usize = 4;

/// Sums of the gradients, and of their products with the input less its mean.
struct GradientSums<'a> {
    images: Images<'a>,
    means: &'a [f32],
    /// `[2, channels]`
    totals: &'a mut [f32],
}

impl Kernel for GradientSums<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = self.images.block.channels;
        assert!(self.totals.len() == 2 * channels && self.means.len() == channels);
        let mut first = 0;
        while first < channels {
            first += match (channels - first) / S::LANES {
                TOGETHER.. => self.channels::<S, TOGETHER>(s, first),
                2.. => self.channels::<S, 2>(s, first),
                _ => self.channels::<S, 1>(s, first),
            };
        }
    }
}

impl GradientSums<'_> {
    #[inline(always)]
    fn channels<S: Simd, const K: usize>(&mut self, s: S, first: usize) -> usize {
        let channels = self.images.block.channels;
        let zeros = [s.splat(0.0); K];
        let mut totals = Totals { input: self.images.input.as_ptr(), minus_means: zeros, sums: zeros, products: zeros };
        for k in 0..K {
            let channel = first + k * S::LANES;
            // SAFETY: so many means are left.
            let means = unsafe { s.load_some(self.means.as_ptr().add(channel), channels - channel) };
            totals.minus_means[k] = s.mul(s.splat(-1.0), means);
        }
        self.images.each::<S, K>(s, first, &mut totals);
        for k in 0..K {
            let channel = first + k * S::LANES;
            // SAFETY: both rows of sums have so many numbers left.
            unsafe {
                let to = self.totals.as_mut_ptr().add(channel);
                s.store_some(to, totals.sums[k], channels - channel);
                s.store_some(to.add(channels), totals.products[k], channels - channel);
            }
        }
        K * S::LANES
    }
}

/// The sums of `K` vectors of channels.
struct Totals<S: Simd, const K: usize> {
    input: *const f32,
    minus_means: [S::F; K],
    sums: [S::F; K],
    products: [S::F; K],
}

impl<S: Simd, const K: usize> Visitor<S> for Totals<S, K> {
    #[inline(always)]
    unsafe fn visit(&mut self, s: S, k: usize, at: usize, left: usize, gradient: S::F) {
        // SAFETY: as the caller promises.
        let x = unsafe { s.load_some(self.input.add(at), left) };
        self.sums[k] = s.add(self.sums[k], gradient);
        self.products[k] = s.fma(s.add(x, self.minus_means[k]), gradient, self.products[k]);
    }
}

/// See [`InputGradient::write`].
struct Write<'a> {
    images: Images<'a>,
    coefficients: &'a [f32],
    rectified: bool,
    grad_input: &'a mut [f32],
}

impl Kernel for Write<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let block = self.images.block;
        assert!(self.coefficients.len() == 3 * block.channels && self.grad_input.len() == self.images.input.len());
        if block.pool == Pool::Max2 && !(block.height.is_multiple_of(2) && block.width.is_multiple_of(2)) {
            self.left_out(s);
        }
        let mut first = 0;
        while first < block.channels {
            first += match (block.channels - first) / S::LANES {
                TOGETHER.. => self.channels::<S, TOGETHER>(s, first),
                2.. => self.channels::<S, 2>(s, first),
                _ => self.channels::<S, 1>(s, first),
            };
        }
    }
}

impl Write<'_> {
    /// Also the pixels that pooling leaves out have a part in the statistics. Writes all of them.
    #[inline(always)]
    fn left_out<S: Simd>(&mut self, s: S) {
        let channels = self.images.block.channels;
        let (from, to) = (self.images.input.as_ptr(), self.grad_input.as_mut_ptr());
        for first in (0..channels).step_by(S::LANES) {
            let coefficients = [self.coefficients(s, first)];
            let mut pixels = Pixels { from, to, coefficients, rectified: self.rectified };
            for pixel in 0..self.grad_input.len() / channels {
                // SAFETY: every pixel has so many channels left.
                unsafe { pixels.visit(s, 0, pixel * channels + first, channels - first, s.splat(0.0)) };
            }
        }
    }

    #[inline(always)]
    fn channels<S: Simd, const K: usize>(&mut self, s: S, first: usize) -> usize {
        let mut coefficients = [[s.splat(0.0); 3]; K];
        for (k, own) in coefficients.iter_mut().enumerate() {
            *own = self.coefficients(s, first + k * S::LANES);
        }
        let (from, to) = (self.images.input.as_ptr(), self.grad_input.as_mut_ptr());
        let mut pixels = Pixels { from, to, coefficients, rectified: self.rectified };
        self.images.each::<S, K>(s, first, &mut pixels);
        K * S::LANES
    }

    /// `a`, `b` and `c` of a vector of channels.
    #[inline(always)]
    fn coefficients<S: Simd>(&self, s: S, first: usize) -> [S::F; 3] {
        let channels = self.images.block.channels;
        // SAFETY: every row has so many numbers left.
        let row = |row: usize| unsafe {
            s.load_some(self.coefficients.as_ptr().add(row * channels + first), channels - first)
        };
        [row(0), row(1), row(2)]
    }
}

/// Pixels of `K` vectors of channels, and where their gradients go.
struct Pixels<S: Simd, const K: usize> {
    from: *const f32,
    to: *mut f32,
    coefficients: [[S::F; 3]; K],
    rectified: bool,
}

impl<S: Simd, const K: usize> Visitor<S> for Pixels<S, K> {
    #[expect(clippy::many_single_char_names, reason = "the coefficients as named above")]
    #[inline(always)]
    unsafe fn visit(&mut self, s: S, k: usize, at: usize, left: usize, gradient: S::F) {
        let [a, b, c] = self.coefficients[k];
        // SAFETY: as the caller promises; gradients have the shape of pixels.
        unsafe {
            let x = s.load_some(self.from.add(at), left);
            let found = s.fma(a, gradient, s.fma(b, x, c));
            let zero = s.splat(0.0);
            let found = if self.rectified { s.select(s.gt(x, zero), found, zero) } else { found };
            s.store_some(self.to.add(at), found, left);
        }
    }
}
