//! Many numbers for each sample → two or three: principal components, t-SNE, and the line between two classes.
//!
//! Knows no image, no network and no picture. Everything is a function of its arguments: the same numbers and the
//! same seed give the same embedding, whatever the number of threads.
//!
//! The decompositions are `linfa-linalg`'s and t-SNE is `bhtsne`'s. Both are kept, small and pure Rust: no BLAS or
//! LAPACK has to be installed. `bhtsne` draws from a generator of its own in two places and adds up in any order on
//! several threads. So the start is drawn here from a seed, neighbours are searched here, and it runs on one thread.
//!
//! ```
//! use embed::{Rows, pca};
//!
//! let rows = Rows::new(vec![0.0, 0.0, 1.0, 1.1, 2.0, 1.9, 3.0, 3.0], 2)?;
//! let found = pca(&rows, 1)?;
//! assert!(found.explained[0] > 0.99);
//! # Ok::<(), embed::EmbedError>(())
//! ```

mod axis;
mod neighbors;
mod pca;
mod random;
mod rows;
mod tsne;

pub use axis::{Axis, axis};
pub use pca::{Pca, pca};
pub use rows::Rows;
pub use tsne::{Tsne, tsne};

/// Why samples cannot be embedded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// The numbers do not fill whole rows.
    #[error("expected rows of {width} numbers, found {found} numbers")]
    Ragged {
        /// Numbers in a row.
        width: usize,
        /// Numbers given.
        found: usize,
    },
    /// A number is infinite or not a number.
    #[error("expected finite numbers, found another in row {row}")]
    NotFinite {
        /// The first row that has one.
        row: usize,
    },
    /// There are not enough samples.
    #[error("expected at least {expected} samples, found {found}")]
    TooFew {
        /// How many are needed.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Labels and samples disagree in number.
    #[error("expected {expected} labels, one for each sample, found {found}")]
    Labels {
        /// Number of samples.
        expected: usize,
        /// Number of labels.
        found: usize,
    },
    /// A class of an axis has no sample, or both have the same centroid.
    #[error("no line leads from class {from} to class {to}: {reason}")]
    NoAxis {
        /// Label at the start of the axis.
        from: usize,
        /// Label at its end.
        to: usize,
        /// What is missing.
        reason: &'static str,
    },
    /// A decomposition failed.
    #[error("cannot decompose: {0}")]
    Decomposition(String),
}
