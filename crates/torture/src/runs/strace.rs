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
    wrapped(command, &["-o", "/dev/null", "-e", fault], paths)
}

/// How many of the given system calls the busiest thread of a command makes, on any of `paths` only, if there are
/// some: injection counts per thread.
pub(super) fn count(command: &Command, calls: &str, paths: &[PathBuf], log: &Path) -> Result<u64, String> {
    let (shown, trace) = (log.to_string_lossy().into_owned(), format!("trace={calls}"));
    let mut traced = wrapped(command, &["-o", &shown, "-e", &trace, "-e", "signal=none"], paths);
    command::run(&mut traced, DEADLINE)?.expect(0, "")?;
    let log = String::from_utf8_lossy(&super::lab::read(log)?).into_owned();
    let mut threads: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for line in log.lines().filter(|line| !line.contains("resumed>") && !line.contains("+++")) {
        *threads.entry(line.split_whitespace().next().unwrap_or_default()).or_default() += 1;
    }
    Ok(threads.into_values().max().unwrap_or_default())
}

/// The command under `strace`, threads and all.
fn wrapped(command: &Command, options: &[&str], paths: &[PathBuf]) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq"]).args(options);
    for path in paths {
        traced.arg("-P").arg(path);
    }
    traced.arg("--").arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
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
