//! A single file that was published under a name that holds the beginning of its SHA-256.

use std::{fs, fs::File, path::Path};

use super::{Attempt, Deadlines, FetchError, mirror, store::Store};
use crate::{
    content::{ContentError, CopyError, copy_hashing},
    error::DataError,
    files::VerifiedFile,
    locate::{LocateOptions, Network, cache_dir},
};

/// A file on the web, such as a network's weights.
#[derive(Debug)]
pub struct PublishedFile {
    /// Its name, in the web folder and in the cache.
    pub name: &'static str,
    /// The web folder. Ends in `/`.
    pub url: &'static str,
    /// The beginning of its SHA-256, in lower-case hexadecimal.
    pub sha256_start: &'static str,
    /// More bytes than this it cannot have.
    pub limit: u64,
}

/// Finds a published file in the subfolder `folder` of the user's cache, or fetches it, and verifies its bytes.
///
/// A wrong file in the cache is fetched again, unless fetching is forbidden. [`LocateOptions::mirrors`] replace
/// the web folder.
///
/// # Errors
///
/// [`DataError::NotFound`] if the file is not there and must not be fetched, [`DataError::Unavailable`] if nobody
/// supplies it, [`DataError::Content`] if it is wrong and must not be fetched, [`DataError::Io`] if the cache
/// cannot be read or written.
pub fn locate_file(file: &PublishedFile, folder: &str, options: &LocateOptions) -> Result<VerifiedFile, DataError> {
    let folder = cache_dir(options).ok_or(DataError::NoCacheDir)?.join(folder);
    let path = folder.join(file.name);
    match (verified(file, &path), options.network) {
        (Ok(Some(found)), _) => return Ok(found),
        (Ok(None), Network::Forbidden) => {
            return Err(DataError::NotFound { name: file.name.to_owned(), looked: vec![folder] });
        }
        (Err(error), Network::Forbidden) => return Err(error),
        (Err(error), Network::Allowed) => tracing::warn!("{error}; fetching it again"),
        (Ok(None), Network::Allowed) => {}
    }

    let store = Store::open(&folder)?;
    // Another run may have fetched it while this one waited for the lock.
    if let Ok(Some(found)) = verified(file, &path) {
        return Ok(found);
    }
    let urls = options.mirrors.clone().unwrap_or_else(|| vec![file.url.to_owned()]);
    let mut attempts = Vec::new();
    for url in urls {
        tracing::info!("{}: fetching from {url}", file.name);
        match fetch(file, &url, &store, options) {
            Ok((bytes, sha256)) => return Ok(VerifiedFile { path, sha256, bytes }),
            Err(FetchError::Store(error)) => return Err(*error),
            Err(error) => attempts.push(Attempt { supplier: url, error }),
        }
    }
    Err(DataError::Unavailable { name: file.name.to_owned(), attempts })
}

fn fetch(file: &PublishedFile, url: &str, store: &Store, options: &LocateOptions) -> Result<(u64, String), FetchError> {
    let url = format!("{}/{}", url.trim_end_matches('/'), file.name);
    // A network's weights are ten times the size of a data set.
    let deadlines = Deadlines { total: 4 * options.deadlines.total, ..options.deadlines };
    // One byte more than the limit shows that there are more.
    mirror::get(&url, file.name, file.limit + 1, &deadlines, options.progress, |reader| {
        let copied = store.put_with(file.name, |sink| {
            let (bytes, sha256) = copy_hashing(reader, file.limit, sink)?.finish();
            file.check(bytes, &sha256).map_err(CopyError::Content)?;
            Ok((bytes, sha256))
        });
        copied.map_err(|error| match error {
            CopyError::Content(source) => FetchError::Content { file: file.name, source },
            CopyError::Sink(error) => FetchError::Store(Box::new(error)),
        })
    })
}

/// The file at `path`, if it is there; an error if it is another.
fn verified(file: &PublishedFile, path: &Path) -> Result<Option<VerifiedFile>, DataError> {
    if !fs::exists(path).map_err(DataError::io("cannot read", path))? {
        return Ok(None);
    }
    let reader = File::open(path).map_err(DataError::io("cannot open", path))?;
    let content = |source| DataError::Content { path: path.to_owned(), source };
    let copied = copy_hashing(reader, file.limit, |_| Ok::<(), std::convert::Infallible>(()));
    let (bytes, sha256) = match copied {
        Ok(hashing) => hashing.finish(),
        Err(CopyError::Content(source)) => return Err(content(source)),
        Err(CopyError::Sink(never)) => match never {},
    };
    file.check(bytes, &sha256).map_err(content)?;
    Ok(Some(VerifiedFile { path: path.to_owned(), sha256, bytes }))
}

impl PublishedFile {
    fn check(&self, bytes: u64, sha256: &str) -> Result<(), ContentError> {
        if bytes > self.limit {
            return Err(ContentError::OverLimit { limit: self.limit });
        }
        if !sha256.starts_with(self.sha256_start) {
            return Err(ContentError::WrongHash {
                expected: format!("{}…", self.sha256_start),
                found: sha256.to_owned(),
            });
        }
        Ok(())
    }
}
