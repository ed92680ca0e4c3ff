//! Numbers that several tasks write at a time, each its own, where those do not lie one after the other.

use std::marker::PhantomData;

/// A slice without its exclusiveness: whoever writes to it promises that nobody else has the same numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<'a> {
    first: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a borrowed slice, and every access is a promise of its own.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(numbers: &'a mut [f32]) -> Self {
        Self { first: numbers.as_mut_ptr(), len: numbers.len(), borrowed: PhantomData }
    }

    /// The numbers from one on.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub(crate) fn from(self, first: usize) -> Self {
        assert!(first <= self.len);
        Self { first: self.first.wrapping_add(first), len: self.len - first, ..self }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn as_mut_ptr(&self) -> *mut f32 {
        self.first
    }
}
