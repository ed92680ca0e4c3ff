//! The name of cached features: a hash of everything they depend on, and of nothing else.

use data::DataFiles;
use models::{Kernels, TransferConfig};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{backend::Backend, experiment::Experiment, provenance, run_dir::hexadecimal};

/// Version of the code that turns images into features. Raise it with any change that changes their bytes:
/// in resizing, normalising, the kernels, or the layout of a chunk.
const VERSION: u32 = 3;

/// What features depend on.
pub(super) struct Dependencies<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) config: &'a TransferConfig,
    pub(super) files: &'a DataFiles,
    pub(super) backend: &'a Backend,
    pub(super) weights_sha256: &'a str,
}

/// The hash, in hexadecimal.
pub(super) fn key(dependencies: &Dependencies<'_>) -> String {
    let Dependencies { experiment, config, files, backend, weights_sha256 } = dependencies;
    let kernels = experiment.training.kernels;
    // Instruction sets differ in the last bits.
    let isa = (kernels == Kernels::Fused).then(|| format!("{:?}", kernels::Isa::detect()));
    let data: Vec<&str> = files.files().iter().map(|file| &*file.sha256).collect();
    let everything = json!({
        "version": VERSION,
        "burn": provenance::burn_version(),
        "data": data,
        "resize": experiment.data.resize,
        "normalize": experiment.data.normalize,
        "base": config.base,
        "weights": weights_sha256,
        "backend": backend.name.to_string(),
        "adapter": backend.adapter,
        "kernels": kernels,
        "isa": isa,
    });
    hexadecimal(&Sha256::digest(everything.to_string()))
}
