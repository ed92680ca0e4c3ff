//! Weights as bytes: exact, deterministic, and strict with what is not ours.

use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::Device;
use models::{Model, WeightsError, from_safetensors, to_safetensors};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::{FASHION, cnn1, cnn3, cnn4, dense, every_kind, forward_in_training, images, values};

/// Tensors outside a network, to be spoilt.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn unpack(bytes: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, view)| {
            let (dtype, shape, data) = (view.dtype(), view.shape(), view.data());
            (name, (dtype, shape.to_vec(), data.to_vec()))
        })
        .collect()
}

fn pack(tensors: &Tensors, metadata: Option<HashMap<String, String>>) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    serialize(views, metadata).unwrap()
}

fn cnn1_bytes() -> Vec<u8> {
    to_safetensors(&cnn1().init_seeded(FASHION, 10, 1)).unwrap()
}

#[test]
fn weights_survive_a_round_trip() {
    for (config, shape) in every_kind() {
        let model = config.init_seeded(shape, 10, 1);
        // A step of training gives every batch norm statistics of its own.
        let model = model.train();
        forward_in_training(&model, 3, shape);
        let model = model.valid();
        let bytes = to_safetensors(&model).unwrap();
        let loaded = from_safetensors(config.init_seeded(shape, 10, 2), &bytes).unwrap();
        assert!(to_safetensors(&loaded).unwrap() == bytes, "{config:?}");
        let logits = |model: &Model| values(model.forward(images(3, shape, &Device::flex())));
        assert_eq!(logits(&loaded), logits(&model), "{config:?}");
    }
}

#[test]
fn names_and_shapes_are_those_of_pytorch() {
    let bytes = to_safetensors(&cnn4().init_seeded(FASHION, 10, 1)).unwrap();
    let tensors = unpack(&bytes);
    let expected: [(&str, &[usize]); 13] = [
        ("conv1.weight", &[32, 1, 3, 3]),
        ("conv1.bias", &[32]),
        ("bn1.weight", &[32]),
        ("bn1.bias", &[32]),
        ("bn1.running_mean", &[32]),
        ("bn1.running_var", &[32]),
        ("conv4.weight", &[128, 64, 3, 3]),
        ("bn4.running_var", &[128]),
        ("dense1.weight", &[512, 2048]),
        ("bn5.weight", &[512]),
        ("dense2.bias", &[128]),
        ("bn6.running_mean", &[128]),
        ("head.weight", &[10, 128]),
    ];
    for (name, shape) in expected {
        assert_eq!(tensors[name].1, shape, "{name}");
    }
    assert_eq!(tensors.len(), 4 * 2 + 6 * 4 + 2 * 2 + 2);
}

#[test]
fn the_header_names_the_model() {
    let (_, header) =
        SafeTensors::read_metadata(&cnn1_bytes()).map(|(n, header)| (n, header.metadata().clone())).unwrap();
    let expected = HashMap::from([("model".to_string(), "cnn1/1".to_string())]);
    assert_eq!(header, Some(expected));
}

#[test]
fn pending_statistics_are_written() {
    let model = cnn4().init_seeded(FASHION, 10, 1).train();
    let before = unpack(&to_safetensors(&model).unwrap());
    forward_in_training(&model, 4, FASHION);
    let after = unpack(&to_safetensors(&model).unwrap());
    for name in ["bn1.running_mean", "bn6.running_var"] {
        assert!(before[name] != after[name], "{name}");
    }
}

#[test]
fn loading_touches_neither_clones_nor_what_is_pending() {
    let wanted = cnn4().init_seeded(FASHION, 10, 1).train();
    forward_in_training(&wanted, 4, FASHION);
    let bytes = to_safetensors(&wanted).unwrap();

    let model = cnn4().init_seeded(FASHION, 10, 2).train();
    forward_in_training(&model, 6, FASHION);
    let clone = model.clone();
    let before = to_safetensors(&clone).unwrap();
    let loaded = from_safetensors(model, &bytes).unwrap();
    assert!(to_safetensors(&loaded).unwrap() == bytes);
    assert!(to_safetensors(&clone).unwrap() == before);
    let Model::Cnn4(cnn4) = loaded else {
        panic!("expected cnn4");
    };
    // Still in training, with gradients for what had them.
    assert!(cnn4.conv1.conv.weight.val().is_require_grad());
    let running = cnn4.conv1.norm.as_ref().unwrap().running_mean.value();
    assert!(!running.is_require_grad());
}

#[test]
fn bytes_written_by_pytorch_are_read() {
    let bytes = to_safetensors(&cnn4().init_seeded(FASHION, 10, 1)).unwrap();
    let mut tensors = unpack(&bytes);
    for bn in 1..=6 {
        let name = format!("bn{bn}.num_batches_tracked");
        tensors.insert(name, (Dtype::I64, vec![], vec![0; 8]));
    }
    let loaded = from_safetensors(cnn4().init_seeded(FASHION, 10, 2), &pack(&tensors, None));
    assert!(to_safetensors(&loaded.unwrap()).unwrap() == bytes);
}

