//! The same experiment on every backend.

use crate::suite::{Run, Suite};

/// Dropout draws from each backend's own generator, so it is off where backends are compared.
const TINY: &[&str] = &[
    "--max-epochs=1",
    "--train-samples=32",
    "--test-samples=32",
    "--set=training.batch_size=16",
    "--set=training.eval_batch_size=32",
    "--set=model.dropout=[0.0, 0.0, 0.0, 0.0]",
    "--progress=plain",
    "--json",
];

fn run(suite: &Suite, backend: &str) -> Run {
    let flag = format!("--backend={backend}");
    suite.run("cnn3", &[TINY, &[flag.as_str()]].concat())
}

/// Training, validation and test loss within `tolerance` of each other.
fn check(actual: &Run, expected: &Run, tolerance: f64) {
    let losses = |run: &Run| {
        let row = run.rows().remove(0);
        [row["train_loss"].clone(), row["valid_loss"].clone(), run.json["test_loss"].clone()]
            .map(|loss| loss.as_f64().expect("a loss is a number"))
    };
    for (a, b) in losses(actual).into_iter().zip(losses(expected)) {
        assert!((a - b).abs() <= tolerance, "{:?} and {:?}", losses(actual), losses(expected));
    }
}

#[test]
fn backends_agree_after_an_epoch_of_cnn3() {
    let suite = Suite::new();
    let flex = run(&suite, "flex");
    let ndarray = run(&suite, "ndarray");
    check(&ndarray, &flex, 1e-3);
    assert!(ndarray.stderr.contains("deprecated"), "{}", ndarray.stderr);

    let wgpu = run(&suite, "wgpu");
    check(&wgpu, &flex, 1e-2);
    assert!(wgpu.stderr.contains("shaders"), "{}", wgpu.stderr);
    assert!(wgpu.record("environment.json")["adapter"].is_string());
}

#[test]
fn wgpu_without_an_adapter_says_what_to_install() {
    let suite = Suite::new();
    let mut command = suite.command();
    // The loaders of Vulkan and of OpenGL are told to find no driver.
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "__EGL_VENDOR_LIBRARY_FILENAMES", "LIBGL_DRIVERS_PATH"] {
        command.env(variable, "/nonexistent");
    }
    command.args(["experiments/cnn3.toml", "--backend=wgpu", "--results-dir"]).arg(suite.results());
    let output = command.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("mesa-vulkan-drivers"), "{said}");
    assert!(!suite.results().exists());
}
