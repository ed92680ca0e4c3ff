//! The names of layers, in the summary and among the weights alike: those that a person would write
//! for the same network in PyTorch.

use std::collections::BTreeMap;

use crate::block::Op;

/// How the layers of a network are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Attributes of a module, counted per kind: `conv1`, `bn1`, `dense1`, `head`.
    Attributes,
    /// Places in the two `Sequential`s of torchvision's VGG, where activations and dropouts take a
    /// place too: `features.0`, `classifier.3`. Weights trained on ImageNet carry these names.
    Sequentials,
}

/// Gives out names in the order in which the layers are applied.
#[derive(Debug)]
pub(crate) struct Names {
    style: Style,
    counts: BTreeMap<&'static str, usize>,
}

impl Names {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, counts: BTreeMap::new() }
    }

    /// Names the next operation, which works on images (`[channels, height, width]`) or on features.
    pub(crate) fn next(&mut self, op: Op, output_rank: usize) -> String {
        match (self.style, op) {
            (_, Op::Flatten) => "flatten".to_string(),
            (_, Op::GlobalAverage) => "avgpool".to_string(),
            (Style::Attributes, Op::Head { .. }) => "head".to_string(),
            (Style::Attributes, _) => {
                let stem = stem(op);
                format!("{stem}{}", self.count(stem) + 1)
            }
            (Style::Sequentials, _) => {
                let section = if output_rank == 3 { "features" } else { "classifier" };
                format!("{section}.{}", self.count(section))
            }
        }
    }

    /// How often the word was asked for before.
    fn count(&mut self, word: &'static str) -> usize {
        let count = self.counts.entry(word).or_insert(0);
        *count += 1;
        *count - 1
    }
}

fn stem(op: Op) -> &'static str {
    match op {
        Op::Conv { .. } => "conv",
        Op::Linear { .. } => "dense",
        Op::Head { .. } => "head",
        Op::BatchNorm => "bn",
        Op::Activation(_) => "activation",
        Op::MaxPool => "pool",
        Op::Dropout(_) => "dropout",
        Op::Flatten => "flatten",
        Op::GlobalAverage => "avgpool",
    }
}
