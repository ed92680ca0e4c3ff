//! Compressed bytes, fair and unfair.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

/// Zeros in one member of a bomb.
const MEMBER_BYTES: usize = 64 << 20;
/// Members of a bomb: 10 GiB.
const MEMBERS: usize = 160;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// `start` and then ten gigabytes of zeros, in about ten megabytes. A gzip file may have many members (RFC 1952), so
/// that one is compressed and repeated.
pub(crate) fn gzip_bomb(start: &[u8]) -> Vec<u8> {
    let member = gzip(&vec![0; MEMBER_BYTES]);
    [gzip(start), member.repeat(MEMBERS)].concat()
}
