//! Random erasing: a rectangle of random place, size and shape loses its pixels.
//!
//! Zhong, Zheng, Kang, Li and Yang, "Random erasing data augmentation", arXiv 1708.04896, algorithm 1.

use super::config::{EraseConfig, EraseFill};
use crate::random::Stream;

/// Draws before an image is left whole: shapes that never fit must not loop for ever.
const ATTEMPTS: usize = 100;

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rectangle {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

/// Erases a rectangle of `image`, which has rows of `width` pixels, or leaves it whole.
pub(super) fn erase(config: &EraseConfig, image: &mut [f32], width: usize, draws: &mut Stream) {
    if draws.unit() >= f64::from(config.probability) {
        return;
    }
    let Some(hole) = draw(config, image.len() / width, width, draws) else { return };
    for row in image.chunks_exact_mut(width).skip(hole.top).take(hole.height) {
        for pixel in &mut row[hole.left..][..hole.width] {
            *pixel = match config.fill {
                EraseFill::Zero => 0.0,
                #[expect(clippy::cast_possible_truncation, reason = "pixels are kept in f32")]
                EraseFill::Noise => draws.uniform(0.0, 255.0) as f32,
            };
        }
    }
}

/// Draws area, shape and corner until the rectangle fits.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides are positive and compared with those of the image"
)]
fn draw(config: &EraseConfig, height: usize, width: usize, draws: &mut Stream) -> Option<Rectangle> {
    (0..ATTEMPTS).find_map(|_| {
        let area = draws.uniform(config.min_area.into(), config.max_area.into());
        let aspect = draws.uniform(config.min_aspect.into(), config.max_aspect.into());
        let (top, left) = (draws.below(height), draws.below(width));
        let area = area * (height * width) as f64;
        let hole = Rectangle {
            top,
            left,
            height: (area * aspect).sqrt().round() as usize,
            width: (area / aspect).sqrt().round() as usize,
        };
        (hole.top + hole.height <= height && hole.left + hole.width <= width).then_some(hole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Domain;

    fn erased(config: &EraseConfig, seed: u64) -> Vec<f32> {
        let mut image = vec![300.0; 28 * 28];
        erase(config, &mut image, 28, &mut Stream::keyed(Domain::Augment, &[seed]));
        image
    }

    /// Asserts that what is gone is one rectangle, and returns its height and width.
    fn hole(image: &[f32]) -> Option<(f64, f64)> {
        let gone: Vec<_> = (0..28 * 28).filter(|&it| image[it] < 300.0).collect();
        let side = |position: fn(usize) -> usize| {
            let positions = || gone.iter().map(|&it| position(it));
            u8::try_from(positions().max()? - positions().min()? + 1).ok()
        };
        let (height, width) = (side(|it| it / 28)?, side(|it| it % 28)?);
        assert_eq!(gone.len(), usize::from(height) * usize::from(width), "a rectangle is gone");
        Some((height.into(), width.into()))
    }

    #[test]
    fn erases_one_rectangle_within_the_configured_range() {
        let config = EraseConfig { probability: 1.0, ..EraseConfig::default() };
        for seed in 0..500 {
            let image = erased(&config, seed);
            let (height, width) = hole(&image).expect("every image loses a rectangle");
            // Sides are rounded to whole pixels, by half a pixel at most.
            let area = |slack: f64| (height + slack) * (width + slack) / 784.0;
            assert!(area(0.5) >= 0.02 && area(-0.5) <= 0.4, "seed {seed}: {height}x{width}");
            assert!((height + 0.5) / (width - 0.5) >= 0.3, "seed {seed}: {height}x{width}");
            assert!((height - 0.5) / (width + 0.5) <= 1.0 / 0.3, "seed {seed}: {height}x{width}");
        }
    }

    #[test]
    fn erases_about_the_asked_share_of_images() {
        let config = EraseConfig { probability: 0.25, ..EraseConfig::default() };
        let count = (0..2_000).filter(|&seed| hole(&erased(&config, seed)).is_some()).count();
        assert!((440..560).contains(&count), "{count} of 2000");
    }

    #[test]
    fn zero_fills_with_the_background_and_noise_with_anything() {
        let fill = |fill| EraseConfig { probability: 1.0, fill, ..EraseConfig::default() };
        let values = |config| {
            let mut gone = erased(&config, 3);
            gone.retain(|&it| it < 300.0);
            gone
        };
        assert!(values(fill(EraseFill::Zero)).iter().all(|&it| it == 0.0));
        let noise = values(fill(EraseFill::Noise));
        assert!(noise.iter().all(|it| (0.0..255.0).contains(it)));
        assert!(noise.iter().any(|it| (it - noise[0]).abs() > 1.0));
    }

    #[test]
    fn shapes_that_never_fit_leave_the_image_whole() {
        let config = EraseConfig {
            probability: 1.0,
            min_area: 1.0,
            max_area: 1.0,
            min_aspect: 50.0,
            max_aspect: 100.0,
            ..EraseConfig::default()
        };
        assert_eq!(hole(&erased(&config, 1)), None);
    }
}
