//! The same experiment on every backend.

use std::{process::Stdio, thread, time::Duration};

use serde_json::Value;

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

fn run(suite: &Suite, backend: &str, kernels: &str) -> Run {
    let (backend, kernels) = (format!("--backend={backend}"), format!("--set=training.kernels={kernels}"));
    suite.run("cnn3", &[TINY, &[backend.as_str(), kernels.as_str()]].concat())
}

/// The last losses of training and of validation, if there is any, and that of the test within `tolerance` of each other.
fn check(actual: &Run, expected: &Run, tolerance: f64) {
    let losses = |run: &Run| -> Vec<f64> {
        let row = run.rows().pop().expect("an epoch");
        [&row["train_loss"], &row["valid_loss"], &run.json["test_loss"]].into_iter().filter_map(Value::as_f64).collect()
    };
    let (actual, expected) = (losses(actual), losses(expected));
    assert!(actual.len() == expected.len() && actual.len() >= 2, "{actual:?} and {expected:?}");
    for (a, b) in actual.iter().zip(&expected) {
        assert!((a - b).abs() <= tolerance, "{actual:?} and {expected:?}");
    }
}

#[test]
fn backends_agree_after_an_epoch_of_cnn3() {
    let suite = Suite::new();
    let flex = run(&suite, "flex", "fused");
    let ndarray = run(&suite, "ndarray", "fused");
    check(&ndarray, &flex, 1e-3);
    assert!(ndarray.stderr.contains("deprecated"), "{}", ndarray.stderr);
    for backend in ["flex", "ndarray"] {
        check(&run(&suite, backend, "composed"), &flex, 1e-3);
    }

    // Killed on the way, since trying it twice takes minutes on a software adapter. To go on byte for byte is promised on
    // flex alone.
    let wgpu = killed_and_resumed(&suite, "wgpu");
    check(&wgpu, &flex, 1e-2);
    assert!(wgpu.record("environment.json")["adapter"].is_string());
}

/// Runs until the first step's checkpoint is there, kills the process, and has another one go on.
fn killed_and_resumed(suite: &Suite, backend: &str) -> Run {
    let mut command = suite.command();
    command.args(["experiments/cnn3.toml", "--run-name=killed", "--set=training.checkpoint.steps=1"]).args(TINY);
    command.arg(format!("--backend={backend}")).arg("--results-dir").arg(suite.results());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let dir = suite.results().join("cnn3/killed");
    while !dir.join("checkpoints/000001/SHA256SUMS").exists() && child.try_wait().expect("it is a child").is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it is a child");
    let killed = child.wait_with_output().expect("it is a child");
    let said = String::from_utf8_lossy(&killed.stderr);
    assert!(said.contains("shaders"), "{said}");
    assert!(!dir.join("summary.json").exists(), "it came to its end before it was killed: {said}");

    let resumed = suite.command().arg("resume").arg(&dir).args(["--progress=plain", "--json"]).output();
    let resumed = resumed.expect("the binary starts");
    let stderr = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(resumed.status.success() && stderr.contains("(checkpoint "), "{stderr}");
    Run { dir, json: serde_json::from_slice(&resumed.stdout).expect("an object"), stderr }
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
