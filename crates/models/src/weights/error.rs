//! What can be wrong with weights.

use std::io;

use safetensors::SafeTensorError;

/// Weights that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not safetensors.
    #[error("not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// The bytes are neither safetensors nor a file of PyTorch's.
    #[error(
        "expected a safetensors file or a PyTorch file (.pth), found one of {bytes} bytes that begins with {start:02x?}"
    )]
    Unknown {
        /// Length of the file.
        bytes: u64,
        /// Its first bytes.
        start: Vec<u8>,
    },
    /// The header of a safetensors file is damaged or hostile.
    #[error("safetensors header: {0}")]
    Header(String),
    /// A file of PyTorch's is damaged, hostile, or holds more than tensors.
    #[error("PyTorch file: {0}")]
    Pth(String),
    /// The bytes cannot be read.
    #[error("cannot read: {0}")]
    Read(#[from] io::Error),
    /// The weights belong to another kind of model, or to another version of this program.
    #[error("expected weights of {expected}, found {found}")]
    Model {
        /// Model and version that the weights were wanted for.
        expected: String,
        /// Model and version that the header names.
        found: String,
    },
    /// A tensor of the network is absent.
    #[error("{name}: missing, expected {shape:?}")]
    Missing {
        /// Name of the tensor.
        name: String,
        /// Shape that it has in the network.
        shape: Vec<usize>,
    },
    /// The network has no such tensor.
    #[error("{name}: not a tensor of this network")]
    Unexpected {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor has another shape.
    #[error("{name}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the network.
        expected: Vec<usize>,
        /// Shape in the bytes.
        found: Vec<usize>,
    },
    /// A tensor does not hold f32 numbers.
    #[error("{name}: expected f32 numbers, found {found}")]
    Dtype {
        /// Name of the tensor.
        name: String,
        /// Type of its numbers.
        found: String,
    },
    /// The bytes of a tensor are not those that were written.
    #[error("{name}: expected CRC-32 {expected:08x}, found {found:08x}")]
    Checksum {
        /// Name of the tensor.
        name: String,
        /// What the file says.
        expected: u32,
        /// What its bytes come to.
        found: u32,
    },
    /// A number is infinite or not a number.
    #[error("{name}: expected finite numbers, found {value} at {index}")]
    NonFinite {
        /// Name of the tensor.
        name: String,
        /// Place of the number in the tensor, in PyTorch's layout.
        index: usize,
        /// The number.
        value: f32,
    },
    /// A running variance is negative: its square root would not be a number.
    #[error("{name}: expected variances of at least 0, found {value} at {index}")]
    NegativeVariance {
        /// Name of the tensor.
        name: String,
        /// Place of the number.
        index: usize,
        /// The number.
        value: f32,
    },
    /// The device did not give the numbers out.
    #[error("{name}: cannot be read from the device: {message}")]
    Device {
        /// Name of the tensor.
        name: String,
        /// What the backend says.
        message: String,
    },
    /// More than one tensor is wrong.
    #[error("{} tensors are wrong:\n  {}", faults.len(), lines(faults))]
    Several {
        /// What is wrong with each.
        faults: Vec<WeightsError>,
    },
}

impl WeightsError {
    /// One error for all faults; none if there are none.
    pub(super) fn of(mut faults: Vec<Self>) -> Result<(), Self> {
        match faults.len() {
            0 => Ok(()),
            1 => Err(faults.remove(0)),
            _ => Err(Self::Several { faults }),
        }
    }
}

/// The most faults that are written out: a file for another network has hundreds.
const MAX_LINES: usize = 60;

fn lines(faults: &[WeightsError]) -> String {
    let mut lines: Vec<String> = faults.iter().take(MAX_LINES).map(ToString::to_string).collect();
    if faults.len() > MAX_LINES {
        lines.push(format!("and {} more", faults.len() - MAX_LINES));
    }
    lines.join("\n  ")
}