#[test]
fn spoilt_tensors_are_named() {
    let check = |spoil: &dyn Fn(&mut Tensors), expected: &str| {
        let mut tensors = unpack(&cnn1_bytes());
        spoil(&mut tensors);
        let model = cnn1().init_seeded(FASHION, 10, 2);
        let error = from_safetensors(model, &pack(&tensors, None)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let write = |tensors: &mut Tensors, index: usize, value: f32| {
        let (_, _, data) = tensors.get_mut("conv1.weight").unwrap();
        data[4 * index..4 * index + 4].copy_from_slice(&value.to_le_bytes());
    };
    check(&|tensors| drop(tensors.remove("dense1.bias")), "dense1.bias: missing, expected [128]");
    check(
        &|tensors| {
            let head = tensors["head.bias"].clone();
            tensors.insert("head2.bias".to_string(), head);
        },
        "head2.bias: not a tensor of this network",
    );
    check(
        &|tensors| {
            let counter = (Dtype::I64, vec![], vec![0; 8]);
            tensors.insert("conv1.num_batches_tracked".to_string(), counter);
        },
        "conv1.num_batches_tracked: not a tensor of this network",
    );
    check(
        &|tensors| tensors.get_mut("conv1.weight").unwrap().1 = vec![32, 3, 3, 1],
        "conv1.weight: expected shape [32, 1, 3, 3], found [32, 3, 3, 1]",
    );
    check(
        &|tensors| tensors.get_mut("head.bias").unwrap().0 = Dtype::I32,
        "head.bias: expected f32 numbers, found I32",
    );
    check(&|tensors| write(tensors, 17, f32::NAN), "conv1.weight: expected finite numbers, found NaN at 17");
    check(&|tensors| write(tensors, 0, f32::NEG_INFINITY), "conv1.weight: expected finite numbers, found -inf at 0");
}

#[test]
fn weights_of_another_model_are_refused() {
    let model = || cnn3().init_seeded(FASHION, 10, 1);
    let error = from_safetensors(model(), &cnn1_bytes()).unwrap_err();
    let expected = "expected weights of cnn3/1, found cnn1/1";
    assert_eq!(error.to_string(), expected);
    let tensors = unpack(&to_safetensors(&model()).unwrap());
    let newer = HashMap::from([("model".to_string(), "cnn3/2".to_string())]);
    let error = from_safetensors(model(), &pack(&tensors, Some(newer))).unwrap_err();
    assert!(matches!(error, WeightsError::Model { .. }), "{error}");
}

#[test]
fn hostile_bytes_are_errors() {
    let model = dense(&[4]).init_seeded(FASHION, 10, 2);
    let bytes = to_safetensors(&model).unwrap();
    let refuses = |bytes: &[u8]| {
        let result = from_safetensors(model.clone(), bytes);
        assert!(matches!(result, Err(WeightsError::Format(_) | WeightsError::Header(_))));
    };
    for len in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
        refuses(&bytes[..len]);
    }
    let with_length = |length: u64| {
        let mut bytes = bytes.clone();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    for length in [0, 1, 1 << 20, 1 << 40, u64::MAX] {
        refuses(&with_length(length));
    }
    refuses(&[bytes.clone(), vec![0]].concat());
    refuses(b"\x80\x02}q\x00.");
    // A flipped bit in the header is an error or harmless, never a panic.
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap());
    for at in 0..usize::try_from(header).unwrap() {
        let mut flipped = bytes[..].to_vec();
        flipped[at] ^= 1 << (at % 8);
        let _ = from_safetensors(model.clone(), &flipped);
    }
}

#[test]
fn huge_headers_are_refused_unread() {
    let model = dense(&[4]).init_seeded(FASHION, 10, 2);
    let bytes = to_safetensors(&model).unwrap();
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk().unwrap())).unwrap();
    // The same header with spaces behind it means the same, and is valid up to the limit.
    let padded = |length: usize, header: &[u8]| {
        let spaces = vec![b' '; length - header.len()];
        [&(length as u64).to_le_bytes()[..], header, &spaces, &bytes[8 + header.len()..]].concat()
    };
    let header = &bytes[8..8 + length];
    assert!(from_safetensors(model.clone(), &padded(2 << 20, header)).is_ok());
    let error = from_safetensors(model, &padded((2 << 20) + 1, header)).unwrap_err();
    assert_eq!(error.to_string(), "safetensors header: expected at most 2097152 bytes of header, found 2097153");
}

#[test]
fn tensors_that_overlap_are_refused() {
    let model = dense(&[]).init_seeded(FASHION, 10, 2);
    let bytes = to_safetensors(&model).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The bias comes first: 40 bytes, then the weight. Both then read some of the same bytes.
    for (from, to) in [("[0,40]", "[4,44]"), ("[40,", "[36,")] {
        let at = text.find(from).unwrap_or_else(|| panic!("{from} in {}", &text[..200]));
        let mut spoilt = bytes.clone();
        spoilt.splice(at..at + from.len(), to.bytes());
        let error = from_safetensors(model.clone(), &spoilt).unwrap_err();
        assert!(matches!(error, WeightsError::Format(_)), "{from} to {to}: {error}");
    }
}

#[test]
fn negative_variances_are_refused() {
    let model = cnn4().init_seeded(FASHION, 10, 1);
    let mut tensors = unpack(&to_safetensors(&model).unwrap());
    tensors.get_mut("bn2.running_var").unwrap().2[4..8].copy_from_slice(&(-1.0_f32).to_le_bytes());
    let error = from_safetensors(model, &pack(&tensors, None)).unwrap_err();
    assert_eq!(error.to_string(), "bn2.running_var: expected variances of at least 0, found -1 at 1");
}

#[test]
fn diverged_weights_are_not_written() {
    let model = cnn1().init_seeded(FASHION, 10, 1);
    let model = model.map(&mut Spoil);
    let error = to_safetensors(&model).unwrap_err();
    assert!(matches!(error, WeightsError::NonFinite { index: 0, .. }), "{error}");
}

struct Spoil;

impl burn::module::ModuleMapper for Spoil {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<burn::tensor::Tensor<D>>,
    ) -> burn::module::Param<burn::tensor::Tensor<D>> {
        param.map(|tensor| tensor.mul_scalar(f32::NAN))
    }
}
