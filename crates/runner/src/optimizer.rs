//! Optimizer settings turned into Burn's optimizers, and gradient clipping over all parameters.

mod fused;
mod placement;
pub mod state;

use burn::{
    grad_clipping::{GradientClipping as Clipping, GradientClippingConfig},
    module::{Module, ModuleVisitor, Param},
    optim::{
        AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig, decay::WeightDecayConfig,
        momentum::MomentumConfig,
    },
    tensor::{Device, Tensor},
};

use kernels::{burn_ext, optim};
use models::Kernels;

use crate::experiment::{GradientClipping, Optimizer};

/// What carries out the update of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// A fused CPU kernel.
    Fused,
    /// Burn's own operations.
    Composed,
}

impl Update {
    /// What `kernels` come to on a device.
    #[must_use]
    pub fn on(device: &Device, kernels: Kernels) -> Self {
        if kernels == Kernels::Fused && burn_ext::supports(device) { Self::Fused } else { Self::Composed }
    }
}

/// Builds the optimizer, with clipping per tensor where that is asked for; a state restored into it lies on `device`.
/// Either update reads the other's state.
///
/// Burn's Adam adds ε to the bias-corrected √v̂, as the paper's first form and `PyTorch` do; Keras adds it to
/// the uncorrected √v.
#[must_use]
pub fn init(
    optimizer: &Optimizer,
    clipping: Option<&GradientClipping>,
    device: &Device,
    update: Update,
) -> ModuleOptimizer {
    let clipping = match clipping {
        Some(GradientClipping::Value(limit)) => Some(GradientClippingConfig::Value(f32_of(limit.max)).init()),
        Some(GradientClipping::Norm(limit)) => Some(GradientClippingConfig::Norm(f32_of(limit.max)).init()),
        Some(GradientClipping::GlobalNorm(_)) | None => None,
    };
    match update {
        Update::Fused => fused(optimizer, clipping, device),
        Update::Composed => composed(optimizer, clipping, device),
    }
}

fn fused(optimizer: &Optimizer, clipping: Option<Clipping>, device: &Device) -> ModuleOptimizer {
    let adam = |[beta_1, beta_2, epsilon, weight_decay]: [f64; 4], decay| {
        let [beta_1, beta_2, epsilon, weight_decay] = [beta_1, beta_2, epsilon, weight_decay].map(f32_of);
        fused::Adam(optim::Adam { beta_1, beta_2, epsilon, weight_decay, decay })
    };
    match optimizer {
        Optimizer::Sgd(sgd) => {
            let rule = fused::Sgd(optim::Sgd {
                momentum: f32_of(sgd.momentum),
                kind: if sgd.nesterov { optim::Momentum::Nesterov } else { optim::Momentum::Plain },
                weight_decay: f32_of(sgd.weight_decay),
            });
            placement::on(rule, clipping, device)
        }
        Optimizer::Adam(rule) => {
            let constants = [rule.beta_1, rule.beta_2, rule.epsilon, rule.weight_decay];
            placement::on(adam(constants, optim::Decay::Gradient), clipping, device)
        }
        Optimizer::AdamW(rule) => {
            let constants = [rule.beta_1, rule.beta_2, rule.epsilon, rule.weight_decay];
            placement::on(adam(constants, optim::Decay::Decoupled), clipping, device)
        }
    }
}

fn composed(optimizer: &Optimizer, clipping: Option<Clipping>, device: &Device) -> ModuleOptimizer {
    let decay = |rate: f64| (rate > 0.0).then(|| WeightDecayConfig { penalty: f32_of(rate) });
    match optimizer {
        Optimizer::Sgd(sgd) => {
            let momentum = (sgd.momentum > 0.0).then_some(MomentumConfig {
                momentum: sgd.momentum,
                dampening: 0.0,
                nesterov: sgd.nesterov,
            });
            let rule = SgdConfig::new().with_momentum(momentum).with_weight_decay(decay(sgd.weight_decay));
            placement::on(rule.build(), clipping, device)
        }
        Optimizer::Adam(adam) => {
            let rule = AdamConfig::new()
                .with_beta_1(f32_of(adam.beta_1))
                .with_beta_2(f32_of(adam.beta_2))
                .with_epsilon(f32_of(adam.epsilon))
                .with_weight_decay(decay(adam.weight_decay));
            placement::on(rule.build(), clipping, device)
        }
        Optimizer::AdamW(adam) => {
            let rule = AdamWConfig::new()
                .with_beta_1(f32_of(adam.beta_1))
                .with_beta_2(f32_of(adam.beta_2))
                .with_epsilon(f32_of(adam.epsilon))
                .with_weight_decay(f32_of(adam.weight_decay));
            placement::on(rule.build(), clipping, device)
        }
    }
}

/// Scales all gradients by one factor so that their joint L2 norm is at most `max`.
#[must_use]
pub fn clip_global_norm<M: Module>(model: &M, mut gradients: GradientsParams, max: f64) -> GradientsParams {
    let mut norm = SquaredNorm { gradients: &gradients, sum: 0.0 };
    model.visit(&mut norm);
    let norm = norm.sum.sqrt();
    if norm > max {
        model.visit(&mut Scale { gradients: &mut gradients, factor: max / norm });
    }
    gradients
}

/// Σw² over all parameters.
#[must_use]
pub fn squared_weights<M: Module>(model: &M) -> f64 {
    let mut weights = SquaredWeights(0.0);
    model.visit(&mut weights);
    weights.0
}

struct SquaredWeights(f64);

impl ModuleVisitor for SquaredWeights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 += param.val().inner().square().sum().into_scalar::<f64>();
    }
}

struct SquaredNorm<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sum += gradient.square().sum().into_scalar::<f64>();
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "Burn keeps these settings in f32")]
fn f32_of(value: f64) -> f32 {
    value as f32
}
