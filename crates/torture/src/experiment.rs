//! What an experiment is: the one interface that every row of the reliability table has.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// One line of the reliability table.
#[derive(Debug)]
pub struct Experiment {
    /// What it is called on the command line, as in `downloads`.
    pub name: &'static str,
    /// Its row in the contract; several experiments may share one.
    pub row: u8,
    /// What is done.
    pub what: &'static str,
    /// What every try must show to pass.
    pub pass: &'static str,
    /// Tries of a full run.
    pub tries: u64,
    /// Tries of the test that everyone runs.
    pub quick: u64,
    /// Does it.
    ///
    /// # Errors
    ///
    /// What kept it from being done at all, such as a missing data set; a try that fails is no error but a
    /// failure among the [`Figures`].
    pub run: fn(&Plan) -> Result<Figures, String>,
}

/// How to run an experiment.
#[derive(Debug)]
pub struct Plan {
    /// The `runner` binary.
    pub runner: PathBuf,
    /// How often to try.
    pub tries: u64,
    /// Seed of everything that is left to chance.
    pub seed: u64,
    /// Whose memory this process's is.
    pub process: Process,
    /// A folder for inputs that are worth keeping: fuzzing leaves one here for each kind of answer.
    pub corpus: Option<PathBuf>,
    /// A folder to work in, which goes away with the plan.
    folder: TempDir,
}

/// Whose memory the memory of this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// The experiment's, so that it can be judged.
    Own,
    /// That of other experiments in other threads, too.
    Shared,
}

impl Plan {
    /// A plan with a folder of its own.
    ///
    /// # Errors
    ///
    /// If the system has no temporary folder to give.
    pub fn new(runner: impl Into<PathBuf>, tries: u64, seed: u64) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        Ok(Self { runner: runner.into(), tries, seed, process: Process::Shared, corpus: None, folder })
    }

    /// The folder to work in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What came of an experiment.
#[derive(Debug, Default)]
pub struct Figures {
    /// How often something was tried.
    pub tried: u64,
    /// How often it went as it must.
    pub passed: u64,
    /// What went wrong, a line for each failure.
    pub failures: Vec<String>,
    /// What else was measured, as in `peak memory 84 MB`.
    pub notes: Vec<String>,
}

/// How many failures are told; the rest are counted.
const MAX_TOLD: usize = 20;

impl Figures {
    /// Counts one try.
    pub fn count(&mut self, outcome: Result<(), String>) {
        self.tried += 1;
        match outcome {
            Ok(()) => self.passed += 1,
            Err(failure) if self.failures.len() < MAX_TOLD => self.failures.push(failure),
            Err(_) => {}
        }
    }

    /// Whether something was tried and nothing failed.
    #[must_use]
    pub fn is_pass(&self) -> bool {
        self.tried > 0 && self.tried == self.passed
    }

    /// Panics with the failures, for tests.
    ///
    /// # Panics
    ///
    /// If nothing was tried or a try failed.
    pub fn assert_pass(&self) {
        assert!(self.is_pass(), "{} of {} passed:\n{}", self.passed, self.tried, self.failures.join("\n"));
    }
}
