//! Compressed files on their way to the cache: decompressed, measured, hashed.

use std::{io::Write as _, path::Path};

use data::{FileInfo, decompressed, read_images, verify};
use flate2::{Compression, Crc, GzBuilder, write::DeflateEncoder};
use sha2::{Digest as _, Sha256};

use super::{Parser, Target, idx, kind};
use crate::{experiment::Experiment, random::Random};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "fuzz-gzip",
    row: 10,
    what: "mutated gzip streams through `data::verify`, and decompressed through `data::read_images`",
    pass: "a typed error, or the published bytes; no panic; memory below 256 MB",
    tries: 1_000_000,
    quick: 10_000,
    run: |plan| super::run(plan, &TARGET),
};

const TARGET: Target = Target { name: "gzip", seeds, dictionary: DICTIONARY, encode, parser };

const DICTIONARY: &[&[u8]] = &[
    &[0x1F, 0x8B],
    &[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF],
    &[0x1F, 0x8B, 8, 0x1F, 0, 0, 0, 0, 0, 3],
    &[1, 0, 0, 0xFF, 0xFF],
    &[3, 0],
    &[0, 0, 0, 0, 0, 0, 0, 0],
    &[0xFF, 0xFF, 0xFF, 0xFF],
];

/// The files of the IDX target, and one that compresses well.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = idx::seeds();
    seeds.push([&[0, 0, 8, 3, 0, 0, 0, 0x40, 0, 0, 0, 16, 0, 0, 0, 16][..], &[0; 0x4000]].concat());
    seeds
}

/// Compresses, in one of the ways that gzip allows.
fn encode(contents: &[u8], random: &mut Random) -> Vec<u8> {
    let level = Compression::new(u32::try_from(random.below(3)).expect("a small number"));
    let cut = if random.one_in(4) { random.below(contents.len() + 1) } else { contents.len() };
    let (first, second) = contents.split_at(cut);
    let mut builder = GzBuilder::new();
    if random.one_in(4) {
        builder = builder.filename("name").comment("comment").extra(vec![1; random.below(64)]);
    }
    let mut encoder = builder.write(Vec::new(), level);
    encoder.write_all(first).expect("memory takes everything");
    let mut stream = encoder.finish().expect("memory takes everything");
    if !second.is_empty() {
        stream.extend(member(second, level, random));
    }
    stream
}

/// A member whose deflated data have been touched, under a length and a checksum that may hold.
fn member(contents: &[u8], level: Compression, random: &mut Random) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level);
    encoder.write_all(contents).expect("memory takes everything");
    let mut deflated = encoder.finish().expect("memory takes everything");
    if random.one_in(2) {
        let at = random.below(deflated.len());
        deflated[at] ^= 1 << random.below(8);
    }
    let mut crc = Crc::new();
    crc.update(contents);
    let mut member = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    member.extend(deflated);
    member.extend(crc.sum().to_le_bytes());
    member.extend(crc.amount().to_le_bytes());
    member
}

fn parser(_: &Path) -> Parser {
    let published = idx::seeds().swap_remove(0);
    let hash: [u8; 32] = Sha256::digest(&published).into();
    let sha256 = hash.map(|byte| format!("{byte:02x}")).concat();
    // The parser lives as long as the process, and a registry's entry always does.
    let file = FileInfo { name: "published", sha256: sha256.leak(), bytes: published.len() as u64 };
    Box::new(move |input| {
        let verified = match verify(input, &file) {
            Ok(()) => "published".to_owned(),
            Err(error) => kind(&error),
        };
        let images = match decompressed(input).map(read_images) {
            Ok(Ok(images)) => {
                if verified == "published" && images.pixels != published[16..] {
                    return Err("other bytes than the published ones".to_owned());
                }
                "images".to_owned()
            }
            Ok(Err(error)) => kind(&error),
            Err(error) => kind(&error),
        };
        if verified == "published" && images != "images" {
            return Err(format!("verified, and then {images}"));
        }
        Ok(format!("{verified}; {images}"))
    })
}
