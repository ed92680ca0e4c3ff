//! Which device computes: the only module that knows backends by name.

use std::{num::NonZeroUsize, path::Path};

use burn::tensor::{Device, DeviceType};

use crate::{error::Error, experiment::BackendName};

/// A device that is there, with what a reader of results needs to know about it.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The concrete backend: never [`BackendName::Auto`].
    pub name: BackendName,
    /// The plain device, without automatic differentiation.
    pub device: Device,
    /// What computes: the adapter of a GPU backend, else none.
    pub adapter: Option<String>,
    /// Whether each operation ends before the next starts, so that reading a value costs nothing.
    pub timing: Timing,
}

/// How a backend runs operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Operations run when they are called.
    Immediate,
    /// Operations are queued; reading a value waits for the queue.
    Queued,
}

/// What a person should know about a backend before it computes.
pub const NDARRAY_NOTICE: &str = "backend ndarray is deprecated in Burn; what the fused kernels do not cover is slower \
     than on flex";

/// Said before the first step on wgpu.
pub const WGPU_NOTICE: &str =
    "backend wgpu compiles and tunes its shaders during the first steps: this can take minutes";

/// Says how many threads compute on the CPU, the caller's included: without a number, as many as rayon takes by itself.
/// Burn's operations run on them, and kernels on a team of as many.
///
/// To be called once, before anything has computed, by the thread that is going to train. A thread that is not of the
/// pool hands over every operation and sleeps until it is done, which costs a small network more than the operation
/// itself.
///
/// # Errors
///
/// [`Error::Usage`] if the threads cannot be started.
pub fn use_threads(threads: Option<NonZeroUsize>) -> Result<(), Error> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.map_or(0, NonZeroUsize::get))
        .use_current_thread()
        .build_global()
        .map_err(|error| Error::Usage(format!("cannot start the threads that compute: {error}")))
}

/// Opens the device of the backend that is asked for.
///
/// `Auto` is wgpu where it finds a real GPU, else flex.
///
/// # Errors
///
/// [`Error::Backend`] if wgpu is asked for and no adapter answers.
pub fn select(name: BackendName) -> Result<Backend, Error> {
    match name {
        BackendName::Flex => Ok(cpu(BackendName::Flex, Device::flex())),
        BackendName::Ndarray => Ok(cpu(BackendName::Ndarray, ndarray())),
        BackendName::Wgpu => wgpu_adapters().into_iter().next().map(Adapter::into_backend).ok_or_else(|| {
            Error::Backend(
                "backend wgpu: no graphics adapter found; install a GPU driver with Vulkan support, or the software \
                 adapter (Debian and Ubuntu: apt-get install mesa-vulkan-drivers), or use --backend flex"
                    .to_owned(),
            )
        }),
        BackendName::Auto => Ok(gpu().map_or_else(|| cpu(BackendName::Flex, Device::flex()), Adapter::into_backend)),
    }
}

/// The first real GPU. Where the system shows no device of one, adapters are not even looked for: on a machine
/// without a GPU that takes time and makes software drivers print about it.
fn gpu() -> Option<Adapter> {
    // Kernel drivers (DRM render nodes, NVIDIA's own, WSL's) make these files; other systems have none to look at.
    let may_have_gpu = !cfg!(target_os = "linux")
        || ["/dev/dri", "/dev/nvidiactl", "/dev/dxg"].into_iter().any(|path| Path::new(path).exists());
    if !may_have_gpu {
        return None;
    }
    wgpu_adapters().into_iter().find(|adapter| adapter.is_gpu)
}

struct Adapter {
    device: Device,
    name: String,
    is_gpu: bool,
}

impl Adapter {
    fn into_backend(self) -> Backend {
        Backend { name: BackendName::Wgpu, device: self.device, adapter: Some(self.name), timing: Timing::Queued }
    }
}

/// The adapters of this machine, real GPUs before software ones.
fn wgpu_adapters() -> Vec<Adapter> {
    let mut adapters: Vec<Adapter> = Device::enumerate(DeviceType::Wgpu)
        .into_vec()
        .into_iter()
        .map(|device| {
            let identity = device.identity();
            Adapter {
                name: identity.as_ref().map_or_else(|| "unknown".to_owned(), |it| it.name.clone()),
                // Only a software rasteriser has no card behind it.
                is_gpu: identity.is_some_and(|it| it.physical.is_some()),
                device,
            }
        })
        .collect();
    adapters.sort_by_key(|adapter| !adapter.is_gpu);
    adapters
}

fn cpu(name: BackendName, device: Device) -> Backend {
    Backend { name, device, adapter: None, timing: Timing::Immediate }
}

#[expect(deprecated, reason = "the suite keeps the backend that its users name, and says that it is slow")]
fn ndarray() -> Device {
    Device::ndarray()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_backends_are_always_there() {
        for name in [BackendName::Flex, BackendName::Ndarray] {
            let backend = select(name).expect("needs no hardware");
            assert_eq!(backend.name, name);
            assert_eq!(backend.timing, Timing::Immediate);
        }
    }

    #[test]
    fn auto_names_a_concrete_backend() {
        assert_ne!(select(BackendName::Auto).expect("falls back to flex").name, BackendName::Auto);
    }
}
