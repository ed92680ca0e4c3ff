//! Threads that wait for work awake.

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a member looks for work before it sleeps: longer than what is serial between two operations of a step.
const PATIENCE: Duration = Duration::from_millis(1);
/// Looks between two offers of the processor to other threads.
const LOOKS: u32 = 64;

/// What all members do, each with a number of its own.
type Job<'a> = dyn Fn(usize) + Sync + 'a;

/// Some threads and the one that gives them work.
#[derive(Debug)]
pub struct Team {
    region: Arc<Region>,
    /// Whether somebody has the region.
    is_busy: AtomicBool,
    /// All threads but the callers'.
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
            // What a job shares in its turn, a member does alone.
            thread.spawn(move || Arc::new(Self::new(1)).install(|| region.serve(number))).ok()
        };
        let members = (1..threads).map_while(start).collect();
        Self { region, is_busy: AtomicBool::new(false), members }
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.members.len() + 1
    }

    /// Lets up to so many threads at a time do a job together, or the caller alone if the members are at another: the job
    /// is done once it has returned for the caller, whose number is 0, and for all that took part.
    ///
    /// # Panics
    ///
    /// If the job does so in any of the threads.
    pub(super) fn run(&self, threads: usize, job: &Job<'_>) {
        // Looked at before it is written, which members would notice.
        if self.is_busy.load(Ordering::Relaxed) || self.is_busy.swap(true, Ordering::Acquire) {
            return job(0);
        }
        // SAFETY: whoever is busy is the only one.
        let outcome = unsafe { self.region.run(threads - 1, job) };
        self.is_busy.store(false, Ordering::Release);
        if let Err(payload) = outcome {
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
    /// The [generation](generation) of the job, whether it is [`CLOSED`], and how many [members](inside) are at it.
    state: AtomicU64,
    /// The job. It is written while the region is closed and nobody inside, and read by members who are inside.
    job: Slot,
    /// Members that the job has a use for at a time.
    seats: AtomicU64,
    /// Whether no job will come any more.
    is_over: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
    /// What panicked first.
    panic: Mutex<Option<Payload>>,
}

type Payload = Box<dyn Any + Send>;

/// A job whose lifetime has been forgotten.
#[derive(Debug)]
struct Slot(UnsafeCell<*const Job<'static>>);

// SAFETY: a job is `Sync`, and every access of the pointer says why nobody writes it meanwhile.
unsafe impl Sync for Slot {}
// SAFETY: as above.
unsafe impl Send for Slot {}

/// Of a state: nobody may join any more.
const CLOSED: u64 = 1 << 31;
/// Of a state: one job more.
const NEXT: u64 = 1 << 32;

/// Which job a state is of, counted until it wraps around.
const fn generation(state: u64) -> u64 {
    state / NEXT
}

/// How many members are at the job of a state.
const fn inside(state: u64) -> u64 {
    state % CLOSED
}

impl Region {
    fn new() -> Self {
        let nothing: &'static Job<'static> = &|_| {};
        Self {
            state: AtomicU64::new(CLOSED),
            job: Slot(UnsafeCell::new(nothing)),
            seats: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            panic: Mutex::new(None),
        }
    }

    /// Does a job, and lets up to so many members take part at a time.
    ///
    /// # Safety
    ///
    /// Nobody else may call this meanwhile.
    unsafe fn run(&self, seats: usize, job: &Job<'_>) -> thread::Result<()> {
        // SAFETY: members inside alone follow it, and there are none when this returns, which is always, since what panics
        // is caught.
        let forgotten = unsafe { mem::transmute::<&Job<'_>, &'static Job<'static>>(job) };
        // SAFETY: the last job is closed and nobody is inside.
        unsafe { *self.job.0.get() = forgotten };
        self.seats.store(seats as u64, Ordering::Relaxed);
        self.announce(0);
        let own = panic::catch_unwind(AssertUnwindSafe(|| job(0)));
        self.state.fetch_or(CLOSED, Ordering::Relaxed);
        // Acquires what all who were inside have written: each has left with a release, and whatever has changed the state
        // since then has read it first, so that the last one stands for all.
        while !look(|| inside(self.state.load(Ordering::Acquire)) == 0) {
            thread::yield_now();
        }
        let others = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        own.and(others.map_or(Ok(()), Err))
    }

    /// Sends everybody home.
    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.announce(CLOSED);
    }

    /// Begins the next generation, closed or not, and wakes who sleeps.
    fn announce(&self, closed: u64) {
        let next = generation(self.state.load(Ordering::Relaxed)).wrapping_add(1);
        // Sequentially consistent, as the two in `wait`: either this thread sees the sleeper, or that one the state.
        self.state.store(next.wrapping_mul(NEXT) | closed, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.sleep.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }

    /// Takes part in every job, as the member with a number.
    fn serve(&self, member: usize) {
        let mut last = 0;
        loop {
            last = self.wait(last);
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            if self.join(last) {
                // SAFETY: `run` neither writes it nor returns before this member has left, and it was written before
                // this member could join, which acquires it.
                let job = || unsafe { (**self.job.0.get())(member) };
                if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(job)) {
                    let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                    match *first {
                        None => *first = Some(payload),
                        // To drop it could panic, too, and this member would never leave.
                        Some(_) => mem::forget(payload),
                    }
                }
                self.state.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Waits for a generation after a given one: awake, and after a while asleep.
    fn wait(&self, last: u64) -> u64 {
        let next = |order| Some(generation(self.state.load(order))).filter(|&generation| generation != last);
        let start = Instant::now();
        while !look(|| next(Ordering::Relaxed).is_some()) && start.elapsed() < PATIENCE {
            thread::yield_now();
        }
        if let Some(generation) = next(Ordering::Acquire) {
            return generation;
        }
        let mut sleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let generation = loop {
            if let Some(generation) = next(Ordering::SeqCst) {
                break generation;
            }
            sleep = self.wake.wait(sleep).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        generation
    }

    /// Whether one more member can take part in the job of a generation.
    fn join(&self, job: u64) -> bool {
        let seats = self.seats.load(Ordering::Relaxed);
        let is_open = |state| generation(state) == job && state & CLOSED == 0 && inside(state) < seats;
        let one_more = |state| is_open(state).then_some(state + 1);
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
                for at_least in [1, 2, 7, 100, usize::MAX] {
                    assert_eq!(done(&team, tasks, at_least), vec![1; tasks], "{threads} threads, {at_least} at least");
                }
            }
        }
    }

    #[test]
    fn sees_what_the_job_before_has_written() {
        let team = Arc::new(Team::new(4));
        let mut numbers = vec![0_u32; 97];
        team.install(|| {
            for round in 0..20_000 {
                for_each(numbers.par_iter_mut(), |number| {
                    assert_eq!(*number, round);
                    *number += 1;
                });
                assert_eq!(numbers, [round + 1; 97]);
            }
        });
    }

    /// The members that take part in a job that three can do together alone.
    fn three_at_once(team: &Team) -> Vec<usize> {
        let together = Barrier::new(3);
        let members = Mutex::new(Vec::new());
        team.run(3, &|member| {
            together.wait();
            members.lock().expect("nobody panics").push(member);
        });
        let mut members = members.into_inner().expect("nobody panics");
        members.sort_unstable();
        members
    }

    #[test]
    fn all_members_take_part_awake_and_asleep() {
        let team = Team::new(3);
        assert_eq!(three_at_once(&team), [0, 1, 2]);
        assert_eq!(three_at_once(&team), [0, 1, 2]);
        while team.region.sleepers.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
        assert_eq!(three_at_once(&team), [0, 1, 2]);
    }

    #[test]
    fn no_more_threads_are_at_it_than_there_is_use_for() {
        let team = Team::new(8);
        for _ in 0..2_000 {
            let now = AtomicUsize::new(0);
            team.run(3, &|_| {
                assert!(now.fetch_add(1, Ordering::Relaxed) < 3);
                thread::yield_now();
                now.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }

    /// What a panic says whose payload must not be dropped.
    struct Precious(usize);

    impl Drop for Precious {
        fn drop(&mut self) {
            assert!(thread::panicking(), "it was dropped");
        }
    }

    #[test]
    fn a_panic_comes_through_and_the_team_goes_on() {
        let team = Arc::new(Team::new(3));
        for culprits in [[0, 0], [1, 1], [1, 2]] {
            let together = Barrier::new(3);
            let job = |member| {
                together.wait();
                if culprits.contains(&member) {
                    panic::resume_unwind(Box::new(Precious(member)));
                }
            };
            let payload = panic::catch_unwind(AssertUnwindSafe(|| team.run(3, &job))).expect_err("it panics");
            let payload = payload.downcast::<Precious>().expect("it is what was thrown");
            assert!(culprits.contains(&payload.0));
            mem::forget(payload);
        }
        assert_eq!(done(&team, 100, 1), vec![1; 100]);
    }

    #[test]
    fn ends_awake_and_asleep() {
        drop(Team::new(0));
        drop(Team::new(4));
        let team = Team::new(4);
        while team.region.sleepers.load(Ordering::SeqCst) < 3 {
            thread::yield_now();
        }
        let region = Arc::downgrade(&team.region);
        drop(team);
        assert!(region.upgrade().is_none(), "a member is still there");
    }

    #[test]
    fn generations_go_round() {
        let team = Team::new(3);
        assert_eq!(three_at_once(&team), [0, 1, 2]);
        while team.region.sleepers.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
        team.region.state.store((u64::from(u32::MAX) * NEXT) | CLOSED, Ordering::SeqCst);
        assert_eq!(three_at_once(&team), [0, 1, 2]);
        assert_eq!(generation(team.region.state.load(Ordering::SeqCst)), 0);
        assert_eq!(three_at_once(&team), [0, 1, 2]);
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
    fn a_caller_does_not_wait_for_another() {
        let team = Arc::new(Team::new(2));
        let (begun, end) = (Barrier::new(3), Barrier::new(3));
        thread::scope(|scope| {
            // Both members of the team are at it until the other caller has come to its end.
            scope.spawn(|| {
                team.run(2, &|_| {
                    begun.wait();
                    end.wait();
                });
            });
            begun.wait();
            assert_eq!(done(&team, 9, 2), vec![1; 9]);
            end.wait();
        });
    }
}
