//! What a network is made of, as numbers: one row per layer. Derived from the configuration alone.

/// The shape of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputShape {
    /// Colour channels: 1 for grey.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

/// One layer of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The layer's name, which is also its name among the weights: `conv1`, `features.0`.
    pub name: String,
    /// What the layer does, with the activation that follows it: `conv2d 3x3, relu`.
    pub kind: String,
    /// Shape of the output for one image: `[channels, height, width]` or `[features]`.
    pub output_shape: Vec<usize>,
    /// Numbers that the layer holds, running statistics included.
    pub parameters: usize,
    /// How many of the parameters no gradient reaches: the running statistics of a batch norm, or all of
    /// a frozen layer.
    pub non_trainable: usize,
    /// Multiply-adds of convolutions and dense layers for one image in the forward pass. The few
    /// operations of the other layers are left out.
    pub multiply_adds: u64,
}

/// The layers of a network, from the images to the logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The rows, in the order in which the layers are applied.
    pub layers: Vec<Layer>,
}

/// Sums over the layers of a [`Summary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Numbers that the network holds, running statistics included.
    pub parameters: usize,
    /// Parameters that an optimizer changes.
    pub trainable: usize,
    /// Parameters that it does not change.
    pub non_trainable: usize,
    /// Multiply-adds for one image in the forward pass.
    pub multiply_adds: u64,
}

impl Summary {
    /// Adds up the rows.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let parameters = self.layers.iter().map(|layer| layer.parameters).sum();
        let non_trainable = self.layers.iter().map(|layer| layer.non_trainable).sum();
        Totals {
            parameters,
            trainable: parameters - non_trainable,
            non_trainable,
            multiply_adds: self.layers.iter().map(|layer| layer.multiply_adds).sum(),
        }
    }
}
