//! Where the time of a training step goes: nothing is measured unless somebody asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

static ON: AtomicBool = AtomicBool::new(false);
static PARTS: Mutex<BTreeMap<String, Part>> = Mutex::new(BTreeMap::new());

/// What one kind of operation has taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// How often it ran.
    pub calls: u64,
    /// How long it took in all, on the clock.
    pub time: Duration,
}

/// Starts to measure the operations of [`burn_ext`](crate::burn_ext), all anew.
pub fn start() {
    PARTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
    ON.store(true, Ordering::Relaxed);
}

/// Stops, and gives what was measured by the operations' names.
#[must_use]
pub fn finish() -> BTreeMap<String, Part> {
    ON.store(false, Ordering::Relaxed);
    std::mem::take(&mut PARTS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Does some work, and measures it if that is asked for.
pub(crate) fn timed<R>(name: impl FnOnce() -> String, work: impl FnOnce() -> R) -> R {
    if !ON.load(Ordering::Relaxed) {
        return work();
    }
    let start = Instant::now();
    let result = work();
    let time = start.elapsed();
    let mut parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let part = parts.entry(name()).or_default();
    part.calls += 1;
    part.time += time;
    result
}
