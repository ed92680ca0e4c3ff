//! A tiny data set, in bytes and in a registry entry, for tests that touch files.

use std::io::Write;

use data::{DatasetInfo, FileInfo};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

pub(crate) const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// An IDX file of unsigned bytes.
pub(crate) fn idx(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let magic = 0x0800 + u32::try_from(dimensions.len()).expect("few dimensions");
    let words = [&[magic], dimensions].concat();
    [words.into_iter().flat_map(u32::to_be_bytes).collect(), elements.to_vec()].concat()
}

/// Four training and two test images of 2x3 pixels, in three classes.
pub(crate) fn files() -> [Vec<u8>; 4] {
    [
        idx(&[4, 2, 3], &(0..24).collect::<Vec<u8>>()),
        idx(&[4], &[0, 2, 1, 2]),
        idx(&[2, 2, 3], &(100..112).collect::<Vec<u8>>()),
        idx(&[2], &[1, 0]),
    ]
}

/// A registry entry with the hashes of [`files`].
pub(crate) fn info() -> &'static DatasetInfo {
    let files = files();
    let file = |index: usize| {
        let hash: [u8; 32] = Sha256::digest(&files[index]).into();
        let sha256 = hash.map(|byte| format!("{byte:02x}")).concat();
        FileInfo { name: NAMES[index], sha256: sha256.leak(), bytes: files[index].len() as u64 }
    };
    Box::leak(Box::new(DatasetInfo {
        name: "tiny",
        title: "Tiny",
        class_names: &["cat", "dog", "eel"],
        files: [file(0), file(1), file(2), file(3)],
        mirrors: &[],
        debian_package: None,
        npm_packages: &[],
    }))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}
