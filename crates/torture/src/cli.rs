//! The command line of `runner-torture`.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    Experiment, Figures, Plan, Process,
    catalogue::{EXPERIMENTS, find},
    command::say,
    report,
};

/// Try out what must survive, and write the figures down.
#[derive(Debug, Parser)]
#[command(name = "runner-torture", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the experiments
    List,
    /// Run experiments at full length, all of them without NAME
    Run {
        /// Name of an experiment, such as downloads
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Tries of each, instead of its own number
        #[arg(long, value_name = "N")]
        tries: Option<u64>,
        #[command(flatten)]
        options: Options,
    },
    /// Feed one parser with mutated input
    Fuzz {
        /// Which: idx, gzip, toml, safetensors, pth
        #[arg(value_name = "TARGET")]
        target: String,
        /// Inputs to try
        #[arg(long, value_name = "N")]
        executions: Option<u64>,
        /// Folder that gets an input for each kind of answer that is not there yet
        #[arg(long, value_name = "DIR")]
        corpus: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Write the page again, from the figures that are there
    Page {
        /// Folder of the figures
        #[arg(long, value_name = "DIR", default_value = "docs")]
        docs: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Options {
    /// Seed of everything that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The binary under test [default: `runner` beside this program]
    #[arg(long, value_name = "PATH")]
    runner: Option<PathBuf>,
    /// Folder for the figures of full-length runs
    #[arg(long, value_name = "DIR", default_value = "docs")]
    docs: PathBuf,
}

/// Runs the program and says how it went: 0 if everything passed, 1 if not, 2 for wrong arguments.
#[must_use]
pub fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            say(&format!("error: {message}"));
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: Command) -> Result<bool, String> {
    match command {
        Command::List => {
            for Experiment { name, row, what, tries, .. } in EXPERIMENTS {
                println!("{row:>2}  {name:<18} {tries:>9}  {what}");
            }
            Ok(true)
        }
        Command::Run { names, tries, options } => {
            let chosen = if names.is_empty() {
                EXPERIMENTS.iter().collect()
            } else {
                names.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?
            };
            run_all(&chosen, tries, None, &options)
        }
        Command::Fuzz { target, executions, corpus, options } => {
            run_all(&[named(&format!("fuzz-{target}"))?], executions, corpus.as_deref(), &options)
        }
        Command::Page { docs } => {
            println!("{}", report::write_page(&docs)?.display());
            Ok(true)
        }
    }
}

fn named(name: &str) -> Result<&'static Experiment, String> {
    let known: Vec<&str> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
    find(name).ok_or_else(|| format!("no experiment is called {name:?}; known are {}", known.join(", ")))
}

/// Whether all passed.
fn run_all(
    experiments: &[&Experiment],
    tries: Option<u64>,
    corpus: Option<&Path>,
    options: &Options,
) -> Result<bool, String> {
    let mut passed = true;
    for experiment in experiments {
        passed &= run(experiment, tries.unwrap_or(experiment.tries), corpus, options)?;
    }
    Ok(passed)
}

fn run(experiment: &Experiment, tries: u64, corpus: Option<&Path>, options: &Options) -> Result<bool, String> {
    let Experiment { name, row, what, .. } = experiment;
    say(&format!("{name} (row {row}): {what}"));
    let start = Instant::now();
    let mut plan = Plan::new(runner(options)?, tries, options.seed)?;
    plan.process = Process::Own;
    plan.corpus = corpus.map(Path::to_owned);
    let figures = (experiment.run)(&plan)?;
    let seconds = start.elapsed().as_secs_f64();
    for failure in &figures.failures {
        say(&format!("  FAILED {failure}"));
    }
    let Figures { tried, passed, notes, .. } = &figures;
    println!("{name}: tried {tried}, passed {passed}, {seconds:.1} s; {}", notes.join("; "));
    if tries < experiment.tries {
        say(&format!("  shorter than the full {}: the figures are not written down", experiment.tries));
    } else {
        let page = report::record(&options.docs, experiment, &figures, seconds)?;
        say(&format!("  written to {}", page.display()));
    }
    Ok(figures.is_pass())
}

fn runner(options: &Options) -> Result<PathBuf, String> {
    if let Some(runner) = &options.runner {
        return std::path::absolute(runner).map_err(|error| format!("--runner {}: {error}", runner.display()));
    }
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    Ok(own.with_file_name(format!("runner{}", env::consts::EXE_SUFFIX)))
}
