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
    /// The image file and the label file.
    pub(crate) files: [VerifiedFile; 2],
    /// The first sample of each label that occurs.
    first: [Option<usize>; 256],
}

impl PartScan {
    /// Reads both files and compares their counts.
    ///
    /// # Errors
    ///
    /// [`DataError`] if a file cannot be read, is no IDX file, or disagrees with the other one.
    pub(crate) fn read(images: &Path, labels: &Path) -> Result<Self, DataError> {
        let (sizes, image_file) = read(images, |reader| scan_images(reader))?;
        let (mut first, mut index) = ([None; 256], 0);
        let (found, label_file) = read(labels, |reader| {
            scan_labels(reader, |piece| {
                for &label in piece {
                    first[usize::from(label)].get_or_insert(index);
                    index += 1;
                }
            })
        })?;
        if found != sizes.count {
            return Err(DataError::CountMismatch {
                labels: label_file.path,
                images: image_file.path,
                expected: sizes.count,
                found,
            });
        }
        Ok(Self { sizes, files: [image_file, label_file], first })
    }

    /// As many classes as the labels need, called by their number.
    pub(crate) fn numbered_classes(&self) -> Vec<String> {
        let most = self.first.iter().rposition(Option::is_some);
        most.map_or_else(Vec::new, |most| (0..=most).map(|it| it.to_string()).collect())
    }

    /// Checks that every label names one of `num_classes` classes.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelRange`] for the first label that names none.
    pub(crate) fn check_labels(&self, num_classes: usize) -> Result<(), DataError> {
        let beyond = (0..=u8::MAX).zip(self.first).skip(num_classes);
        match beyond.filter_map(|(label, first)| Some((first?, label))).min() {
            None => Ok(()),
            Some((index, found)) => {
                Err(DataError::LabelRange { path: self.files[1].path.clone(), num_classes, found, index })
            }
        }
    }
}
