//! One step of an optimizer on one parameter, in place where nobody else holds the tensors.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType};
use burn::tensor::Tensor;

use super::UpdateBackend;
use super::blocks::{floats, in_order};
use super::cpu::Cpu;
use crate::Isa;
use crate::optim::{Adam, Sgd};
use crate::profile::timed;

/// Makes one step of Adam on one parameter. Gives the parameter and its two moments.
///
/// # Shapes
///
/// - all tensors: the same
///
/// # Panics
///
/// If shapes differ, or the device is not [supported](super::supports) or has autodiff.
#[must_use]
pub fn adam<const D: usize>(
    adam: Adam,
    learning_rate: f64,
    step: u64,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [moment_1, moment_2] = moments.map(Tensor::into_dispatch);
    let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
    let tensors = AdamTensors { parameter, gradient, moment_1, moment_2 };
    let result = <Dispatch as UpdateBackend>::fused_adam(tensors, AdamCall { adam, learning_rate, step });
    let moments = [result.moment_1, result.moment_2].map(Tensor::from_dispatch);
    (Tensor::from_dispatch(result.parameter), moments)
}

/// Makes one step of gradient descent on one parameter. Gives the parameter and its velocity, if it has one.
///
/// # Shapes
///
/// - all tensors: the same
///
/// # Panics
///
/// If shapes differ, a velocity is there or missing against the momentum, or the device is not
/// [supported](super::supports) or has autodiff.
#[must_use]
pub fn sgd<const D: usize>(
    sgd: Sgd,
    learning_rate: f64,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
) -> (Tensor<D>, Option<Tensor<D>>) {
    let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
    let call = SgdCall { sgd, learning_rate };
    let Some(velocity) = velocity else {
        return (Tensor::from_dispatch(<Dispatch as UpdateBackend>::fused_descent(parameter, gradient, call)), None);
    };
    let tensors = SgdTensors { parameter, gradient, velocity: velocity.into_dispatch() };
    let result = <Dispatch as UpdateBackend>::fused_sgd(tensors, call);
    (Tensor::from_dispatch(result.parameter), Some(Tensor::from_dispatch(result.velocity)))
}

/// The constants of one step of Adam.
#[derive(Debug, Clone, Copy)]
pub struct AdamCall {
    adam: Adam,
    learning_rate: f64,
    step: u64,
}

/// A parameter with what Adam needs for it.
#[derive(ExtensionType)]
pub struct AdamTensors<B: Backend> {
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    moment_1: FloatTensor<B>,
    moment_2: FloatTensor<B>,
}

/// The constants of one step of gradient descent.
#[derive(Debug, Clone, Copy)]
pub struct SgdCall {
    sgd: Sgd,
    learning_rate: f64,
}

/// A parameter with what gradient descent with momentum needs for it.
#[derive(ExtensionType)]
pub struct SgdTensors<B: Backend> {
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    velocity: FloatTensor<B>,
}

pub(super) fn adam_in_place<B: Cpu>(mut tensors: AdamTensors<B>, call: AdamCall) -> AdamTensors<B> {
    let gradient = in_order::<B>(&tensors.gradient);
    let work = || {
        call.adam.update(
            Isa::detect(),
            call.learning_rate,
            call.step,
            B::floats_mut(&mut tensors.parameter),
            floats::<B>(&gradient),
            B::floats_mut(&mut tensors.moment_1),
            B::floats_mut(&mut tensors.moment_2),
        );
    };
    timed(|| "update".to_owned(), work);
    tensors
}

pub(super) fn sgd_in_place<B: Cpu>(mut tensors: SgdTensors<B>, call: SgdCall) -> SgdTensors<B> {
    let gradient = in_order::<B>(&tensors.gradient);
    let work = || {
        let velocity = B::floats_mut(&mut tensors.velocity);
        let parameter = B::floats_mut(&mut tensors.parameter);
        call.sgd.update(call.learning_rate, parameter, floats::<B>(&gradient), Some(velocity));
    };
    timed(|| "update".to_owned(), work);
    tensors
}

/// Without momentum.
pub(super) fn descent_in_place<B: Cpu>(
    mut parameter: FloatTensor<B>,
    gradient: &FloatTensor<B>,
    call: SgdCall,
) -> FloatTensor<B> {
    let gradient = in_order::<B>(gradient);
    let work = || {
        let parameter = B::floats_mut(&mut parameter);
        call.sgd.update(call.learning_rate, parameter, floats::<B>(&gradient), None);
    };
    timed(|| "update".to_owned(), work);
    parameter
}
