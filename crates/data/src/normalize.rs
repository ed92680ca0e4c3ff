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
    /// To three channels, as a network that was trained on ImageNet expects them.
    Imagenet {
        /// Whose network.
        #[serde(default)]
        convention: Convention,
        /// What the preprocessing is given.
        #[serde(default)]
        pixels: Pixels,
    },
}

/// How images of ImageNet were prepared for a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// Red, green, blue; divided by 255, then to mean 0 and deviation 1 per channel: torchvision's weights.
    #[default]
    Torchvision,
    /// Blue, green, red; the mean of each channel subtracted from 0–255: Keras's weights, which are Caffe's.
    Keras,
}

impl Convention {
    /// Factor of a pixel of 0–255, then mean and deviation, for each channel.
    fn constants(self) -> [(f32, f32, f32); 3] {
        match self {
            // torchvision.models: mean and std in `ImageClassification` presets.
            Self::Torchvision => {
                [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)].map(|(mean, std)| (1.0 / 255.0, mean, std))
            }
            // keras.applications.imagenet_utils.preprocess_input, mode "caffe".
            Self::Keras => [103.939, 116.779, 123.68].map(|mean| (1.0, mean, 1.0)),
        }
    }
}

/// What the preprocessing for ImageNet is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pixels {
    /// 0–255, as it expects.
    #[default]
    Bytes,
    /// 0–1: a mistake that leaves images nearly black and nearly without contrast. Here to be measured.
    Unit,
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
    /// Three channels, each (scale · pixel − mean) / std.
    Imagenet {
        /// Factor of a pixel.
        scale: [f32; 3],
        /// Mean of each channel.
        mean: [f32; 3],
        /// Deviation of each channel.
        std: [f32; 3],
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
            Self::Imagenet { convention, pixels } => {
                let constants = convention.constants();
                let given = match pixels {
                    Pixels::Bytes => 1.0,
                    Pixels::Unit => 1.0 / 255.0,
                };
                Normalizer::Imagenet {
                    scale: constants.map(|(scale, ..)| given * scale),
                    mean: constants.map(|(_, mean, _)| mean),
                    std: constants.map(|(_, _, std)| std),
                }
            }
        }
    }

    /// Channels of a normalised image: a shade of grey, or three for a network that expects colours.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::None | Self::Unit | Self::Standard | Self::PerFeature => 1,
            Self::Imagenet { .. } => 3,
        }
    }
}

impl Normalizer {
    /// Normalises one image.
    ///
    /// # Shapes
    ///
    /// `pixels` is `[height, width]`, flat, on the scale of 0–255; `out` is `[channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If `out` has another length than that, or constants per feature were fitted on images of another size.
    pub fn apply(&self, pixels: &[f32], out: &mut [f32]) {
        assert_eq!(pixels.len() * self.channels(), out.len(), "as many numbers as pixels in each channel");
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
            Self::Imagenet { scale, mean, std } => {
                for (channel, out) in out.chunks_exact_mut(pixels.len()).enumerate() {
                    for (out, pixel) in out.iter_mut().zip(pixels) {
                        *out = (scale[channel] * pixel - mean[channel]) / std[channel];
                    }
                }
            }
        }
    }

    /// Channels of a normalised image.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::None | Self::Unit | Self::Standard { .. } | Self::PerFeature { .. } => 1,
            Self::Imagenet { .. } => 3,
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

    #[test]
    fn imagenet_is_prepared_as_its_networks_expect() {
        let check = |convention, pixels, expected: [f32; 6]| {
            let normalizer = Normalize::Imagenet { convention, pixels }.fit(&dataset(), &[0]);
            let mut out = [f32::NAN; 6];
            normalizer.apply(&[0.0, 255.0], &mut out);
            for (found, expected) in out.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{convention:?} {pixels:?}: {out:?}");
            }
        };
        // (0 − 0.485) / 0.229 and (1 − 0.485) / 0.229, and so on.
        let right = [-2.117_904, 2.248_908, -2.035_714, 2.428_571, -1.804_444, 2.64];
        check(Convention::Torchvision, Pixels::Bytes, right);
        let bgr = [-103.939, 151.061, -116.779, 138.221, -123.68, 131.32];
        check(Convention::Keras, Pixels::Bytes, bgr);
        // Divided by 255 once too often: white is all but black.
        let dark = [-2.117_904, -2.100_78, -2.035_714, -2.018_207, -1.804_444, -1.787_015];
        check(Convention::Torchvision, Pixels::Unit, dark);
        check(Convention::Keras, Pixels::Unit, [-103.939, -102.939, -116.779, -115.779, -123.68, -122.68]);
    }
}
