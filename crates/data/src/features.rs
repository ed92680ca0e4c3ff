//! Features that were computed once from images, in memory, with the labels of the images.
//!
//! Knows neither what computed them nor where they are kept.

/// One row of features for each sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    values: Vec<f32>,
    labels: Vec<u8>,
    shape: [usize; 3],
}

impl Features {
    /// Puts features and labels together.
    ///
    /// # Shapes
    ///
    /// `values` is `[labels.len(), channels, height, width]`, flat; `shape` is the last three.
    ///
    /// # Panics
    ///
    /// If the number of values is another.
    #[must_use]
    pub fn new(values: Vec<f32>, labels: Vec<u8>, shape: [usize; 3]) -> Self {
        assert_eq!(values.len(), labels.len() * shape.iter().product::<usize>(), "one row of features for each label");
        Self { values, labels, shape }
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

    /// Channels, height and width of the features of one sample.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The features of one sample.
    ///
    /// # Shapes
    ///
    /// `[channels, height, width]`, flat.
    ///
    /// # Panics
    ///
    /// If there is no sample `index`.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        let len: usize = self.shape.iter().product();
        &self.values[index * len..][..len]
    }

    /// The class of one sample.
    ///
    /// # Panics
    ///
    /// If there is no sample `index`.
    #[must_use]
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }
}
