//! Update rules that the fused CPU kernels carry out, one pass over each parameter.
//!
//! States are recorded as Burn's own optimizers record theirs: either implementation reads them.

use burn::{
    optim::{AdamState, AdaptiveMomentumState, LearningRate, Optimizer, RecordState, StateSink, StateSource},
    tensor::{Device, Tensor},
};
use kernels::{burn_ext, optim};

/// Adam or `AdamW`, as the kernel's settings say.
#[derive(Clone)]
pub(super) struct Adam(pub(super) optim::Adam);

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let (time, moments) = match state {
            Some(AdamState { momentum }) => (momentum.time + 1, [momentum.moment_1, momentum.moment_2]),
            None => (1, [gradient.zeros_like(), gradient.zeros_like()]),
        };
        let (parameter, [moment_1, moment_2]) =
            burn_ext::adam(self.0, learning_rate, time as u64, parameter, gradient, moments);
        (parameter, Some(AdamState::new(AdaptiveMomentumState::new(time, moment_1, moment_2))))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        AdamState::new(state.momentum.to_device(device))
    }
}

/// Gradient descent, with momentum or without.
#[derive(Clone)]
pub(super) struct Sgd(pub(super) optim::Sgd);

/// The velocity of one parameter, if it has one.
#[derive(Clone)]
pub(super) struct SgdState<const D: usize> {
    velocity: Option<Tensor<D>>,
}

/// Where Burn's state of the same rule has it.
const VELOCITY: &str = "momentum.velocity";

impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.velocity {
            out.push_tensor(prefix, VELOCITY, velocity.to_data());
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self { velocity: source.take_tensor(prefix, VELOCITY).map(|data| Tensor::from_data(data, device)) })
    }
}

impl Optimizer for Sgd {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let before = state.and_then(|state| state.velocity);
        let velocity = self.0.has_velocity().then(|| before.unwrap_or_else(|| gradient.zeros_like()));
        let (parameter, velocity) = burn_ext::sgd(self.0, learning_rate, parameter, gradient, velocity);
        (parameter, Some(SgdState { velocity }))
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        SgdState { velocity: state.velocity.map(|velocity| velocity.to_device(device)) }
    }
}

#[cfg(test)]
mod tests {
    use burn::{
        nn::{Linear, LinearConfig},
        optim::{GradientsParams, ModuleOptimizer},
        tensor::{Device, Tensor},
    };

    use crate::{
        experiment::{Adam, AdamW, Optimizer, Sgd},
        optimizer::{Update, init},
    };

    /// Some steps from the same weights with the same gradients; half-way the state goes through its record, from
    /// one implementation to the other.
    fn trained(config: &Optimizer, [first, second]: [Update; 2]) -> Vec<f32> {
        let device = Device::flex().autodiff();
        let mut layer: Linear = LinearConfig::new(5, 3).with_bias(false).init(&device);
        let weight = Tensor::<2>::from_floats([[0.5, -1.0, 2.0]; 5], &device);
        layer.weight = layer.weight.map(|_| weight.require_grad());
        let mut optimizer: ModuleOptimizer = init(config, None, &Device::flex(), first);
        for step in 1..=6 {
            if step == 4 {
                optimizer = init(config, None, &Device::flex(), second).load_record(optimizer.to_record());
            }
            let input = Tensor::<2>::full([2, 5], 0.1 * f64::from(step), &device);
            let output = layer.forward(input);
            let gradients = GradientsParams::from_grads((output.clone() * output).sum().backward(), &layer);
            layer = optimizer.step(0.01, layer, gradients);
        }
        layer.weight.val().inner().into_data().try_into_vec().expect("weights are f32")
    }

    fn check_close(config: &Optimizer, found: &[f32], expected: &[f32]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{config:?}: expected {expected}, found {found}");
        }
    }

    fn check(config: &Optimizer) {
        check_close(config, &trained(config, [Update::Fused; 2]), &trained(config, [Update::Composed; 2]));
    }

    #[test]
    fn adam_agrees_with_burns() {
        check(&Optimizer::Adam(Adam::default()));
        check(&Optimizer::Adam(Adam { weight_decay: 0.1, ..Adam::default() }));
    }

    #[test]
    fn adamw_agrees_with_burns() {
        check(&Optimizer::AdamW(AdamW { weight_decay: 0.1, ..AdamW::default() }));
    }

    #[test]
    fn sgd_agrees_with_burns() {
        check(&Optimizer::Sgd(Sgd::default()));
        for nesterov in [false, true] {
            check(&Optimizer::Sgd(Sgd { momentum: 0.9, nesterov, weight_decay: 0.1, ..Sgd::default() }));
        }
    }

    #[test]
    fn states_go_from_one_implementation_to_the_other() {
        let momentum = Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
        let plain = Optimizer::Sgd(Sgd { momentum: 0.0, ..Sgd::default() });
        for config in [Optimizer::Adam(Adam::default()), Optimizer::AdamW(AdamW::default()), momentum, plain] {
            let whole = trained(&config, [Update::Composed; 2]);
            for order in [[Update::Fused, Update::Composed], [Update::Composed, Update::Fused]] {
                check_close(&config, &trained(&config, order), &whole);
            }
        }
    }
}
