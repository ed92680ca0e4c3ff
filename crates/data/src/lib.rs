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
//!
//! ```
//! use std::sync::Arc;
//!
//! use burn::tensor::Device;
//! use data::{Dataset, Loader, LoaderConfig, Normalize, Order, Split};
//!
//! // Ten images of 2x2 pixels in two classes; `DataFiles::load` reads real ones.
//! let names = vec!["dark".to_owned(), "light".to_owned()];
//! let dataset = Arc::new(Dataset::new(vec![7; 40], vec![0; 10], (2, 2), names));
//!
//! let split = Split::Fraction { valid: 0.2, seed: 1 }.indices(dataset.len())?;
//! let normalizer = Arc::new(Normalize::Unit.fit(&dataset, &split.train));
//! let config = LoaderConfig { batch_size: 5, order: Order::Shuffled { seed: 1 }, ..Default::default() };
//! let loader = Loader::new(dataset, split.train, normalizer, None, config);
//!
//! for batch in loader.epoch(0, &Device::flex()) {
//!     let [_batch, channels, height, width] = batch.images.dims();
//!     assert_eq!([channels, height, width], [1, 2, 2]);
//! }
//! # Ok::<(), data::DataError>(())
//! ```

mod augment;
mod content;
mod dataset;
mod error;
mod features;
mod fetch;
mod files;
mod folder;
mod idx;
mod loader;
mod locate;
mod normalize;
mod random;
mod registry;
mod resize;
mod scan;
mod split;
mod status;

pub use augment::{AugmentConfig, Augmenter, DrawKey, EraseConfig, EraseFill};
pub use content::{ContentError, decompressed, verify};
pub use dataset::{Dataset, Part, Sample};
pub use error::{DataError, FieldError};
pub use features::Features;
pub use fetch::{Attempt, Deadlines, FetchError, Progress, PublishedFile, locate_file};
pub use files::{DataFiles, Origin, VerifiedFile};
pub use folder::{Outline, outline};
pub use idx::{IdxError, Images, read_images, read_labels};
pub use loader::{Batch, Batches, Loader, LoaderConfig, Order};
pub use locate::{LocateOptions, Network, Source, cache_dir, locate};
pub use normalize::{Convention, Normalize, Normalizer, Pixels};
pub use registry::{DatasetInfo, FileInfo, all, find};
pub use split::{Split, SplitIndices};
pub use status::{FileStatus, Place, status};
