//! The places of a network that hold numbers, read and written in PyTorch's layout and by its names.

use burn::module::{Param, ParamId, RunningState};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor, TensorData};

/// A tensor of a network.
#[derive(Debug)]
pub(crate) enum Slot<'a> {
    /// A convolution's weights, `[out, in, height, width]` in Burn and in PyTorch.
    Kernel(&'a mut Param<Tensor<4>>),
    /// A dense layer's weights, `[in, out]` in Burn and `[out, in]` in PyTorch.
    Matrix(&'a mut Param<Tensor<2>>),
    /// Biases, or the scale and shift of a batch norm.
    Vector(&'a mut Param<Tensor<1>>),
    /// The running mean or variance of a batch norm, which no gradient reaches.
    Running(&'a mut RunningState<Tensor<1>>),
}

/// A tensor that gradients reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in stored weights, such as `conv1.weight`.
    pub name: String,
    /// What Burn knows it by: another one in every process.
    pub id: ParamId,
    /// Its shape in Burn's layout.
    pub shape: Vec<usize>,
}

/// The tensors of a convolution.
pub(crate) fn conv2d<'a>(name: &str, conv: &'a mut Conv2d) -> Vec<(String, Slot<'a>)> {
    let weight = (format!("{name}.weight"), Slot::Kernel(&mut conv.weight));
    let bias = conv.bias.as_mut();
    let bias = bias.map(|bias| (format!("{name}.bias"), Slot::Vector(bias)));
    [Some(weight), bias].into_iter().flatten().collect()
}

/// The tensors of a dense layer.
pub(crate) fn linear<'a>(name: &str, linear: &'a mut Linear) -> Vec<(String, Slot<'a>)> {
    let weight = (format!("{name}.weight"), Slot::Matrix(&mut linear.weight));
    let bias = linear.bias.as_mut();
    let bias = bias.map(|bias| (format!("{name}.bias"), Slot::Vector(bias)));
    [Some(weight), bias].into_iter().flatten().collect()
}

/// The tensors of a batch norm.
pub(crate) fn batch_norm<'a>(name: &str, norm: &'a mut BatchNorm) -> Vec<(String, Slot<'a>)> {
    let mean = Slot::Running(&mut norm.running_mean);
    let variance = Slot::Running(&mut norm.running_var);
    vec![
        (format!("{name}.weight"), Slot::Vector(&mut norm.gamma)),
        (format!("{name}.bias"), Slot::Vector(&mut norm.beta)),
        (format!("{name}.running_mean"), mean),
        (format!("{name}.running_var"), variance),
    ]
}

impl Slot<'_> {
    /// The parameter in this place; none for running statistics.
    pub(crate) fn parameter(&self, name: String) -> Option<Parameter> {
        let (id, shape) = match self {
            Self::Kernel(param) => (param.id, param.lazy_shape().to_vec()),
            Self::Matrix(param) => (param.id, param.lazy_shape().to_vec()),
            Self::Vector(param) => (param.id, param.lazy_shape().to_vec()),
            Self::Running(_) => return None,
        };
        Some(Parameter { name, id, shape })
    }

    /// The shape in PyTorch's layout.
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Self::Kernel(param) => param.lazy_shape().to_vec(),
            Self::Matrix(param) => param.lazy_shape().iter().rev().copied().collect(),
            Self::Vector(param) => param.lazy_shape().to_vec(),
            Self::Running(state) => state.value().shape().to_vec(),
        }
    }

    /// Reads the numbers in PyTorch's layout. An update of running statistics that is still pending is
    /// not seen; `valid()` of the module folds it.
    pub(crate) fn read(&self) -> Result<Vec<f32>, String> {
        match self {
            Self::Kernel(param) => numbers(param.val()),
            Self::Matrix(param) => numbers(param.val().transpose()),
            Self::Vector(param) => numbers(param.val()),
            Self::Running(state) => numbers(state.value()),
        }
    }

    /// Replaces the numbers, given in PyTorch's layout. The device, the parameter's identity and
    /// whether it is trained stay; other copies of the module keep their numbers.
    pub(crate) fn write(&mut self, values: Vec<f32>) {
        match self {
            Self::Kernel(param) => replace(param, |shape, device| from_vec(values, shape, device)),
            Self::Matrix(param) => replace(param, |[inputs, outputs], device| {
                // Transposed in memory, so that the layout is the one a drawn weight has.
                let rows = (0..inputs).flat_map(|i| (0..outputs).map(move |o| o * inputs + i));
                let transposed = rows.map(|index| values[index]).collect();
                from_vec(transposed, [inputs, outputs], device)
            }),
            Self::Vector(param) => replace(param, |shape, device| from_vec(values, shape, device)),
            Self::Running(state) => {
                // A new state: the old one is shared with every clone of the module, and may hold a
                // pending update that would overwrite these numbers.
                let old = state.value();
                **state = RunningState::new(from_vec(values, old.dims(), &old.device()));
            }
        }
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    let data = tensor.try_into_data().map_err(|error| error.to_string())?;
    data.try_into_vec_as().map_err(|error| error.to_string())
}

fn replace<const D: usize>(param: &mut Param<Tensor<D>>, new: impl FnOnce([usize; D], &Device) -> Tensor<D>) {
    *param = param.clone().map(|old| {
        let tensor = new(old.dims(), &old.device());
        if old.is_require_grad() { tensor.require_grad() } else { tensor }
    });
}

fn from_vec<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
