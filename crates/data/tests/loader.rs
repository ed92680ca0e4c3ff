//! Batches come in a fixed order with fixed pixels, whatever the number of workers.

use std::sync::Arc;

use burn::tensor::Device;
use data::{
    AugmentConfig, Augmenter, Batch, Convention, Dataset, DrawKey, EraseConfig, Features, Loader, LoaderConfig,
    Normalize, Normalizer, Order, Pixels,
};

const SAMPLES: usize = 103;
const HEIGHT: usize = 9;
const WIDTH: usize = 7;

/// Random-looking images; the class of sample `i` is `i % 5`.
fn dataset() -> Arc<Dataset> {
    let pixels = (0..=255u8).cycle().step_by(91).take(SAMPLES * HEIGHT * WIDTH).collect();
    let labels = (0..5).cycle().take(SAMPLES).collect();
    let names = (0..5).map(|label| label.to_string()).collect();
    Arc::new(Dataset::new(pixels, labels, (HEIGHT, WIDTH), names))
}

fn augmenter() -> Augmenter {
    let config = AugmentConfig {
        rotation_degrees: 8.0,
        shift: 0.08,
        zoom: 0.08,
        flip_probability: 0.5,
        erase: Some(EraseConfig::default()),
        ..AugmentConfig::default()
    };
    Augmenter::new(&config, HEIGHT, WIDTH)
}

fn loader(config: LoaderConfig, augmenter: Option<Augmenter>) -> Loader {
    let dataset = dataset();
    let indices: Vec<usize> = (0..SAMPLES).collect();
    let normalizer = Arc::new(Normalize::Standard.fit(&dataset, &indices));
    let augmentation = augmenter.map(|it| (it, 42));
    Loader::new(dataset, indices, normalizer, augmentation, config)
}

fn pixels(batch: &Batch) -> Vec<f32> {
    batch.images.clone().into_data().try_into_vec().expect("images are f32")
}

/// Everything in an epoch.
fn contents(loader: &Loader, epoch: u64) -> (Vec<f32>, Vec<u8>) {
    let (mut all, mut labels) = (Vec::new(), Vec::new());
    for batch in loader.epoch(epoch, &Device::flex()) {
        all.extend(pixels(&batch));
        labels.extend(&batch.labels);
    }
    (all, labels)
}

#[test]
fn the_last_short_batch_is_included() {
    let config = LoaderConfig { batch_size: 20, ..LoaderConfig::default() };
    let loader = loader(config, None);
    assert_eq!((loader.num_batches(), loader.len_samples()), (6, SAMPLES));
    let shapes: Vec<_> = loader.epoch(0, &Device::flex()).map(|it| it.images.dims()).collect();
    assert_eq!(shapes[..5], [[20, 1, HEIGHT, WIDTH]; 5]);
    assert_eq!(shapes[5..], [[3, 1, HEIGHT, WIDTH]]);
}

#[test]
fn samples_come_in_the_given_order_with_their_classes() {
    let dataset = dataset();
    let indices = vec![7, 3, 99, 3];
    let config = LoaderConfig { batch_size: 3, ..LoaderConfig::default() };
    let loader = Loader::new(Arc::clone(&dataset), indices.clone(), Arc::new(Normalizer::None), None, config);
    let batches: Vec<Batch> = loader.epoch(5, &Device::flex()).collect();
    let found: Vec<f32> = batches.iter().flat_map(pixels).collect();
    let expected = indices.iter().flat_map(|&it| dataset.image(it)).map(|&it| f32::from(it));
    assert!(found.into_iter().eq(expected));
    let targets: Vec<i64> = batches
        .into_iter()
        .flat_map(|it| {
            let data = it.targets.into_data().convert::<i64>();
            data.try_into_vec::<i64>().expect("converted just now")
        })
        .collect();
    assert_eq!(targets, [2, 3, 4, 3]);
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let contents_with = |workers| {
        let order = Order::Shuffled { seed: 3 };
        let config = LoaderConfig { batch_size: 8, workers, order, ..LoaderConfig::default() };
        contents(&loader(config, Some(augmenter())), 2)
    };
    let expected = contents_with(0);
    for workers in [1, 4, 64] {
        assert!(contents_with(workers) == expected, "{workers} workers");
    }
}

#[test]
fn the_batch_size_changes_no_image() {
    let contents_with =
        |batch_size| contents(&loader(LoaderConfig { batch_size, ..LoaderConfig::default() }, Some(augmenter())), 1);
    assert!(contents_with(1) == contents_with(50));
}

