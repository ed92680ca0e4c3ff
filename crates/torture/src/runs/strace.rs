//! Faults injected into system calls by `strace`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::command;

/// System calls by which files and folders change, under the names that `strace` knows on this machine.
pub(super) const CHANGES: &str = "write,pwrite64,fsync,fdatasync,ftruncate,?rename,?renameat,?renameat2,?link,\
                                  ?symlink,?symlinkat,?mkdir,?mkdirat,?unlink,?unlinkat,?rmdir";
/// `strace` slows a process down.
const DEADLINE: Duration = Duration::from_mins(2);

/// Whether faults can be injected here.
pub(super) fn is_there() -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=none", "true"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The same command with a fault, as in `inject=fsync:error=EIO:when=3`; in calls on any of `paths` only, if there
/// are some.
pub(super) fn with_fault(command: &Command, fault: &str, paths: &[PathBuf]) -> Command {
    let paths: Vec<String> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let mut options = vec!["-f", "-qq", "-o", "/dev/null", "-e", fault];
    options.extend(paths.iter().flat_map(|path| ["-P", path]));
    let mut traced = wrapped(command, &options);
    traced.stdin(Stdio::null());
    traced
}

/// How many of the given system calls the busiest thread of a command makes: injection counts per thread.
pub(super) fn count(command: &Command, calls: &str, log: &Path) -> Result<u64, String> {
    let shown = log.to_string_lossy().into_owned();
    let mut traced =
        wrapped(command, &["-f", "-qq", "-o", &shown, "-e", &format!("trace={calls}"), "-e", "signal=none"]);
    command::run(traced.stdin(Stdio::null()), DEADLINE)?.expect(0, "")?;
    let log = String::from_utf8_lossy(&super::lab::read(log)?).into_owned();
    let mut threads: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for line in log.lines().filter(|line| !line.contains("resumed>") && !line.contains("+++")) {
        *threads.entry(line.split_whitespace().next().unwrap_or_default()).or_default() += 1;
    }
    Ok(threads.into_values().max().unwrap_or_default())
}

fn wrapped(command: &Command, options: &[&str]) -> Command {
    let mut traced = Command::new("strace");
    traced.args(options).arg("--").arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced
}
