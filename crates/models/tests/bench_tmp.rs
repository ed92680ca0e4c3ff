use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Int, Tensor, activation::relu};
use models::*;
use std::time::Instant;
#[test]
fn bench() {
    let dev = Device::flex().autodiff();
    let pool = burn::nn::pool::MaxPool2dConfig::new([2, 2]).init();
    let mut t = [vec![], vec![]];
    for i in 0..24 {
        let x = Tensor::<4>::random([256, 32, 26, 26], Distribution::Normal(0., 1.), &dev).require_grad();
        let s = Instant::now();
        let y = if i % 2 == 0 { pool.forward(relu(x.clone())) } else { relu(pool.forward(x.clone())) };
        let g = y.sum().backward();
        let g = x.grad(&g).unwrap();
        let _ = g.into_data();
        t[i % 2].push(s.elapsed().as_secs_f64() * 1e3);
    }
    for v in &mut t {
        v.sort_by(f64::total_cmp);
    }
    println!("relu-pool {:.1} min {:.1}; pool-relu {:.1} min {:.1}", t[0][6], t[0][0], t[1][6], t[1][0]);
    let shape = InputShape { channels: 1, height: 28, width: 28 };
    for config in [
        ModelConfig::Cnn1(Default::default()),
        ModelConfig::Cnn3(Default::default()),
        ModelConfig::Cnn4(Default::default()),
        ModelConfig::Vgg(Default::default()),
    ] {
        let s = Instant::now();
        let mut model = config.init_seeded(shape, 10, 1).train();
        let init = s.elapsed().as_secs_f64() * 1e3;
        let mut optim = AdamConfig::new().init();
        let x = Tensor::<4>::random([256, 1, 28, 28], Distribution::Default, &dev);
        let y = Tensor::<1, Int>::random([256], Distribution::Uniform(0., 10.), &dev);
        let mut v = vec![];
        for _ in 0..6 {
            let s = Instant::now();
            let loss = CrossEntropyLossConfig::new().init(&dev).forward(model.forward(x.clone()), y.clone());
            let g = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(1e-3, model, g);
            let _ = model.num_params();
            v.push(s.elapsed().as_secs_f64() * 1e3);
        }
        v.sort_by(f64::total_cmp);
        println!("{} init {init:.1} ms, step median {:.0} min {:.0} ms", config.name(), v[3], v[0]);
    }
}
