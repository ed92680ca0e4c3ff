//! Where a restored optimizer state comes to lie.

use burn::{
    grad_clipping::GradientClipping,
    module::ParamGroup,
    optim::{DynOptimizer, DynState, LearningRate, ModuleOptimizer, Optimizer, StateSink, StateSource},
    tensor::{Device, kind::BridgeTensor},
};

/// An update rule for all parameters, whose restored state lies on `device`.
///
/// Burn puts a restored state on its default device, which is a GPU wherever that backend is built in, and fails on
/// machines without one, even if the run computes on the CPU.
pub(super) fn on<O: Optimizer>(rule: O, clipping: Option<GradientClipping>, device: &Device) -> ModuleOptimizer {
    let placed = Placed { rule: rule.clone(), device: device.clone() };
    ModuleOptimizer::from(rule).with_group(ParamGroup::all(), placed, clipping)
}

/// A rule that differs from the one inside only in where it restores its state.
struct Placed<O> {
    rule: O,
    device: Device,
}

impl<O: Optimizer> DynOptimizer for Placed<O> {
    fn step_dyn(
        &self,
        rank: usize,
        learning_rate: LearningRate,
        parameter: BridgeTensor,
        gradient: BridgeTensor,
        state: Option<DynState>,
    ) -> (BridgeTensor, Option<DynState>) {
        self.rule.step_dyn(rank, learning_rate, parameter, gradient, state)
    }

    fn to_device_dyn(&self, state: DynState, device: &Device) -> DynState {
        self.rule.to_device_dyn(state, device)
    }

    fn state_flatten(&self, prefix: &str, state: &DynState, out: &mut StateSink) {
        self.rule.state_flatten(prefix, state, out);
    }

    fn state_unflatten(
        &self,
        rank: usize,
        prefix: &str,
        source: &mut StateSource,
        _default: &Device,
    ) -> Option<DynState> {
        self.rule.state_unflatten(rank, prefix, source, &self.device)
    }
}
