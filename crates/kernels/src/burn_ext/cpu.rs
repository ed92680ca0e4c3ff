//! What the operations here need of a backend whose tensors lie in the memory of this machine.
//!
//! Knows the two such backends and nothing of blocks.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, NdArray};
use burn::tensor::{AllocationProperty, Bytes, DType, TensorData};

use super::memory::Recycled;

/// A backend whose numbers can be read and written in place.
pub trait Cpu: Backend {
    /// Memory for the numbers of a new tensor.
    type Buffer: AsMut<[f32]>;

    /// Memory for `len` numbers, which may be anything.
    fn buffer(len: usize) -> Self::Buffer;

    /// A tensor of numbers in the order of its shape.
    fn tensor(buffer: Self::Buffer, shape: &[usize]) -> FloatTensor<Self>;

    /// The numbers of a tensor, if they lie in the order of its shape.
    fn floats(tensor: &FloatTensor<Self>) -> Option<&[f32]>;

    /// The numbers of a tensor, to be changed; a copy if they are shared or in another order.
    fn floats_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32];

    /// A copy in the order of the shape.
    fn copied(tensor: &FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Cpu for Flex {
    type Buffer = Recycled;

    fn buffer(len: usize) -> Recycled {
        Recycled::new(4 * len)
    }

    fn tensor(buffer: Recycled, shape: &[usize]) -> FloatTensor<Self> {
        let bytes = Bytes::from_shared(bytes::Bytes::from_owner(buffer), AllocationProperty::Native);
        FloatTensor::<Self>::from_data(TensorData::from_bytes(bytes, shape.to_vec(), DType::F32))
    }

    fn floats(tensor: &FloatTensor<Self>) -> Option<&[f32]> {
        tensor.as_slice()
    }

    fn floats_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32] {
        let whole = tensor.as_slice::<f32>().is_some_and(|own| own.len() == tensor.storage::<f32>().len());
        if !whole {
            *tensor = tensor.to_contiguous();
        }
        tensor.storage_mut()
    }

    fn copied(tensor: &FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.to_contiguous()
    }
}

impl Cpu for NdArray {
    type Buffer = Vec<f32>;

    fn buffer(len: usize) -> Vec<f32> {
        vec![0.0; len]
    }

    fn tensor(buffer: Vec<f32>, shape: &[usize]) -> FloatTensor<Self> {
        FloatTensor::<Self>::from_data(TensorData::new(buffer, shape.to_vec()))
    }

    fn floats(tensor: &FloatTensor<Self>) -> Option<&[f32]> {
        match tensor {
            FloatTensor::<Self>::F32(storage) => storage.view().to_slice(),
            _ => None,
        }
    }

    fn floats_mut(tensor: &mut FloatTensor<Self>) -> &mut [f32] {
        if Self::floats(tensor).is_none() {
            *tensor = Self::copied(tensor);
        }
        match tensor {
            FloatTensor::<Self>::F32(storage) => storage.ensure_owned().as_slice_mut(),
            _ => None,
        }
        .expect("tensors here are f32 and have been copied into order")
    }

    fn copied(tensor: &FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor {
            FloatTensor::<Self>::F32(storage) => {
                let view = storage.view();
                Self::tensor(view.iter().copied().collect(), view.shape())
            }
            _ => panic!("tensors here are f32"),
        }
    }
}
