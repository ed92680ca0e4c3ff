//! Tasks that are dealt out to the members of a team.

use std::sync::{Mutex, PoisonError};

use rayon::iter::plumbing::Producer;

/// A share of the tasks for every member, one beside the other, so that a member works where it worked in the
/// operation before. Who has done its own takes from the others', from the far end.
pub(super) struct Shares<P> {
    shares: Vec<Mutex<Share<P>>>,
    /// Tasks that are taken at a time.
    grain: usize,
}

impl<P: Producer> Shares<P> {
    /// Deals `count` tasks to some members. The last one who gets any also has those that do not make a grain.
    pub(super) fn new(tasks: P, count: usize, grain: usize, members: usize) -> Self {
        assert!(grain > 0);
        let mut rest = Share { tasks: Some(tasks), count };
        let shares = (0..members).rev().map(|others| {
            let grains = (rest.count / grain).div_ceil(others + 1);
            let count = rest.no_crumbs(grains * grain, grain);
            Mutex::new(Share { tasks: rest.take(count, End::Near), count })
        });
        Self { shares: shares.collect(), grain }
    }

    /// The next tasks of a member.
    pub(super) fn next(&self, member: usize) -> Option<P> {
        let mut others = self.shares[member + 1..].iter().chain(&self.shares[..member]);
        let take = |share: &Mutex<Share<P>>, end| {
            // Tasks whose splitting has panicked are gone; the team says that something has.
            let mut share = share.lock().unwrap_or_else(PoisonError::into_inner);
            let count = share.no_crumbs(self.grain, self.grain);
            share.take(count, end)
        };
        take(&self.shares[member], End::Near).or_else(|| others.find_map(|share| take(share, End::Far)))
    }
}

/// What is left of a share.
struct Share<P> {
    tasks: Option<P>,
    count: usize,
}

/// Where tasks are taken from.
#[derive(Clone, Copy)]
enum End {
    Near,
    Far,
}

impl<P: Producer> Share<P> {
    /// As many tasks, or all where less than a grain would be left.
    fn no_crumbs(&self, count: usize, grain: usize) -> usize {
        if self.count.saturating_sub(count) < grain { self.count } else { count }
    }

    /// Takes so many of the tasks, at most all of them.
    fn take(&mut self, count: usize, end: End) -> Option<P> {
        if count == 0 {
            return None;
        }
        let rest = self.count - count;
        let tasks = self.tasks.take()?;
        let (taken, tasks) = match end {
            End::Near => tasks.split_at(count),
            End::Far => {
                let (tasks, taken) = tasks.split_at(rest);
                (taken, tasks)
            }
        };
        *self = Self { tasks: Some(tasks), count: rest };
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    struct Tasks(Range<usize>);

    impl Producer for Tasks {
        type Item = usize;
        type IntoIter = Range<usize>;

        fn into_iter(self) -> Range<usize> {
            self.0
        }

        fn split_at(self, index: usize) -> (Self, Self) {
            let Range { start, end } = self.0;
            assert!(index <= end - start);
            (Self(start..start + index), Self(start + index..end))
        }
    }

    /// What members take of some tasks, in the order in which they come.
    fn taken<const N: usize>(tasks: usize, grain: usize, members: usize, order: [usize; N]) -> [Range<usize>; N] {
        let shares = Shares::new(Tasks(0..tasks), tasks, grain, members);
        order.map(|member| shares.next(member).map_or(0..0, |tasks| tasks.0))
    }

    #[test]
    fn members_begin_one_beside_the_other() {
        assert_eq!(taken(10, 1, 3, [0, 1, 2]), [0..1, 4..5, 7..8]);
        assert_eq!(taken(10, 2, 2, [0, 1, 0, 1]), [0..2, 6..8, 2..4, 8..10]);
    }

    #[test]
    fn what_does_not_make_a_grain_goes_with_the_last_one() {
        assert_eq!(taken(15, 7, 2, [0, 1, 0]), [0..7, 7..15, 0..0]);
        assert_eq!(taken(15, 7, 3, [2, 1, 0, 2]), [0..7, 7..15, 0..0, 0..0]);
        assert_eq!(taken(5, 7, 2, [0, 1]), [0..5, 0..0]);
        assert_eq!(taken(5, usize::MAX, 2, [1, 0]), [0..5, 0..0]);
        assert_eq!(taken(0, 1, 2, [0, 1]), [0..0, 0..0]);
    }

    #[test]
    fn who_has_done_its_own_takes_from_the_far_end_of_the_others() {
        assert_eq!(taken(6, 1, 2, [1, 1, 1, 1, 0, 1, 0]), [3..4, 4..5, 5..6, 2..3, 0..1, 1..2, 0..0]);
    }
}
