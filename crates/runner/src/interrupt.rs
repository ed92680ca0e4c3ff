//! SIGINT and SIGTERM: noted while a run has something to save, deadly at any other time.
//!
//! The first signal during a [`Watch`] is only noted; whoever holds the watch looks at it between two steps, saves
//! and stops. A second signal ends the process at once, with the exit code that the first would have had. Without a
//! watch, signals do what they do to any program.

use std::fmt;

use serde::Serialize;

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Signal {
    /// Ctrl-C on the terminal.
    #[serde(rename = "SIGINT")]
    Interrupt,
    /// What `kill`, service managers and batch systems send.
    #[serde(rename = "SIGTERM")]
    Terminate,
}

impl Signal {
    /// What a shell calls a process that the signal ended: 128 and its number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// As long as this lives, the first signal is noted instead of ending the process.
#[derive(Debug)]
#[must_use = "signals are noted only while this lives"]
pub struct Watch(());

#[cfg(unix)]
mod unix {
    use std::sync::{
        Arc, Once, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        flag,
    };

    use super::{Signal, Watch};
    use crate::error::Error;

    /// What the handlers, which live as long as the process, read and write.
    #[derive(Default)]
    struct Flags {
        /// Nobody watches: signals do what they always do.
        idle: Arc<AtomicBool>,
        /// A signal has been noted: another one ends the process.
        noted: Arc<AtomicBool>,
        /// Number of the signal noted; 0 for none.
        number: Arc<AtomicUsize>,
    }

    static FLAGS: OnceLock<Flags> = OnceLock::new();

    impl Watch {
        /// Starts to watch. A signal that was noted by an earlier watch still counts.
        ///
        /// # Errors
        ///
        /// [`Error::Io`] if the system refuses signal handlers.
        pub fn start() -> Result<Self, Error> {
            static REGISTERED: Once = Once::new();
            let flags = FLAGS.get_or_init(Flags::default);
            let mut registered = Ok(());
            REGISTERED.call_once(|| registered = [SIGINT, SIGTERM].into_iter().try_for_each(|it| flags.register(it)));
            registered.map_err(Error::io("cannot handle signals", "this process"))?;
            flags.idle.store(false, Ordering::SeqCst);
            Ok(Self(()))
        }

        /// The signal noted, if there was one.
        #[must_use]
        pub fn noted(&self) -> Option<Signal> {
            match i32::try_from(FLAGS.get()?.number.load(Ordering::SeqCst)) {
                Ok(SIGINT) => Some(Signal::Interrupt),
                Ok(SIGTERM) => Some(Signal::Terminate),
                _ => None,
            }
        }
    }

    impl Flags {
        /// The order counts: the first signal must find `noted` unset.
        fn register(&self, signal: i32) -> std::io::Result<()> {
            flag::register_conditional_default(signal, Arc::clone(&self.idle))?;
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.noted))?;
            flag::register(signal, Arc::clone(&self.noted))?;
            let number = usize::try_from(signal).expect("signals have positive numbers");
            flag::register_usize(signal, Arc::clone(&self.number), number)?;
            Ok(())
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            if let Some(flags) = FLAGS.get() {
                flags.idle.store(true, Ordering::SeqCst);
            }
        }
    }
}

#[cfg(not(unix))]
impl Watch {
    /// Signals are not watched here: Ctrl-C ends the process, and the run goes on from its last checkpoint.
    ///
    /// # Errors
    ///
    /// None.
    pub fn start() -> Result<Self, crate::error::Error> {
        Ok(Self(()))
    }

    /// None.
    #[must_use]
    pub fn noted(&self) -> Option<Signal> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        env,
        io::{BufRead, BufReader},
        process::{Child, ChildStdout, Command, Stdio},
        thread,
        time::Duration,
    };

    use super::*;

    /// Set in the process that is signalled, which is another one of these tests.
    const SIGNALLED: &str = "RUNNER_TEST_SIGNALLED";

    #[test]
    fn the_first_signal_is_noted_and_a_second_one_ends_the_process() {
        if env::var_os(SIGNALLED).is_some() {
            return note_and_wait();
        }
        let mut command = Command::new(env::current_exe().expect("a test has a program"));
        command.args(["the_first_signal_is_noted", "--nocapture"]).env(SIGNALLED, "yes");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        wait_for("watching", &mut lines);
        interrupt(&child);
        wait_for("noted", &mut lines);
        assert!(child.try_wait().expect("it is a child").is_none(), "the first signal ended it");
        interrupt(&child);
        assert_eq!(child.wait().expect("it is a child").code(), Some(130));
    }

    /// Looks out for a signal as a run does, and then no more, as a step that never ends.
    fn note_and_wait() {
        let watch = Watch::start().expect("signals can be handled");
        println!("\nwatching");
        while watch.noted() != Some(Signal::Interrupt) {
            thread::sleep(Duration::from_millis(1));
        }
        println!("noted");
        thread::sleep(Duration::from_secs(20));
    }

    fn wait_for(line: &str, lines: &mut BufReader<ChildStdout>) {
        assert!(lines.lines().map_while(Result::ok).any(|found| found == line), "it never said {line:?}");
    }

    fn interrupt(child: &Child) {
        let killed = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
        assert!(killed.expect("kill is there").success());
    }
}
