//! The autodiff steps of the blocks: what is kept, and which gradients are asked for.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::flex::{self, Keep, Wants};
use super::{ConvCall, DenseCall, FusedBackend, NormCall, norm};

impl<C: CheckpointStrategy> FusedBackend for Autodiff<Flex, C> {
    fn fused_conv(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: ConvCall,
    ) -> FloatTensor<Self> {
        let nodes = [images.node(), weight.node(), bias.node()];
        let [images, weight, bias] = [images, weight, bias].map(|tensor| tensor.primitive().clone());
        match ConvStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (output, codes) = flex::conv_forward(&call, &images, &weight, &bias, Keep::Codes);
                prep.finish(ConvState { call, images, weight, codes }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::fused_conv(images, weight, bias, call)),
        }
    }

    fn fused_dense(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: DenseCall,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let [input, weight, bias] = [input, weight, bias].map(|tensor| tensor.primitive().clone());
        match DenseStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = flex::dense_forward(&call, &input, &weight, &bias);
                prep.finish(DenseState { call, input, weight, output: output.clone() }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::fused_dense(input, weight, bias, call)),
        }
    }

    fn fused_norm(
        images: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        call: NormCall,
    ) -> FloatTensor<Self> {
        // The statistics get no gradient of their own: the step takes it through them to the images.
        let nodes = [images.node(), gamma.node(), beta.node()];
        let [images, gamma, beta, statistics] =
            [images, gamma, beta, statistics].map(|tensor| tensor.primitive().clone());
        match NormStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let tensors = [&images, &gamma, &beta, &statistics];
                let (output, codes) = norm::forward(&call, tensors, Keep::Codes);
                prep.finish(NormState { call, images, gamma, statistics, codes }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::fused_norm(images, gamma, beta, statistics, call)),
        }
    }
}

#[derive(Debug)]
struct ConvStep;

#[derive(Debug, Clone)]
struct ConvState {
    call: ConvCall,
    images: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    codes: Arc<Vec<u8>>,
}

impl Backward<Flex, 3> for ConvStep {
    type State = ConvState;

    fn backward(self, ops: Ops<ConvState, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let ConvState { call, images, weight, codes } = ops.state;
        let wants = if ops.parents[0].is_some() { Wants::Input } else { Wants::Parameters };
        let found = flex::conv_backward(&call, &images, &weight, &codes, &gradient, wants);
        register(gradients, ops.parents.map(|node| node.map(|node| node.id)), found);
    }
}

#[derive(Debug)]
struct DenseStep;

#[derive(Debug, Clone)]
struct DenseState {
    call: DenseCall,
    input: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    output: FloatTensor<Flex>,
}

impl Backward<Flex, 3> for DenseStep {
    type State = DenseState;

    fn backward(self, ops: Ops<DenseState, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let DenseState { call, input, weight, output } = ops.state;
        let wants = if ops.parents[0].is_some() { Wants::Input } else { Wants::Parameters };
        let found = flex::dense_backward(&call, [&input, &weight, &output, &gradient], wants);
        register(gradients, ops.parents.map(|node| node.map(|node| node.id)), found);
    }
}

#[derive(Debug)]
struct NormStep;

#[derive(Debug, Clone)]
struct NormState {
    call: NormCall,
    images: FloatTensor<Flex>,
    gamma: FloatTensor<Flex>,
    statistics: FloatTensor<Flex>,
    codes: Arc<Vec<u8>>,
}

impl Backward<Flex, 3> for NormStep {
    type State = NormState;

    fn backward(self, ops: Ops<NormState, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let NormState { call, images, gamma, statistics, codes } = ops.state;
        let found = norm::backward(&call, [&images, &gamma, &statistics, &gradient], &codes);
        register(gradients, ops.parents.map(|node| node.map(|node| node.id)), found);
    }
}

/// Hands the gradients to those nodes that are tracked.
fn register(
    gradients: &mut Gradients,
    [input, weight, bias]: [Option<burn::backend::autodiff::NodeId>; 3],
    (grad_input, grad_weight, grad_bias): flex::Gradients,
) {
    let pairs = [(input, grad_input), (weight, Some(grad_weight)), (bias, Some(grad_bias))];
    for (node, gradient) in pairs {
        if let (Some(node), Some(gradient)) = (node, gradient) {
            gradients.register::<Flex>(node, gradient);
        }
    }
}
