//! The command line: what a person types, and what the process answers.
//!
//! Standard output carries what was asked for and nothing else; everything said along the way goes to
//! standard error. Exit codes: see [`crate::error::Error::exit_code`].

mod args;
mod compare;
mod data_sets;
mod figures;
mod references;
mod run;
mod seeds;
mod show;
mod sweep;

use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory, Parser};

use self::args::{Arguments, Command};
use crate::{
    error::Error,
    experiment::nearest,
    report,
    run_dir::{RunDir, Status},
};

/// Runs the program and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,data=warn,runner=warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .without_time()
        .init();
    match dispatch(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = ExitCode::from(error.exit_code());
            complain(error);
            code
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Error> {
    match arguments.command {
        None if arguments.run.experiments.is_empty() => {
            Err(Error::Usage("no experiment given; try: runner experiments/cnn3.toml, or runner --help".into()))
        }
        None => {
            arguments.run.experiments.iter().try_for_each(|path| check_word(path))?;
            run::all(&arguments.run)
        }
        Some(Command::Resume(arguments)) => run::resume(&arguments),
        Some(Command::Plot { run, drawing }) => plot(&run, drawing.formats()),
        Some(Command::Summary { experiment, set }) => show::summary(&experiment, &set),
        Some(Command::List { folder, results_dir }) => show::list(&folder, &results_dir),
        Some(Command::Compare(compare)) => compare::compare(&compare),
        Some(Command::Figures(figures)) => figures::figures(&figures),
        Some(Command::Data(data)) => data_sets::dispatch(&data),
        Some(Command::Keep(keep)) => references::keep(&keep),
        Some(Command::Table(table)) => references::table(&table),
        Some(Command::SweepWorker { folder, threads }) => sweep::work(&folder, threads),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "runner", &mut std::io::stdout());
            Ok(())
        }
    }
}

/// A bare word that is no file was meant as a command, or as an experiment of the usual folder.
fn check_word(path: &Path) -> Result<(), Error> {
    let word = path.to_string_lossy();
    if path.exists() || path.extension().is_some() || path.components().count() != 1 {
        return Ok(());
    }
    let experiment = Path::new("experiments").join(path).with_extension("toml");
    let arguments = Arguments::command();
    let commands = arguments.get_subcommands().map(clap::Command::get_name);
    let hint = if experiment.is_file() {
        format!("did you mean {}?", experiment.display())
    } else if let Some(command) = nearest(&word, commands) {
        format!("did you mean the command `{command}`?")
    } else {
        "`runner list` shows the experiments, `runner --help` the commands".to_owned()
    };
    Err(Error::Usage(format!("{word}: neither a command nor an experiment file; {hint}")))
}

fn plot(path: &Path, formats: report::Formats) -> Result<(), Error> {
    let run = RunDir::open(path)?;
    if let Ok(status) = run.status()
        && status.is_resumable()
    {
        let Status { epochs_done, epochs_planned, .. } = status;
        let standing = status.standing();
        let path = path.display();
        eprintln!(
            "{path}: {standing} after {epochs_done} of {epochs_planned} epochs; go on with: runner resume {path}"
        );
    }
    let written = report::draw(&run, formats)?;
    for path in written {
        answer(&path.display())?;
    }
    Ok(())
}

/// Prints what was asked for on stdout; a reader that has seen enough is no failure.
fn answer(text: &impl std::fmt::Display) -> Result<(), Error> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("cannot write to", "standard output")(error))
        }
        _ => Ok(()),
    }
}

/// Prints an error on stderr, with the source line where there is one.
fn complain(error: Error) {
    match error {
        Error::Config(error) => eprint!("{}", error.report()),
        // Nothing went wrong.
        error @ Error::Interrupted { .. } => eprintln!("{error}"),
        error => {
            eprintln!("error: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                // Messages that already end with their cause are not repeated.
                if !error.to_string().contains(&cause.to_string()) {
                    eprintln!("  caused by: {cause}");
                }
                source = cause.source();
            }
        }
    }
}
