//! From bytes to batches: image classification data sets, and everything done to them before a model
//! sees them.
//!
//! One trip: [`locate`] finds the four IDX files of a data set or fetches them, and verifies their
//! SHA-256; [`DataFiles::load`] parses one part into a [`Dataset`]; a [`Split`] divides its samples, a
//! [`Normalizer`] is fitted on those that train, an [`Augmenter`] varies them, and a [`Loader`] prepares
//! [`Batch`]es ahead of the training step.
//!
//! Every random choice is a function of a seed that the caller gives, and of the epoch and the sample:
//! there is no ambient generator, so neither threads nor interruptions change what a model sees.
//!
//! This crate knows no model, no experiment file and no run directory.

mod augment;
mod content;
mod dataset;
mod error;
mod fetch;
mod files;
mod folder;
mod idx;
mod loader;
mod locate;
mod normalize;
mod random;
mod registry;
mod split;
mod status;

pub use augment::{AugmentConfig, Augmenter, DrawKey, EraseConfig, EraseFill};
pub use content::ContentError;
pub use dataset::{Dataset, Part, Sample};
pub use error::{DataError, FieldError};
pub use fetch::{Attempt, Deadlines, FetchError, Progress};
pub use files::{DataFiles, Origin, VerifiedFile};
pub use idx::{IdxError, Images, read_images, read_labels};
pub use loader::{Batch, Batches, Loader, LoaderConfig, Order};
pub use locate::{LocateOptions, Network, Source, locate};
pub use normalize::{Normalize, Normalizer};
pub use registry::{DatasetInfo, FileInfo, all, find};
pub use split::{Split, SplitIndices};
pub use status::{FileStatus, Place, status};
