//! The IDX format of the MNIST family, parsed strictly: big-endian magic, dimensions, then one unsigned
//! byte per element, and nothing after them.
//!
//! Pure over [`Read`]: knows no path, no compression and no class. Format: "The IDX file format" in
//! Y. Lecun, C. Cortes and C. Burges, "The MNIST database of handwritten digits".

use std::io::{self, Read};

/// Magic number of a file of images: unsigned bytes in 3 dimensions.
const IMAGES_MAGIC: u32 = 0x0803;
/// Magic number of a file of labels: unsigned bytes in 1 dimension.
const LABELS_MAGIC: u32 = 0x0801;
/// The most elements that are read into memory; 1.3 million images of 28x28 pixels.
const MAX_BYTES: u64 = 1 << 30;
/// The most memory that is reserved on the word of a header alone.
const MAX_RESERVED: u64 = 64 << 20;
const BUFFER_BYTES: usize = 64 << 10;

/// Why bytes are not the IDX file that was expected.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The bytes cannot be read or decompressed.
    #[error("cannot read: {0}")]
    Read(#[from] io::Error),
    /// Not an IDX file of any kind.
    #[error("expected an IDX file, found one that begins with {found:?}")]
    NotIdx {
        /// The first four bytes as text.
        found: String,
    },
    /// An IDX file of another element type or number of dimensions.
    #[error("expected magic {expected} (0x{expected:08x}), found {found} (0x{found:08x})")]
    Magic {
        /// 2051 for images, 2049 for labels.
        expected: u32,
        /// What the file begins with.
        found: u32,
    },
    /// The file ends within its header.
    #[error("expected a header of {expected} bytes, found {found}")]
    Header {
        /// Bytes of a whole header.
        expected: usize,
        /// Bytes in the file.
        found: usize,
    },
    /// A dimension is zero.
    #[error("expected dimension {dimension} to be at least 1, found 0")]
    EmptyDimension {
        /// Position in the header, counted from 1.
        dimension: usize,
    },
    /// The header promises more than this program is willing to hold in memory.
    #[error("expected at most {limit} elements, found {found}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// Product of the dimensions.
        found: u128,
    },
    /// The file ends before its last element.
    #[error("expected {expected} bytes after the header, found {found}")]
    Truncated {
        /// Product of the dimensions.
        expected: u64,
        /// Bytes after the header.
        found: u64,
    },
    /// The file goes on after its last element.
    #[error("expected {expected} bytes after the header, found more")]
    Trailing {
        /// Product of the dimensions.
        expected: u64,
    },
}

/// The contents of an image file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Number of images, at least 1.
    pub count: usize,
    /// Rows of an image, at least 1.
    pub height: usize,
    /// Columns of an image, at least 1.
    pub width: usize,
    /// Image after image, each row by row.
    ///
    /// # Shapes
    ///
    /// `[count, height, width]`, flat.
    pub pixels: Vec<u8>,
}

/// Reads a whole file of images.
///
/// # Errors
///
/// An [`IdxError`] if the bytes are anything but a header with magic 2051 and exactly the pixels that it
/// promises.
pub fn read_images(mut reader: impl Read) -> Result<Images, IdxError> {
    let [count, height, width] = read_header(&mut reader, IMAGES_MAGIC)?;
    let pixels = read_elements(reader, &[count, height, width])?;
    let [count, height, width] = [count, height, width].map(|it| it as usize);
    Ok(Images { count, height, width, pixels })
}

/// Reads a whole file of images like [`read_images`], and keeps no pixel: what the file takes in memory is only
/// given once it is known to be right.
///
/// # Errors
///
/// As [`read_images`].
pub(crate) fn scan_images(mut reader: impl Read) -> Result<ImageSizes, IdxError> {
    let dimensions: [u32; 3] = read_header(&mut reader, IMAGES_MAGIC)?;
    pass_elements(reader, &dimensions, |_| ())?;
    let [count, height, width] = dimensions.map(|it| it as usize);
    Ok(ImageSizes { count, height, width })
}

