//! `runner keep` and `runner table`: results that are kept with the sources, and the table over them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::args::{KeepArguments, TableArguments};
use crate::{
    error::Error,
    reference::{self, Listed, Replace},
    run_dir,
};

/// Where experiment files are, unless somebody says so.
const EXPERIMENTS: &str = "experiments";

/// Keeps runs and sweeps.
pub(super) fn keep(arguments: &KeepArguments) -> Result<(), Error> {
    let replace = if arguments.force { Replace::Always } else { Replace::Never };
    for path in &arguments.runs {
        let kept = reference::keep(path, &arguments.results_dir.join("reference"), replace)?;
        super::answer(&kept.display())?;
    }
    Ok(())
}

/// Writes the table and what headers of experiment files say of it, or says which of them are not what would be written.
pub(super) fn table(arguments: &TableArguments) -> Result<(), Error> {
    let references = arguments.results_dir.join("reference");
    let usual = Path::new(EXPERIMENTS);
    let listed = match &arguments.experiments {
        Some(folder) => Listed::of_folder(folder)?,
        None if usual.is_dir() => Listed::of_folder(usual)?,
        None => Listed::of_references(&references)?,
    };
    let table = arguments.results_dir.join("README.md");
    let mut files = vec![(table.clone(), reference::markdown(&listed, &references)?)];
    files.extend(reference::headers(&listed, &references)?);
    let mut outdated = Vec::new();
    for (path, text) in files {
        match fs::read_to_string(&path) {
            Ok(written) if written == text => {}
            Err(error) if arguments.check => return Err(Error::io("cannot read", path)(error)),
            _ => outdated.push((path, text)),
        }
    }
    if arguments.check {
        let paths: Vec<PathBuf> = outdated.into_iter().map(|(path, _)| path).collect();
        return if paths.is_empty() { Ok(()) } else { Err(Error::Outdated { paths }) };
    }
    for (path, text) in &outdated {
        run_dir::write_text(path, text)?;
    }
    // The table, whether or not anything in it is new; and what else has changed.
    let others = outdated.iter().map(|(path, _)| path).filter(|path| **path != table);
    [&table].into_iter().chain(others).try_for_each(|path| super::answer(&path.display()))
}
