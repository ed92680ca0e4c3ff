//! The bytes of a data file on their way in: decompressed, hashed, compared with what was published.
//!
//! Works over [`Read`] and knows neither where bytes come from nor where they go.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Cursor, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::registry::FileInfo;

const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const BUFFER_BYTES: usize = 64 << 10;

/// Why bytes are not those that were published.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The bytes cannot be read or decompressed.
    #[error("cannot read: {0}")]
    Read(#[from] io::Error),
    /// There are more bytes than were published.
    #[error("expected {expected} bytes, found more")]
    TooLong {
        /// Published number of decompressed bytes.
        expected: u64,
    },
    /// There are fewer bytes than were published.
    #[error("expected {expected} bytes, found {found}, with SHA-256 {sha256}")]
    TooShort {
        /// Published number of decompressed bytes.
        expected: u64,
        /// Number of bytes found.
        found: u64,
        /// SHA-256 of the bytes found.
        sha256: String,
    },
    /// The bytes are more than any published version has.
    #[error("expected at most {limit} bytes, found more")]
    OverLimit {
        /// The most bytes.
        limit: u64,
    },
    /// There are as many bytes as were published, but others.
    #[error("expected SHA-256 {expected}, found {found}")]
    WrongHash {
        /// Published SHA-256 of the decompressed bytes.
        expected: String,
        /// SHA-256 of the bytes found.
        found: String,
    },
}

/// What stops [`copy_verified`].
#[derive(Debug)]
pub(crate) enum CopyError<E> {
    /// The bytes are wrong.
    Content(ContentError),
    /// They could not be put away.
    Sink(E),
}

/// Opens a file for reading its decompressed bytes.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    // A pipe would be waited for, and a device need not end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file"));
    }
    decompressed(File::open(path)?)
}

/// Decompresses what begins like gzip and passes on anything else: names lie, first bytes do not, and
/// no IDX file begins like gzip.
///
/// # Errors
///
/// If the first bytes cannot be read.
pub fn decompressed<'a>(mut reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    reader.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
    let compressed = start == GZIP_MAGIC;
    let whole = Cursor::new(start).chain(reader);
    Ok(if compressed {
        Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(BUFFER_BYTES, whole)))
    } else {
        Box::new(whole)
    })
}

/// Reads the bytes of `file` and hands them on to `sink` piece by piece.
///
/// Reads one byte past the published length at most, however long `reader` goes on. What `sink` got is
/// only worth something if this returns `Ok`.
pub(crate) fn copy_verified<E>(
    reader: impl Read,
    file: &FileInfo,
    sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), CopyError<E>> {
    let reader = decompressed(reader).map_err(|error| CopyError::Content(error.into()))?;
    copy_hashing(reader, file.bytes, sink)?.expect_file(file).map_err(CopyError::Content)
}

/// Hands on bytes to `sink` piece by piece, one more than `limit` at most, and hashes them.
pub(crate) fn copy_hashing<R: Read, E>(
    reader: R,
    limit: u64,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Hashing<R>, CopyError<E>> {
    let content = |error: io::Error| CopyError::Content(error.into());
    let mut reader = Hashing::new(reader).take(limit + 1);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(content(error)),
        };
        sink(&buffer[..length]).map_err(CopyError::Sink)?;
    }
    Ok(reader.into_inner())
}

/// Reads the decompressed bytes of `file`, one past their published number at most, only to compare them.
///
/// # Errors
///
/// [`ContentError`] if they are not those that were published.
pub fn verify(reader: impl Read, file: &FileInfo) -> Result<(), ContentError> {
    match copy_verified(reader, file, |_| Ok::<(), std::convert::Infallible>(())) {
        Ok(()) => Ok(()),
        Err(CopyError::Content(error)) => Err(error),
        Err(CopyError::Sink(never)) => match never {},
    }
}

/// A reader that hashes what goes through it.
pub(crate) struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    /// Number of bytes that went through, and their SHA-256 in lower-case hexadecimal.
    pub(crate) fn finish(self) -> (u64, String) {
        let sha256 = self.hasher.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        });
        (self.bytes, sha256)
    }

    fn expect_file(self, file: &FileInfo) -> Result<(), ContentError> {
        let expected = file.bytes;
        let (found, sha256) = self.finish();
        if found > expected {
            Err(ContentError::TooLong { expected })
        } else if found < expected {
            Err(ContentError::TooShort { expected, found, sha256 })
        } else if sha256 != file.sha256 {
            Err(ContentError::WrongHash { expected: file.sha256.to_owned(), found: sha256 })
        } else {
            Ok(())
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        self.bytes += length as u64;
        Ok(length)
    }
}
