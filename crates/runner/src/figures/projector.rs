//! Embeddings as a folder that the embedding projector opens: that of `TensorBoard`, with `tensorboard --logdir
//! FOLDER`, which reads `projector_config.pbtxt`, and the standalone one at projector.tensorflow.org or on a server of
//! one's own, which reads `projector_config.json`.
//!
//! Both read the same `vectors_*.tsv`, `metadata.tsv` and `sprite.png`, by paths relative to the configuration.

use std::fmt::Write;

use data::Dataset;
use plots::Sprite;
use serde_json::json;

use super::{Output, embeddings::Source, images};
use crate::error::Error;

/// Writes the folder `prefix` for the images at `indices`, with the predicted class of each where there is one.
pub(super) fn write(
    output: &mut Output,
    prefix: &str,
    dataset: &Dataset,
    indices: &[usize],
    predicted: Option<&[usize]>,
    sources: &[Source<'_>],
) -> Result<(), Error> {
    if indices.is_empty() {
        return Ok(());
    }
    let mut file = |name: &str, text: &str| output.file(&format!("{prefix}{name}"), text.as_bytes());
    for source in sources {
        file(&vectors_file(source.name), &vectors(source))?;
    }
    file("metadata.tsv", &metadata(dataset, indices, predicted))?;
    let size = (dataset.width(), dataset.height());
    file("projector_config.pbtxt", &text_config(sources, size))?;
    file("projector_config.json", &json_config(sources, size))?;
    let sprite = sprite(dataset, indices.iter().copied())?;
    output.file(&format!("{prefix}sprite.png"), &sprite)
}

/// The images in a square, row by row, as the projector expects them: 2,500 make 50 × 50.
pub(super) fn sprite(dataset: &Dataset, indices: impl IntoIterator<Item = usize>) -> Result<Vec<u8>, Error> {
    let images: Vec<&[u8]> = indices.into_iter().map(|index| dataset.image(index)).collect();
    let columns = side(images.len());
    let sprite = Sprite { images, width: dataset.width(), height: dataset.height(), columns };
    sprite.png().map_err(|source| Error::Plot { figure: "sprite.png".to_owned(), source })
}

/// The side of the smallest square that holds so many images.
fn side(count: usize) -> usize {
    let root = count.isqrt();
    if root * root < count { root + 1 } else { root }
}

fn vectors_file(name: &str) -> String {
    format!("vectors_{name}.tsv")
}

/// One line for each image, numbers rounded to what a picture shows.
fn vectors(source: &Source<'_>) -> String {
    let mut text = String::new();
    for row in source.rows.iter() {
        for (index, value) in row.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\t" };
            // Rounded first, so that zeros at the end are left out.
            let rounded = (value * 1e4).round() / 1e4;
            write!(text, "{separator}{rounded}").expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    text
}

/// A header, as files of several columns need it, and one line for each image.
fn metadata(dataset: &Dataset, indices: &[usize], predicted: Option<&[usize]>) -> String {
    let mut text = String::from("label\tindex");
    text += if predicted.is_some() { "\tpredicted\tright\n" } else { "\n" };
    for (row, &index) in indices.iter().enumerate() {
        write!(text, "{}\t{index}", cell(images::class_name(dataset, index))).expect("as above");
        if let Some(predicted) = predicted {
            let class = predicted[row];
            let right = if class == usize::from(dataset.label(index)) { "yes" } else { "no" };
            write!(text, "\t{}\t{right}", cell(&dataset.class_names()[class])).expect("as above");
        }
        text.push('\n');
    }
    text
}

/// A text that neither ends a cell nor a line.
fn cell(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

fn text_config(sources: &[Source<'_>], (width, height): (usize, usize)) -> String {
    let mut text = String::new();
    for source in sources {
        write!(
            text,
            "embeddings {{\n  tensor_name: \"{}\"\n  tensor_path: \"{}\"\n  metadata_path: \"metadata.tsv\"\n  \
             sprite {{\n    image_path: \"sprite.png\"\n    single_image_dim: {width}\n    single_image_dim: {height}\n  \
             }}\n}}\n",
            source.name,
            vectors_file(source.name),
        )
        .expect("writing to a string cannot fail");
    }
    text
}

fn json_config(sources: &[Source<'_>], (width, height): (usize, usize)) -> String {
    let embedding = |source: &Source<'_>| {
        json!({
            "tensorName": source.name,
            "tensorShape": [source.rows.len(), source.rows.width()],
            "tensorPath": vectors_file(source.name),
            "metadataPath": "metadata.tsv",
            "sprite": { "imagePath": "sprite.png", "singleImageDim": [width, height] },
        })
    };
    let config = json!({ "embeddings": sources.iter().map(embedding).collect::<Vec<_>>() });
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    use embed::Rows;

    use super::*;

    fn dataset() -> Dataset {
        Dataset::new((0..12).collect(), vec![0, 1, 0], (2, 2), vec!["tab\there".into(), "dog".into()])
    }

    fn source<'a>(dataset: &'a Dataset, name: &'a str) -> Source<'a> {
        Source {
            owner: "pets",
            what: "numbers".to_owned(),
            name,
            class_names: dataset.class_names(),
            images: vec![0, 1, 2],
            labels: vec![0, 1, 0],
            rows: Rows::new(vec![0.0, 1.0, 0.123_456, -2.5, 1e-9, 300.0], 2).expect("finite"),
        }
    }

    #[test]
    fn vectors_and_labels_have_one_line_for_each_image() {
        let dataset = dataset();
        assert_eq!(vectors(&source(&dataset, "pixels")), "0\t1\n0.1235\t-2.5\n0\t300\n");
        assert_eq!(metadata(&dataset, &[0, 1], None), "label\tindex\ntab here\t0\ndog\t1\n");
        let with_predictions = metadata(&dataset, &[2, 1], Some(&[1, 1]));
        assert_eq!(with_predictions.lines().nth(1), Some("tab here\t2\tdog\tno"));
        assert_eq!(with_predictions.lines().nth(2), Some("dog\t1\tdog\tyes"));
    }

    #[test]
    fn both_configurations_name_every_file() {
        let dataset = dataset();
        let sources = [source(&dataset, "pixels"), source(&dataset, "features.0")];
        let text = text_config(&sources, (28, 20));
        assert_eq!(text.matches("embeddings {").count(), 2);
        assert!(text.contains("tensor_path: \"vectors_features.0.tsv\""), "{text}");
        assert!(text.contains("single_image_dim: 28\n    single_image_dim: 20"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json_config(&sources, (28, 20))).expect("JSON");
        assert_eq!(json["embeddings"][1]["tensorPath"], "vectors_features.0.tsv");
        assert_eq!(json["embeddings"][0]["tensorShape"], serde_json::json!([3, 2]));
        assert_eq!(json["embeddings"][0]["sprite"]["singleImageDim"], serde_json::json!([28, 20]));
    }

    #[test]
    fn sprites_are_the_smallest_square() {
        for (count, expected) in [(1, 1), (2, 2), (4, 2), (5, 3), (2500, 50), (2501, 51)] {
            assert_eq!(side(count), expected, "{count} images");
        }
    }
}
