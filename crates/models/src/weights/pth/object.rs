//! What the pickles of `torch.save` are about: storages, and tensors as views of them.

use super::pickle::Value;

/// The numbers behind a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// Its name in the file.
    pub(super) key: &'a str,
    /// Type of its numbers: `f32`, `i64`, ….
    pub(super) dtype: &'static str,
    /// Bytes of a number.
    pub(super) width: u64,
    /// How many numbers there are.
    pub(super) len: u64,
}

impl Storage<'_> {
    /// Bytes of all its numbers; none if that is beyond counting.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.len.checked_mul(self.width)
    }
}

/// A tensor as a view of its storage.
#[derive(Debug, Clone)]
pub(super) struct StoredTensor<'a> {
    pub(super) storage: Storage<'a>,
    /// The first number.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// Distances in numbers, along each axis.
    pub(super) strides: Vec<usize>,
}

/// A name that a pickle may mention. Whatever else it mentions ends the reading: nothing is looked up,
/// nothing is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and its second version, which has three more arguments.
    RebuildTensor,
    RebuildTensorV2,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `torch.nn.parameter.Parameter`.
    Parameter,
    /// `torch.FloatStorage` and its like: name and width of a number.
    Storage(&'static str, u64),
}

impl Class {
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        let class = match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensorV2,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch.nn.parameter", "Parameter") => Self::Parameter,
            ("torch", "FloatStorage") => Self::Storage("f32", 4),
            ("torch", "DoubleStorage") => Self::Storage("f64", 8),
            ("torch", "HalfStorage") => Self::Storage("f16", 2),
            ("torch", "BFloat16Storage") => Self::Storage("bf16", 2),
            ("torch", "LongStorage") => Self::Storage("i64", 8),
            ("torch", "IntStorage") => Self::Storage("i32", 4),
            ("torch", "ShortStorage") => Self::Storage("i16", 2),
            ("torch", "CharStorage") => Self::Storage("i8", 1),
            ("torch", "ByteStorage") => Self::Storage("u8", 1),
            ("torch", "BoolStorage") => Self::Storage("bool", 1),
            _ => return None,
        };
        Some(class)
    }
}

/// A storage from the tuple that stands for it: the word "storage", its type, key, device and length, and in the
/// older format a sixth item, which is nothing unless the storage is a part of another.
pub(super) fn storage<'a>(items: &[Value<'a>]) -> Option<Storage<'a>> {
    let (five, rest) = items.split_at_checked(5)?;
    match (five, rest) {
        (
            [
                Value::Text("storage"),
                Value::Class(Class::Storage(dtype, width)),
                Value::Text(key),
                Value::Text(_),
                Value::Int(len),
            ],
            [] | [Value::None],
        ) => Some(Storage { key, dtype, width: *width, len: u64::try_from(*len).ok()? }),
        _ => None,
    }
}

/// The most axes of a tensor.
const MAX_AXES: usize = 8;

/// Sizes or strides.
pub(super) fn sizes(items: &[Value<'_>]) -> Option<Vec<usize>> {
    if items.len() > MAX_AXES {
        return None;
    }
    let size = |item: &Value<'_>| match item {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    };
    items.iter().map(size).collect()
}
