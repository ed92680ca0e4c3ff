//! The entries of a zip archive whose files are stored as they are, as `torch.save` writes it.
//!
//! Compressed or encrypted entries are refused: nothing is ever unpacked, so that no archive can grow. Format:
//! PKWARE's APPNOTE.TXT, sections 4.3 (records) and 4.5.3 (zip64).

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use super::{WeightsError, wrong};

/// The longest directory that is read: that of a hundred thousand entries.
const MAX_DIRECTORY: u64 = 16 << 20;
/// Lengths of the records without their variable parts.
const END: usize = 22;
const END64_LOCATOR: usize = 20;
const END64: usize = 56;
const CENTRAL: usize = 46;
const LOCAL: usize = 30;
/// The longest comment behind the last record.
const MAX_COMMENT: usize = 65_535;
/// Says that a number is to be found in the zip64 field.
const ELSEWHERE: u64 = 0xffff_ffff;

/// A stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its bytes begin, and how many there are.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) crc: u32,
}

/// The entries of an archive of `len` bytes, by name.
pub(super) fn entries(reader: &mut (impl Read + Seek), len: u64) -> Result<HashMap<String, Entry>, WeightsError> {
    let Directory { start, bytes, count } = directory(reader, len)?;
    if bytes > MAX_DIRECTORY || start.checked_add(bytes).is_none_or(|end| end > len) {
        return Err(wrong(format!("the archive's directory of {bytes} bytes at {start} does not fit")));
    }
    let directory = read_at(reader, start, bytes)?;
    let mut rest = directory.as_slice();
    let mut entries = HashMap::new();
    while !rest.is_empty() {
        let (name, entry) = central(&mut rest)?;
        let entry = locate(reader, &name, entry, start)?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(wrong(format!("{name} is twice in the archive")));
        }
    }
    if entries.len() as u64 != count {
        return Err(wrong(format!("expected {count} entries in the archive, found {}", entries.len())));
    }
    Ok(entries)
}

/// The bytes of an entry of at most `most` bytes.
pub(super) fn read(reader: &mut (impl Read + Seek), entry: &Entry, most: u64) -> Result<Vec<u8>, WeightsError> {
    if entry.bytes > most {
        return Err(wrong(format!("expected an entry of at most {most} bytes, found {}", entry.bytes)));
    }
    let bytes = read_at(reader, entry.offset, entry.bytes)?;
    if crc32fast::hash(&bytes) != entry.crc {
        return Err(wrong("an entry of the archive has another CRC-32 than its directory says"));
    }
    Ok(bytes)
}

struct Directory {
    start: u64,
    bytes: u64,
    count: u64,
}

/// Finds the directory from the records at the end of the file.
fn directory(reader: &mut (impl Read + Seek), len: u64) -> Result<Directory, WeightsError> {
    let tail_len = len.min((END + MAX_COMMENT + END64_LOCATOR) as u64);
    let tail_start = len - tail_len;
    let tail = read_at(reader, tail_start, tail_len)?;
    // The record whose comment ends where the file does; the last one, if a comment looks like a record.
    let is_end = |at: &usize| {
        let record = &tail[*at..];
        record.len() >= END
            && record.starts_with(b"PK\x05\x06")
            && record.len() == END + usize::from(u16_at(record, 20))
    };
    let end = (0..tail.len()).rev().find(is_end).ok_or_else(|| wrong("the archive has no end record"))?;
    let record = &tail[end..];
    let plain = Directory {
        count: u16_at(record, 10).into(),
        bytes: u32_at(record, 12).into(),
        start: u32_at(record, 16).into(),
    };
    let Some(locator) = end.checked_sub(END64_LOCATOR).map(|at| &tail[at..end]) else { return Ok(plain) };
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(plain);
    }
    let at = u64_at(locator, 8);
    if at.checked_add(END64 as u64).is_none_or(|end| end > len) {
        return Err(wrong("the archive's zip64 record lies outside of it"));
    }
    let record = read_at(reader, at, END64 as u64)?;
    if !record.starts_with(b"PK\x06\x06") {
        return Err(wrong("the archive's zip64 record is not where it should be"));
    }
    Ok(Directory { count: u64_at(&record, 32), bytes: u64_at(&record, 40), start: u64_at(&record, 48) })
}

