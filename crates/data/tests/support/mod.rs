//! A tiny data set, in bytes and in a registry entry, for tests that touch files.

pub(crate) mod tiny;

use std::io::Write;

use data::{DatasetInfo, FileInfo};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

pub(crate) use self::tiny::{NAMES, files};

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
