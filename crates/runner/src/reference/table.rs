//! `results/README.md`: what was reported and what was measured, side by side.
//!
//! A function of the experiment files and of what lies in `results/reference/`: no number is typed in.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use plots::thousands;

use super::measured::{self, KeptRun, KeptSweep, References};
use crate::{
    error::Error,
    experiment::{Experiment, Reported, Seconds},
    metrics::Spread,
    sweep::ranking::shown,
};

/// An experiment of the table.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its file, relative to the folder of the table.
    pub file: String,
    /// Its name.
    pub name: String,
    /// What a publication says that comes out.
    pub reported: Option<Reported>,
    /// What the file says; none for a file of another kind than a classifier's.
    pub experiment: Option<Experiment>,
}

/// What each source is, by the name that `[reported]` gives it.
const SOURCES: [(&str, &str); 5] = [
    ("A0", "a neural network from scratch, in NumPy"),
    ("A1", "four convolutional networks, in Keras"),
    ("A2", "a first dense network, in Keras"),
    ("A3", "a deeper dense network, in Keras"),
    ("A4", "one network on digits and on fashion, and a grid search, in Keras"),
];

/// Endings of the names of experiments that differ in a mistake alone.
const SIBLINGS: [&str; 2] = ["_as_published", "_corrected"];

const INTRODUCTION: &str = "\
# Measured results

Written by `runner table` from the experiment files and from what `runner keep` has put into `reference/`: change
those, not this file. Accuracies are in percent of the test images, differences in points. Measured values are means
± sample standard deviations over n seeds. *As published* keeps a mistake of the source, its sibling mends it. The
sources that used Fashion-MNIST of 26 August 2017 tested on other images than today's, on which results come out up to
0.4 points higher. Seconds are those of the clock, of the median epoch of a run.
";

/// Writes the table. `references` is the folder `reference` beside it.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Malformed`] if a reference cannot be read.
pub fn markdown(listed: &[Listed], references: &Path) -> Result<String, Error> {
    let references = References::read(references)?;
    let mut listed: Vec<&Listed> = listed.iter().collect();
    listed.sort_by_key(|it| order(it));
    let mut text = INTRODUCTION.to_owned();
    let sources: BTreeSet<Option<&str>> = listed.iter().map(|it| source(it)).collect();
    // Experiments of the suite's own come last.
    for wanted in sources.iter().filter(|it| it.is_some()).chain(sources.get(&None)) {
        let group: Vec<&Listed> = listed.iter().copied().filter(|it| source(it) == *wanted).collect();
        text += &section(*wanted, &group, &listed, &references);
    }
    text += &costs(&listed, &references);
    Ok(text)
}

fn section(source: Option<&str>, group: &[&Listed], all: &[&Listed], references: &References) -> String {
    let title = match source {
        None => "Experiments of the suite's own".to_owned(),
        Some(name) => SOURCES
            .iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| name.to_owned(), |(_, title)| format!("{name}: {title}")),
    };
    let mut text = format!("\n## {title}\n\n");
    let mut rows = Rows::new(&[
        "experiment",
        "",
        "reported",
        "measured",
        "n",
        "difference",
        "loss reported",
        "loss measured",
        "parameters",
        "s/epoch then",
        "s/epoch now",
        "kept",
    ]);
    for it in group {
        rows.add(result_row(it, all, references));
    }
    text += &rows.text;
    text += &epochs(group, references);
    text += &searches(group, references);
    text += &remarks(group, references);
    text
}

fn result_row(listed: &Listed, all: &[&Listed], references: &References) -> Vec<String> {
    let reported = listed.reported.as_ref();
    let runs = references.of(&listed.name);
    let accuracy = measured::accuracy(&runs);
    let stale = if runs.iter().any(|run| is_stale(listed, run)) { " †" } else { "" };
    let reported_accuracy = reported.and_then(|it| it.test_accuracy);
    let kept = match runs.first() {
        None => "no reference run".to_owned(),
        Some(run) => links(&runs, run),
    };
    vec![
        format!("[{}]({})", listed.name, listed.file),
        standing(listed, all).to_owned(),
        reported_accuracy.map_or_else(dash, percent),
        accuracy.map_or_else(dash, |it| format!("{}{stale}", percents(&it))),
        if runs.is_empty() { dash() } else { runs.len().to_string() },
        accuracy.zip(reported_accuracy).map_or_else(dash, |(own, reported)| points(own.mean - reported)),
        reported.and_then(|it| it.test_loss).map_or_else(dash, number),
        measured::loss(&runs).map_or_else(dash, |it| it.to_string()),
        parameters(reported, runs.first().map(|run| run.summary.parameters)),
        reported.and_then(|it| it.seconds_per_epoch).map_or_else(dash, |it| seconds(&it)),
        measured::seconds_per_epoch(&runs).map_or_else(dash, |it| format!("{:.1}", it.mean)),
        kept,
    ]
}

