//! Runs that can go on.

use std::path::Path;

use super::{RunDir, State, runs};
use crate::error::Error;

/// The latest run of an experiment that has not come to its end; none if there is none.
///
/// A run that diverged is left out: it would diverge again.
///
/// # Errors
///
/// [`Error::Io`] if the results folder cannot be listed.
pub fn latest_unfinished(results: &Path, experiment: &str) -> Result<Option<RunDir>, Error> {
    let mut latest: Option<(String, RunDir)> = None;
    for run in runs(results, experiment)? {
        // One that was left without a status can go on, too.
        let (state, started) = match run.status() {
            Ok(status) => (status.state, status.started),
            Err(_) => (State::Running, String::new()),
        };
        let is_later = latest.as_ref().is_none_or(|(other, _)| *other <= started);
        if !matches!(state, State::Done | State::Diverged) && is_later {
            latest = Some((started, run));
        }
    }
    Ok(latest.map(|(_, run)| run))
}
