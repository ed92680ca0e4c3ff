//! Weights in PyTorch's layout and by its names: written as safetensors, read from these or from PyTorch's own
//! files. Bytes only: where files are is the caller's business.
//!
//! Reading is strict, because the bytes are not trusted: every tensor of the network and no other, as
//! finite f32 numbers of the right shape, or a typed error that lists what is wrong, and no network.

mod error;
mod file;
mod header;
mod pth;

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};

use burn::module::Module;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

pub use error::WeightsError;
pub use file::{NamedTensor, TensorFile, read_tensors};

use crate::Model;
use crate::slot::Slot;

/// The one entry of the header's metadata, holding `name/version`. One, because the `safetensors` crate
/// writes entries in the order of a hash map, and the same weights must give the same bytes.
const METADATA_KEY: &str = "model";
/// Version of the names and layouts.
const VERSION: &str = "1";

/// Writes the weights of a network: the same bytes for the same weights.
///
/// Running statistics that a training step has left pending are folded in first.
///
/// ```
/// # use models::{Cnn1Config, InputShape, ModelConfig, from_safetensors, to_safetensors};
/// # let config = ModelConfig::Cnn1(Cnn1Config::default());
/// # let images = InputShape { channels: 1, height: 28, width: 28 };
/// let bytes = to_safetensors(&config.init_seeded(images, 10, 1))?;
/// let model = from_safetensors(config.init_seeded(images, 10, 2), &bytes)?;
/// assert_eq!(to_safetensors(&model)?, bytes);
/// # Ok::<(), models::WeightsError>(())
/// ```
///
/// # Errors
///
/// [`WeightsError::NonFinite`]: weights that diverged are never written. [`WeightsError::Device`] if the
/// device fails.
pub fn to_safetensors(model: &Model) -> Result<Vec<u8>, WeightsError> {
    let mut tensors = Vec::new();
    for (name, slot) in model.valid().slots() {
        let values = match slot.read() {
            Ok(values) => values,
            Err(message) => return Err(WeightsError::Device { name, message }),
        };
        check_finite(&name, &values)?;
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        tensors.push((name, slot.shape(), bytes));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let metadata = HashMap::from([(METADATA_KEY.to_string(), title(model))]);
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// Replaces the weights of a network by those in `bytes`.
///
/// The network stays on its device, and in training if it was; a clone of it keeps its own weights.
/// Bytes that PyTorch wrote have no metadata, and a counter of batches in every batch norm; both are
/// accepted, the counter is ignored.
///
/// # Errors
///
/// A [`WeightsError`] that names every tensor at fault.
pub fn from_safetensors(mut model: Model, bytes: &[u8]) -> Result<Model, WeightsError> {
    let length = bytes.first_chunk().map_or(0, |&length| u64::from_le_bytes(length));
    // The `safetensors` crate would build a table out of 100 MB.
    if length > header::MAX_HEADER {
        let most = header::MAX_HEADER;
        return Err(WeightsError::Header(format!("expected at most {most} bytes of header, found {length}")));
    }
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let expected = title(&model);
    if let Some(found) = header.metadata().as_ref().and_then(|m| m.get(METADATA_KEY))
        && *found != expected
    {
        let found = found.clone();
        return Err(WeightsError::Model { expected, found });
    }
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
    let mut faults = Vec::new();
    for (name, mut slot) in model.slots() {
        let shape = slot.shape();
        let Some(tensor) = tensors.remove(&name) else {
            faults.push(WeightsError::Missing { name, shape });
            continue;
        };
        if let Some(norm) = name.strip_suffix(".running_mean") {
            tensors.remove(&format!("{norm}.num_batches_tracked"));
        }
        match numbers(name, &shape, &tensor) {
            Ok(values) => slot.write(values),
            Err(fault) => faults.push(fault),
        }
    }
    faults.extend(tensors.into_keys().map(|name| WeightsError::Unexpected { name }));
    WeightsError::of(faults)?;
    Ok(model)
}

/// Fills the slots of a part of a network from a file, in which tensors of other parts may be, too: those whose
/// name `others` accepts.
pub(crate) fn fill(
    mut slots: Vec<(String, Slot<'_>)>,
    file: &mut TensorFile<impl Read + Seek>,
    others: impl Fn(&str) -> bool,
) -> Result<(), WeightsError> {
    let mut faults: Vec<_> = slots.iter().filter_map(|(name, slot)| file.fault(name, &slot.shape())).collect();
    let is_known = |name: &str| others(name) || slots.iter().any(|(known, _)| known == name);
    let unexpected = file.names().filter(|name| !is_known(name)).map(str::to_owned);
    faults.extend(unexpected.map(|name| WeightsError::Unexpected { name }));
    WeightsError::of(faults)?;
    let mut faults = Vec::new();
    for (name, slot) in &mut slots {
        match file.read(name) {
            Ok(values) => slot.write(values),
            Err(fault) => faults.push(fault),
        }
    }
    WeightsError::of(faults)
}

/// The metadata's value: which names and layouts the tensors have.
fn title(model: &Model) -> String {
    format!("{}/{VERSION}", model.name())
}

fn numbers(name: String, expected: &[usize], tensor: &TensorView<'_>) -> Result<Vec<f32>, WeightsError> {
    if tensor.dtype() != Dtype::F32 {
        let found = tensor.dtype().to_string();
        return Err(WeightsError::Dtype { name, found });
    }
    if tensor.shape() != expected {
        return Err(WeightsError::Shape { name, expected: expected.to_vec(), found: tensor.shape().to_vec() });
    }
    let (words, _) = tensor.data().as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    check_finite(&name, &values)?;
    if name.ends_with(".running_var")
        && let Some(index) = values.iter().position(|&value| value < 0.0)
    {
        return Err(WeightsError::NegativeVariance { name, index, value: values[index] });
    }
    Ok(values)
}

fn check_finite(name: &str, values: &[f32]) -> Result<(), WeightsError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(WeightsError::NonFinite { name: name.to_string(), index, value: values[index] }),
        None => Ok(()),
    }
}
