//! Web folders that have each file as `<name>.gz`.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

use ureq::Agent;

use super::{Deadlines, FetchError, Progress, job::Job};

const USER_AGENT: &str = concat!("burn-image-suite/", env!("CARGO_PKG_VERSION"));
const MAX_REDIRECTS: u32 = 5;
/// A transfer slower than this is given up: the next supplier is likely to be faster.
const MIN_BYTES_PER_SECOND: u64 = 4 << 10;

/// Supplies what is missing from the folder `url`, file by file.
pub(super) fn supply(job: &mut Job<'_>, url: &str) -> Result<(), FetchError> {
    while let Some(file) = job.next() {
        let url = format!("{}/{}.gz", url.trim_end_matches('/'), file.name);
        let (deadlines, progress) = (job.deadlines, job.progress);
        get(&url, file.name, most_compressed(file.bytes), &deadlines, progress, |reader| job.put(file, reader))?;
    }
    Ok(())
}

/// Gets one file of at most `limit` bytes and hands its bytes to `put`.
pub(super) fn get<T>(
    url: &str,
    name: &'static str,
    limit: u64,
    deadlines: &Deadlines,
    progress: Progress,
    put: impl FnOnce(&mut dyn Read) -> Result<T, FetchError>,
) -> Result<T, FetchError> {
    let response = agent(deadlines).get(url).call().map_err(|error| match error {
        ureq::Error::StatusCode(status) => FetchError::Status { file: name, status },
        error => FetchError::Http { file: name, source: Box::new(error) },
    })?;
    let body = response.into_body();
    if body.mime_type() == Some("text/html") {
        return Err(FetchError::Html { file: name });
    }
    let announced = body.content_length();
    if let Some(announced) = announced.filter(|&it| it > limit) {
        return Err(FetchError::TooLarge { file: name, limit, announced });
    }
    let bar = progress.download(name, announced);
    let reader = Paced::new(body.into_reader().take(limit), deadlines.stall);
    let result = put(&mut bar.wrap_read(reader));
    bar.finish_and_clear();
    result
}

fn agent(deadlines: &Deadlines) -> Agent {
    Agent::config_builder()
        .user_agent(USER_AGENT)
        .max_redirects(MAX_REDIRECTS)
        .timeout_resolve(Some(deadlines.connect))
        .timeout_connect(Some(deadlines.connect))
        .timeout_recv_response(Some(deadlines.stall))
        .timeout_per_read(Some(deadlines.stall))
        .timeout_global(Some(deadlines.total))
        .build()
        .into()
}

/// The most bytes that any gzip stream of `bytes` bytes needs: Deflate stores what it cannot compress in
/// blocks with 5 bytes of header (RFC 1951), and gzip adds a header and a trailer (RFC 1952).
fn most_compressed(bytes: u64) -> u64 {
    bytes + bytes / 1_000 + 4_096
}

/// A reader that gives up on a source that drips.
struct Paced<R> {
    inner: R,
    start: Instant,
    /// How long any pace will do.
    grace: Duration,
    bytes: u64,
}

impl<R> Paced<R> {
    fn new(inner: R, grace: Duration) -> Self {
        Self { inner, start: Instant::now(), grace, bytes: 0 }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.bytes += length as u64;
        let elapsed = self.start.elapsed();
        if elapsed > self.grace && self.bytes < elapsed.as_secs() * MIN_BYTES_PER_SECOND {
            let message = format!(
                "expected at least {MIN_BYTES_PER_SECOND} bytes per second, found {} in {} s",
                self.bytes,
                elapsed.as_secs()
            );
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        Ok(length)
    }
}
