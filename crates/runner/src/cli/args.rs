//! Flags and subcommands.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use data::{LocateOptions, Network, Progress};

use super::seeds::SeedList;
use crate::{experiment::BackendName, progress::ProgressMode, report::Formats};

/// Train image classifiers from TOML experiments and draw what they learnt.
#[derive(Debug, Parser)]
#[command(
    name = "runner",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 done, 1 failure in a run, 2 usage or configuration, 3 data or weights, 4 I/O, \
                  5 training diverged, 6 backend unavailable, 7 some of several failed, 75 run directory busy, \
                  130 and 143 stopped by SIGINT and SIGTERM, after saving."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunArguments,
}

/// What to train and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct RunArguments {
    /// Experiment files, run one after the other
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(super) experiments: Vec<PathBuf>,
    /// Backend that computes, instead of the file's [default: auto]
    #[arg(long, value_enum)]
    pub(super) backend: Option<BackendName>,
    /// Set a value of the experiment, as in `--set optimizer.learning_rate=0.01`
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    pub(super) set: Vec<String>,
    /// Seed of weights, order, dropout and augmentation
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Several seeds, one run each, with mean and standard deviation: how many (3, counted from the experiment's
    /// seed), or which (0,1,2)
    #[arg(long, value_name = "N|LIST")]
    pub(super) seeds: Option<SeedList>,
    /// Do not repeat a run that is finished: same experiment, seed and settings
    #[arg(long)]
    pub(super) skip_finished: bool,
    /// Stop after N epochs, counted over all phases
    #[arg(long, value_name = "N")]
    pub(super) max_epochs: Option<usize>,
    /// Train on the first N samples of the training part, and validate on the first N of the validation part
    #[arg(long, value_name = "N")]
    pub(super) train_samples: Option<usize>,
    /// Test on the first N samples of the test set
    #[arg(long, value_name = "N")]
    pub(super) test_samples: Option<usize>,
    /// Folder for run directories
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) results_dir: PathBuf,
    /// Name of the run directory [default: <UTC time>-<backend>-s<seed>]
    #[arg(long, value_name = "NAME")]
    pub(super) run_name: Option<String>,
    /// Go on with the latest unfinished run of each experiment, or with the one of --run-name
    #[arg(long)]
    pub(super) resume: bool,
    /// With --resume: go on even if the experiment, the data or the program has changed, and note that in the run
    #[arg(long, requires = "resume")]
    pub(super) accept_changes: bool,
    /// With --run-name: move a run of that name aside, to NAME.until-<UTC time>, instead of refusing
    #[arg(long, requires = "run_name", conflicts_with = "resume")]
    pub(super) force: bool,
    /// Folder with the data set's IDX files
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) fetching: Fetching,
    /// Threads that compute on the CPU [default: one per core]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    /// Fits of a sweep that are made at once, in processes that share the threads
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) jobs: NonZeroUsize,
    /// Print one JSON object per run on stdout
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) drawing: Drawing,
    /// Print the resolved configuration and the model, and touch nothing
    #[arg(long, conflicts_with = "json")]
    pub(super) dry_run: bool,
}

/// Where data may come from, and how that and what follows is shown.
#[derive(Debug, Args)]
pub(super) struct Fetching {
    /// Never fetch data
    #[arg(long)]
    pub(super) offline: bool,
    /// Fetch data from this web folder (which has each file as NAME.gz) and from nowhere else
    #[arg(long, value_name = "URL", conflicts_with = "offline")]
    pub(super) mirror: Vec<String>,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value_t)]
    pub(super) progress: ProgressMode,
}

impl Fetching {
    /// How data sets are looked for.
    pub(super) fn options(&self) -> LocateOptions {
        LocateOptions {
            network: if self.offline { Network::Forbidden } else { Network::Allowed },
            // Whoever serves the bytes: their hashes are known.
            mirrors: (!self.mirror.is_empty()).then(|| self.mirror.clone()),
            progress: if self.progress.settled() == ProgressMode::Bar { Progress::Bar } else { Progress::Silent },
            ..LocateOptions::default()
        }
    }
}

/// What figures are drawn as.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Drawing {
    /// Draw figures as SVG, too
    #[arg(long)]
    pub(super) svg: bool,
}

impl Drawing {
    pub(super) fn formats(self) -> Formats {
        if self.svg { Formats::PngAndSvg } else { Formats::Png }
    }
}

