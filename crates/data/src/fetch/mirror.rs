//! Web folders that have each file as `<name>.gz`.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

use ureq::Agent;

use super::{Deadlines, FetchError, job::Job};

const USER_AGENT: &str = concat!("burn-image-suite/", env!("CARGO_PKG_VERSION"));
const MAX_REDIRECTS: u32 = 5;
/// A transfer slower than this is given up: the next supplier is likely to be faster.
const MIN_BYTES_PER_SECOND: u64 = 4 << 10;

/// Supplies what is missing from the folder `url`, file by file.
pub(super) fn supply(job: &mut Job<'_>, url: &str) -> Result<(), FetchError> {
    let agent = agent(&job.deadlines);
    while let Some(file) = job.next() {
        let limit = most_compressed(file.bytes);
        let url = format!("{}/{}.gz", url.trim_end_matches('/'), file.name);
        let response = agent.get(&url).call().map_err(|error| match error {
            ureq::Error::StatusCode(status) => FetchError::Status { file: file.name, status },
            error => FetchError::Http { file: file.name, source: Box::new(error) },
        })?;
        let body = response.into_body();
        if body.mime_type() == Some("text/html") {
            return Err(FetchError::Html { file: file.name });
        }
        let announced = body.content_length();
        if let Some(announced) = announced.filter(|&it| it > limit) {
            return Err(FetchError::TooLarge { file: file.name, limit, announced });
        }
        let bar = job.progress.download(file.name, announced);
        let reader = Paced::new(body.into_reader().take(limit), job.deadlines.stall);
        let result = job.put(file, bar.wrap_read(reader));
        bar.finish_and_clear();
        result?;
    }
    Ok(())
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
