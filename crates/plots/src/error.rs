//! What can be wrong with a figure before anything is drawn.

use thiserror::Error;

/// Why a figure could not be drawn.
#[derive(Debug, Error)]
pub enum PlotError {
    /// The parts of a figure contradict each other.
    #[error("{figure}: expected {expected}, found {found}")]
    Shape {
        /// The figure and the part of it at fault, as in `tile 3`.
        figure: String,
        /// What would have been consistent.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The picture would need more memory than a figure may take.
    #[error("figure too large: expected at most {limit} pixels, found {width} x {height}")]
    TooLarge {
        /// Most pixels (width × height) that a figure may have.
        limit: u64,
        /// Width asked for, in pixels.
        width: u64,
        /// Height asked for, in pixels.
        height: u64,
    },
    /// The drawing backend failed.
    #[error("cannot draw: {0}")]
    Draw(String),
    /// The pixels could not be packed into a PNG.
    #[error("cannot encode the picture: {0}")]
    Encode(#[from] png::EncodingError),
}
