//! Random variations of an image that leave its class alone.
//!
//! Works on one channel of raw pixels, 0–255, before normalisation. In this order, each step only if
//! configured: an affine map (rotation, shift, shear, zoom) as Keras draws and composes it, a horizontal
//! flip, a crop out of the zero-padded image, an erased rectangle. What happens to an image is a function
//! of its [`DrawKey`] and the configuration: it knows no neighbours, threads or earlier images.

mod affine;
mod config;
mod crop;
mod erase;
mod resample;

pub use config::{AugmentConfig, EraseConfig, EraseFill};

use crate::random::{Domain, Stream};
use affine::Affine;
use resample::Resampler;

/// What an image's variation is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DrawKey {
    /// Seed of the run.
    pub seed: u64,
    /// Epoch of training.
    pub epoch: u64,
    /// Number of the sample in its data set, wherever it stands in the epoch.
    pub index: u64,
}

/// Varies images of one size, one after the other. Threads have one each: it keeps buffers.
#[derive(Clone, Debug)]
pub struct Augmenter {
    config: AugmentConfig,
    height: usize,
    width: usize,
    resampler: Resampler,
}

impl Augmenter {
    /// An augmenter for images of `height` x `width` pixels.
    ///
    /// `config` must have passed [`AugmentConfig::validate`].
    ///
    /// # Panics
    ///
    /// If a size is zero.
    #[must_use]
    pub fn new(config: &AugmentConfig, height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "an image has at least one pixel");
        Self { config: config.clone(), height, width, resampler: Resampler::new(height, width) }
    }

    /// Writes the variation of `image` that belongs to `key`.
    ///
    /// # Shapes
    ///
    /// `image` and `out` are `[height, width]`, flat, both on the scale of 0–255.
    ///
    /// # Panics
    ///
    /// If either has another length.
    pub fn apply(&mut self, key: DrawKey, image: &[u8], out: &mut [f32]) {
        let size = self.height * self.width;
        assert_eq!((image.len(), out.len()), (size, size), "images of the size that was announced");

        // Every draw is made whether or not it is used, so that one setting leaves the others' alone.
        let mut draws = Stream::keyed(Domain::Augment, &[key.seed, key.epoch, key.index]);
        let affine = Affine::draw(&self.config, self.height, self.width, &mut draws);
        let flipped = draws.unit() < f64::from(self.config.flip_probability);
        let padding = self.config.crop_padding;
        let (top, left) = (draws.below(2 * padding + 1), draws.below(2 * padding + 1));

        match affine {
            Some(affine) => self.resampler.resample(&affine, image, out),
            None => unvaried(image, out),
        }
        if flipped {
            out.chunks_exact_mut(self.width).for_each(<[f32]>::reverse);
        }
        crop::crop(out, self.width, padding, (top, left));
        if let Some(erase) = &self.config.erase {
            erase::erase(erase, out, self.width, &mut draws);
        }
    }
}

/// Writes `image` as it is.
pub(crate) fn unvaried(image: &[u8], out: &mut [f32]) {
    out.iter_mut().zip(image).for_each(|(out, &pixel)| *out = f32::from(pixel));
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEIGHT: usize = 28;
    const WIDTH: usize = 28;

    fn image() -> Vec<u8> {
        (0..=255).cycle().step_by(37).take(HEIGHT * WIDTH).collect()
    }

    fn unchanged() -> Vec<f32> {
        image().into_iter().map(f32::from).collect()
    }

    fn augmented(config: &AugmentConfig, key: DrawKey) -> Vec<f32> {
        let mut out = vec![f32::NAN; HEIGHT * WIDTH];
        Augmenter::new(config, HEIGHT, WIDTH).apply(key, &image(), &mut out);
        out
    }

    fn key(seed: u64, epoch: u64, index: u64) -> DrawKey {
        DrawKey { seed, epoch, index }
    }

    /// Every variation at once.
    fn everything() -> AugmentConfig {
        AugmentConfig {
            rotation_degrees: 8.0,
            shift: 0.08,
            shear_degrees: 0.3,
            zoom: 0.08,
            flip_probability: 0.5,
            crop_padding: 2,
            erase: Some(EraseConfig::default()),
            ..AugmentConfig::default()
        }
    }

    #[test]
    fn no_augmentation_leaves_every_bit_alone() {
        for index in 0..20 {
            assert_eq!(augmented(&AugmentConfig::default(), key(1, 2, index)), unchanged());
        }
    }

    #[test]
    fn the_key_alone_decides() {
        let config = everything();
        let forwards: Vec<_> = (0..50).map(|index| augmented(&config, key(1, 2, index))).collect();
        let backwards: Vec<_> = (0..50).rev().map(|index| augmented(&config, key(1, 2, index))).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
    }

    #[test]
    fn seed_epoch_and_sample_each_change_the_variation() {
        let base = augmented(&everything(), key(1, 2, 3));
        for other in [key(2, 2, 3), key(1, 3, 3), key(1, 2, 4)] {
            assert_ne!(augmented(&everything(), other), base, "{other:?}");
        }
    }

    #[test]
    fn pixels_stay_between_0_and_255() {
        for index in 0..200 {
            let out = augmented(&everything(), key(5, 0, index));
            assert!(out.iter().all(|pixel| (0.0..=255.0).contains(pixel)));
        }
    }

    #[test]
    fn flipping_mirrors_every_row_of_about_the_asked_share() {
        let config = AugmentConfig { flip_probability: 0.25, ..AugmentConfig::default() };
        let mut mirrored = unchanged();
        mirrored.chunks_exact_mut(WIDTH).for_each(<[f32]>::reverse);
        let flips = (0..2_000)
            .filter(|&index| {
                let out = augmented(&config, key(0, 0, index));
                assert!(out == unchanged() || out == mirrored);
                out == mirrored
            })
            .count();
        assert!((440..560).contains(&flips), "{flips} of 2000");
    }

    #[test]
    fn a_setting_leaves_the_draws_of_the_others_alone() {
        let shifted = AugmentConfig { shift: 0.1, ..AugmentConfig::default() };
        let also_flipped = AugmentConfig { flip_probability: 1.0, ..shifted.clone() };
        let mut expected = augmented(&shifted, key(1, 1, 1));
        expected.chunks_exact_mut(WIDTH).for_each(<[f32]>::reverse);
        assert_eq!(augmented(&also_flipped, key(1, 1, 1)), expected);
    }
}
