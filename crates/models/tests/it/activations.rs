//! Outputs of layers: named and shaped as in the summary, on the way to the same logits.

use burn::module::Module;
use burn::tensor::Device;
use models::Kernels;

use crate::{FASHION, cnn3, every_kind, forward_in_training, images, values};

#[test]
fn every_row_of_the_summary_has_an_output_of_its_shape() {
    for (config, shape) in every_kind() {
        let summary = config.summary(shape, 10).unwrap();
        let names: Vec<&str> = summary.layers.iter().map(|layer| layer.name.as_str()).collect();
        let model = config.init_seeded(shape, 10, 3);
        let found = model.activations(images(2, shape, &Device::flex()), &names).unwrap();
        for (output, layer) in found.layers.iter().zip(&summary.layers) {
            assert_eq!((&output.name, &output.shape), (&layer.name, &layer.output_shape), "{config:?}");
            assert_eq!(output.values.dims(), [2, layer.output_shape.iter().product()], "{config:?}");
        }
        assert_eq!(found.layers.len(), names.len());
    }
}

#[test]
fn the_logits_are_those_of_forward() {
    for (config, shape) in every_kind() {
        // Running statistics that are not those of a new network.
        let model = config.init_seeded(shape, 10, 3).train();
        forward_in_training(&model, 8, shape);
        let model = model.valid();
        let images = images(4, shape, &Device::flex());
        let found = values(model.activations(images.clone(), &[]).unwrap().logits);
        for kernels in [Kernels::Fused, Kernels::Composed] {
            let logits = values(model.clone().with_kernels(kernels).forward(images.clone()));
            for (a, b) in found.iter().zip(&logits) {
                assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{config:?}: {a} {b}");
            }
        }
    }
}

#[test]
fn a_convolution_is_seen_after_its_activation_and_before_its_pool() {
    let model = cnn3().init_seeded(FASHION, 10, 3);
    let found = model.activations(images(2, FASHION, &Device::flex()), &["pool1", "conv1"]).unwrap();
    let [pool, conv] = &found.layers[..] else { panic!("two layers") };
    assert_eq!((&conv.shape[..], &pool.shape[..]), (&[32, 26, 26][..], &[32, 13, 13][..]));
    let (conv, pool) = (values(conv.values.clone()), values(pool.values.clone()));
    assert!(conv.iter().all(|&value| value >= 0.0) && conv.contains(&0.0));
    let largest = conv[0].max(conv[1]).max(conv[26]).max(conv[27]);
    assert!((largest - pool[0]).abs() < f32::EPSILON);
}

#[test]
fn an_unknown_layer_is_an_error_that_lists_the_known_ones() {
    let model = cnn3().init_seeded(FASHION, 10, 3);
    let error = model.activations(images(1, FASHION, &Device::flex()), &["conv1", "conv9"]).unwrap_err();
    let expected = "no layer is called \"conv9\"; known are conv1, pool1, dropout1, conv2, pool2, dropout2, conv3, \
                    dropout3, flatten, dense1, dropout4, head";
    assert_eq!(error.to_string(), expected);
}