/// Which run to go on with.
#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// Run directory, such as results/cnn3/latest
    #[arg(value_name = "RUN_DIR")]
    pub(super) run: PathBuf,
    /// Go on even if configuration, data, program or machine have changed, and note that in the run
    #[arg(long)]
    pub(super) accept_changes: bool,
    #[command(flatten)]
    pub(super) fetching: Fetching,
    /// Threads that compute on the CPU [default: one per core]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) drawing: Drawing,
}

/// What else the program does.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Go on with a run that was interrupted, to the same result as if it had not been
    Resume(ResumeArguments),
    /// Draw the figures of a run again, from its files alone
    Plot {
        /// Run directory, such as results/cnn3/latest
        #[arg(value_name = "RUN_DIR")]
        run: PathBuf,
        #[command(flatten)]
        drawing: Drawing,
    },
    /// Print the model of an experiment: layers, shapes, parameters, multiply-adds
    Summary {
        /// Experiment file
        #[arg(value_name = "EXPERIMENT.toml")]
        experiment: PathBuf,
        /// Set a value of the experiment
        #[arg(long, value_name = "KEY.PATH=VALUE")]
        set: Vec<String>,
    },
    /// List experiments and their last results
    List {
        /// Folder of experiment files
        #[arg(value_name = "DIR", default_value = "experiments")]
        folder: PathBuf,
        /// Folder of run directories
        #[arg(long, value_name = "DIR", default_value = "results")]
        results_dir: PathBuf,
    },
    /// Draw every figure of a run or of a data set
    Figures(super::figures::FiguresArguments),
    /// Compare runs: a table, and one plot over all of them
    Compare(CompareArguments),
    /// Fetch, verify or list data sets
    Data(DataArguments),
    /// Keep finished runs and sweeps with the sources: numbers and small pictures, no weights
    Keep(KeepArguments),
    /// Write the table of results, reported beside measured, and the lines on it in headers of experiment files
    Table(TableArguments),
    /// Help with a sweep: make the fits that are named on standard input
    #[command(hide = true)]
    SweepWorker {
        /// Folder of the sweep
        folder: PathBuf,
        /// Threads that compute
        #[arg(long)]
        threads: NonZeroUsize,
    },
    /// Print a completion script for a shell
    Completions {
        /// Shell
        shell: Shell,
    },
}

/// Which runs to compare.
#[derive(Debug, Args)]
pub(super) struct CompareArguments {
    /// Run directories, such as results/cnn1/latest results/cnn3/latest
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    pub(super) runs: Vec<PathBuf>,
    /// Folder for the plots
    #[arg(long, value_name = "DIR", default_value = "results/compare")]
    pub(super) output: PathBuf,
    /// How the table is printed
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TableFormat,
    #[command(flatten)]
    pub(super) drawing: Drawing,
}

/// What to keep.
#[derive(Debug, Args)]
pub(super) struct KeepArguments {
    /// Run directories and folders of sweeps, such as results/cnn3/latest or `results/grid_digits/grid`
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    pub(super) runs: Vec<PathBuf>,
    /// Folder whose `reference` they are kept in
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) results_dir: PathBuf,
    /// Replace what is kept already
    #[arg(long)]
    pub(super) force: bool,
}

/// Which table to write.
#[derive(Debug, Args)]
pub(super) struct TableArguments {
    /// Folder of experiment files [default: experiments; where there is none, the experiments that are kept]
    #[arg(long, value_name = "DIR")]
    pub(super) experiments: Option<PathBuf>,
    /// Folder with the table, README.md, and `reference`
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) results_dir: PathBuf,
    /// Write nothing; fail if the table or a header is not what would be written
    #[arg(long)]
    pub(super) check: bool,
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TableFormat {
    /// For a terminal.
    #[default]
    Text,
    /// For a Markdown file.
    Markdown,
}

/// What to do with data sets.
#[derive(Debug, Args)]
pub(super) struct DataArguments {
    #[command(subcommand)]
    pub(super) action: DataAction,
}

/// What to do with which data set.
#[derive(Debug, Subcommand)]
pub(super) enum DataAction {
    /// Find or fetch a data set (all of them without NAME) and verify it
    Fetch(DataSetArguments),
    /// Verify a data set (all of them without NAME) without fetching
    Verify(DataSetArguments),
    /// List data sets and where their files are
    List(DataSetArguments),
}

/// Which data set, and where to look first.
#[derive(Debug, Args)]
pub(super) struct DataSetArguments {
    /// Name of the data set, such as fashion-mnist
    pub(super) name: Option<String>,
    /// Folder with the data set's IDX files
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) fetching: Fetching,
}
