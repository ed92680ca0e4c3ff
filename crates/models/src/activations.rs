//! What the layers of a network put out on the way to the logits, for pictures of it.
//!
//! Walks through the network's blocks in their order, each composed of Burn's operations whatever runs it otherwise,
//! since a fused kernel has nothing to show in between.

use burn::tensor::Tensor;

use crate::block::Block;
use crate::vgg::Reduction;
use crate::{Base, Model};

/// The output of one layer for a batch.
#[derive(Clone, Debug)]
pub struct LayerOutput {
    /// Name of the layer, as in the summary.
    pub name: String,
    /// Shape for one image: `[channels, height, width]` or `[features]`.
    pub shape: Vec<usize>,
    /// The numbers.
    ///
    /// # Shapes
    ///
    /// `[batch, product of shape]`
    pub values: Tensor<2>,
}

/// What was asked for, and what the network computes in the end.
#[derive(Clone, Debug)]
pub struct Activations {
    /// One for each name asked for, in that order.
    pub layers: Vec<LayerOutput>,
    /// As [`Model::forward`] computes them.
    ///
    /// # Shapes
    ///
    /// `[batch, num_classes]`
    pub logits: Tensor<2>,
}

/// A layer that the network does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no layer is called {name:?}; known are {}", known.join(", "))]
pub struct UnknownLayer {
    /// The name asked for.
    pub name: String,
    /// The names that there are, in the order of the layers.
    pub known: Vec<String>,
}

impl Model {
    /// Computes the logits and keeps what the layers called `names` put out.
    ///
    /// A layer is a row of the [summary](crate::Summary), its output the one after the activation that the row names:
    /// `conv1` is a convolution with its bias and ReLU, before the pool. Dropout does nothing here, so that its row is
    /// what came in.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`, on a device without autodiff; for a transfer, the features of
    ///   its base, whose layers are not among the known ones
    ///
    /// # Errors
    ///
    /// [`UnknownLayer`] with the names that there are.
    pub fn activations(&self, images: Tensor<4>, names: &[&str]) -> Result<Activations, UnknownLayer> {
        let reduction = self.reduction();
        let mut observer = Observer::of(names);
        let mut passing = Passing::Maps(images);
        // Blocks are handed out for changing; the copy shares its tensors with the network.
        for block in self.clone().blocks() {
            passing = match (block, passing) {
                (Block::Conv(block), Passing::Maps(maps)) => Passing::Maps(block.observe(maps, &mut observer)),
                (Block::Conv(_), Passing::Features(_)) => unreachable!("convolutions come before dense layers"),
                (Block::Dense(block), x) => {
                    Passing::Features(block.observe(x.into_features(reduction, &mut observer), &mut observer))
                }
                (Block::Head(head), x) => {
                    Passing::Features(head.observe(x.into_features(reduction, &mut observer), &mut observer))
                }
            };
        }
        let logits = passing.into_features(reduction, &mut observer);
        Ok(Activations { layers: observer.found()?, logits })
    }

    fn reduction(&self) -> Reduction {
        if let Self::Vgg(model) = self { model.reduction() } else { Reduction::Flatten }
    }
}

impl Base {
    /// What the layers called `names` put out, of the base of a transfer alone; as [`Model::activations`].
    ///
    /// # Shapes
    ///
    /// - images: `[batch, 3, height, width]`, on a device without autodiff
    ///
    /// # Errors
    ///
    /// [`UnknownLayer`] with the names that there are.
    pub fn activations(&self, images: Tensor<4>, names: &[&str]) -> Result<Vec<LayerOutput>, UnknownLayer> {
        let mut observer = Observer::of(names);
        self.features.iter().fold(images, |maps, block| block.observe(maps, &mut observer));
        observer.found()
    }
}

/// What goes from block to block.
enum Passing {
    Maps(Tensor<4>),
    Features(Tensor<2>),
}

impl Passing {
    /// Turns maps into features, which is a layer of its own.
    fn into_features(self, reduction: Reduction, observer: &mut Observer<'_>) -> Tensor<2> {
        match self {
            Self::Features(features) => features,
            Self::Maps(maps) => {
                let features = reduction.forward(maps);
                observer.see(reduction.layer_name(), &features);
                features
            }
        }
    }
}

/// Keeps the outputs that are wanted as they pass.
pub(crate) struct Observer<'a> {
    wanted: &'a [&'a str],
    known: Vec<String>,
    seen: Vec<LayerOutput>,
}

impl<'a> Observer<'a> {
    fn of(wanted: &'a [&'a str]) -> Self {
        Self { wanted, known: Vec::new(), seen: Vec::new() }
    }

    /// Notes the output of a layer; a layer without a name is in no summary.
    pub(crate) fn see<const D: usize>(&mut self, name: &str, output: &Tensor<D>) {
        if name.is_empty() {
            return;
        }
        self.known.push(name.to_owned());
        if self.wanted.contains(&name) {
            let [batch, shape @ ..] = &output.dims()[..] else { return };
            let (batch, shape) = (*batch, shape.to_vec());
            let values = output.clone().reshape([batch, shape.iter().product()]);
            self.seen.push(LayerOutput { name: name.to_owned(), shape, values });
        }
    }

    /// What was wanted, in that order.
    fn found(&self) -> Result<Vec<LayerOutput>, UnknownLayer> {
        self.wanted.iter().map(|name| self.take(name)).collect()
    }

    fn take(&self, name: &str) -> Result<LayerOutput, UnknownLayer> {
        let found = self.seen.iter().find(|output| output.name == name);
        found.cloned().ok_or_else(|| UnknownLayer { name: name.to_owned(), known: self.known.clone() })
    }
}
