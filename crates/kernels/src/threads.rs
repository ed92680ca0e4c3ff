//! Work that several threads share.
//!
//! What there is to do comes as one of rayon's parallel iterators; who does it is a [`Team`]. A step of training is
//! many short parallel operations with a little serial work in between, during which rayon's threads fall asleep and have
//! to be woken. A team's threads stay awake for a while, as OpenMP's do.

mod shares;
mod team;

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use rayon::iter::IndexedParallelIterator;
use rayon::iter::plumbing::{Producer, ProducerCallback};

use shares::Shares;
pub use team::Team;

thread_local! {
    /// The team of [`Team::install`], where this thread is in one.
    static INSTALLED: RefCell<Option<Arc<Team>>> = const { RefCell::new(None) };
}

impl Team {
    /// Calls `work` on this thread and lets the team take part in what it shares. Other threads' work is not affected.
    pub fn install<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        /// What was installed before, which comes back however `work` ends.
        struct Before(Option<Arc<Team>>);
        impl Drop for Before {
            fn drop(&mut self) {
                INSTALLED.set(self.0.take());
            }
        }
        let _before = Before(INSTALLED.replace(Some(Arc::clone(self))));
        work()
    }

    /// The team that is installed, else the one that all threads have in common. That one is as large as the pool of
    /// rayon's that its first caller is in.
    fn current() -> Arc<Self> {
        static COMMON: OnceLock<Arc<Team>> = OnceLock::new();
        let installed = INSTALLED.with_borrow(Option::clone);
        let common = || COMMON.get_or_init(|| Arc::new(Self::new(rayon::current_num_threads())));
        installed.unwrap_or_else(|| Arc::clone(common()))
    }
}

/// How many threads share work.
pub(crate) fn count() -> usize {
    Team::current().threads()
}

/// Does the work for each of some tasks, which the threads share.
///
/// A thread takes as many tasks at a time as [`with_min_len`](IndexedParallelIterator::with_min_len) says, and all that
/// are left where the rest would be fewer. What a task shares in its turn it does alone.
pub(crate) fn for_each<I: IndexedParallelIterator>(tasks: I, work: impl Fn(I::Item) + Sync) {
    let count = tasks.len();
    tasks.with_producer(Work { count, work });
}

/// The tasks' number, and what is done for each.
struct Work<W> {
    count: usize,
    work: W,
}

impl<T, W: Fn(T) + Sync> ProducerCallback<T> for Work<W> {
    type Output = ();

    fn callback<P: Producer<Item = T>>(self, tasks: P) {
        let Self { count, work } = self;
        let grain = tasks.min_len().max(1);
        let pieces = count / grain;
        let team = Team::current();
        if pieces.min(team.threads()) < 2 {
            return tasks.into_iter().for_each(work);
        }
        let shares = Shares::new(tasks, count, grain, team.threads());
        team.run(pieces, &|member| {
            while let Some(tasks) = shares.next(member) {
                tasks.into_iter().for_each(&work);
            }
        });
    }
}
