//! The backward pass of a convolution and of the batch norm that follows it, as one: the gradient in between is made a
//! few images at a time, where the convolution reads it, and never lies in memory as a whole.
//!
//! Forward they stay two, [`ConvBlock::forward`] and [`NormBlock::forward`], since the whole batch's statistics stand
//! between them.

use crate::conv::{self, ConvBlock, Layout, OutputGradient, Pool};
use crate::dropout::Dropout;
use crate::norm::{NormBlock, Statistics, Sums};
use crate::workspace::Workspace;
use crate::{Activation, Isa, check_len};

/// A convolution without pooling or dropout, rectified or not, channels last, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: ConvBlock,
    /// The batch norm of its output, and what follows that.
    pub norm: NormBlock,
}

/// The slices of a backward pass.
///
/// # Shapes
///
/// - `input`, `weight`: as in [`conv::Forward`]; `convolved` as its output
/// - `gamma`, `codes`: as in [`norm::Forward`](crate::norm::Forward)
/// - `grad_output`: as the norm's output, channels last
/// - gradients of inputs and parameters: as these
#[derive(Debug)]
pub struct Backward<'a> {
    /// Images of the forward pass.
    pub input: &'a [f32],
    /// Weights of the convolution.
    pub weight: &'a [f32],
    /// What the convolution made of the images.
    pub convolved: &'a [f32],
    /// Statistics of that.
    pub statistics: &'a Statistics,
    /// Factor after the normalisation.
    pub gamma: &'a [f32],
    /// What the norm's forward pass wrote.
    pub codes: &'a [u8],
    /// Dropout of the norm's forward pass.
    pub dropout: Option<Dropout>,
    /// Gradient of the norm's output.
    pub grad_output: &'a [f32],
    /// Filled with the gradient of the input; the first layer does not need it.
    pub grad_input: Option<&'a mut [f32]>,
    /// Filled with the gradient of the weights.
    pub grad_weight: &'a mut [f32],
    /// Filled with the gradient of the biases.
    pub grad_bias: &'a mut [f32],
    /// Filled with the gradient of `gamma`.
    pub grad_gamma: &'a mut [f32],
    /// Filled with the gradient of `beta`.
    pub grad_beta: &'a mut [f32],
}

impl ConvNorm {
    /// Computes the gradients: the same bytes as [`NormBlock::backward`] and [`ConvBlock::backward`] after it.
    ///
    /// # Panics
    ///
    /// If the two do not fit together, or a length does not match the shapes.
    pub fn backward(&self, isa: Isa, slices: Backward<'_>, workspace: &mut Workspace) {
        let Backward { input, weight, convolved, statistics, gamma, codes, dropout, grad_output, .. } = slices;
        let Backward { grad_input, grad_weight, grad_bias, grad_gamma, grad_beta, .. } = slices;
        self.check();
        check_len("convolved", convolved.len(), input.len() / self.conv.input_len() * self.conv.output_len());
        let gradients = grad_output;
        let sums = Sums { input: convolved, statistics, gamma, codes, dropout, gradients, grad_gamma, grad_beta };
        let mut between = self.norm.input_gradient(isa, sums, &mut workspace.partials);
        // Where the ReLU stopped the gradient, its output is zero: no codes have to say so.
        if self.conv.activation == Activation::Relu {
            between = between.before_relu();
        }
        let conv = ConvBlock { activation: Activation::Identity, ..self.conv };
        let make = |first: usize, gradient: &mut [f32]| between.write(isa, first, gradient);
        let grad_output = OutputGradient::Made(&make);
        let (codes, dropout) = (&[][..], None);
        let slices = conv::Backward { input, weight, codes, dropout, grad_output, grad_input, grad_weight, grad_bias };
        conv.backward(isa, slices, workspace);
    }

    fn check(&self) {
        let Self { conv, norm } = self;
        let fits = conv.output_shape() == [norm.channels, norm.height, norm.width]
            && conv.pool == Pool::None
            && conv.output_layout == Layout::ChannelsLast
            && norm.output_layout == Layout::ChannelsLast;
        assert!(
            fits,
            "expected a norm of the convolution's output, channels last and without a pool between: {self:?}"
        );
    }
}
