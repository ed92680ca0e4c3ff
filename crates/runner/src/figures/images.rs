//! Images of a data set as the parts of figures.

use data::Dataset;
use plots::{Line, Tile, Tone};

/// An image with its class below it.
pub(super) fn tile(dataset: &Dataset, index: usize) -> Tile {
    captioned(dataset, index, class_name(dataset, index).to_owned())
}

/// An image with a caption of one line.
pub(super) fn captioned(dataset: &Dataset, index: usize, caption: String) -> Tile {
    gray_tile(dataset.image(index).to_vec(), dataset.width(), dataset.height(), caption)
}

/// Pixels with a caption of one line.
pub(super) fn gray_tile(pixels: Vec<u8>, width: usize, height: usize, caption: String) -> Tile {
    Tile { pixels, width, height, caption: vec![Line { text: caption, tone: Tone::Neutral }] }
}

/// What the class of an image is called.
pub(super) fn class_name(dataset: &Dataset, index: usize) -> &str {
    &dataset.class_names()[usize::from(dataset.label(index))]
}
