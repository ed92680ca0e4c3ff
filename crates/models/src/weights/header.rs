//! The index of a safetensors file, from its header alone.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use safetensors::tensor::{Dtype as Stored, Metadata};

use super::WeightsError;
use super::file::{Dtype, Extent, check_disjoint};

/// The longest header that is read: a network of ten thousand tensors needs half of it, and parsing
/// takes many times its memory.
pub(super) const MAX_HEADER: u64 = 2 << 20;
/// Bytes that say how long the header is.
const LENGTH_BYTES: u64 = 8;

/// Finds the tensors of a file of `len` bytes.
pub(super) fn read(reader: &mut (impl Read + Seek), len: u64) -> Result<BTreeMap<String, Extent>, WeightsError> {
    reader.seek(SeekFrom::Start(0))?;
    let mut length = [0; 8];
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let most = MAX_HEADER.min(len.saturating_sub(LENGTH_BYTES));
    if length > most {
        return Err(WeightsError::Header(format!("expected at most {most} bytes of header, found {length}")));
    }
    let mut text = String::new();
    reader.by_ref().take(length).read_to_string(&mut text)?;
    let metadata: Metadata = serde_json::from_str(&text).map_err(|error| WeightsError::Header(error.to_string()))?;
    let start = LENGTH_BYTES + length;

    // Reading the metadata has checked that every tensor takes as many bytes as its shape says, and that they lie
    // one after the other.
    let mut tensors = BTreeMap::new();
    let mut end = start;
    for (name, info) in metadata.tensors() {
        let (first, last) = info.data_offsets;
        let bytes = (last as u64).saturating_sub(first as u64);
        let offset = start.saturating_add(first as u64);
        let dtype = if info.dtype == Stored::F32 { Dtype::F32 } else { Dtype::Other(info.dtype.to_string()) };
        end = end.max(offset.saturating_add(bytes));
        tensors.insert(name, Extent { dtype, shape: info.shape.clone(), offset, bytes, crc: None });
    }
    check_disjoint(&tensors, len).map_err(WeightsError::Header)?;
    if end != len {
        return Err(WeightsError::Header(format!("expected a file of {end} bytes, found {len}")));
    }
    Ok(tensors)
}
