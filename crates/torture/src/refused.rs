//! Input that `runner` must refuse: what experiment files, data files and files of weights have in common.

use std::{fs, path::Path, time::Duration};

use crate::{
    command::{run, runner},
    experiment::{Figures, Plan},
    published::names,
};

/// For the whole of a process on a busy machine; [`Limits::seconds`] is what it may compute.
const DEADLINE: Duration = Duration::from_mins(2);
/// Most memory of a process.
const MAX_BYTES: u64 = 256 << 20;
/// No message is longer.
const MAX_MESSAGE: usize = 64 << 10;

/// How a process must end.
pub(crate) struct Limits {
    /// Its exit code.
    pub(crate) code: i32,
    /// Most seconds of computing time, which other programs' share of the processor is no part of.
    pub(crate) seconds: u64,
}

/// Input by what is wrong with it.
pub(crate) trait Refused {
    /// What is wrong.
    fn name(&self) -> &'static str;
    /// A part of what `runner` must say.
    fn said(&self) -> &'static str;
    /// Puts the input into a folder, which is there.
    fn prepare(&self, folder: &Path) -> Result<(), String>;
}

/// Gives every input to `runner`, which must refuse it and leave nothing.
pub(crate) fn try_cases(
    plan: &Plan,
    cases: &[impl Refused],
    experiment: &str,
    limits: &Limits,
) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let (mut peak, mut slowest) = (0, Duration::ZERO);
    for index in 0..plan.tries {
        let case = &cases[usize::try_from(index).unwrap_or(0) % cases.len()];
        let folder = plan.folder().join(format!("case{index}"));
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir(&folder).map_err(failed)?;
        case.prepare(&folder)?;
        let tried = try_case(plan, case, &folder, experiment, limits);
        figures.count(tried.map_err(|what| format!("{}: {what}", case.name())).map(|(bytes, time)| {
            peak = peak.max(bytes);
            slowest = slowest.max(time);
        }));
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    figures.notes = vec![format!("slowest {} ms", slowest.as_millis()), format!("peak memory {} MB", peak >> 20)];
    Ok(figures)
}

/// Peak memory and computing time of one, if all is as it must be.
fn try_case(
    plan: &Plan,
    case: &impl Refused,
    folder: &Path,
    experiment: &str,
    limits: &Limits,
) -> Result<(u64, Duration), String> {
    let before = names(folder);
    let outcome = run(&mut runner(plan, folder, &[experiment, "--progress=none"]), DEADLINE)?;
    outcome.expect(limits.code, case.said()).map_err(|what| what.chars().take(2_000).collect::<String>())?;
    outcome.expect_peak_below(MAX_BYTES)?;
    outcome.expect_computing_below(Duration::from_secs(limits.seconds))?;
    if outcome.stderr.len() > MAX_MESSAGE {
        return Err(format!("a message of {} bytes", outcome.stderr.len()));
    }
    // It has no other place to write in.
    let after = names(folder);
    if after != before {
        return Err(format!("left {after:?}"));
    }
    Ok((outcome.peak_bytes.unwrap_or(0), outcome.computing.unwrap_or(outcome.elapsed)))
}
