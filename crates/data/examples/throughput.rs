//! How many images per second the loader prepares: `cargo run --release -p data --example throughput`.
//!
//! Synthetic images of 28x28 pixels, so that nothing is read or fetched; the augmentation is that of
//! `cnn3_aug`.

use std::{sync::Arc, time::Instant};

use burn::tensor::Device;
use data::{AugmentConfig, Augmenter, Dataset, Loader, LoaderConfig, Normalize, Order};

const SAMPLES: usize = 60_000;
const SIZE: (usize, usize) = (28, 28);

fn main() {
    let mut pixel = 0u8;
    let mut next = || {
        pixel = pixel.wrapping_add(91);
        pixel
    };
    let pixels = (0..SAMPLES * SIZE.0 * SIZE.1).map(|_| next()).collect();
    let names = (0..10).map(|label| label.to_string()).collect();
    let dataset = Arc::new(Dataset::new(pixels, vec![0; SAMPLES], SIZE, names));
    let config = AugmentConfig {
        rotation_degrees: 8.0,
        shift: 0.08,
        shear_degrees: 0.3,
        zoom: 0.08,
        ..AugmentConfig::default()
    };
    let augmenter = Augmenter::new(&config, SIZE.0, SIZE.1);
    for (title, augmentation) in [("plain", None), ("augmented", Some((augmenter, 1)))] {
        for workers in [0, 1, 2] {
            let order = Order::Shuffled { seed: 1 };
            let config = LoaderConfig { batch_size: 256, workers, order, ..LoaderConfig::default() };
            let normalizer = Arc::new(Normalize::Unit.fit(&dataset, &[]));
            let indices = (0..SAMPLES).collect();
            let loader = Loader::new(Arc::clone(&dataset), indices, normalizer, augmentation.clone(), config);
            let start = Instant::now();
            let samples: usize = loader.epoch(1, &Device::flex()).map(|it| it.labels.len()).sum();
            #[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
            let rate = samples as f64 / start.elapsed().as_secs_f64();
            println!("{title:>9}, {workers} workers: {rate:>9.0} images/s");
        }
    }
}
