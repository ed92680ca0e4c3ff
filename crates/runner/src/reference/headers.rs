//! The line in an experiment file's header that says what was measured: `# Measured  …`.
//!
//! A function of what lies in `results/reference/`, as the table is. Nothing else in a file changes, and a file without
//! such a line stays as it is.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    listed::Listed,
    measured::{self, KeptRun, Machine, References},
    settings,
    table::is_sweep,
    text::{dash, duration},
};
use crate::{
    error::Error,
    metrics::{Spread, median},
};

/// How the line begins.
const MEASURED: &str = "# Measured";

/// The experiment files that have such a line, each with the whole text that it should have. `references` is the folder
/// `reference`.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Malformed`] if a reference cannot be read.
pub fn headers(listed: &[Listed], references: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let references = References::read(references)?;
    let mut texts = Vec::new();
    for it in listed {
        let text = fs::read_to_string(&it.path).map_err(Error::io("cannot read", &it.path))?;
        let measured =
            measured(it, &references).unwrap_or_else(|| "nothing: no run is kept in results/reference".into());
        texts.extend(with_line(&text, &format!("{MEASURED}  {measured}")).map(|text| (it.path.clone(), text)));
    }
    Ok(texts)
}

/// A text with another line in its header; none if it has no such line.
fn with_line(text: &str, line: &str) -> Option<String> {
    let header = text.split_inclusive('\n').take_while(|line| line.starts_with('#'));
    let mut start = 0;
    for old in header {
        let old_line = old.trim_end();
        if old_line.strip_prefix(MEASURED).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')) {
            return Some(format!("{}{line}{}", &text[..start], &text[start + old_line.len()..]));
        }
        start += old.len();
    }
    None
}

/// What the kept results of an experiment say; none if there are none.
fn measured(listed: &Listed, references: &References) -> Option<String> {
    if is_sweep(listed) {
        return sweep(listed, references);
    }
    let runs = references.of(&listed.name);
    let accuracy = measured::accuracy(&runs)?;
    let result = match &listed.experiment {
        None => {
            let error = measured::loss(&runs)?.mean;
            format!("{:.0} of 4 rows right, mean squared error {error:.1e}", 4.0 * accuracy.mean)
        }
        Some(experiment) => {
            format!("{} {accuracy} (n = {})", experiment.data.test.word(), accuracy.n)
        }
    };
    let changed = settings::changed(listed, &runs);
    let changed = if changed.is_empty() {
        String::new()
    } else {
        format!(" with other settings than below: {}", changed.into_iter().collect::<Vec<_>>().join(", "))
    };
    // The median, so that a machine which slept or was busy for a while counts for nothing.
    let seconds = median(runs.iter().map(|run| run.summary.seconds.total))?;
    Some(format!("{result}{changed}; {} on {}", duration(seconds), machines(&runs)))
}

fn sweep(listed: &Listed, references: &References) -> Option<String> {
    let kept = references.sweep_of(&listed.name)?;
    let ranking = &kept.ranking;
    let shown = |accuracy: Option<Spread>| accuracy.map_or_else(dash, |it| it.to_string());
    let held_out = ranking.folds.map_or_else(|| "validation".to_owned(), |folds| format!("mean of {folds} folds"));
    let valid = shown(ranking.trials[ranking.best?].valid_accuracy);
    let test = shown(Spread::of(ranking.refit.as_ref().map(|it| it.test_accuracy)));
    let (trials, fits, time) = (ranking.trials.len(), ranking.fits, duration(ranking.seconds));
    let machine = machine(kept.machine.as_ref());
    Some(format!("best of {trials} trials: {held_out} {valid}, test {test}; {fits} fits, {time} on {machine}"))
}

fn machines(runs: &[&KeptRun]) -> String {
    let all: BTreeSet<String> = runs.iter().map(|run| machine(run.machine.as_ref())).collect();
    all.into_iter().collect::<Vec<_>>().join("; ")
}

fn machine(machine: Option<&Machine>) -> String {
    machine.map_or_else(|| "a machine not recorded".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_the_header_changes_and_nothing_else() {
        for (text, expected) in [
            (
                "# Question  why?\n# Measured  old\n\nname = 'a'\n",
                Some("# Question  why?\n# Measured  new\n\nname = 'a'\n"),
            ),
            ("# Measured  old\r\nname = 'a'\r\n", Some("# Measured  new\r\nname = 'a'\r\n")),
            ("# Measured\n# Measured  old", Some("# Measured  new\n# Measured  old")),
            // No header, or none that says so.
            ("name = 'a'\n# Measured  old\n", None),
            ("\n# Measured  old\n", None),
            ("# Measurednot\n# measured  old\nname = 'a'\n", None),
            ("", None),
        ] {
            assert_eq!(with_line(text, "# Measured  new").as_deref(), expected, "{text:?}");
        }
    }
}
