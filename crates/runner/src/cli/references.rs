//! `runner keep` and `runner table`: results that are kept with the sources, and the table over them.

use std::{fs, path::Path};

use super::args::{KeepArguments, TableArguments};
use crate::{
    error::Error,
    experiment::{self, Overrides},
    reference::{self, Listed, Replace},
    run_dir,
};

/// Keeps runs and sweeps.
pub(super) fn keep(arguments: &KeepArguments) -> Result<(), Error> {
    let replace = if arguments.force { Replace::Always } else { Replace::Never };
    for path in &arguments.runs {
        let kept = reference::keep(path, &arguments.results_dir.join("reference"), replace)?;
        super::answer(&kept.display())?;
    }
    Ok(())
}

/// Writes the table, or says that it is not what would be written.
pub(super) fn table(arguments: &TableArguments) -> Result<(), Error> {
    let path = arguments.results_dir.join("README.md");
    let listed = listed(&arguments.experiments)?;
    let text = reference::markdown(&listed, &arguments.results_dir.join("reference"))?;
    if !arguments.check {
        run_dir::write_text(&path, &text)?;
        return super::answer(&path.display());
    }
    match fs::read_to_string(&path) {
        Ok(written) if written == text => Ok(()),
        Ok(_) => Err(Error::Outdated { path }),
        Err(error) => Err(Error::io("cannot read", path)(error)),
    }
}

/// The experiments of a folder, by name of file.
fn listed(folder: &Path) -> Result<Vec<Listed>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("cannot list", folder))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = format!("../experiments/{file}");
        if let Some(xor) = experiment::load_xor(path, &Overrides::default())? {
            let xor = xor.experiment;
            let (name, reported) = (xor.name.clone(), xor.reported.clone());
            return Ok(Listed { file, name, reported, experiment: None, xor: Some(xor) });
        }
        let experiment = experiment::load(path, &Overrides::default())?.experiment;
        let (name, reported) = (experiment.name.clone(), experiment.reported.clone());
        Ok(Listed { file, name, reported, experiment: Some(experiment), xor: None })
    };
    paths.iter().map(read).collect()
}
