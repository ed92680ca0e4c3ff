//! Threads that wait for work awake.

use std::cell::UnsafeCell;
use std::hint;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a member looks for work before it sleeps: longer than what is serial between two operations of a step,
/// short against what a reader of `top` would notice.
const PATIENCE: Duration = Duration::from_millis(1);
/// Looks between two offers of the processor to other threads.
const LOOKS: u32 = 64;

/// What all members do, each with a number of its own.
type Job<'a> = dyn Fn(usize) + Sync + 'a;

/// Some threads and the one that gives them work.
#[derive(Debug)]
pub struct Team {
    region: Arc<Region>,
    members: Vec<JoinHandle<()>>,
}

impl Team {
    /// A team of so many threads, the caller's among them, or of as many as the system starts.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let region = Arc::new(Region::new());
        let start = |number| {
            let region = Arc::clone(&region);
            let thread = thread::Builder::new().name(format!("team {number}"));
            thread.spawn(move || region.serve(number)).ok()
        };
        let members = (1..threads).map_while(start).collect();
        Self { region, members }
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.members.len() + 1
    }

    /// Lets the members do a job together, or the caller alone if they are at another: the job is done once it has
    /// returned for the caller, whose number is 0, and for all that took part.
    ///
    /// # Panics
    ///
    /// If the job does so in any of the threads.
    pub(super) fn run(&self, job: &Job<'_>) {
        if self.members.is_empty() || self.region.is_busy.swap(true, Ordering::Acquire) {
            return job(0);
        }
        self.region.open(job);
        let own = panic::catch_unwind(AssertUnwindSafe(|| job(0)));
        let others = self.region.close();
        self.region.is_busy.store(false, Ordering::Release);
        if let Err(payload) = own.and(others) {
            panic::resume_unwind(payload);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.region.end();
        for member in self.members.drain(..) {
            // A member catches what panics.
            let _ = member.join();
        }
    }
}

/// The parallel region of a team: where members find their job.
#[derive(Debug)]
struct Region {
    /// The number of the job, whether it is [`CLOSED`], and how many members are at it.
    state: AtomicU64,
    /// The job. It is written while it is closed and nobody is at it, and read by those who are at it.
    job: UnsafeCell<&'static Job<'static>>,
    /// Whether somebody's job is open.
    is_busy: AtomicBool,
    /// Whether no job will come any more.
    is_over: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
    /// Of the job that is done, what panicked.
    outcome: Mutex<thread::Result<()>>,
}

/// Of a state: nobody takes part any more.
const CLOSED: u64 = 1 << 31;
/// Of a state: one job more.
const NEXT: u64 = 1 << 32;

/// The number of the job of a state.
const fn number(state: u64) -> u64 {
    state / NEXT
}

/// How many members are at the job of a state.
const fn at_it(state: u64) -> u64 {
    state % CLOSED
}

// SAFETY: of what it is made of the job alone is not shared by itself; see there who has it when.
unsafe impl Sync for Region {}
// SAFETY: as above; what does the job is `Sync`.
unsafe impl Send for Region {}

impl Region {
    fn new() -> Self {
        Self {
            state: AtomicU64::new(CLOSED),
            job: UnsafeCell::new(&|_| {}),
            is_busy: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            outcome: Mutex::new(Ok(())),
        }
    }

    /// Lets members take part in a job. Whoever calls is busy with it until it is [closed](Self::close).
    fn open(&self, job: &Job<'_>) {
        // SAFETY: the last job was closed and nobody is at it. Of this one nobody knows any more when it has been
        // closed, which is before the borrow ends.
        unsafe { *self.job.get() = mem::transmute::<&Job<'_>, &'static Job<'static>>(job) };
        self.announce(0);
    }

    /// Lets nobody take part any more, and waits for those who do.
    fn close(&self) -> thread::Result<()> {
        self.state.fetch_or(CLOSED, Ordering::Relaxed);
        let is_done = || at_it(self.state.load(Ordering::Acquire)) == 0;
        while !look(is_done) {
            thread::yield_now();
        }
        mem::replace(&mut *self.outcome.lock().unwrap_or_else(PoisonError::into_inner), Ok(()))
    }

    /// Sends everybody home.
    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.announce(CLOSED);
    }