/// Reads the header of a file of images and nothing behind it.
///
/// # Errors
///
/// An [`IdxError`] if the bytes begin with anything but a header with magic 2051 that promises what can be held.
pub(crate) fn image_sizes(mut reader: impl Read) -> Result<ImageSizes, IdxError> {
    let dimensions: [u32; 3] = read_header(&mut reader, IMAGES_MAGIC)?;
    promised(&dimensions)?;
    let [count, height, width] = dimensions.map(|it| it as usize);
    Ok(ImageSizes { count, height, width })
}

/// The dimensions of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageSizes {
    pub(crate) count: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// Reads a whole file of labels like [`read_labels`], hands them on piece by piece, and returns how many there are.
///
/// # Errors
///
/// As [`read_labels`].
pub(crate) fn scan_labels(mut reader: impl Read, sink: impl FnMut(&[u8])) -> Result<usize, IdxError> {
    let dimensions: [u32; 1] = read_header(&mut reader, LABELS_MAGIC)?;
    pass_elements(reader, &dimensions, sink)?;
    Ok(dimensions[0] as usize)
}

/// Reads a whole file of labels.
///
/// # Errors
///
/// An [`IdxError`] if the bytes are anything but a header with magic 2049 and exactly the labels that it
/// promises.
pub fn read_labels(mut reader: impl Read) -> Result<Vec<u8>, IdxError> {
    let dimensions: [u32; 1] = read_header(&mut reader, LABELS_MAGIC)?;
    read_elements(reader, &dimensions)
}

fn read_header<const N: usize>(reader: &mut impl Read, expected: u32) -> Result<[u32; N], IdxError> {
    let mut header = Vec::with_capacity(4 * (1 + N));
    reader.by_ref().take(4 * (1 + N as u64)).read_to_end(&mut header)?;
    let (words, _) = header.as_chunks::<4>();
    let mut words = words.iter().map(|&word| u32::from_be_bytes(word));

    // The magic comes first: of a short file of another kind, that is the thing to say.
    let found = words.next();
    if let Some(found) = found.filter(|&it| it != expected) {
        return Err(if found > 0xFFFF {
            IdxError::NotIdx { found: String::from_utf8_lossy(&header[..4]).into_owned() }
        } else {
            IdxError::Magic { expected, found }
        });
    }
    let mut dimensions = [0; N];
    for (index, dimension) in dimensions.iter_mut().enumerate() {
        *dimension = words.next().ok_or(IdxError::Header { expected: 4 * (1 + N), found: header.len() })?;
        if *dimension == 0 {
            return Err(IdxError::EmptyDimension { dimension: index + 1 });
        }
    }
    Ok(dimensions)
}

fn read_elements(reader: impl Read, dimensions: &[u32]) -> Result<Vec<u8>, IdxError> {
    let reserved = usize::try_from(promised(dimensions)?.min(MAX_RESERVED)).expect("64 MiB fit every platform");
    let mut elements = Vec::with_capacity(reserved);
    pass_elements(reader, dimensions, |piece| elements.extend_from_slice(piece))?;
    Ok(elements)
}

/// Number of elements in a file with these dimensions.
fn promised(dimensions: &[u32]) -> Result<u64, IdxError> {
    // Three factors of 32 bits fit in 128.
    let product: u128 = dimensions.iter().map(|&it| u128::from(it)).product();
    u64::try_from(product)
        .ok()
        .filter(|&it| it <= MAX_BYTES)
        .ok_or(IdxError::TooLarge { limit: MAX_BYTES, found: product })
}

/// Hands on every element, and makes sure that nothing follows.
fn pass_elements(reader: impl Read, dimensions: &[u32], mut sink: impl FnMut(&[u8])) -> Result<(), IdxError> {
    let expected = promised(dimensions)?;
    // One more than was promised also makes a decompressor read on to its checksum.
    let mut reader = reader.take(expected + 1);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut found = 0;
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        found += length as u64;
        if found > expected {
            return Err(IdxError::Trailing { expected });
        }
        sink(&buffer[..length]);
    }
    if found < expected { Err(IdxError::Truncated { expected, found }) } else { Ok(()) }
}