/// Takes one record off the directory; the entry's offset is that of its local header.
fn central(rest: &mut &[u8]) -> Result<(String, Entry), WeightsError> {
    let cut = || wrong("the archive's directory is cut short");
    let record = rest.get(..CENTRAL).ok_or_else(cut)?;
    if !record.starts_with(b"PK\x01\x02") {
        return Err(wrong("the archive's directory is damaged"));
    }
    let [name_len, extra_len, comment_len] = [28, 30, 32].map(|at| usize::from(u16_at(record, at)));
    let variable = rest[CENTRAL..].get(..name_len + extra_len + comment_len).ok_or_else(cut)?;
    let name = str::from_utf8(&variable[..name_len]).map_err(|_| wrong("a name in the archive is not UTF-8"))?;
    if u16_at(record, 8) & 1 != 0 || u16_at(record, 10) != 0 {
        return Err(wrong(format!("{name} is compressed or encrypted in the archive, expected it stored as it is")));
    }
    let (mut stored, mut bytes, mut offset) =
        (u32_at(record, 20).into(), u32_at(record, 24).into(), u32_at(record, 42).into());
    zip64(&variable[name_len..name_len + extra_len], [&mut bytes, &mut stored, &mut offset])
        .ok_or_else(|| wrong(format!("{name}: the archive's zip64 field is damaged")))?;
    if stored != bytes {
        return Err(wrong(format!("{name}: expected {bytes} bytes in the archive, found {stored}")));
    }
    *rest = &rest[CENTRAL + variable.len()..];
    Ok((name.to_owned(), Entry { offset, bytes, crc: u32_at(record, 16) }))
}

/// Replaces the numbers that are elsewhere by those in the zip64 field, which has them in this order.
fn zip64(mut extra: &[u8], numbers: [&mut u64; 3]) -> Option<()> {
    let mut field: &[u8] = &[];
    while extra.len() >= 4 {
        let (id, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let body = extra[4..].get(..len)?;
        if id == 1 {
            field = body;
        }
        extra = &extra[4 + len..];
    }
    for number in numbers {
        if *number == ELSEWHERE {
            let (first, rest) = field.split_first_chunk::<8>()?;
            *number = u64::from_le_bytes(*first);
            field = rest;
        }
    }
    Some(())
}

/// Turns the offset of the local header into that of the bytes behind it, which end before the directory.
fn locate(reader: &mut (impl Read + Seek), name: &str, entry: Entry, directory: u64) -> Result<Entry, WeightsError> {
    let outside = || wrong(format!("{name} lies outside of the archive"));
    let inside =
        |offset: u64, bytes: u64| offset.checked_add(bytes).filter(|&end| end <= directory).ok_or_else(outside);
    let behind = inside(entry.offset, LOCAL as u64)?;
    let header = read_at(reader, entry.offset, LOCAL as u64)?;
    if !header.starts_with(b"PK\x03\x04") {
        return Err(wrong(format!("{name} is not where the archive's directory says")));
    }
    let [name_len, extra_len] = [26, 28].map(|at| u64::from(u16_at(&header, at)));
    let offset = inside(behind, name_len + extra_len)?;
    if name_len != name.len() as u64 || read_at(reader, behind, name_len)? != name.as_bytes() {
        return Err(wrong(format!("{name} has another name in front of its bytes")));
    }
    inside(offset, entry.bytes)?;
    Ok(Entry { offset, ..entry })
}

/// Reads a piece whose length has been checked.
fn read_at(reader: &mut (impl Read + Seek), offset: u64, bytes: u64) -> Result<Vec<u8>, WeightsError> {
    reader.seek(SeekFrom::Start(offset))?;
    let mut piece = vec![0; usize::try_from(bytes).map_err(|_| wrong("too large"))?];
    reader.read_exact(&mut piece)?;
    Ok(piece)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
