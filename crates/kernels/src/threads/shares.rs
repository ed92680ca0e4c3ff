//! Tasks that are dealt out to the members of a team.

use std::sync::{Mutex, PoisonError};

use rayon::iter::plumbing::Producer;

/// A share of the tasks for every member, one beside the other, so that a member works where it worked in the
/// operation before. Who has done its own takes from the others'.
pub(super) struct Shares<P> {
    shares: Vec<Mutex<Share<P>>>,
    /// Tasks that are taken at a time.
    at_least: usize,
}

/// What is left of a share.
struct Share<P> {
    tasks: Option<P>,
    count: usize,
}

impl<P: Producer> Shares<P> {
    /// Deals `count` tasks to some members.
    pub(super) fn new(tasks: P, count: usize, at_least: usize, members: usize) -> Self {
        let mut rest = Share { tasks: Some(tasks), count };
        let shares = (0..members).rev().map(|others| {
            // Whole pieces of tasks.
            let pieces = rest.count.div_ceil(at_least).div_ceil(others + 1);
            let count = (pieces * at_least).min(rest.count);
            Mutex::new(Share { tasks: rest.take(count), count })
        });
        Self { shares: shares.collect(), at_least }
    }

    /// The next tasks of a member.
    pub(super) fn next(&self, member: usize) -> Option<P> {
        let (others, own) = self.shares.split_at(member);
        own.iter().chain(others).find_map(|share| {
            // What a panic leaves behind is as good as before.
            let mut share = share.lock().unwrap_or_else(PoisonError::into_inner);
            share.take(self.at_least)
        })
    }
}

impl<P: Producer> Share<P> {
    /// Takes up to so many of the tasks.
    fn take(&mut self, most: usize) -> Option<P> {
        let count = most.min(self.count);
        let tasks = self.tasks.take()?;
        if count == 0 {
            return None;
        }
        let (taken, rest) = tasks.split_at(count);
        self.count -= count;
        self.tasks = (self.count > 0).then_some(rest);
        Some(taken)
    }
}
