//! Debian's package of a data set, brought by `apt-get` without being installed.
//!
//! `apt-get` gets its own package lists and cache in a folder that goes away afterwards. So this needs no
//! privileges, does not depend on the system's lists, which may be old or absent, and leaves the system as
//! it was. Which mirrors are asked, and whose signatures count, is up to the system's settings.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use super::{FetchError, command, job::Job};
use crate::error::DataError;

/// Supplies what is missing from the Debian package `package`.
pub(super) fn supply(job: &mut Job<'_>, package: &'static str) -> Result<(), FetchError> {
    let work = job.store.work_folder().map_err(|error| FetchError::Store(Box::new(error)))?;
    let work = work.path();
    for folder in ["lists/partial", "cache/archives/partial"] {
        let folder = work.join(folder);
        fs::create_dir_all(&folder)
            .map_err(|error| FetchError::Store(Box::new(DataError::io("cannot create", folder)(error))))?;
    }

    let bar = job.progress.program("apt-get", package);
    let run = |command: &mut Command| command::run(command, work, job.deadlines.total, &bar);
    // With several package sources, one that fails need not be the one that has the package.
    let updated = run(apt_get(work).arg("update"));
    let downloaded = run(apt_get(work).args(["download", package]));
    let unpacked = match (updated, downloaded) {
        (_, Ok(())) => unpack(work, &run),
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
    };
    bar.finish_and_clear();
    unpacked?;

    let folder = work.join("unpacked/usr/share/datasets").join(job.info.name);
    while let Some(file) = job.next() {
        let reader = File::open(folder.join(format!("{}.gz", file.name)))
            .map_err(|error| FetchError::Content { file: file.name, source: error.into() })?;
        job.put(file, reader)?;
    }
    Ok(())
}

fn apt_get(work: &Path) -> Command {
    let mut command = Command::new("apt-get");
    for option in [
        format!("Dir::State::Lists={}/", work.join("lists").display()),
        format!("Dir::Cache={}/", work.join("cache").display()),
        "Acquire::Languages=none".to_owned(),
        "Acquire::Retries=1".to_owned(),
        "Acquire::http::Timeout=10".to_owned(),
        "Acquire::https::Timeout=10".to_owned(),
    ] {
        command.arg("-o").arg(option);
    }
    command
}

fn unpack(work: &Path, run: &impl Fn(&mut Command) -> Result<(), FetchError>) -> Result<(), FetchError> {
    let package = command::find(work, "deb").ok_or(FetchError::NoPackage { program: "apt-get", expected: "*.deb" })?;
    run(Command::new("dpkg-deb").arg("-x").arg(package).arg("unpacked"))
}
