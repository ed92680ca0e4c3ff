//! Work that several threads share.
//!
//! What there is to do comes as one of rayon's parallel iterators; who does it is a [`Team`]. A step of training is a
//! hundred parallel operations with a little serial work in between, and rayon's threads fall asleep in between:
//! waking them costs more than many of the operations do. A team's threads stay awake for a while, as OpenMP's do.

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
    /// Lets this team do what `work` shares.
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

    /// The team that is installed, else the one that all share, which has as many threads as rayon's global pool.
    fn current() -> Arc<Self> {
        static ALL: OnceLock<Arc<Team>> = OnceLock::new();
        let installed = INSTALLED.with_borrow(Option::clone);
        installed.unwrap_or_else(|| Arc::clone(ALL.get_or_init(|| Arc::new(Self::new(rayon::current_num_threads())))))
    }
}

/// How many threads share work.
pub(crate) fn count() -> usize {
    Team::current().threads()
}

/// Does the work for each of some tasks, which the threads share.
///
/// A thread takes no fewer tasks at a time than [`with_min_len`](IndexedParallelIterator::with_min_len) says.
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
        let at_least = tasks.min_len().max(1);
        if count < 2 * at_least {
            return tasks.into_iter().for_each(work);
        }
        let team = Team::current();
        let shares = Shares::new(tasks, count, at_least, team.threads());
        team.run(&|member| {
            while let Some(tasks) = shares.next(member) {
                tasks.into_iter().for_each(&work);
            }
        });
    }
}
