//! The autodiff steps of the blocks: what is kept, and which gradients are asked for.

use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;

use super::blocks::{self, Codes, Keep, Wants};
use super::conv_norm::Kept;
use super::cpu::Cpu;
use super::{ConvCall, ConvNormCall, CrossEntropyCall, DenseCall, FusedBackend, NormCall, conv_norm, loss, norm};

impl<B: Cpu, C: CheckpointStrategy> FusedBackend for Autodiff<B, C> {
    fn fused_conv(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: ConvCall,
    ) -> FloatTensor<Self> {
        let nodes = [images.node(), weight.node(), bias.node()];
        let [images, weight, bias] = [images, weight, bias].map(|tensor| tensor.primitive().clone());
        match ConvStep::<B>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (output, codes) = blocks::conv_forward::<B>(&call, [&images, &weight, &bias], Keep::Codes);
                prep.finish(ConvState { call, images, weight, codes }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::fused_conv(images, weight, bias, call)),
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
        match DenseStep::<B>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = blocks::dense_forward::<B>(&call, [&input, &weight, &bias]);
                prep.finish(DenseState { call, input, weight, output: output.clone() }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::fused_dense(input, weight, bias, call)),
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
        match NormStep::<B>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let tensors = [&images, &gamma, &beta, &statistics];
                let (output, codes) = norm::forward::<B>(&call, tensors, Keep::Codes);
                prep.finish(NormState { call, images, gamma, statistics, codes }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::fused_norm(images, gamma, beta, statistics, call)),
        }
    }

    fn fused_conv_norm(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        convolved: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        call: ConvNormCall,
    ) -> FloatTensor<Self> {
        // What has been found from the images gets no gradient of its own: the step takes it through to them.
        let nodes = [&images, &weight, &bias, &gamma, &beta].map(FloatTensor::<Self>::node);
        let [images, weight, gamma, beta, convolved, statistics] =
            [images, weight, gamma, beta, convolved, statistics].map(|tensor| tensor.primitive().clone());
        match ConvNormStep::<B>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let tensors = [&convolved, &gamma, &beta, &statistics];
                let (output, codes) = norm::forward::<B>(&call.norm(), tensors, Keep::Codes);
                let kept = Kept { images, weight, gamma, convolved, statistics };
                prep.finish(ConvNormState { call, kept, codes }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::fused_norm(convolved, gamma, beta, statistics, call.norm())),
        }
    }

    fn fused_cross_entropy(logits: FloatTensor<Self>, call: CrossEntropyCall) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let (loss, gradient) = loss::cross_entropy::<B>(&call, logits.primitive());
        match CrossEntropyStep::<B>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(gradient, loss),
            OpsKind::UnTracked(prep) => prep.finish(loss),
        }
    }
}

#[derive(Debug)]
struct ConvStep<B>(PhantomData<B>);

#[derive(Debug, Clone)]
struct ConvState<T> {
    call: ConvCall,
    images: T,
    weight: T,
    codes: Codes,
}

impl<B: Cpu> Backward<B, 3> for ConvStep<B> {
    type State = ConvState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let ConvState { call, images, weight, codes } = ops.state;
        let wants = Wants::of(ops.parents[0].as_ref());
        let found = blocks::conv_backward::<B>(&call, [&images, &weight, &gradient], &codes, wants);
        register::<B, _>(gradients, ops.parents.map(|node| node.map(|node| node.id)), found);
    }
}

#[derive(Debug)]
struct DenseStep<B>(PhantomData<B>);

#[derive(Debug, Clone)]
struct DenseState<T> {
    call: DenseCall,
    input: T,
    weight: T,
    output: T,
}

impl<B: Cpu> Backward<B, 3> for DenseStep<B> {
    type State = DenseState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let DenseState { call, input, weight, output } = ops.state;
        let wants = Wants::of(ops.parents[0].as_ref());
        let found = blocks::dense_backward::<B>(&call, [&input, &weight, &output, &gradient], wants);
        register::<B, _>(gradients, ops.parents.map(|node| node.map(|node| node.id)), found);
    }
}

#[derive(Debug)]
struct NormStep<B>(PhantomData<B>);

#[derive(Debug, Clone)]
struct NormState<T> {
    call: NormCall,
    images: T,
    gamma: T,
    statistics: T,
    codes: Codes,
}

impl<B: Cpu> Backward<B, 3> for NormStep<B> {
    type State = NormState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let NormState { call, images, gamma, statistics, codes } = ops.state;
        let found = norm::backward::<B>(&call, [&images, &gamma, &statistics, &gradient], &codes);
        register::<B, _>(gradients, ops.parents.map(|node| node.map(|node| node.id)), found);
    }
}

#[derive(Debug)]
struct ConvNormStep<B>(PhantomData<B>);

#[derive(Debug, Clone)]
struct ConvNormState<T> {
    call: ConvNormCall,
    kept: Kept<T>,
    codes: Codes,
}

impl<B: Cpu> Backward<B, 5> for ConvNormStep<B> {
    type State = ConvNormState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 5>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let ConvNormState { call, kept, codes } = ops.state;
        let wants = Wants::of(ops.parents[0].as_ref());
        let found = conv_norm::backward::<B>(&call, &kept, &codes, &gradient, wants);
        register::<B, _>(gradients, ops.parents.map(|node| node.map(|node| node.id)), found);
    }
}

#[derive(Debug)]
struct CrossEntropyStep<B>(PhantomData<B>);

impl<B: Cpu> Backward<B, 1> for CrossEntropyStep<B> {
    /// The gradient of the loss.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let factor = gradients.consume::<B>(&ops.node);
        let [Some(logits)] = ops.parents else { return };
        // Of the loss itself, which is nearly always what is derived, it is exactly 1.
        let is_one = B::floats(&factor).is_some_and(|factor| factor == [1.0]);
        let gradient =
            if is_one { ops.state } else { B::float_mul(ops.state, B::float_reshape(factor, [1, 1].into())) };
        gradients.register::<B>(logits.id, gradient);
    }
}

/// Hands the gradients to those nodes that are tracked.
fn register<B: Cpu, const N: usize>(
    gradients: &mut Gradients,
    nodes: [Option<NodeId>; N],
    found: blocks::Gradients<B, N>,
) {
    for (node, gradient) in nodes.into_iter().zip(found) {
        if let (Some(node), Some(gradient)) = (node, gradient) {
            gradients.register::<B>(node, gradient);
        }
    }
}
