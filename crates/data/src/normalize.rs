//! Pixels of 0–255 to the numbers that a model sees.
//!
//! Constants come from the training samples alone: validation and test data must stay unseen. They are
//! sums of integers, so neither threads nor the order of samples change them.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;

/// A way to normalise pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// 0–255 as they are.
    None,
    /// Divided by 255, to 0–1.
    #[default]
    Unit,
    /// To mean 0 and standard deviation 1 over all pixels of all images.
    Standard,
    /// To mean 0 and standard deviation 1 at each position of the image.
    PerFeature,
}

/// A normalisation with its constants, on the scale of 0–255.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalizer {
    /// 0–255 as they are.
    None,
    /// Divided by 255.
    Unit,
    /// (pixel − mean) / std.
    Standard {
        /// Mean of all pixels.
        mean: f32,
        /// Their population standard deviation; 1 if all are equal.
        std: f32,
    },
    /// (pixel − mean) / std at each position, row by row.
    PerFeature {
        /// Mean at each position.
        mean: Vec<f32>,
        /// Population standard deviation at each position; 1 where all images agree.
        std: Vec<f32>,
    },
}

impl Normalize {
    /// Takes the constants from the samples at `indices`, which must be those that train.
    ///
    /// # Panics
    ///
    /// If there is no sample at one of `indices`.
    #[must_use]
    pub fn fit(self, dataset: &Dataset, indices: &[usize]) -> Normalizer {
        match self {
            Self::None => Normalizer::None,
            Self::Unit => Normalizer::Unit,
            Self::Standard => {
                let mut moments = Moments::default();
                for pixel in indices.iter().flat_map(|&index| dataset.image(index)) {
                    moments.add(*pixel);
                }
                let (mean, std) = moments.mean_and_std();
                Normalizer::Standard { mean, std }
            }
            Self::PerFeature => {
                let mut moments = vec![Moments::default(); dataset.height() * dataset.width()];
                for &index in indices {
                    for (moments, pixel) in moments.iter_mut().zip(dataset.image(index)) {
                        moments.add(*pixel);
                    }
                }
                let (mean, std) = moments.iter().map(Moments::mean_and_std).unzip();
                Normalizer::PerFeature { mean, std }
            }
        }
    }
}

impl Normalizer {
    /// Normalises one image.
    ///
    /// # Shapes
    ///
    /// `pixels` and `out` are `[height, width]`, flat; `pixels` on the scale of 0–255.
    ///
    /// # Panics
    ///
    /// If `out` has another length than `pixels`, or constants per feature were fitted on images of
    /// another size.
    pub fn apply(&self, pixels: &[f32], out: &mut [f32]) {
        assert_eq!(pixels.len(), out.len(), "as many numbers as pixels");
        let pairs = out.iter_mut().zip(pixels);
        match self {
            Self::None => out.copy_from_slice(pixels),
            Self::Unit => pairs.for_each(|(out, pixel)| *out = pixel / 255.0),
            Self::Standard { mean, std } => {
                pairs.for_each(|(out, pixel)| *out = (pixel - mean) / std);
            }
            Self::PerFeature { mean, std } => {
                assert_eq!(mean.len(), pixels.len(), "images of the size that was fitted");
                for ((out, pixel), (mean, std)) in pairs.zip(mean.iter().zip(std)) {
                    *out = (pixel - mean) / std;
                }
            }
        }
    }
}

/// Exact sums, from which mean and deviation follow without rounding on the way.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: u64,
    sum: u64,
    squares: u64,
}

impl Moments {
    fn add(&mut self, pixel: u8) {
        let pixel = u64::from(pixel);
        self.count += 1;
        self.sum += pixel;
        self.squares += pixel * pixel;
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "the constants are kept in f32, like the pixels"
    )]
    fn mean_and_std(&self) -> (f32, f32) {
        let (count, sum) = (u128::from(self.count.max(1)), u128::from(self.sum));
        // The variance times the count squared, in integers: no cancellation of large sums.
        let scaled = count * u128::from(self.squares) - sum * sum;
        let std = (scaled as f64).sqrt() / count as f64;
        let mean = sum as f64 / count as f64;
        // A constant pixel carries nothing; dividing by 1 leaves it at 0, as scikit-learn does.
        (mean as f32, if scaled == 0 { 1.0 } else { std as f32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three images of 1x2 pixels; the last one is an outlier that must not be fitted on.
    fn dataset() -> Dataset {
        Dataset::new(vec![10, 7, 30, 7, 255, 255], vec![0; 3], (1, 2), vec!["only".into()])
    }

    #[expect(clippy::float_cmp, reason = "the expected values are exact")]
    fn check(normalize: Normalize, expected: &Normalizer, pixels: [f32; 2], out: [f32; 2]) {
        let normalizer = normalize.fit(&dataset(), &[0, 1]);
        assert_eq!(&normalizer, expected);
        let mut found = [f32::NAN; 2];
        normalizer.apply(&pixels, &mut found);
        assert_eq!(found, out, "{normalize:?}");
    }

    #[test]
    fn raw_pixels_stay_as_they_are() {
        check(Normalize::None, &Normalizer::None, [0.0, 254.5], [0.0, 254.5]);
    }

    #[test]
    fn unit_divides_by_255() {
        check(Normalize::Unit, &Normalizer::Unit, [51.0, 255.0], [0.2, 1.0]);
    }

    #[test]
    fn standard_fits_one_mean_and_deviation_on_the_given_samples() {
        // 10, 7, 30, 7: mean 13.5, variance (3.5² + 6.5² + 16.5² + 6.5²) / 4 = 92.25.
        let std = 92.25f32.sqrt();
        let expected = Normalizer::Standard { mean: 13.5, std };
        check(Normalize::Standard, &expected, [13.5, 13.5 + std], [0.0, 1.0]);
    }

    #[test]
    fn per_feature_fits_each_position_and_leaves_constant_ones_at_zero() {
        let expected = Normalizer::PerFeature { mean: vec![20.0, 7.0], std: vec![10.0, 1.0] };
        check(Normalize::PerFeature, &expected, [30.0, 7.0], [1.0, 0.0]);
    }

    #[test]
    fn fitted_samples_end_up_with_mean_zero_and_deviation_one() {
        let pixels: Vec<u8> = (0..=255).cycle().step_by(7).take(40 * 6).collect();
        let dataset = Dataset::new(pixels, vec![0; 40], (2, 3), vec!["only".into()]);
        let indices: Vec<usize> = (0..40).collect();
        for normalize in [Normalize::Standard, Normalize::PerFeature] {
            let normalizer = normalize.fit(&dataset, &indices);
            let mut all = Vec::new();
            for index in 0..40 {
                let image: Vec<f32> = dataset.image(index).iter().map(|&it| f32::from(it)).collect();
                let mut out = vec![0.0; 6];
                normalizer.apply(&image, &mut out);
                all.extend(out.into_iter().map(f64::from));
            }
            let mean = all.iter().sum::<f64>() / 240.0;
            let variance = all.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 240.0;
            assert!(mean.abs() < 1e-5, "{normalize:?}: mean {mean}");
            assert!((variance - 1.0).abs() < 1e-5, "{normalize:?}: variance {variance}");
        }
    }
}
