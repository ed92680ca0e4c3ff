//! One part of a data set in memory: images and labels as unsigned bytes.
//!
//! Knows no file: [`DataFiles::load`](crate::DataFiles::load) makes data sets from files, tests from
//! numbers.

use burn::data::dataset::{self, DatasetError};

/// A part of a data set, as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What models learn and are chosen from.
    Train,
    /// What they are judged by, once.
    Test,
}

/// Images of one size with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    height: usize,
    width: usize,
    class_names: Vec<String>,
}

/// An image with its label, as [`burn::data::dataset::Dataset`] hands it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// `[height, width]`, flat, 0–255.
    pub pixels: Vec<u8>,
    /// Index of the class.
    pub label: u8,
}

impl Dataset {
    /// Puts images and labels together.
    ///
    /// # Shapes
    ///
    /// `pixels` is `[labels.len(), height, width]`, flat.
    ///
    /// # Panics
    ///
    /// If the number of pixels is another, the size is zero, or a label names no class.
    #[must_use]
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>, (height, width): (usize, usize), class_names: Vec<String>) -> Self {
        assert!(height > 0 && width > 0, "an image has at least one pixel");
        assert_eq!(pixels.len(), labels.len() * height * width, "one image for each label");
        assert!(labels.iter().all(|&label| usize::from(label) < class_names.len()), "every label names a class");
        Self { pixels, labels, height, width, class_names }
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows of an image.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of an image.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Values per pixel: always 1, a shade of grey.
    #[must_use]
    pub fn channels(&self) -> usize {
        1
    }

    /// Number of classes, whether or not each has a sample.
    #[must_use]
    pub fn num_classes(&self) -> usize {
        self.class_names.len()
    }

    /// What the classes are called, by label.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The pixels of one image, 0–255.
    ///
    /// # Shapes
    ///
    /// `[height, width]`, flat.
    ///
    /// # Panics
    ///
    /// If there is no sample `index`.
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.height * self.width;
        &self.pixels[index * size..][..size]
    }

    /// The class of one image.
    ///
    /// # Panics
    ///
    /// If there is no sample `index`.
    #[must_use]
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// The classes of all images.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Only the first `len` samples, or all if there are no more.
    #[must_use]
    pub fn truncated(mut self, len: usize) -> Self {
        self.labels.truncate(len);
        self.pixels.truncate(self.labels.len() * self.height * self.width);
        self
    }

    /// The samples at `indices`, in that order, as a data set of their own.
    ///
    /// # Panics
    ///
    /// If there is no sample at one of `indices`.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            pixels: indices.iter().flat_map(|&index| self.image(index)).copied().collect(),
            labels: indices.iter().map(|&index| self.label(index)).collect(),
            height: self.height,
            width: self.width,
            class_names: self.class_names.clone(),
        }
    }
}

impl dataset::Dataset<Sample> for Dataset {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        Ok(Sample { pixels: self.image(index).to_vec(), label: self.label(index) })
    }

    fn len(&self) -> usize {
        self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_samples() -> Dataset {
        let names = ["cat", "dog"].map(String::from).to_vec();
        Dataset::new((0..18).collect(), vec![1, 0, 1], (2, 3), names)
    }

    #[test]
    fn images_lie_one_after_the_other() {
        let dataset = three_samples();
        assert_eq!(dataset.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!((dataset.label(1), dataset.num_classes(), dataset.channels()), (0, 2, 1));
    }

    #[test]
    fn truncation_keeps_the_first_samples() {
        let cut = three_samples().truncated(2);
        assert_eq!((cut.len(), cut.labels()), (2, &[1, 0][..]));
        assert_eq!(cut.image(1), three_samples().image(1));
        assert_eq!(three_samples().truncated(99), three_samples());
    }

    #[test]
    fn a_subset_has_the_samples_in_the_order_asked_for() {
        let (all, some) = (three_samples(), three_samples().subset(&[2, 0]));
        assert_eq!((some.len(), some.labels(), some.class_names()), (2, &[1, 1][..], all.class_names()));
        assert_eq!((some.image(0), some.image(1)), (all.image(2), all.image(0)));
    }

    #[test]
    fn burn_reads_the_same_samples() {
        use dataset::Dataset as _;
        let dataset = three_samples();
        let sample = dataset.get(2).expect("it is in memory");
        assert_eq!((sample.pixels.as_slice(), sample.label), (dataset.image(2), dataset.label(2)));
        assert_eq!(dataset::Dataset::len(&dataset), 3);
    }

    #[test]
    #[should_panic(expected = "every label names a class")]
    fn rejects_labels_without_a_class() {
        let _ = Dataset::new(vec![0], vec![1], (1, 1), vec!["only".into()]);
    }
}