    /// Counts one job more, closed or not, and wakes who sleeps.
    fn announce(&self, closed: u64) {
        let number = number(self.state.load(Ordering::Relaxed));
        // Either this thread sees who is about to sleep, or that one sees the state.
        self.state.store(number.wrapping_add(1).wrapping_mul(NEXT) | closed, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.sleep.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }

    /// Does every job, as the member with a number.
    fn serve(&self, member: usize) {
        let mut last = 0;
        loop {
            last = self.wait(last);
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            if self.take_part(last) {
                // SAFETY: it is not closed before this member has left.
                let job = unsafe { *self.job.get() };
                let outcome = panic::catch_unwind(AssertUnwindSafe(|| job(member)));
                if outcome.is_err() {
                    *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
                }
                self.state.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Waits for a job after the one with a number: awake, and after a while asleep.
    fn wait(&self, last: u64) -> u64 {
        let next = |order| Some(number(self.state.load(order))).filter(|&number| number != last);
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if look(|| next(Ordering::Relaxed).is_some()) {
                break;
            }
            thread::yield_now();
        }
        if let Some(number) = next(Ordering::Acquire) {
            return number;
        }
        let mut sleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let number = loop {
            if let Some(number) = next(Ordering::SeqCst) {
                break number;
            }
            sleep = self.wake.wait(sleep).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        number
    }

    /// Whether one more member can be at the job with a number.
    fn take_part(&self, job: u64) -> bool {
        let one_more = |state| (number(state) == job && state & CLOSED == 0).then_some(state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).is_ok()
    }
}

/// Looks a few times for something to have happened.
fn look(has_happened: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        hint::spin_loop();
        has_happened()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use rayon::prelude::*;

    use super::super::for_each;
    use super::*;

    /// How often each of some tasks was done.
    fn done(team: &Arc<Team>, tasks: usize, at_least: usize) -> Vec<usize> {
        let counts: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        let add = |count: &AtomicUsize| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        team.install(|| for_each(counts.par_iter().with_min_len(at_least), add));
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn does_every_task_once() {
        for threads in [1, 2, 3, 16] {
            let team = Arc::new(Team::new(threads));
            assert_eq!(team.threads(), threads);
            for tasks in 0..70 {
                for at_least in [1, 2, 7, 100] {
                    assert_eq!(done(&team, tasks, at_least), vec![1; tasks], "{threads} threads, {at_least} at least");
                }
            }
        }
    }

    #[test]
    fn does_many_jobs_one_after_the_other() {
        let team = Arc::new(Team::new(4));
        let sum = AtomicUsize::new(0);
        for _ in 0..20_000 {
            team.run(&|_| {
                sum.fetch_add(1, Ordering::Relaxed);
            });
        }
        let sum = sum.into_inner();
        assert!((20_000..=80_000).contains(&sum), "{sum}");
    }

    #[test]
    fn all_members_take_part_awake_and_asleep() {
        let team = Team::new(3);
        for pause in [Duration::ZERO, 20 * PATIENCE] {
            thread::sleep(pause);
            // Nobody comes past it alone.
            let together = Barrier::new(3);
            let members = Mutex::new(Vec::new());
            team.run(&|member| {
                together.wait();
                members.lock().expect("nobody panics").push(member);
            });
            let mut members = members.into_inner().expect("nobody panics");
            members.sort_unstable();
            assert_eq!(members, [0, 1, 2], "after {pause:?}");
        }
    }

    #[test]
    fn a_panic_comes_through_and_the_team_goes_on() {
        let team = Arc::new(Team::new(2));
        for culprit in [0, 1] {
            let together = Barrier::new(2);
            let job = |member| {
                together.wait();
                assert!(member != culprit, "member {member}");
            };
            let payload = panic::catch_unwind(AssertUnwindSafe(|| team.run(&job))).expect_err("it panics");
            let message = payload.downcast_ref::<String>().expect("it is an assertion's");
            assert_eq!(*message, format!("member {culprit}"));
        }
        assert_eq!(done(&team, 100, 1), vec![1; 100]);
    }

    #[test]
    fn work_within_work_is_done() {
        let team = Arc::new(Team::new(3));
        let count = AtomicUsize::new(0);
        team.install(|| {
            for_each((0..10).into_par_iter(), |_| {
                for_each((0..10).into_par_iter(), |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            });
        });
        assert_eq!(count.into_inner(), 100);
    }

    #[test]
    fn callers_at_the_same_time_do_not_wait_for_each_other() {
        let team = Arc::new(Team::new(2));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        assert_eq!(done(&team, 9, 2), vec![1; 9]);
                    }
                });
            }
        });
    }
}
