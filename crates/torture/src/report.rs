//! `docs/reliability.json` and the page made of it: the last figures of every experiment.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Experiment, Figures, PROTECTIONS, Protection, catalogue::EXPERIMENTS};

/// The last figures of one experiment.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    tried: u64,
    passed: u64,
    seconds: f64,
    #[serde(default)]
    notes: Vec<String>,
}

/// Notes the figures of an experiment in `folder` and writes the page again.
///
/// # Errors
///
/// A file that cannot be read or written.
pub(crate) fn record(
    folder: &Path,
    experiment: &Experiment,
    figures: &Figures,
    seconds: f64,
) -> Result<PathBuf, String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: cannot create: {error}", folder.display()))?;
    let path = folder.join("reliability.json");
    let mut records = read(&path)?;
    let Figures { tried, passed, notes, .. } = figures;
    let seconds = (seconds * 10.0).round() / 10.0;
    let record = Record { tried: *tried, passed: *passed, seconds, notes: notes.clone() };
    records.insert(experiment.name.to_owned(), record);
    let text = serde_json::to_string_pretty(&records).expect("plain values") + "\n";
    write(&path, &text)?;
    write_page(folder)
}

/// Writes the page again, from the figures in `folder`.
///
/// # Errors
///
/// A file that cannot be read or written.
pub(crate) fn write_page(folder: &Path) -> Result<PathBuf, String> {
    let records = read(&folder.join("reliability.json"))?;
    let page = folder.join("reliability.md");
    write(&page, &page_of(&records))?;
    Ok(page)
}

fn read(path: &Path) -> Result<BTreeMap<String, Record>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("{}: cannot read: {error}", path.display())),
    };
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: cannot write: {error}", path.display()))
}

const INTRODUCTION: &str = "\
# Reliability: tried and passed

Written by `runner-torture`, which CONTRIBUTING.md describes; edits are lost with its next run. Every experiment
drives the real binary or a crate's public functions. A shorter version of each runs with `cargo test --release`.

";

const PROTECTED: &str = "
## What protects, and the test that fails without it

Each protection was taken away by an edit, and its test seen to fail; for some that take a whole process, the quick
version of the experiment, which is what the test runs. All of these tests run with `cargo test --release`.

| row | protection | where | test | fails if |
|---|---|---|---|---|
";

fn page_of(records: &BTreeMap<String, Record>) -> String {
    let mut page = String::from(INTRODUCTION);
    page += "| row | experiment | what is done | passes if | tried | passed | seconds | measured |\n";
    page += "|---|---|---|---|---|---|---|---|\n";
    for Experiment { row, name, what, pass, .. } in EXPERIMENTS {
        let figures = match records.get(*name) {
            Some(Record { tried, passed, seconds, notes }) => {
                format!("{} | {} | {seconds} | {}", grouped(*tried), grouped(*passed), notes.join("; "))
            }
            None => "not run yet | | |".to_owned(),
        };
        line(&mut page, &format!("| {row} | `{name}` | {what} | {pass} | {figures} |"));
    }
    page += PROTECTED;
    for Protection { row, what, place, file, test, without } in PROTECTIONS {
        line(&mut page, &format!("| {row} | {what} | `{place}` | `{test}` in `{file}` | {without} |"));
    }
    page
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to a string cannot fail");
}

/// A number with a comma after every third digit.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|it| str::from_utf8(it).expect("digits")).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_other_experiments_are_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let figures = Figures { tried: 1_000_000, passed: 1_000_000, ..Figures::default() };
        record(folder.path(), &EXPERIMENTS[0], &figures, 1.26).expect("writable");
        let page = record(folder.path(), &EXPERIMENTS[1], &figures, 2.0).expect("writable");
        let page = fs::read_to_string(page).expect("it is there");
        assert_eq!(page.matches("| 1,000,000 | 1,000,000 | 1.3 |").count(), 1, "{page}");
        assert_eq!(page.matches("| 1,000,000 | 1,000,000 | 2 |").count(), 1, "{page}");
        assert_eq!(page.matches("not run yet").count(), EXPERIMENTS.len() - 2);
    }

    #[test]
    fn names_are_unique_and_tables_are_not_broken() {
        for (index, experiment) in EXPERIMENTS.iter().enumerate() {
            assert!(EXPERIMENTS[..index].iter().all(|other| other.name != experiment.name), "{}", experiment.name);
            assert!(experiment.quick <= experiment.tries, "{}", experiment.name);
            assert!([experiment.what, experiment.pass].iter().all(|it| !it.contains(['|', '\n'])));
        }
    }

    #[test]
    fn the_page_is_what_its_figures_say() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let records = read(&docs.join("reliability.json")).expect("readable");
        let page = fs::read_to_string(docs.join("reliability.md")).expect("readable");
        assert!(page == page_of(&records), "docs/reliability.md is out of date; write it with: runner-torture page");
    }
}
