//! The file with the weights of a base: found by path or by name, hashed, and read.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use data::{DataError, LocateOptions, PublishedFile};
use models::{Base, TensorFile, TransferConfig};
use sha2::{Digest, Sha256};

use crate::{error::Error, experiment::PretrainedWeights, run_dir::hexadecimal};

/// Folder of published weights in the user's cache.
const FOLDER: &str = "weights";

/// The largest file that is read: three times the largest network here.
const MAX_BYTES: u64 = 2 << 30;

/// A file with the hash of what is in it.
pub(super) struct WeightsFile {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
}

/// Finds or fetches the file that an experiment names, and makes the base with the weights in it.
pub(super) fn open(config: &TransferConfig, options: &LocateOptions) -> Result<(Base, WeightsFile), Error> {
    if let Some(pretrained) = PretrainedWeights::find(&config.weights) {
        let file =
            data::locate_file(&pretrained.file, FOLDER, options).map_err(|error| not_to_be_had(pretrained, error))?;
        let base = base(config, &file.path)?;
        return Ok((base, WeightsFile { path: file.path, sha256: file.sha256 }));
    }
    let path = PathBuf::from(&config.weights);
    check(&path)?;
    let base = base(config, &path)?;
    let sha256 = hash(&path).map_err(|error| unreadable(&path, &error))?;
    Ok((base, WeightsFile { path, sha256 }))
}

/// Opens nothing: a pipe or a device would block or never end.
fn check(path: &Path) -> Result<(), Error> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let fault = |message: String| Err(Error::Pretrained { path: path.to_owned(), message });
    match metadata.len() {
        _ if !metadata.is_file() => fault("expected a file with weights, found something else".to_owned()),
        MAX_BYTES.. => fault(format!("expected a file of less than {MAX_BYTES} bytes, found {}", metadata.len())),
        _ => Ok(()),
    }
}

fn base(config: &TransferConfig, path: &Path) -> Result<Base, Error> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let read = TensorFile::open(BufReader::new(file)).and_then(|mut file| config.base(&mut file));
    read.map_err(|error| Error::Pretrained { path: path.to_owned(), message: error.to_string() })
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hexadecimal(&hasher.finalize())),
            Ok(length) => hasher.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Says what to do about a file that is not here and cannot be fetched.
fn not_to_be_had(pretrained: &PretrainedWeights, error: DataError) -> Error {
    let PublishedFile { name, url, .. } = pretrained.file;
    let message = match error {
        DataError::NotFound { looked, .. } => {
            let looked: Vec<String> = looked.iter().map(|folder| folder.display().to_string()).collect();
            format!("not found in {}, and fetching is not allowed", looked.join(", "))
        }
        DataError::Unavailable { attempts, .. } => {
            let attempts: Vec<String> = attempts.iter().map(ToString::to_string).collect();
            format!("cannot be fetched: {}", attempts.join("; "))
        }
        other => return other.into(),
    };
    let message = format!("{message}; get {url}{name} and name it with --set model.weights=PATH");
    Error::Pretrained { path: PathBuf::from(name), message }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let names = PretrainedWeights::names().join(" or ");
    let message = format!(
        "{error}; model.weights is the path of a safetensors or PyTorch file, or {names} to fetch published weights"
    );
    Error::Pretrained { path: path.to_owned(), message }
}
