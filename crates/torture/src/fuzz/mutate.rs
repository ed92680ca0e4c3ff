//! Changes to bytes that know no format.

use crate::random::Random;

/// Values at which lengths, counts and signs turn over.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    0x1_0000_0000,
    i64::MAX as u64,
    u64::MAX,
];

/// Longest piece that is cut, copied or repeated.
const MAX_PIECE: usize = 48;

/// Changes `bytes` in one to four places. `other` lends pieces of itself.
pub(super) fn mutate(bytes: &mut Vec<u8>, other: &[u8], dictionary: &[&[u8]], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(MAX_PIECE)).min(bytes.len());
        match random.below(10) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, random.pick(dictionary).iter().copied())),
            2 => drop(bytes.splice(at..end, random.pick(dictionary).iter().copied())),
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, copy));
            }
            4 => {
                let piece = piece(other, random).to_vec();
                drop(bytes.splice(at..end, piece));
            }
            5 => overwrite_number(bytes, at, random),
            6 => bytes.truncate(at),
            7 => {
                let (byte, count) = (bytes.get(at).copied().unwrap_or(0), 1 << random.below(8));
                drop(bytes.splice(at..at, std::iter::repeat_n(byte, count)));
            }
            8 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = byte.wrapping_add(if random.one_in(2) { 1 } else { 0xFF });
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}

fn piece<'a>(bytes: &'a [u8], random: &mut Random) -> &'a [u8] {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(MAX_PIECE)).min(bytes.len());
    &bytes[at..end]
}

/// Writes a number of 1, 2, 4 or 8 bytes, in either order, over what is there.
fn overwrite_number(bytes: &mut [u8], at: usize, random: &mut Random) {
    let width = 1 << random.below(4);
    let Some(place) = bytes.get_mut(at..at + width) else { return };
    let number = if random.one_in(4) { random.number() } else { *random.pick(&NUMBERS) };
    if random.one_in(2) {
        place.copy_from_slice(&number.to_le_bytes()[..width]);
    } else {
        place.copy_from_slice(&number.to_be_bytes()[8 - width..]);
    }
}
