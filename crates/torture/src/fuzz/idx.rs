//! IDX files, as they are after decompression.

use std::path::Path;

use data::{read_images, read_labels};

use super::{Parser, Target, kind};
use crate::experiment::Experiment;

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "fuzz-idx",
    row: 10,
    what: "mutated IDX files through `data::read_images` and `data::read_labels`",
    pass: "a typed error, or exactly the bytes that are there; no panic; memory below 256 MB",
    tries: 1_000_000,
    quick: 20_000,
    run: |plan| super::run(plan, &TARGET),
};

const TARGET: Target = Target { name: "idx", seeds, dictionary: DICTIONARY, encode: |bytes, _| bytes.to_vec(), parser };

const DICTIONARY: &[&[u8]] = &[
    &[0, 0, 8, 3],
    &[0, 0, 8, 1],
    &[0, 0, 8, 2],
    &[0, 0, 0x0D, 3],
    &[0, 0, 0, 0],
    &[0, 0, 0, 1],
    &[0xFF, 0xFF, 0xFF, 0xFF],
    &[0x40, 0, 0, 0],
    b"<!DOCTYPE html>",
    &[0x1F, 0x8B],
];

/// Two images of 2x3 pixels, one of a single pixel, and five labels.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    vec![
        [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3][..], &(0..12).collect::<Vec<u8>>()].concat(),
        vec![0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7],
        vec![0, 0, 8, 1, 0, 0, 0, 5, 0, 1, 2, 3, 4],
    ]
}

fn parser(_: &Path) -> Parser {
    Box::new(|input| {
        let images = match read_images(input) {
            Ok(images) if images.pixels != input[16..] => return Err("other pixels than the file's".to_owned()),
            Ok(images) if images.count * images.height * images.width != images.pixels.len() => {
                return Err("other dimensions than the pixels'".to_owned());
            }
            Ok(_) => "images".to_owned(),
            Err(error) => kind(&error),
        };
        let labels = match read_labels(input) {
            Ok(labels) if labels != input[8..] => return Err("other labels than the file's".to_owned()),
            Ok(_) => "labels".to_owned(),
            Err(error) => kind(&error),
        };
        Ok(format!("{images}; {labels}"))
    })
}
