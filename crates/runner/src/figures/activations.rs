//! What the convolutions of a network put out for chosen test images.

use data::Dataset;
use models::{LayerOutput, Summary};
use plots::{FeatureMaps, Gallery};

use super::{Output, images};
use crate::{error::Error, evaluate::host};

/// Maps in a row.
const COLUMNS: usize = 16;
/// Channels shown large, beside the image.
const CHANNELS: usize = 8;

/// The layers that hold the rectified output of each convolution: the convolution itself, or the batch norm between
/// it and its activation.
pub(super) fn convolutions(summary: &Summary) -> Vec<&str> {
    let layers = &summary.layers;
    let is_activated = |kind: &str| kind.contains(", ");
    let of = |start: usize| {
        let rest = layers[start..].iter();
        rest.take(2).find(|layer| is_activated(&layer.kind)).unwrap_or(&layers[start])
    };
    let starts = layers.iter().enumerate().filter(|(_, layer)| layer.kind.starts_with("conv2d"));
    starts.map(|(index, _)| of(index).name.as_str()).collect()
}

/// Draws all maps of every convolution for one test image, and some channels of the first one large: those asked for,
/// else the ones that vary most.
pub(super) fn draw(
    output: &mut Output,
    found: Vec<LayerOutput>,
    (experiment, test, index): (&str, &Dataset, usize),
    wanted: &[usize],
) -> Result<(), Error> {
    let class = images::class_name(test, index);
    for (number, layer) in found.into_iter().enumerate() {
        let [channels, height, width] = layer.shape[..] else { continue };
        let maps: Vec<Vec<f32>> = host(layer.values).chunks(height * width).map(<[f32]>::to_vec).collect();
        if number == 0 {
            let chosen = chosen_channels(&layer.name, &maps, wanted)?;
            let figure = Gallery {
                title: format!("{experiment}: channels of {} for test image {index}", layer.name),
                columns: 3,
                tiles: channel_tiles(test, index, &maps, (width, height), &chosen),
                ..Gallery::default()
            };
            output.figure(&format!("channels_{index}_{}", layer.name), &figure)?;
        }
        let figure = FeatureMaps {
            title: format!("{experiment}: the {channels} maps of {} for test image {index}, {class}", layer.name),
            subtitle: format!(
                "{height} × {width} pixels each, z-scored, · 64 + 128, cut to 0–255; rows start at the \
                               channel beside them"
            ),
            columns: COLUMNS,
            width,
            height,
            maps: maps.iter().map(|map| z_scored(map)).collect(),
        };
        output.figure(&format!("activations_{index}_{}", layer.name), &figure)?;
    }
    Ok(())
}

/// The channels asked for, or those that vary most, in the order of the channels.
fn chosen_channels(layer: &str, maps: &[Vec<f32>], wanted: &[usize]) -> Result<Vec<usize>, Error> {
    if let Some(channel) = wanted.iter().find(|&&channel| channel >= maps.len()) {
        let message = format!("--channel {channel}: expected a channel below {}, the number of {layer}'s", maps.len());
        return Err(Error::Usage(message));
    }
    if !wanted.is_empty() {
        return Ok(wanted.to_vec());
    }
    let mut chosen: Vec<usize> = (0..maps.len()).collect();
    let deviations: Vec<f64> = maps.iter().map(|map| mean_and_deviation(map).1).collect();
    chosen.sort_by(|&a, &b| deviations[b].total_cmp(&deviations[a]));
    chosen.truncate(CHANNELS);
    chosen.sort_unstable();
    Ok(chosen)
}

/// The image, and some channels.
fn channel_tiles(
    test: &Dataset,
    index: usize,
    maps: &[Vec<f32>],
    (width, height): (usize, usize),
    chosen: &[usize],
) -> Vec<plots::Tile> {
    let image = images::captioned(test, index, format!("{}, as it is", images::class_name(test, index)));
    let channel =
        |&channel: &usize| images::gray_tile(z_scored(&maps[channel]), width, height, format!("channel {channel}"));
    std::iter::once(image).chain(chosen.iter().map(channel)).collect()
}

/// `(x - mean) / deviation · 64 + 128`, rounded and cut to a byte (Chollet, "Deep Learning with Python", 2017,
/// section 5.4.1). A constant map, which has no deviation, is 128 throughout.
fn z_scored(map: &[f32]) -> Vec<u8> {
    let (mean, deviation) = mean_and_deviation(map);
    let scale = if deviation > 0.0 { 64.0 / deviation } else { 0.0 };
    let byte = |&value: &f32| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
        let byte = ((f64::from(value) - mean) * scale + 128.0).round().clamp(0.0, 255.0) as u8;
        byte
    };
    map.iter().map(byte).collect()
}

fn mean_and_deviation(values: &[f32]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "pixels of a map stay far below 2^52")]
    let count = values.len().max(1) as f64;
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / count;
    let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
    (mean, (squares / count).sqrt())
}

#[cfg(test)]
mod tests {
    use models::{BatchNormPlacement, Cnn4Config, DenseConfig, InputShape, ModelConfig, VggConfig};

    use super::*;

    const FASHION: InputShape = InputShape { channels: 1, height: 28, width: 28 };

    #[test]
    fn convolutions_are_found_with_their_activation() {
        let check = |config: ModelConfig, expected: &[&str]| {
            let summary = config.summary(FASHION, 10).expect("fits");
            assert_eq!(convolutions(&summary), expected, "{config:?}");
        };
        check(ModelConfig::Cnn4(Cnn4Config::default()), &["conv1", "conv2", "conv3", "conv4"]);
        check(ModelConfig::Dense(DenseConfig::default()), &[]);
        let stages = Some(vec![vec![4], vec![8]]);
        let vgg =
            |batch_norm| ModelConfig::Vgg(VggConfig { stages: stages.clone(), batch_norm, ..VggConfig::default() });
        check(vgg(BatchNormPlacement::BeforeActivation), &["features.1", "features.5"]);
        check(vgg(BatchNormPlacement::None), &["features.0", "features.3"]);
        check(vgg(BatchNormPlacement::AfterActivation), &["features.0", "features.4"]);
    }

    #[test]
    fn maps_are_scored_around_128() {
        // Mean 1, deviation 1: two steps of 64.
        assert_eq!(z_scored(&[0.0, 2.0, 0.0, 2.0]), [64, 192, 64, 192]);
        assert_eq!(z_scored(&[5.0; 3]), [128; 3]);
        let mut spike = [0.0; 100];
        spike[7] = 1.0;
        assert_eq!(z_scored(&spike)[7], 255);
    }
}
