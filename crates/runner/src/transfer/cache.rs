//! Chunks of features on disk: each whole, right and under its final name, or not there at all.
//!
//! A chunk is a safetensors file with one tensor, `features`, and the SHA-256 of its name and bytes. One process
//! at a time holds the folder's lock to write; readers need none. What a killed process has left is removed by
//! the next one that writes. A chunk that is damaged is computed again.

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use safetensors::{SafeTensors, tensor::Dtype, tensor::TensorView};
use sha2::{Digest, Sha256};

use crate::{error::Error, run_dir::hexadecimal};

const TENSOR: &str = "features";
const CHECKSUM: &str = "sha256";
const LOCK: &str = ".lock";
/// How names of temporaries begin.
const TEMPORARY: &str = ".partial-";
/// Header of a chunk, at most.
const MAX_HEADER: u64 = 4096;
/// How often a waiting process looks for the lock.
const LOOK: Duration = Duration::from_millis(200);

/// The folder of the features under one key.
pub(super) struct Cache<'a> {
    pub(super) folder: &'a Path,
    pub(super) key: &'a str,
    /// Channels, height and width of the features of one image.
    pub(super) shape: [usize; 3],
}

impl Cache<'_> {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.safetensors"))
    }

    /// The features in a chunk of so many images; none if it is not there, or not right.
    pub(super) fn read(&self, name: &str, images: usize) -> Result<Option<Vec<f32>>, Error> {
        let path = self.path(name);
        let bytes = 4 * (images * self.shape.iter().product::<usize>()) as u64;
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if metadata.len() <= bytes + MAX_HEADER => {}
            Ok(_) => return Ok(damaged(&path, "too long")),
            Err(error) => return Err(Error::io("cannot read", path)(error)),
        }
        let file = fs::read(&path).map_err(Error::io("cannot read", &path))?;
        match self.parse(name, images, &file) {
            Ok(values) => Ok(Some(values)),
            Err(message) => Ok(damaged(&path, &message)),
        }
    }

    /// Keeps the features of a chunk.
    pub(super) fn write(&self, _lock: &Lock, name: &str, values: &[f32]) -> Result<(), Error> {
        let path = self.path(name);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let images = values.len() / self.shape.iter().product::<usize>();
        let shape = [&[images], self.shape.as_slice()].concat();
        let view = TensorView::new(Dtype::F32, shape, &bytes).expect("as many numbers as the shape says");
        let metadata = HashMap::from([(CHECKSUM.to_owned(), self.checksum(name, &bytes))]);
        let chunk = safetensors::serialize([(TENSOR, view)], Some(metadata)).expect("one tensor with a plain name");
        write_whole(self.folder, &path, &chunk).map_err(Error::io("cannot write", &path))
    }

    /// Waits for the right to write into the folder, calling `waiting` now and then.
    pub(super) fn lock(&self, waiting: &mut dyn FnMut() -> Result<(), Error>) -> Result<Lock, Error> {
        fs::create_dir_all(self.folder).map_err(Error::io("cannot create the folder", self.folder))?;
        let path = self.folder.join(LOCK);
        let file = File::create(&path).map_err(Error::io("cannot lock", &path))?;
        let mut is_first_look = true;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    if is_first_look {
                        tracing::warn!("{}: waiting for another run that computes these features", path.display());
                    }
                    is_first_look = false;
                    waiting()?;
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::Error(error)) => return Err(Error::io("cannot lock", path)(error)),
            }
        }
        sweep(self.folder);
        Ok(Lock { _file: file })
    }

    fn parse(&self, name: &str, images: usize, file: &[u8]) -> Result<Vec<f32>, String> {
        let (_, header) = SafeTensors::read_metadata(file).map_err(|error| error.to_string())?;
        let checksum = header.metadata().as_ref().and_then(|it| it.get(CHECKSUM)).ok_or("no checksum")?;
        let file = SafeTensors::deserialize(file).map_err(|error| error.to_string())?;
        let tensor = file.tensor(TENSOR).map_err(|error| error.to_string())?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != [&[images], self.shape.as_slice()].concat() {
            return Err(format!("{images} images expected, found shape {:?}", tensor.shape()));
        }
        if *checksum != self.checksum(name, tensor.data()) {
            return Err("wrong checksum".to_owned());
        }
        let (words, _) = tensor.data().as_chunks::<4>();
        Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
    }

    /// Over the key and the name, too: a chunk in another's place is a wrong chunk.
    fn checksum(&self, name: &str, bytes: &[u8]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(format!("{}/{name}\n", self.key));
        hasher.update(bytes);
        hexadecimal(&hasher.finalize())
    }
}

/// The right to write. Given back when it is dropped, or however the process ends.
pub(super) struct Lock {
    _file: File,
}

fn damaged(path: &Path, message: &str) -> Option<Vec<f32>> {
    tracing::warn!("{}: {message}; its features are computed again", path.display());
    None
}

fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    // The new name is in the folder, which is flushed on its own.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Removes temporaries: with the lock held, none is in use.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY)
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::warn!("{}: cannot remove: {error}", entry.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(folder: &Path) -> Cache<'_> {
        Cache { folder, key: "0123", shape: [2, 1, 2] }
    }

    fn locked(cache: &Cache<'_>) -> Lock {
        cache.lock(&mut || Ok(())).expect("nobody else writes")
    }

    #[test]
    fn a_chunk_survives_its_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = cache(folder.path());
        let values: Vec<f32> = (0..12u8).map(f32::from).collect();
        assert_eq!(cache.read("train-00000", 3).expect("readable"), None);
        cache.write(&locked(&cache), "train-00000", &values).expect("writable");
        assert_eq!(cache.read("train-00000", 3).expect("readable"), Some(values));
    }

    #[test]
    fn a_chunk_that_is_not_right_counts_as_missing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = cache(folder.path());
        cache.write(&locked(&cache), "train-00000", &[1.0; 12]).expect("writable");
        let path = cache.path("train-00000");
        let right = fs::read(&path).expect("readable");
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("writable");
            assert_eq!(cache.read("train-00000", 3).expect("readable"), None);
        };
        for at in 0..right.len() {
            let mut flipped = right.clone();
            flipped[at] ^= 1;
            check(&flipped);
            check(&right[..at]);
        }
        check(&[right.clone(), vec![0; 5000]].concat());
        // Right, but in another's place, of another key, or for another number of images.
        fs::write(cache.path("train-00001"), &right).expect("writable");
        assert_eq!(cache.read("train-00001", 3).expect("readable"), None);
        fs::write(&path, &right).expect("writable");
        assert_eq!(Cache { key: "0124", ..cache }.read("train-00000", 3).expect("readable"), None);
        assert_eq!(cache.read("train-00000", 2).expect("readable"), None);
        assert!(cache.read("train-00000", 3).expect("readable").is_some());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_a_second_one_waits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = cache(folder.path());
        fs::write(folder.path().join(".partial-x"), "half").expect("writable");
        let lock = locked(&cache);
        assert!(!folder.path().join(".partial-x").exists());
        let mut looks = 0;
        let stopped = cache.lock(&mut || {
            looks += 1;
            if looks > 1 { Err(Error::Usage("stopped".into())) } else { Ok(()) }
        });
        assert!(stopped.is_err(), "the lock is held");
        drop(lock);
        drop(locked(&cache));
    }
}
