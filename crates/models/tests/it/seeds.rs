//! Weights are a function of the seed and of their names.

use std::thread;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use models::{Cnn3Config, Initializer, ModelConfig, to_safetensors};

use crate::{FASHION, cnn3, every_kind, vgg_small};

fn bytes(config: &ModelConfig, seed: u64) -> Vec<u8> {
    to_safetensors(&config.init_seeded(FASHION, 10, seed)).unwrap()
}

#[test]
fn threads_draw_the_same_weights_at_the_same_time() {
    for config in [cnn3(), vgg_small()] {
        let alone = bytes(&config, 42);
        thread::scope(|scope| {
            // One thread that keeps taking numbers from Burn's generator, which is global.
            scope.spawn(|| {
                for _ in 0..50 {
                    let _ = Tensor::<1>::random([64], Distribution::Default, &Device::flex());
                }
            });
            let threads = [(); 4].map(|()| scope.spawn(|| bytes(&config, 42)));
            for thread in threads {
                assert!(thread.join().unwrap() == alone, "{config:?}");
            }
        });
    }
}

#[test]
fn seeds_and_initializers_change_the_weights() {
    let with = |initializer| ModelConfig::Cnn3(Cnn3Config { initializer, ..Cnn3Config::default() });
    let drawn = [
        bytes(&with(Initializer::GlorotUniform), 1),
        bytes(&with(Initializer::GlorotUniform), 2),
        bytes(&with(Initializer::HeUniform), 1),
        bytes(&with(Initializer::HeNormal), 1),
        bytes(&with(Initializer::PyTorch), 1),
    ];
    for (i, a) in drawn.iter().enumerate() {
        assert!(drawn[i + 1..].iter().all(|b| a != b));
    }
}

#[test]
fn dropout_rates_do_not_change_the_weights() {
    let dry = ModelConfig::Cnn3(Cnn3Config { dropout: [0.0; 4], ..Cnn3Config::default() });
    assert!(bytes(&dry, 9) == bytes(&cnn3(), 9));
}

#[test]
fn models_arrive_complete_on_the_plain_cpu() {
    struct Complete;
    impl burn::module::ModuleVisitor for Complete {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            assert!(param.is_initialized());
            assert!(!param.val().is_autodiff());
        }
    }
    for (config, shape) in every_kind() {
        let model = config.init_seeded(shape, 10, 1);
        model.visit(&mut Complete);
        assert_eq!(model.devices(), [Device::flex()]);
    }
}

#[test]
fn init_puts_the_model_where_it_is_told_to() {
    let model = cnn3().init(FASHION, 10, &Device::flex());
    let other = cnn3().init(FASHION, 10, &Device::flex());
    assert!(to_safetensors(&model).unwrap() != to_safetensors(&other).unwrap());
    let model = cnn3().init(FASHION, 10, &Device::flex().autodiff());
    let models::Model::Cnn3(model) = model else {
        panic!("expected cnn3");
    };
    assert!(model.conv1.conv.weight.val().is_require_grad());
    assert!(model.head.linear.weight.val().is_require_grad());
}
