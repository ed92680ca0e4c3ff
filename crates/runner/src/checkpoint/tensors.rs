//! The optimizer's tensors as safetensors.

use std::collections::BTreeMap;

use safetensors::{
    SafeTensorError, SafeTensors,
    tensor::{Dtype, TensorView},
};

use crate::optimizer::state::StateTensor;

/// The same bytes for the same tensors.
pub(super) fn encode(tensors: &BTreeMap<String, StateTensor>) -> Result<Vec<u8>, SafeTensorError> {
    let views = tensors
        .iter()
        .map(|(name, tensor)| Ok((name, TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    safetensors::serialize(views, None)
}

pub(super) fn decode(bytes: &[u8]) -> Result<BTreeMap<String, StateTensor>, SafeTensorError> {
    let file = SafeTensors::deserialize(bytes)?;
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        if view.dtype() != Dtype::F32 {
            return Err(SafeTensorError::TensorInvalidInfo);
        }
        Ok((name, StateTensor { shape: view.shape().to_vec(), bytes: view.data().to_vec() }))
    });
    tensors.collect()
}
