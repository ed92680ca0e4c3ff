//! Files as `torch.save` writes them, in both of its formats, built from parts that can be spoilt.
//!
//! A file is a pickle (protocol 2) that describes tensors as views of storages, and the storages' bytes: in a zip
//! archive of stored entries, or in the older format one after the other.

use flate2::Crc;

/// Two tensors, `w` of 2x2 numbers and `b` of 2, as a pickle. In the older format storages have a sixth item.
pub(crate) fn pickle(format: Format) -> Vec<u8> {
    let sixth: &[u8] = if format == Format::Stream { b"N" } else { b"" };
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(".to_vec();
    for (name, key, len, shape) in
        [(b"w", b"0", 4_u8, &b"K\x02K\x02\x86K\x02K\x01\x86"[..]), (b"b", b"1", 2, &b"K\x02\x85K\x01\x85"[..])]
    {
        pickle.extend(text(name));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        pickle.extend([text(b"storage"), b"ctorch\nFloatStorage\n".to_vec(), text(key), text(b"cpu")].concat());
        pickle.extend([&b"K"[..], &[len], sixth, b"tQK\x00", shape, b"\x89h\x00)RtR"].concat());
    }
    pickle.extend(b"u.");
    pickle
}

/// How a file holds its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A zip archive.
    Zip,
    /// One part after the other.
    Stream,
}

/// The numbers of the storages `0` and `1`.
pub(crate) const STORAGES: [&[f32]; 2] = [&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0]];

/// A whole file around a pickle.
pub(crate) fn file(format: Format, pickle: &[u8], storages: [&[f32]; 2]) -> Vec<u8> {
    let bytes = storages.map(|numbers| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    match format {
        Format::Zip => archive(&[
            ("archive/data.pkl", pickle),
            ("archive/byteorder", b"little"),
            ("archive/data/0", &bytes[0]),
            ("archive/data/1", &bytes[1]),
            ("archive/version", b"3\n"),
        ]),
        Format::Stream => {
            let mut stream = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
            stream.extend([b"\x80\x02}q\x00(".to_vec(), text(b"protocol_version"), b"M\xe9\x03".to_vec()].concat());
            stream.extend([text(b"little_endian"), b"\x88u.".to_vec()].concat());
            stream.extend(pickle);
            stream.extend([b"\x80\x02]q\x00(".to_vec(), text(b"0"), text(b"1"), b"e.".to_vec()].concat());
            for (numbers, bytes) in storages.iter().zip(&bytes) {
                stream.extend((numbers.len() as u64).to_le_bytes());
                stream.extend(bytes);
            }
            stream
        }
    }
}

/// A text as pickles have it: opcode, length, bytes.
pub(crate) fn text(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short text");
    [&b"X"[..], &length.to_le_bytes(), text].concat()
}

/// A zip archive of stored entries (PKWARE's APPNOTE.TXT, section 4.3).
pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let offset = word(archive.len());
        let mut crc = Crc::new();
        crc.update(bytes);
        // Version, flags, method, time and date; then checksum, both sizes and the length of the name.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend([crc.sum().to_le_bytes(), word(bytes.len()), word(bytes.len()), word(name.len())].concat());
        archive.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), bytes].concat());
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &offset, name.as_bytes()].concat());
    }
    let count = u16::try_from(entries.len()).expect("few entries").to_le_bytes();
    let (start, length) = (word(archive.len()), word(directory.len()));
    archive.extend(directory);
    archive.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &start, &[0; 2]].concat());
    archive
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a small archive").to_le_bytes()
}
