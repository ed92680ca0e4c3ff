//! Numbers → pictures: training curves, confusion matrices, heat maps, galleries of images, embeddings and more.
//!
//! A figure is a plain struct of numbers and names; [`png()`] and [`svg()`] turn it into bytes. The
//! same figure gives the same bytes, on any machine: the typeface is part of the program. Knows
//! neither Burn nor data sets nor where files go.
//!
//! ```
//! use plots::{Curves, Series, SeriesStyle};
//!
//! let curves = Curves {
//!     title: "Loss".into(),
//!     x_label: "epoch".into(),
//!     y_label: "cross-entropy".into(),
//!     series: vec![Series {
//!         name: "train".into(),
//!         points: vec![(1.0, 0.61), (2.0, 0.42), (3.0, 0.37)],
//!         style: SeriesStyle::train(),
//!     }],
//!     ..Curves::default()
//! };
//! let picture: Vec<u8> = plots::png(&curves)?;
//! let drawing: String = plots::svg(&curves)?;
//! # assert!(picture.starts_with(b"\x89PNG") && drawing.starts_with("<svg"));
//! # Ok::<(), plots::PlotError>(())
//! ```

mod axis;
mod bars;
mod canvas;
mod color_map;
mod confusion;
mod curves;
mod diagram;
mod error;
mod feature_maps;
mod font;
mod gallery;
mod geometry;
mod heading;
mod heatmap;
mod names;
mod number_matrix;
mod palette;
mod png;
mod predictions;
mod scatter;
mod scene;
mod sprite;
mod stroke;
mod style;
mod svg;
mod table;
mod text;

#[cfg(test)]
mod layout_tests;

pub use crate::bars::{Bar, Bars};
pub use crate::color_map::ColorMap;
pub use crate::confusion::ConfusionMatrix;
pub use crate::curves::{Curves, LastValues, Marker, PhaseSpan, Series};
pub use crate::diagram::{Diagram, DiagramLayer, LayerFamily};
pub use crate::error::PlotError;
pub use crate::feature_maps::FeatureMaps;
pub use crate::gallery::{ColorBar, Gallery, Line, Tile, Tone};
pub use crate::heatmap::Heatmap;
pub use crate::number_matrix::{CellInk, NumberMatrix};
pub use crate::palette::with_palette;
pub use crate::png::PIXEL_RATIO;
pub use crate::predictions::{Prediction, Predictions};
pub use crate::scatter::{Scatter, Scatter3d, Ticks};
pub use crate::scene::Scene;
pub use crate::sprite::Sprite;
pub use crate::style::{Color, Dash, Mark, PALETTE, SeriesStyle};
pub use crate::table::{Alignment, Column, Table};
pub use crate::text::thousands;

/// Something that can be drawn.
pub trait Figure {
    /// Lays the figure out.
    ///
    /// # Errors
    ///
    /// [`PlotError::Shape`] if parts of the figure contradict each other, and
    /// [`PlotError::TooLarge`] if there are too many of them for one picture. Numbers that cannot
    /// be shown, such as NaN, are no error: they are left out.
    fn scene(&self) -> Result<Scene, PlotError>;
}

/// Draws a figure as a PNG file, [`PIXEL_RATIO`] device pixels for each logical pixel.
///
/// # Errors
///
/// As [`Figure::scene`].
pub fn png(figure: &(impl Figure + ?Sized)) -> Result<Vec<u8>, PlotError> {
    png::encode(&figure.scene()?)
}

/// Draws a figure as an SVG document.
///
/// # Errors
///
/// As [`Figure::scene`].
pub fn svg(figure: &(impl Figure + ?Sized)) -> Result<String, PlotError> {
    svg::encode(&figure.scene()?)
}
