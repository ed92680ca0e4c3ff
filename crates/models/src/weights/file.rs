//! A file of named tensors, whether safetensors or PyTorch's: where each of them lies, and its numbers.
//!
//! The bytes are not trusted. Opening reads the index alone, checks every length in it against the length
//! of the file before anything is allocated, and executes nothing; numbers are read one tensor at a time.
//! Knows no network.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, SeekFrom};

use super::{WeightsError, check_finite, header, pth};

/// How files of PyTorch's begin: as a zip archive, or as a pickle of protocol 2.
const ZIP: &[u8] = b"PK\x03\x04";
const PICKLE: &[u8] = b"\x80\x02";

/// A tensor in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// Where its bytes begin, and how many there are: within the file, and shared with no other tensor.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// The CRC-32 of the bytes, where the format has one.
    pub(super) crc: Option<u32>,
}

/// Type of a tensor's numbers, with the name that messages give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dtype {
    F32,
    Other(String),
}

/// The tensors of a file by name, read when they are asked for.
///
/// ```
/// use std::io::Cursor;
/// # use models::{Cnn1Config, InputShape, ModelConfig, TensorFile, to_safetensors};
/// # let images = InputShape { channels: 1, height: 28, width: 28 };
/// # let model = ModelConfig::Cnn1(Cnn1Config::default()).init_seeded(images, 10, 1);
/// let bytes = to_safetensors(&model)?;
/// let mut file = TensorFile::open(Cursor::new(bytes))?;
/// assert_eq!(file.names().next(), Some("conv1.bias"));
/// assert_eq!(file.read("conv1.bias")?, vec![0.0; 32]);
/// # Ok::<(), models::WeightsError>(())
/// ```
#[derive(Debug)]
pub struct TensorFile<R> {
    reader: R,
    tensors: BTreeMap<String, Extent>,
}

impl<R: Read + Seek> TensorFile<R> {
    /// Reads the index of a safetensors file or of a PyTorch file (`.pth`): a zip archive, or the older
    /// format that pretrained weights of torchvision have.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Unknown`], [`WeightsError::Header`] or [`WeightsError::Pth`] if the file is none of
    /// these, is damaged or hostile, or holds anything but tensors by name.
    pub fn open(mut reader: R) -> Result<Self, WeightsError> {
        let len = reader.seek(SeekFrom::End(0))?;
        reader.rewind()?;
        let mut start = Vec::new();
        reader.by_ref().take(9).read_to_end(&mut start)?;
        let tensors = if start.starts_with(ZIP) {
            pth::zipped(&mut reader, len)?
        } else if start.starts_with(PICKLE) {
            pth::stream(&mut reader, len)?
        } else if start.get(8) == Some(&b'{') {
            header::read(&mut reader, len)?
        } else {
            return Err(WeightsError::Unknown { bytes: len, start });
        };
        Ok(Self { reader, tensors })
    }

    /// The names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor; none if there is no such tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|extent| &*extent.shape)
    }

    /// The numbers of a tensor, in the order of its shape.
    ///
    /// # Errors
    ///
    /// A [`WeightsError`] if there is no such tensor, it does not hold f32 numbers, or one of them is not
    /// finite; if its bytes are damaged or cannot be read.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let Some(extent) = self.tensors.get(name) else {
            return Err(WeightsError::Missing { name: name.to_owned(), shape: Vec::new() });
        };
        if let Dtype::Other(found) = &extent.dtype {
            return Err(WeightsError::Dtype { name: name.to_owned(), found: found.clone() });
        }
        self.reader.seek(SeekFrom::Start(extent.offset))?;
        // The index was checked against the length of the file: this reserves no more than is there.
        let len = usize::try_from(extent.bytes).map_err(|_| WeightsError::Pth(format!("{name}: too large")))?;
        let mut bytes = vec![0; len];
        self.reader.read_exact(&mut bytes)?;
        if let Some(expected) = extent.crc {
            let found = crc32fast::hash(&bytes);
            if found != expected {
                return Err(WeightsError::Checksum { name: name.to_owned(), expected, found });
            }
        }
        let (words, _) = bytes.as_chunks::<4>();
        let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
        check_finite(name, &values)?;
        Ok(values)
    }

    /// What is wrong with a tensor that is to have a shape, as far as the index tells.
    pub(super) fn fault(&self, name: &str, expected: &[usize]) -> Option<WeightsError> {
        let name = name.to_owned();
        let expected = expected.to_vec();
        match self.tensors.get(&name) {
            None => Some(WeightsError::Missing { name, shape: expected }),
            Some(Extent { dtype: Dtype::Other(found), .. }) => Some(WeightsError::Dtype { name, found: found.clone() }),
            Some(extent) if extent.shape != expected => {
                Some(WeightsError::Shape { name, expected, found: extent.shape.clone() })
            }
            Some(_) => None,
        }
    }
}

/// A tensor in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Its name.
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f32>,
}

/// The tensors of a whole file in memory, in alphabetical order.
///
/// # Errors
///
/// As [`TensorFile::open`] and [`TensorFile::read`]; the first tensor at fault.
pub fn read_tensors(bytes: &[u8]) -> Result<Vec<NamedTensor>, WeightsError> {
    let mut file = TensorFile::open(Cursor::new(bytes))?;
    let index: Vec<_> = file.tensors.iter().map(|(name, extent)| (name.clone(), extent.shape.clone())).collect();
    let read = |(name, shape): (String, Vec<usize>)| {
        let values = file.read(&name)?;
        Ok(NamedTensor { name, shape, values })
    };
    index.into_iter().map(read).collect()
}

/// Checks that tensors lie within `len` bytes and that no two share any.
pub(super) fn check_disjoint(tensors: &BTreeMap<String, Extent>, len: u64) -> Result<(), String> {
    let mut spans: Vec<(u64, u64, &str)> = Vec::with_capacity(tensors.len());
    for (name, extent) in tensors {
        let end = extent.offset.checked_add(extent.bytes).filter(|&end| end <= len);
        let Some(end) = end else {
            return Err(format!("{name}: reaches beyond the {len} bytes of the file"));
        };
        if extent.bytes > 0 {
            spans.push((extent.offset, end, name));
        }
    }
    spans.sort_unstable();
    match spans.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        Some(pair) => Err(format!("{} and {} share bytes", pair[0].2, pair[1].2)),
        None => Ok(()),
    }
}

/// The number of elements of a shape; none if it does not fit.
pub(super) fn elements(shape: &[usize]) -> Option<u64> {
    shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(u64::try_from(size).ok()?))
}