/// Training and validation accuracy of the last epoch, where the source reports any.
fn epochs(group: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&["experiment", "training reported", "measured", "validation reported", "measured"]);
    for it in group {
        let Some(reported) = &it.reported else { continue };
        // A sweep's validation is that of its folds, which has a table of its own.
        let valid = reported.valid_accuracy.filter(|_| !is_sweep(it));
        if reported.train_accuracy.is_none() && valid.is_none() {
            continue;
        }
        let runs = references.of(&it.name);
        let last = |field: fn(&KeptRun) -> Option<f64>| Spread::of(runs.iter().filter_map(|run| field(run)));
        rows.add(vec![
            it.name.clone(),
            reported.train_accuracy.map_or_else(dash, percent),
            last(|run| run.last_epoch.as_ref().map(|row| row.train_accuracy)).map_or_else(dash, |it| percents(&it)),
            valid.map_or_else(dash, percent),
            last(|run| run.last_epoch.as_ref()?.valid_accuracy).map_or_else(dash, |it| percents(&it)),
        ]);
    }
    rows.under("Accuracy in the last epoch; that of training is the mean over the epoch's steps, dropout on:")
}

/// What grid searches found.
fn searches(group: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&["sweep", "fits", "best settings", "folds reported", "folds measured", "test", "kept"]);
    for it in group.iter().filter(|it| is_sweep(it)) {
        let Some(KeptSweep { name, ranking }) = references.sweep_of(&it.name) else { continue };
        let best = ranking.best.map(|best| &ranking.trials[best]);
        let settings = best.map_or_else(dash, |best| {
            best.settings.iter().map(|(key, value)| format!("{key} = {}", shown(value))).collect::<Vec<_>>().join(", ")
        });
        rows.add(vec![
            it.name.clone(),
            ranking.fits.to_string(),
            settings,
            it.reported.as_ref().and_then(|it| it.valid_accuracy).map_or_else(dash, percent),
            best.and_then(|best| best.valid_accuracy).map_or_else(dash, |it| percents(&it)),
            ranking.refit.as_ref().map_or_else(dash, |it| percent(it.test_accuracy)),
            format!("[trials](reference/{name}/trials.csv), [picture](reference/{name}/plots/trials.png)"),
        ]);
    }
    rows.under("Accuracy on the held-out folds, mean ± standard deviation of the folds of the best trial:")
}

/// Notes, machines, and what the marks mean.
fn remarks(group: &[&Listed], references: &References) -> String {
    let mut lines = Vec::new();
    for it in group {
        // Siblings inherit what was reported, and need not repeat it.
        let note = it.reported.as_ref().and_then(|it| it.note.as_ref());
        let said = |note: &String| lines.iter().any(|line: &String| line.ends_with(note.as_str()));
        if let Some(note) = note.filter(|note| !said(note)) {
            lines.push(format!("- {}: {note}", it.name));
        }
    }
    let reported = group.iter().filter_map(|it| it.reported.as_ref());
    let then: BTreeSet<&str> = reported.clone().filter_map(|it| it.hardware.as_deref()).collect();
    let data: BTreeSet<&str> = reported.map(|it| it.data.as_str()).collect();
    let runs: Vec<&KeptRun> = group.iter().flat_map(|it| references.of(&it.name)).collect();
    let now: BTreeSet<String> = runs.iter().map(|run| machine(run)).collect();
    let list = |what: &str, items: Vec<String>| {
        if items.is_empty() { None } else { Some(format!("- {what}: {}", items.join("; "))) }
    };
    lines.extend(list("Data of the source", data.into_iter().map(str::to_owned).collect()));
    lines.extend(list("Machine then", then.into_iter().map(str::to_owned).collect()));
    lines.extend(list("Machine now", now.into_iter().collect()));
    if group.iter().any(|it| references.of(&it.name).iter().any(|run| is_stale(it, run))) {
        lines.push("- † made with other settings than the experiment file has today".to_owned());
    }
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("\n")) }
}

/// Siblings that differ in a mistake of the source alone.
fn costs(listed: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&["experiment", "as published", "corrected", "cost of the mistake"]);
    for published in listed.iter().filter(|it| is_as_published(it)) {
        let own = stem(&published.name);
        let corrected = listed.iter().filter(|it| stem(&it.name) == own && !is_as_published(it));
        for corrected in corrected {
            let both = [published, corrected].map(|it| measured::accuracy(&references.of(&it.name)));
            rows.add(vec![
                format!("{} → {}", published.name, corrected.name),
                both[0].map_or_else(dash, |it| percents(&it)),
                both[1].map_or_else(dash, |it| percents(&it)),
                both[0].zip(both[1]).map_or_else(dash, |(before, after)| points(after.mean - before.mean)),
            ]);
        }
    }
    if rows.is_empty() { String::new() } else { format!("\n## What the mistakes cost\n\n{}", rows.text) }
}

/// A Markdown table under construction.
struct Rows {
    text: String,
    count: usize,
}

impl Rows {
    fn new(header: &[&str]) -> Self {
        let text = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
        Self { text, count: 0 }
    }