#[test]
fn images_are_augmented_by_their_number_then_normalised() {
    let dataset = dataset();
    let indices = vec![50, 60];
    let normalizer = Arc::new(Normalize::Unit.fit(&dataset, &indices));
    let mut augmenter = augmenter();
    let augmentation = Some((augmenter.clone(), 42));
    let config = LoaderConfig::default();
    let loader = Loader::new(Arc::clone(&dataset), indices.clone(), normalizer, augmentation, config);
    let expected: Vec<f32> = indices
        .into_iter()
        .flat_map(|index| {
            let image = dataset.image(index);
            let mut out = vec![0.0; image.len()];
            let key = DrawKey { seed: 42, epoch: 9, index: index as u64 };
            augmenter.apply(key, image, &mut out);
            out.into_iter().map(|pixel| pixel / 255.0)
        })
        .collect();
    assert!(contents(&loader, 9).0 == expected);
}

#[test]
fn every_epoch_has_its_own_order_and_every_sample_once() {
    let order = Order::Shuffled { seed: 1 };
    let loader = loader(LoaderConfig { order, ..LoaderConfig::default() }, None);
    let labels = |epoch| contents(&loader, epoch).1;
    assert_ne!(labels(1), labels(2));
    assert_eq!(labels(1), labels(1), "an epoch can be repeated");
    let sorted = |mut labels: Vec<u8>| {
        labels.sort_unstable();
        labels
    };
    assert_eq!(sorted(labels(1)), sorted(dataset().labels().to_vec()));
}

#[test]
fn steps_cut_an_epoch_short() {
    let check = |steps, batches, samples| {
        let loader = loader(LoaderConfig { steps: Some(steps), ..LoaderConfig::default() }, None);
        assert_eq!((loader.num_batches(), loader.len_samples()), (batches, samples));
        assert_eq!(contents(&loader, 0).1.len(), samples);
    };
    check(2, 2, 64);
    check(99, 4, SAMPLES);
}

#[test]
fn leaving_an_epoch_early_stops_its_workers() {
    let dataset = dataset();
    let preparations = Arc::new(Normalizer::Unit);
    let indices = (0..SAMPLES).collect();
    let config = LoaderConfig { batch_size: 1, workers: 4, ..LoaderConfig::default() };
    let loader = Loader::new(Arc::clone(&dataset), indices, Arc::clone(&preparations), None, config);
    let mut batches = loader.epoch(0, &Device::flex());
    assert_eq!(batches.len(), SAMPLES);
    assert!(batches.next().is_some());
    drop(batches);
    drop(loader);
    // Workers hold the data set and the normaliser; nobody does any more.
    assert_eq!((Arc::strong_count(&dataset), Arc::strong_count(&preparations)), (1, 1));
}

#[test]
#[should_panic(expected = "images of the size that was fitted")]
fn a_panic_in_a_worker_reaches_the_trainer() {
    let dataset = dataset();
    let wrong = Normalizer::PerFeature { mean: vec![0.0; 3], std: vec![1.0; 3] };
    let config = LoaderConfig { workers: 2, ..LoaderConfig::default() };
    let loader = Loader::new(dataset, (0..SAMPLES).collect(), Arc::new(wrong), None, config);
    let _ = loader.epoch(0, &Device::flex()).count();
}

#[test]
fn images_are_resized_and_given_three_channels() {
    let dataset = dataset();
    let normalizer =
        Arc::new(Normalize::Imagenet { convention: Convention::Keras, pixels: Pixels::Bytes }.fit(&dataset, &[]));
    let config = LoaderConfig { batch_size: 2, ..LoaderConfig::default() };
    let loader = Loader::new(Arc::clone(&dataset), vec![5, 6], normalizer, None, config).resized((2 * HEIGHT, WIDTH));
    let batch = loader.epoch(0, &Device::flex()).next().expect("a batch");
    assert_eq!(batch.images.dims(), [2, 3, 2 * HEIGHT, WIDTH]);
    let found = pixels(&batch);
    let size = 2 * HEIGHT * WIDTH;
    // The first rows lie above the middle of the first pixels, and repeat them.
    for (channel, mean) in [103.939, 116.779, 123.68].into_iter().enumerate() {
        for (x, &pixel) in dataset.image(6)[..WIDTH].iter().enumerate() {
            let found = found[(3 + channel) * size + x];
            assert!((found - (f32::from(pixel) - mean)).abs() < 1e-4, "{channel} {x}: {found}");
        }
    }
}

#[test]
fn features_come_in_the_place_of_images() {
    let values = (0..3 * 8).map(|it: u8| f32::from(it)).collect();
    let features = Arc::new(Features::new(values, vec![4, 0, 2], [2, 2, 2]));
    let config = LoaderConfig { batch_size: 2, ..LoaderConfig::default() };
    let loader = Loader::of_features(features, vec![2, 0, 1], config);
    let batches: Vec<Batch> = loader.epoch(0, &Device::flex()).collect();
    assert_eq!(batches[0].images.dims(), [2, 2, 2, 2]);
    assert_eq!(pixels(&batches[0]), (16..24).chain(0..8).map(|it: u8| f32::from(it)).collect::<Vec<_>>());
    assert_eq!((&batches[0].labels, &batches[1].labels), (&vec![2, 4], &vec![0]));
}
