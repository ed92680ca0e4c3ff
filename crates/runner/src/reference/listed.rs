//! The experiments that the table lists, and where they are found.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use models::Kernels;

use crate::{
    error::Error,
    experiment::{self, Experiment, Overrides, Reported, Xor},
};

/// An experiment of the table.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its file.
    pub path: PathBuf,
    /// The same, relative to the folder of the table.
    pub link: String,
    /// Its name.
    pub name: String,
    /// What a publication says that comes out.
    pub reported: Option<Reported>,
    /// What the file says; none for an exclusive or.
    pub experiment: Option<Experiment>,
    /// What the file of an exclusive or says.
    pub xor: Option<Xor>,
}

impl Listed {
    /// The experiments of a folder, by name of file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Config`] for a file that is no experiment.
    pub fn of_folder(folder: &Path) -> Result<Vec<Self>, Error> {
        let mut paths = entries(folder)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.iter().map(|path| Self::read(path, format!("../experiments/{}", last(path)))).collect()
    }

    /// The experiments of the references themselves, as they were run, for a place without experiment files. Those of an
    /// older form that can no longer be read are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn of_references(references: &Path) -> Result<Vec<Self>, Error> {
        let mut found: BTreeMap<String, Self> = BTreeMap::new();
        for kept in entries(references)? {
            for file in ["sweep.toml", "config.toml"].into_iter().filter(|file| kept.join(file).is_file()) {
                let link = format!("reference/{}/{file}", last(&kept));
                let Ok(listed) = Self::read(&kept.join(file), link) else { continue };
                // The last run of a sweep is part of it, and a composed one is not what is asked for.
                if found.get(&listed.name).is_none_or(|other| other.rank() < listed.rank()) {
                    found.insert(listed.name.clone(), listed);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    fn read(path: &Path, link: String) -> Result<Self, Error> {
        let path = path.to_owned();
        if let Some(xor) = experiment::load_xor(&path, &Overrides::default())? {
            let xor = xor.experiment;
            let (name, reported) = (xor.name.clone(), xor.reported.clone());
            return Ok(Self { path, link, name, reported, experiment: None, xor: Some(xor) });
        }
        let experiment = experiment::load(&path, &Overrides::default())?.experiment;
        let (name, reported) = (experiment.name.clone(), experiment.reported.clone());
        Ok(Self { path, link, name, reported, experiment: Some(experiment), xor: None })
    }

    /// How well it stands for all experiments of its name.
    fn rank(&self) -> usize {
        let Some(experiment) = &self.experiment else { return 1 };
        if experiment.sweep.is_some() { 2 } else { usize::from(experiment.training.kernels == Kernels::Fused) }
    }
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("cannot list", folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

fn last(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
