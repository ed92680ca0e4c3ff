//! Samples as rows of numbers.

use ndarray::ArrayView2;

use crate::EmbedError;

/// One row of numbers for each sample, all of them finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    values: Vec<f32>,
    width: usize,
}

impl Rows {
    /// Rows of `width` numbers each.
    ///
    /// # Shapes
    ///
    /// - values: `[samples, width]`, flat
    ///
    /// # Errors
    ///
    /// [`EmbedError::Ragged`] if the numbers do not fill whole rows, [`EmbedError::NotFinite`].
    pub fn new(values: Vec<f32>, width: usize) -> Result<Self, EmbedError> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(EmbedError::Ragged { width, found: values.len() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(EmbedError::NotFinite { row: index / width }),
            None => Ok(Self { values, width }),
        }
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The numbers of one sample.
    ///
    /// # Panics
    ///
    /// If there is no sample `index`.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }

    /// The samples in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    pub(crate) fn view(&self) -> ArrayView2<'_, f32> {
        ArrayView2::from_shape((self.len(), self.width), &self.values).expect("whole rows, as `new` has checked")
    }

    /// The mean of each column, over the samples that `keep` says.
    pub(crate) fn mean(&self, keep: impl Fn(usize) -> bool) -> Option<Vec<f64>> {
        let mut sums = vec![0.0; self.width];
        let mut count = 0.0;
        for (_, row) in self.iter().enumerate().filter(|(index, _)| keep(*index)) {
            count += 1.0;
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        (count > 0.0).then(|| sums.into_iter().map(|sum| sum / count).collect())
    }
}
