//! One part of a data set as its two files describe it, read through without being held in memory.
//!
//! For files that nobody has vouched for: a few compressed megabytes can promise, or hold, any number of gigabytes.

use std::path::Path;

use crate::{
    error::DataError,
    files::{VerifiedFile, read},
    idx::{ImageSizes, scan_images, scan_labels},
};

/// What is known of a part once both files have been read to their end.
pub(crate) struct PartScan {
    pub(crate) sizes: ImageSizes,
    /// The image file.
    pub(crate) images: VerifiedFile,
    pub(crate) labels: LabelScan,
}

impl PartScan {
    /// Reads both files and compares their counts.
    ///
    /// # Errors
    ///
    /// [`DataError`] if a file cannot be read, is no IDX file, or disagrees with the other one.
    pub(crate) fn read(images: &Path, labels: &Path) -> Result<Self, DataError> {
        let (sizes, images) = read(images, |reader| scan_images(reader))?;
        let labels = LabelScan::read(labels)?;
        labels.check_count(sizes.count, &images.path)?;
        Ok(Self { sizes, images, labels })
    }
}

/// What is known of a label file once it has been read to its end.
pub(crate) struct LabelScan {
    /// The label file.
    pub(crate) file: VerifiedFile,
    count: usize,
    /// The first sample of each label that occurs.
    first: [Option<usize>; 256],
}

impl LabelScan {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`DataError`] if the file cannot be read or is no IDX file of labels.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let (mut first, mut index) = ([None; 256], 0);
        let (count, file) = read(path, |reader| {
            scan_labels(reader, |piece| {
                for &label in piece {
                    first[usize::from(label)].get_or_insert(index);
                    index += 1;
                }
            })
        })?;
        Ok(Self { file, count, first })
    }

    /// As many classes as the labels need.
    pub(crate) fn num_classes(&self) -> usize {
        self.first.iter().rposition(Option::is_some).map_or(0, |most| most + 1)
    }

    /// Checks that there is a label for each of the images in a file.
    ///
    /// # Errors
    ///
    /// [`DataError::CountMismatch`].
    pub(crate) fn check_count(&self, expected: usize, images: &Path) -> Result<(), DataError> {
        if self.count == expected {
            return Ok(());
        }
        let (labels, images) = (self.file.path.clone(), images.to_owned());
        Err(DataError::CountMismatch { labels, images, expected, found: self.count })
    }

    /// Checks that every label names one of `num_classes` classes.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelRange`] for the first label that names none.
    pub(crate) fn check_range(&self, num_classes: usize) -> Result<(), DataError> {
        let beyond = (0..=u8::MAX).zip(self.first).skip(num_classes);
        match beyond.filter_map(|(label, first)| Some((first?, label))).min() {
            None => Ok(()),
            Some((index, found)) => {
                Err(DataError::LabelRange { path: self.file.path.clone(), num_classes, found, index })
            }
        }
    }
}
