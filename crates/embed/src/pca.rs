//! Principal components: the directions along which samples differ most.
//!
//! Only the first few are wanted, of up to tens of thousands of numbers a sample. So a random subspace is turned
//! towards them by power iterations and decomposed (Halko, Martinsson and Tropp, "Finding structure with
//! randomness", 2011, algorithms 4.4 and 5.1), as scikit-learn does for data of this size.

use linfa_linalg::eigh::EighInto;
use linfa_linalg::qr::QRInto;
use ndarray::{Array1, Array2, Axis};

use crate::random::Stream;
use crate::{EmbedError, Rows};

/// Directions beyond those wanted, so that the last ones wanted converge as fast as the first.
const OVERSAMPLING: usize = 10;
/// Each squares the ratio between wanted and unwanted variances: enough for f32.
const POWER_ITERATIONS: usize = 12;
/// Where the subspace starts. After the iterations nothing of it is left to see.
const SEED: u64 = 0;

/// Samples along their principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// `[samples, components]`, mean 0 along each.
    pub coordinates: Rows,
    /// Share of all variance along each component, from 0 to 1, descending.
    pub explained: Vec<f64>,
}

/// The first principal components of the samples, at most as many as there are samples or numbers in a row.
///
/// The sign of a component is the one that makes its largest weight positive.
///
/// # Errors
///
/// [`EmbedError::TooFew`] without a sample or a component; [`EmbedError::Decomposition`].
pub fn pca(rows: &Rows, components: usize) -> Result<Pca, EmbedError> {
    let most = rows.len().min(rows.width());
    let components = components.min(most);
    if components == 0 {
        return Err(EmbedError::TooFew { expected: 1, found: 0 });
    }
    let (centered, total) = center(rows);
    let basis = subspace(&centered, (components + OVERSAMPLING).min(most))?;

    // Within the subspace the covariance is small, and its eigenvectors are the components.
    let projected = centered.dot(&basis);
    let covariance = projected.t().dot(&projected);
    let (variances, vectors) = covariance.mapv(f64::from).eigh_into().map_err(|error| failed(&error))?;
    let mut order: Vec<usize> = (0..variances.len()).collect();
    order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]));
    order.truncate(components);
    #[expect(clippy::cast_possible_truncation, reason = "embeddings are kept in f32")]
    let turn = vectors.select(Axis(1), &order).mapv(|weight| weight as f32);

    let mut coordinates = projected.dot(&turn);
    let weights = basis.dot(&turn);
    for (mut column, weights) in coordinates.columns_mut().into_iter().zip(weights.columns()) {
        let largest = weights.iter().copied().reduce(|a, b| if b.abs() > a.abs() { b } else { a });
        if largest.is_some_and(|weight| weight < 0.0) {
            column.mapv_inplace(|value| -value);
        }
    }
    let share = |index: &usize| if total > 0.0 { (variances[*index] / total).clamp(0.0, 1.0) } else { 0.0 };
    let explained = order.iter().map(share).collect();
    Ok(Pca { coordinates: Rows::new(coordinates.iter().copied().collect(), components)?, explained })
}

/// The samples with mean 0, and the sum of their squares.
fn center(rows: &Rows) -> (Array2<f32>, f64) {
    let mean = rows.mean(|_| true).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "the samples are f32")]
    let mean: Array1<f32> = mean.into_iter().map(|value| value as f32).collect();
    let centered = &rows.view() - &mean;
    let total = centered.iter().map(|&value| f64::from(value).powi(2)).sum();
    (centered, total)
}

/// Orthonormal directions that hold most of the variance.
///
/// # Shapes
///
/// - samples: `[samples, width]`
/// - output: `[width, size]`
fn subspace(samples: &Array2<f32>, size: usize) -> Result<Array2<f32>, EmbedError> {
    let mut stream = Stream::new(SEED);
    let start = Array2::from_shape_simple_fn((samples.ncols(), size), || stream.normal());
    let mut basis = orthonormal(start)?;
    for _ in 0..POWER_ITERATIONS {
        let across = orthonormal(samples.dot(&basis))?;
        basis = orthonormal(samples.t().dot(&across))?;
    }
    Ok(basis)
}

/// An orthonormal basis of what the columns span; there are no more columns than rows.
fn orthonormal(tall: Array2<f32>) -> Result<Array2<f32>, EmbedError> {
    Ok(tall.qr_into().map_err(|error| failed(&error))?.generate_q())
}

fn failed(error: &linfa_linalg::LinalgError) -> EmbedError {
    EmbedError::Decomposition(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples whose columns vary independently, each half as much as the one before.
    fn known(samples: usize, width: usize) -> Rows {
        let mut stream = Stream::new(3);
        let values = (0..samples * width).map(|index| {
            let scale = 0.5_f32.powi(i32::try_from(index % width).expect("small"));
            5.0 + scale * stream.normal()
        });
        Rows::new(values.collect(), width).expect("finite")
    }

    #[test]
    fn components_of_independent_columns_are_the_columns() {
        let rows = known(4000, 6);
        let found = pca(&rows, 3).expect("enough samples");
        let total: f64 = (0..6).map(|column| 0.25_f64.powi(column)).sum();
        for (column, share) in found.explained.iter().enumerate() {
            let expected = 0.25_f64.powi(i32::try_from(column).expect("small")) / total;
            assert!((share - expected).abs() < 0.02, "component {column}: {share}, expected {expected}");
        }
        for (row, place) in rows.iter().zip(found.coordinates.iter()).take(50) {
            assert!((row[0] - 5.0 - place[0]).abs() < 0.1, "{row:?} is at {place:?}");
        }
    }

    #[test]
    fn few_samples_of_many_numbers_have_components_too() {
        // Three points on a line in 500 dimensions.
        let values = [0.0_f32, 1.0, 3.0].into_iter().flat_map(|t| (0..500).map(move |_| t)).collect();
        let found = pca(&Rows::new(values, 500).expect("finite"), 10).expect("three samples");
        assert_eq!(found.coordinates.width(), 3);
        assert!((found.explained[0] - 1.0).abs() < 1e-4, "{:?}", found.explained);
        let step = |a: usize, b: usize| found.coordinates.row(b)[0] - found.coordinates.row(a)[0];
        assert!((step(1, 2) / step(0, 1) - 2.0).abs() < 1e-3, "{:?}", found.coordinates);
    }

    #[test]
    fn the_same_samples_have_the_same_components_to_the_bit() {
        let rows = known(300, 40);
        assert_eq!(pca(&rows, 10), pca(&rows, 10));
    }

    #[test]
    fn constant_samples_explain_nothing() {
        let found = pca(&Rows::new(vec![2.0; 40], 4).expect("finite"), 2).expect("ten samples");
        assert_eq!(found.explained, [0.0, 0.0]);
        assert!(found.coordinates.iter().flatten().all(|value| value.abs() < 1e-6));
    }

    #[test]
    fn nothing_has_no_components() {
        let none = Rows::new(Vec::new(), 4).expect("no rows");
        assert_eq!(pca(&none, 2), Err(EmbedError::TooFew { expected: 1, found: 0 }));
    }
}
