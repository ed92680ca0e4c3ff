//! A published data set, whole and right, to serve or to spoil; and the cache of a `runner` in a home of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use data::{DatasetInfo, LocateOptions, Progress, Source, locate};
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::server::{self, Server};

/// A registered data set that is not installed on this system, so that `runner` has to fetch it.
pub(crate) struct Published {
    pub(crate) info: &'static DatasetInfo,
    /// The bytes of its files, in the registry's order.
    pub(crate) files: Arc<[Vec<u8>; 4]>,
}

impl Published {
    /// Finds one in the user's cache, or fetches it.
    pub(crate) fn new() -> Result<Self, String> {
        let installed = |info: &&DatasetInfo| Path::new("/usr/share/datasets").join(info.name).exists();
        let info = data::all().iter().find(|info| !installed(info));
        let info = info.ok_or("every data set is installed on this system, so that none has to be fetched")?;
        let options = LocateOptions { progress: Progress::Silent, ..LocateOptions::default() };
        let found = locate(&Source::Named(info), &options).map_err(|error| error.to_string())?;
        let read = |index: usize| -> Result<Vec<u8>, String> {
            let path = &found.files()[index].path;
            let failed = |error: std::io::Error| format!("{}: {error}", path.display());
            let bytes = fs::read(path).map_err(failed)?;
            if !bytes.starts_with(&[0x1F, 0x8B]) {
                return Ok(bytes);
            }
            let mut plain = Vec::new();
            std::io::copy(&mut MultiGzDecoder::new(&bytes[..]), &mut plain).map_err(failed)?;
            Ok(plain)
        };
        Ok(Self { info, files: Arc::new([read(0)?, read(1)?, read(2)?, read(3)?]) })
    }

    /// A server that has all four files.
    pub(crate) fn server(&self) -> Server {
        let (info, files) = (self.info, Arc::clone(&self.files));
        Server::start(move |path, stream| match index(info, path) {
            Some(index) => server::response(stream, "200 OK", "application/gzip", &files[index]),
            None => server::response(stream, "404 Not Found", "text/plain", b"no such file"),
        })
    }

    /// Where a `runner` with this home keeps the data set.
    pub(crate) fn cache(&self, home: &Path) -> PathBuf {
        home.join("cache/burn-image-suite").join(self.info.name)
    }

    /// Checks that whatever has a final name in the cache of this home is right, and counts it.
    pub(crate) fn check_finished(&self, home: &Path) -> Result<usize, String> {
        let mut right = 0;
        for file in &self.info.files {
            let path = self.cache(home).join(file.name);
            let Ok(bytes) = fs::read(&path) else { continue };
            let hash: [u8; 32] = Sha256::digest(&bytes).into();
            if hash.map(|byte| format!("{byte:02x}")).concat() != file.sha256 {
                return Err(format!("{} has its final name and wrong bytes", path.display()));
            }
            right += 1;
        }
        Ok(right)
    }

    /// Checks that the cache of this home has every file and nothing else but the lock.
    pub(crate) fn check_complete(&self, home: &Path) -> Result<(), String> {
        let (right, names) = (self.check_finished(home)?, names(&self.cache(home)));
        if right == 4 && names.len() == 4 { Ok(()) } else { Err(format!("expected the four files, found {names:?}")) }
    }
}

/// Names in a folder but that of the lock.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

/// Which file of a data set is asked for.
pub(crate) fn index(info: &DatasetInfo, path: &str) -> Option<usize> {
    let name = path.trim_start_matches('/').trim_end_matches(".gz");
    info.files.iter().position(|file| file.name == name)
}
