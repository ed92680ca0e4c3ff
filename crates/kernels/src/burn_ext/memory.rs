//! Memory of tensors that goes from step to step.
//!
//! A training step makes the same tensors as the one before. What the last one has released is taken again, so
//! that no page has to be mapped and cleared anew. Knows no shapes.

use std::sync::{Mutex, PoisonError};

use crate::workspace::Buffer;

/// Buffers that nobody holds, the longest waiting first.
static FREE: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());

/// So many buffers wait at most; a network has fewer tensors in a step.
const MOST: usize = 128;

/// Memory that one owner holds, aligned to cache lines, and that is used again after it.
#[derive(Debug)]
pub struct Recycled {
    buffer: Buffer,
    /// In bytes.
    len: usize,
}

impl Recycled {
    /// Room for `len` bytes, which may be anything.
    pub(super) fn new(len: usize) -> Self {
        let mut buffer = take(len.div_ceil(4)).unwrap_or_default();
        buffer.bytes_mut(len);
        Self { buffer, len }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut(self.len)
    }
}

/// The smallest free buffer that holds `len` numbers, unless all of them are far too large.
fn take(len: usize) -> Option<Buffer> {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |buffer: &Buffer| (len..=2 * len.max(1024)).contains(&buffer.capacity());
    // Of equals the last one: it may still be in a cache.
    let fitting = free.iter().enumerate().rev().filter(|(_, buffer)| fits(buffer));
    let index = fitting.min_by_key(|(_, buffer)| buffer.capacity()).map(|(index, _)| index)?;
    Some(free.remove(index))
}

impl Drop for Recycled {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (free.len() == MOST).then(|| free.remove(0));
        free.push(std::mem::take(&mut self.buffer));
        // Giving memory back to the system takes time that others need not wait for.
        drop(free);
        drop(oldest);
    }
}

/// As numbers.
impl AsMut<[f32]> for Recycled {
    fn as_mut(&mut self) -> &mut [f32] {
        self.buffer.floats(self.len / 4)
    }
}

/// As bytes.
impl AsRef<[u8]> for Recycled {
    fn as_ref(&self) -> &[u8] {
        self.buffer.bytes(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_released_is_taken_again() {
        // A length that no other test asks for.
        let len = 4 * 1_234_567;
        let first = Recycled::new(len);
        let address = first.as_ref().as_ptr();
        drop(first);
        assert_eq!(Recycled::new(len).as_ref().as_ptr(), address);
    }

    #[test]
    fn two_owners_never_share() {
        let mut owners: Vec<Recycled> = (0..4).map(|_| Recycled::new(4_096)).collect();
        for (owner, byte) in owners.iter_mut().zip(0..) {
            owner.bytes_mut().fill(byte);
        }
        for (owner, byte) in owners.iter().zip(0..) {
            assert!(owner.as_ref().iter().all(|&found| found == byte));
        }
    }

    #[test]
    fn a_short_tensor_does_not_hold_long_memory() {
        drop(Recycled::new(4 * 7_654_321));
        assert!(Recycled::new(4 * 2_000_000).buffer.capacity() < 7_654_321);
    }
}
