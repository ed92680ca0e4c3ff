//! Fits in several processes of this program.
//!
//! Burn's backends have one random generator per process, so two fits must not share one. A worker reads a fit per
//! line from its standard input, writes the fit's record itself, and then names it on its standard output: what is
//! recorded stays, whoever is killed. When its input ends, the command that started it is done or gone, and it ends.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

use super::plan::Fit;
use crate::error::Error;

/// What becomes of a fit that was handed out.
#[derive(Debug)]
pub enum Answer {
    /// Its record is there.
    Recorded(Fit),
    /// The worker ended before that.
    Lost {
        /// The fit.
        fit: Fit,
        /// How the worker ended.
        message: String,
    },
}

/// Hands fits to `jobs` workers and tells `observe` of each as it ends.
///
/// A worker that ends in the middle of a fit costs that fit; another worker takes its place, unless it has not made a
/// single one. Returns the fits that nobody was left to make.
///
/// # Errors
///
/// [`Error::Io`] if no worker can be started; whatever `observe` returns.
pub fn hand_out(
    fits: Vec<Fit>,
    jobs: usize,
    command: &(dyn Fn() -> Command + Sync),
    observe: &mut dyn FnMut(Answer) -> Result<(), Error>,
) -> Result<Vec<Fit>, Error> {
    let queue = Mutex::new(VecDeque::from(fits));
    let (sender, answers) = mpsc::channel();
    let outcome = thread::scope(|scope| {
        for _ in 0..jobs {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || serve(queue, command, &sender));
        }
        drop(sender);
        let mut outcome = Ok(());
        for answer in answers {
            if outcome.is_ok() {
                outcome = answer.and_then(&mut *observe);
            }
            if outcome.is_err() {
                // Nothing more is handed out; the fits in hand are still recorded.
                lock(&queue).clear();
            }
        }
        outcome
    });
    outcome.map(|()| lock(&queue).drain(..).collect())
}

/// A queue that a panicking thread has left is whole all the same.
fn lock(queue: &Mutex<VecDeque<Fit>>) -> MutexGuard<'_, VecDeque<Fit>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(
    queue: &Mutex<VecDeque<Fit>>,
    command: &(dyn Fn() -> Command + Sync),
    answers: &mpsc::Sender<Result<Answer, Error>>,
) {
    // A send fails only where nobody listens any more.
    let mut worker: Option<Worker> = None;
    loop {
        let Some(fit) = lock(queue).pop_front() else { break };
        let mut own = match worker.take() {
            Some(own) => own,
            None => match Worker::start(command()) {
                Ok(own) => own,
                Err(error) => {
                    let _ = answers.send(Err(Error::io("cannot start a worker", "sweep-worker")(error)));
                    return;
                }
            },
        };
        match own.make(fit) {
            Ok(()) => {
                own.made += 1;
                let _ = answers.send(Ok(Answer::Recorded(fit)));
                worker = Some(own);
            }
            Err(error) => {
                let made = own.made;
                let message = own.end(&error);
                let _ = answers.send(Ok(Answer::Lost { fit, message }));
                if made == 0 {
                    return;
                }
            }
        }
    }
    if let Some(own) = worker {
        drop(own.input);
        let mut child = own.child;
        let _ = child.wait();
    }
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    made: usize,
}

impl Worker {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { unreachable!("both were asked for as pipes") };
        Ok(Self { child, input, output: BufReader::new(output), made: 0 })
    }

    /// Has a fit made and waits for the word that it is recorded.
    fn make(&mut self, fit: Fit) -> io::Result<()> {
        let asked = line(fit);
        writeln!(self.input, "{asked}")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        if answer.trim_end() == asked {
            return Ok(());
        }
        Err(io::Error::other(if answer.is_empty() { "no answer".to_owned() } else { format!("answered {answer:?}") }))
    }

    fn end(mut self, error: &io::Error) -> String {
        drop(self.input);
        match self.child.wait() {
            Ok(status) => format!("its process ended before it did ({status})"),
            Err(_) => format!("its process is lost ({error})"),
        }
    }
}

/// Answers the fits on standard input, one after the other, until there are no more.
///
/// # Errors
///
/// [`Error::Io`] if standard input or output breaks; whatever `make` returns.
pub fn answer(make: &mut dyn FnMut(Fit) -> Result<(), Error>) -> Result<(), Error> {
    let (sender, fits) = mpsc::channel();
    thread::spawn(move || {
        for text in io::stdin().lines() {
            let Some(fit) = text.ok().and_then(|text| serde_json::from_str::<Fit>(&text).ok()) else { break };
            if sender.send(fit).is_err() {
                return;
            }
        }
        // The command that started this process is gone. Nobody asks for the fit in hand any more, and the next
        // command will make it again: two processes at one fit would only be in each other's way.
        drop(sender);
        thread::sleep(GRACE);
        std::process::exit(1);
    });
    for fit in fits {
        make(fit)?;
        writeln!(io::stdout().lock(), "{}", line(fit)).map_err(Error::io("cannot write to", "standard output"))?;
    }
    Ok(())
}

/// How long an idle worker has to end by itself before its fit is given up.
const GRACE: std::time::Duration = std::time::Duration::from_millis(200);

fn line(fit: Fit) -> String {
    serde_json::to_string(&fit).expect("a fit is two numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(count: usize) -> Vec<Fit> {
        (0..count).map(|trial| Fit { trial, fold: None }).collect()
    }

    fn shell(script: &'static str) -> impl Fn() -> Command + Sync {
        move || {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stderr(Stdio::null());
            command
        }
    }

    fn check(script: &'static str, jobs: usize) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let (mut recorded, mut lost) = (Vec::new(), Vec::new());
        let left = hand_out(fits(6), jobs, &shell(script), &mut |answer| {
            match answer {
                Answer::Recorded(fit) => recorded.push(fit.trial),
                Answer::Lost { fit, .. } => lost.push(fit.trial),
            }
            Ok(())
        });
        recorded.sort_unstable();
        lost.sort_unstable();
        (recorded, lost, left.expect("workers start").into_iter().map(|fit| fit.trial).collect())
    }

    #[test]
    #[cfg(unix)]
    fn every_fit_is_made_once() {
        for jobs in [1, 2, 5, 9] {
            let (recorded, lost, left) = check("cat", jobs);
            assert_eq!((recorded, lost, left), ((0..6).collect(), vec![], vec![]), "{jobs} jobs");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_worker_that_dies_costs_one_fit() {
        // Dies when it is asked for trial 3.
        let script = "while read line; do case $line in *'trial\":3,'*) exit 9;; esac; echo \"$line\"; done";
        let (recorded, lost, left) = check(script, 1);
        assert_eq!((recorded, lost, left), (vec![0, 1, 2, 4, 5], vec![3], vec![]));
    }

    #[test]
    #[cfg(unix)]
    fn a_worker_that_never_works_is_not_started_again() {
        let (recorded, lost, left) = check("exit 4", 2);
        assert_eq!((recorded.len(), lost.len(), left.len()), (0, 2, 4));
    }

    #[test]
    #[cfg(unix)]
    fn an_observer_that_fails_stops_the_handing_out() {
        let mut seen = 0;
        let outcome = hand_out(fits(6), 1, &shell("cat"), &mut |_| {
            seen += 1;
            Err(Error::Usage("enough".to_owned()))
        });
        assert!(outcome.is_err());
        assert_eq!(seen, 1);
    }
}
