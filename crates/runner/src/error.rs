//! Everything that can end a run, and the exit code that says so.

use std::path::PathBuf;

use crate::{experiment::ConfigError, interrupt::Signal};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The experiment file, a flag or an override is wrong.
    #[error(transparent)]
    Config(Box<ConfigError>),
    /// A command-line argument that is wrong on its own.
    #[error("{0}")]
    Usage(String),
    /// The data set cannot be found, fetched or trusted.
    #[error(transparent)]
    Data(#[from] data::DataError),
    /// Weights cannot be written or read.
    #[error(transparent)]
    Weights(#[from] models::WeightsError),
    /// A file does not hold the weights of the base that an experiment asks for.
    #[error("{}: {message}", path.display())]
    Pretrained {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// A file cannot be written or read.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// What was being done, as in "cannot write".
        action: &'static str,
        /// The file or folder at fault.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a run directory says something else than its format allows.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The loss stopped being a number.
    #[error(
        "training diverged: loss is {loss} at epoch {epoch}, step {step} (learning rate {learning_rate}); \
         lower optimizer.learning_rate or set training.gradient_clipping"
    )]
    Diverged {
        /// Epoch, counted from 1 over all phases.
        epoch: usize,
        /// Step within the epoch, counted from 1.
        step: usize,
        /// The loss found.
        loss: f64,
        /// Learning rate of that step.
        learning_rate: f64,
    },
    /// A signal asked the run to stop.
    #[error(
        "stopped by {signal} {place}; {}; go on with: runner resume {}",
        if *saved { "saved" } else { "not saved, as the weights are not finite" },
        path.display()
    )]
    Interrupted {
        /// The signal.
        signal: Signal,
        /// Where training was, as in "in epoch 3, after step 17".
        place: String,
        /// Whether the state of that moment is saved.
        saved: bool,
        /// The run directory.
        path: PathBuf,
    },
    /// A run cannot go on as the same run.
    #[error(
        "{}: cannot go on as the same run, because something has changed since:\n  {}\n\
         undo that, or accept it with --accept-changes; the run directory will say so",
        path.display(),
        differences.join("\n  ")
    )]
    Changed {
        /// The run directory.
        path: PathBuf,
        /// What was and what is.
        differences: Vec<String>,
    },
    /// The chosen backend has no device on this machine.
    #[error("{0}")]
    Backend(String),
    /// A run with this name is going on.
    #[error("{}: another run is writing here{holder}; wait for it or choose another --run-name", path.display())]
    Busy {
        /// The run directory.
        path: PathBuf,
        /// Who holds it, as in " (process 42)".
        holder: String,
    },
    /// A picture cannot be drawn.
    #[error("cannot draw {figure}: {source}")]
    Plot {
        /// File name of the figure.
        figure: String,
        /// What went wrong.
        source: plots::PlotError,
    },
    /// Images cannot be embedded.
    #[error("cannot draw the {figure}: {source}")]
    Embed {
        /// The picture.
        figure: &'static str,
        /// What went wrong.
        source: embed::EmbedError,
    },
    /// The table of results, or what an experiment file says of it, is not what the kept results say.
    #[error("not what the kept results say: {}; write it with: runner table", list(paths))]
    Outdated {
        /// The table and experiment files at fault.
        paths: Vec<PathBuf>,
    },
    /// Several things were asked for and some failed.
    #[error("{failed} of {total} {what} failed")]
    Several {
        /// How many failed.
        failed: usize,
        /// How many were asked for.
        total: usize,
        /// What they are, as in "experiments".
        what: &'static str,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl Error {
    /// The process exit code that tells scripts what kind of failure this is.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Plot { .. } | Self::Embed { .. } | Self::Outdated { .. } => 1,
            Self::Config(_)
            | Self::Usage(_)
            | Self::Changed { .. }
            | Self::Data(data::DataError::Split(_) | data::DataError::ClassNames { .. }) => 2,
            Self::Data(data::DataError::Io { source, .. }) if source.kind() != std::io::ErrorKind::NotFound => 4,
            Self::Io { .. } => 4,
            Self::Data(_) | Self::Weights(_) | Self::Pretrained { .. } | Self::Malformed { .. } => 3,
            Self::Diverged { .. } => 5,
            Self::Backend(_) => 6,
            Self::Several { .. } => 7,
            Self::Busy { .. } => 75,
            Self::Interrupted { signal, .. } => signal.exit_code(),
        }
    }

    /// An I/O failure with the path and the deed; for `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
