//! The index of a file that PyTorch's `torch.save` wrote: a dictionary of tensors by name.
//!
//! Both formats are a pickle that describes tensors as views of storages, and the bytes of the storages: in a
//! zip archive since PyTorch 1.6, one after the other before (which pretrained weights of torchvision still
//! are). Only what such a dictionary needs is understood; see [`pickle`]. PyTorch's own reader of this kind is
//! `torch.load(…, weights_only=True)`.

mod object;
mod pickle;
mod zip;

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use self::object::{Storage, StoredTensor};
use self::pickle::Value;
use super::WeightsError;
use super::file::{Dtype, Extent, check_disjoint, elements};

/// The longest pickle that is read: a network of a thousand tensors needs a tenth of it.
const MAX_PICKLE: u64 = 1 << 20;

/// What the older format begins with, as the bytes of a long integer.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Its version.
const PROTOCOL: i64 = 1001;

type Index = BTreeMap<String, Extent>;

/// Finds the tensors of a zip archive of `len` bytes.
pub(super) fn zipped(reader: &mut (impl Read + Seek), len: u64) -> Result<Index, WeightsError> {
    let entries = zip::entries(reader, len)?;
    let mut pickles = entries.iter().filter(|(name, _)| name.ends_with("/data.pkl"));
    let (Some((name, pickle)), None) = (pickles.next(), pickles.next()) else {
        return Err(wrong("expected one entry data.pkl in the archive"));
    };
    let folder = name.strip_suffix("data.pkl").unwrap_or_default();
    if let Some(order) = entries.get(&format!("{folder}byteorder")) {
        let order = zip::read(reader, order, 16)?;
        if order != b"little" {
            return Err(wrong(format!("expected little-endian numbers, found {:?}", String::from_utf8_lossy(&order))));
        }
    }
    let bytes = zip::read(reader, pickle, MAX_PICKLE)?;
    let place = |storage: &Storage<'_>| {
        let key = format!("{folder}data/{}", storage.key);
        let entry = entries.get(&key).ok_or_else(|| format!("no entry {key} in the archive"))?;
        if Some(entry.bytes) != storage.bytes() {
            return Err(format!(
                "storage {}: expected {} numbers, found {} bytes",
                storage.key, storage.len, entry.bytes
            ));
        }
        Ok((entry.offset, Some(entry.crc)))
    };
    index(&pickle::parse(&bytes)?, place, len)
}

/// Finds the tensors of a file of `len` bytes in the older format.
pub(super) fn stream(reader: &mut (impl Read + Seek), len: u64) -> Result<Index, WeightsError> {
    reader.rewind()?;
    let mut start = Vec::new();
    reader.by_ref().take(MAX_PICKLE).read_to_end(&mut start)?;
    let magic = pickle::parse(&start)?;
    if magic.root != Value::Long(&MAGIC) {
        return Err(wrong("expected PyTorch's magic number at the start"));
    }
    let protocol = pickle::parse(magic.rest)?;
    if protocol.root != Value::Int(PROTOCOL) {
        return Err(wrong(format!("expected version {PROTOCOL} of the format, found {:?}", protocol.root)));
    }
    let system = pickle::parse(protocol.rest)?;
    if system.entry("little_endian") != Some(Value::Bool(true)) {
        return Err(wrong("expected little-endian numbers"));
    }
    let tensors = pickle::parse(system.rest)?;
    let keys = pickle::parse(tensors.rest)?;
    let first = (start.len() - keys.rest.len()) as u64;
    let places = storages(reader, &tensors, &keys, first, len)?;
    let place = |storage: &Storage<'_>| {
        let offset = places.get(storage.key).ok_or_else(|| format!("no storage {}", storage.key))?;
        Ok((*offset, None))
    };
    index(&tensors, place, len)
}