    fn add(&mut self, cells: Vec<String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(self.text, "| {} |", cells.join(" | ")).expect("writing to a string does not fail");
        self.count += 1;
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The table below a line that introduces it; nothing without rows.
    fn under(&self, line: &str) -> String {
        if self.is_empty() { String::new() } else { format!("\n{line}\n\n{}", self.text) }
    }
}

/// The name without the ending that tells siblings apart.
fn stem(name: &str) -> &str {
    SIBLINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Siblings together, as published first.
fn order(listed: &Listed) -> (String, bool, String) {
    (stem(&listed.name).to_owned(), !is_as_published(listed), listed.name.clone())
}

fn source(listed: &Listed) -> Option<&str> {
    listed.reported.as_ref().map(|it| it.source.as_str())
}

fn is_as_published(listed: &Listed) -> bool {
    listed.reported.as_ref().is_some_and(|it| it.as_published)
}

fn is_sweep(listed: &Listed) -> bool {
    listed.experiment.as_ref().is_some_and(|it| it.sweep.is_some())
}

fn standing(listed: &Listed, all: &[&Listed]) -> &'static str {
    let has_published = || all.iter().any(|it| stem(&it.name) == stem(&listed.name) && is_as_published(it));
    match listed.reported {
        _ if is_as_published(listed) => "as published",
        Some(_) if has_published() => "corrected",
        _ => "",
    }
}

/// Whether a run was made with other settings than the experiment has; those that decide nothing, or only which of
/// several equal runs it was, do not count. A sweep's last run has the settings that the sweep found.
fn is_stale(listed: &Listed, run: &KeptRun) -> bool {
    let Some(experiment) = &listed.experiment else { return false };
    let Some(kept) = &run.experiment else { return true };
    let plain = |experiment: &Experiment| {
        let mut plain = experiment.clone();
        plain.description = None;
        plain.reported = None;
        plain.data.dir = None;
        plain.data.workers = 0;
        plain.training.seed = 0;
        plain.training.seeds = None;
        plain.training.backend = crate::experiment::BackendName::Auto;
        plain.training.eval_batch_size = 1;
        plain
    };
    !is_sweep(listed) && plain(experiment) != plain(kept)
}

fn machine(run: &KeptRun) -> String {
    let backend = &run.summary.backend;
    let Some(machine) = &run.machine else { return format!("not recorded, {backend}") };
    let processor = machine.adapter.as_ref().or(machine.cpu.as_ref()).map_or("unknown", String::as_str);
    format!("{processor}, {} threads, {backend}", machine.threads)
}

fn links(runs: &[&KeptRun], first: &KeptRun) -> String {
    let seeds: Vec<String> =
        runs.iter().map(|run| format!("[s{}](reference/{}/summary.json)", run.summary.seed, run.name)).collect();
    let plots = runs.iter().find(|run| run.has_plots).map_or_else(String::new, |run| {
        let folder = format!("reference/{}/plots", run.name);
        format!(", [accuracy]({folder}/accuracy.png), [confusion]({folder}/confusion_matrix.png)")
    });
    format!("{}, [config](reference/{}/config.toml){plots}", seeds.join(" "), first.name)
}

fn parameters(reported: Option<&Reported>, measured: Option<usize>) -> String {
    let count = |count: usize| thousands(count as u64);
    match (reported.and_then(|it| it.parameters), measured) {
        (Some(reported), Some(measured)) if reported != measured => {
            format!("{} (reported {})", count(measured), count(reported))
        }
        (_, Some(own)) | (Some(own), None) => count(own),
        (None, None) => dash(),
    }
}

fn seconds(seconds: &Seconds) -> String {
    let (low, high) = (number(seconds.low), number(seconds.high));
    if low == high { low } else { format!("{low}–{high}") }
}

fn dash() -> String {
    "–".to_owned()
}

/// As many digits as were given, four at most.
fn number(value: f64) -> String {
    trimmed(&format!("{value:.4}"))
}

/// As many digits as were given, two at most.
fn percent(share: f64) -> String {
    trimmed(&format!("{:.2}", 100.0 * share))
}

fn percents(spread: &Spread) -> String {
    let percent = Spread { mean: 100.0 * spread.mean, sd: spread.sd.map(|sd| 100.0 * sd), n: spread.n };
    format!("{percent:.2}")
}

fn points(difference: f64) -> String {
    // Minus zero would be a riddle.
    let rounded = (10_000.0 * difference).round() / 100.0 + 0.0;
    format!("{rounded:+.2}").replace('-', "−")
}

fn trimmed(number: &str) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_were_given() {
        for (share, expected) in [(0.86, "86"), (0.9104, "91.04"), (0.5013, "50.13"), (1.0, "100"), (0.0, "0")] {
            assert_eq!(percent(share), expected);
        }
        assert_eq!(number(0.2485), "0.2485");
        assert_eq!(number(30.0), "30");
        for (difference, expected) in [(0.0049, "+0.49"), (-0.0103, "−1.03"), (-0.000_001, "+0.00")] {
            assert_eq!(points(difference), expected);
        }
    }

    #[test]
    fn siblings_share_a_stem() {
        assert_eq!(stem("ann_digits_corrected"), stem("ann_digits"));
        assert_eq!(stem("vgg19_transfer_as_published"), stem("vgg19_transfer"));
        assert_ne!(stem("cnn1_aug"), stem("cnn1"));
    }
}