/// Where the numbers of each storage begin. They lie one after the other in the order of `keys`, each behind
/// its number of elements, up to the end of the file.
fn storages<'a>(
    reader: &mut (impl Read + Seek),
    tensors: &pickle::Parsed<'a>,
    keys: &pickle::Parsed<'_>,
    first: u64,
    len: u64,
) -> Result<BTreeMap<&'a str, u64>, WeightsError> {
    let mut known: BTreeMap<&str, Storage<'a>> = BTreeMap::new();
    for storage in tensors.storages() {
        if known.insert(storage.key, storage).is_some_and(|other| other != storage) {
            return Err(wrong(format!("storage {} is described in two ways", storage.key)));
        }
    }
    let mut places = BTreeMap::new();
    let mut offset = first;
    for key in keys.list().ok_or_else(|| wrong("expected a list of storages"))? {
        let Value::Text(key) = *key else { return Err(wrong("expected the name of a storage")) };
        let storage =
            known.remove(key).ok_or_else(|| wrong(format!("storage {key}: not used by any tensor, or twice")))?;
        reader.seek(SeekFrom::Start(offset))?;
        let mut count = [0; 8];
        reader.read_exact(&mut count)?;
        let count = u64::from_le_bytes(count);
        if count != storage.len {
            return Err(wrong(format!("storage {key}: expected {} numbers, found {count}", storage.len)));
        }
        places.insert(storage.key, offset + 8);
        let end = storage.bytes().and_then(|bytes| (offset + 8).checked_add(bytes)).filter(|&end| end <= len);
        offset = end.ok_or_else(|| wrong(format!("storage {key}: reaches beyond the {len} bytes of the file")))?;
    }
    if let Some(key) = known.keys().next() {
        return Err(wrong(format!("storage {key}: missing")));
    }
    if offset != len {
        return Err(wrong(format!("expected {offset} bytes, found {len}")));
    }
    Ok(places)
}

/// The tensors of a dictionary, each placed by its storage.
fn index(
    pickle: &pickle::Parsed<'_>,
    place: impl Fn(&Storage<'_>) -> Result<(u64, Option<u32>), String>,
    len: u64,
) -> Result<Index, WeightsError> {
    let mut index = Index::new();
    for (name, tensor) in pickle.tensors().map_err(wrong)? {
        let extent = extent(tensor, &place).map_err(|message| wrong(format!("{name}: {message}")))?;
        if index.insert(name.to_owned(), extent).is_some() {
            return Err(wrong(format!("{name}: occurs twice")));
        }
    }
    check_disjoint(&index, len).map_err(wrong)?;
    Ok(index)
}

fn extent(
    tensor: &StoredTensor<'_>,
    place: &impl Fn(&Storage<'_>) -> Result<(u64, Option<u32>), String>,
) -> Result<Extent, String> {
    let storage = &tensor.storage;
    let mut stride = 1_usize;
    for (&size, &found) in tensor.shape.iter().zip(&tensor.strides).rev() {
        // The stride of an axis of one element is never used.
        if size != 1 && found != stride {
            return Err(format!("expected rows one after the other, found strides {:?}", tensor.strides));
        }
        stride = stride.checked_mul(size).ok_or_else(|| format!("shape {:?} is too large", tensor.shape))?;
    }
    // What shares a storage with other tensors, or leaves a part of it unused, is no plain weight.
    if tensor.offset != 0 || elements(&tensor.shape) != Some(storage.len) {
        return Err(format!(
            "expected a tensor that fills its storage of {} numbers, found shape {:?} from {} on; save a clone of it",
            storage.len, tensor.shape, tensor.offset
        ));
    }
    let (offset, crc) = place(storage)?;
    let dtype = if storage.dtype == "f32" { Dtype::F32 } else { Dtype::Other(storage.dtype.to_owned()) };
    let bytes = storage.bytes().ok_or("too large")?;
    Ok(Extent { dtype, shape: tensor.shape.clone(), offset, bytes, crc })
}

fn wrong(message: impl Into<String>) -> WeightsError {
    WeightsError::Pth(message.into())
}
