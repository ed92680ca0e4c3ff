//! `results/README.md`: what was reported and what was measured, side by side.
//!
//! A function of the experiment files and of what lies in `results/reference/`: no number is typed in.

use std::{collections::BTreeSet, path::Path};

use plots::thousands;

use super::{
    comparisons,
    listed::Listed,
    measured::{self, KeptRun, KeptSweep, References},
    peers, settings,
    siblings::{order, standing},
    text::{Rows, dash, number, percent, percents, points},
};
use crate::{
    error::Error,
    experiment::{EpochScores, Reported, Seconds},
    metrics::{EpochRow, Spread},
    sweep::ranking::shown,
};

/// What each source is, by the name that `[reported]` gives it.
const SOURCES: [(&str, &str); 5] = [
    ("A0", "a neural network from scratch, in NumPy"),
    ("A1", "four convolutional networks, in Keras"),
    ("A2", "a first dense network, in Keras"),
    ("A3", "a deeper dense network, in Keras"),
    ("A4", "one network on digits and on fashion, and a grid search, in Keras"),
];

const INTRODUCTION: &str = "\
# Measured results

Written by `runner table` from the experiment files and from what `runner keep` and `bench/keras_accuracy.py` have put into
`reference/`: change those, not this file. Accuracies are in percent of the test images, differences in points. Measured values are means
± sample standard deviations over n seeds, on today's files, whose hashes each run's `environment.json` has; where the
truth is 90 percent, chance alone makes 10,000 test images say 90 ± 0.3. *As published* keeps a mistake of the source, its
sibling mends it. The sources that used Fashion-MNIST of 26 August 2017 tested on other images, on which results come out
up to 0.4 points higher. Seconds are those of the clock, of the median epoch of a run.
";

/// Writes the table. `references` is the folder `reference` beside it.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Malformed`] if a reference cannot be read.
pub fn markdown(listed: &[Listed], references: &Path) -> Result<String, Error> {
    let peers = peers::read(references)?;
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
    text += &comparisons::mistakes(&listed, &references);
    text += &comparisons::keras(&listed, &references, &peers);
    text += &comparisons::kernels(&listed, &references);
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
    let mut rows = Rows::new(&[
        "experiment",
        "",
        "reported",
        "on",
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
    let mut text = rows.under(&format!("## {title}"));
    text += &epochs(&FIRST_EPOCH, group, references);
    text += &epochs(&LAST_EPOCH, group, references);
    text += &errors(group, references);
    text += &searches(group, references);
    text += &remarks(group, references);
    text
}

fn result_row(listed: &Listed, all: &[&Listed], references: &References) -> Vec<String> {
    let reported = listed.reported.as_ref();
    let runs = references.of(&listed.name);
    let accuracy = measured::accuracy(&runs);
    let reported_accuracy = reported.and_then(|it| it.test_accuracy);
    let kept = match runs.first() {
        None => "no reference run".to_owned(),
        Some(run) => links(&runs, run),
    };
    vec![
        format!("[{}]({})", listed.name, listed.link),
        standing(listed, all).word().to_owned(),
        reported_accuracy.map_or_else(dash, percent),
        reported.map_or_else(dash, |it| it.data.clone()),
        accuracy.map_or_else(dash, |it| format!("{}{}", percents(&it), settings::mark(listed, &runs))),
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

/// An epoch of which a source reports something.
struct Moment {
    introduction: &'static str,
    reported: fn(&Reported) -> EpochScores,
    measured: fn(&KeptRun) -> Option<&EpochRow>,
}

const FIRST_EPOCH: Moment = Moment {
    introduction: "In the first epoch, of two phases that of the second:",
    reported: |reported| reported.first_epoch.unwrap_or_default(),
    measured: KeptRun::first_epoch,
};

const LAST_EPOCH: Moment = Moment {
    introduction: "In the last epoch; training is the mean over the epoch's steps, dropout on:",
    reported: Reported::last_epoch,
    measured: KeptRun::last_epoch,
};

/// Training and validation in an epoch, where the source reports any.
fn epochs(moment: &Moment, group: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&[
        "experiment",
        "training reported",
        "measured",
        "validation reported",
        "measured",
        "training loss reported",
        "measured",
        "validation loss reported",
        "measured",
    ]);
    for it in group {
        let Some(reported) = it.reported.as_ref().map(moment.reported) else { continue };
        // A sweep's validation is that of its folds, which has a table of its own.
        let valid = reported.valid_accuracy.filter(|_| !is_sweep(it));
        let reported = EpochScores { valid_accuracy: valid, ..reported };
        if reported == EpochScores::default() {
            continue;
        }
        let runs = references.of(&it.name);
        let measured = |field: fn(&EpochRow) -> Option<f64>| {
            Spread::of(runs.iter().filter_map(|run| field((moment.measured)(run)?)))
        };
        let share = |field| measured(field).map_or_else(dash, |it| percents(&it));
        let loss = |field| measured(field).map_or_else(dash, |it| it.to_string());
        rows.add(vec![
            it.name.clone(),
            reported.train_accuracy.map_or_else(dash, percent),
            share(|row| Some(row.train_accuracy)),
            reported.valid_accuracy.map_or_else(dash, percent),
            share(|row| row.valid_accuracy),
            reported.train_loss.map_or_else(dash, number),
            loss(|row| Some(row.train_loss)),
            reported.valid_loss.map_or_else(dash, number),
            loss(|row| row.valid_loss),
        ]);
    }
    rows.under(moment.introduction)
}

/// Epochs at the end over which a saw-tooth is summed up.
const LAST: usize = 50;

/// The error that a source plots, and how much accuracy moves at the end.
fn errors(group: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&["experiment", "first error", "last error", "lowest accuracy", "mean", "highest"]);
    for run in group.iter().flat_map(|it| references.of(&it.name)) {
        let errors = |row: Option<&EpochRow>| row.and_then(|row| row.train_error).map(|error| format!("{error:.0}"));
        let Some((first, last)) = errors(run.rows.first()).zip(errors(run.last_epoch())) else { continue };
        let end = run.rows.iter().rev().take(LAST).filter_map(|row| row.valid_accuracy);
        let Some(mean) = Spread::of(end.clone()) else { continue };
        let [low, high] = [end.clone().fold(1.0, f64::min), end.fold(0.0, f64::max)];
        rows.add(vec![run.summary.experiment.clone(), first, last, percent(low), percent(mean.mean), percent(high)]);
    }
    let line = format!(
        "The source's error, half the mean over classes of summed cross-entropy and penalty, over all batches of the \
         first epoch and of the last one, and held-out accuracy within the last {LAST} epochs:"
    );
    rows.under(&line)
}

/// What grid searches found.
fn searches(group: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&["sweep", "fits", "best settings", "folds reported", "folds measured", "test", "kept"]);
    for it in group.iter().filter(|it| is_sweep(it)) {
        let Some(KeptSweep { name, ranking, .. }) = references.sweep_of(&it.name) else { continue };
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
    let then: BTreeSet<&str> = reported.filter_map(|it| it.hardware.as_deref()).collect();
    let runs: Vec<&KeptRun> = group.iter().flat_map(|it| references.of(&it.name)).collect();
    let now: BTreeSet<String> = runs.iter().map(|run| machine(run)).collect();
    let list = |what: &str, items: Vec<String>| {
        if items.is_empty() { None } else { Some(format!("- {what}: {}", items.join("; "))) }
    };
    lines.extend(list("Machine then", then.into_iter().map(str::to_owned).collect()));
    lines.extend(list("Machine now", now.into_iter().collect()));
    let weights: BTreeSet<String> = runs.iter().filter_map(|run| weights(run)).collect();
    lines.extend(list("Weights of the base", weights.into_iter().collect()));
    let stale = group.iter().filter_map(|it| {
        let changed = settings::changed(it, &references.of(&it.name));
        (!changed.is_empty()).then(|| format!("{} ({})", it.name, changed.into_iter().collect::<Vec<_>>().join(", ")))
    });
    lines.extend(list("† made with other settings than the experiment file has today", stale.collect()));
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("\n")) }
}

fn source(listed: &Listed) -> Option<&str> {
    listed.reported.as_ref().map(|it| it.source.as_str())
}

pub(super) fn is_sweep(listed: &Listed) -> bool {
    listed.experiment.as_ref().is_some_and(|it| it.sweep.is_some())
}

fn machine(run: &KeptRun) -> String {
    let backend = &run.summary.backend;
    let Some(machine) = &run.machine else { return format!("not recorded, {backend}") };
    format!("{machine}, {backend}")
}

fn links(runs: &[&KeptRun], first: &KeptRun) -> String {
    let plots = runs.iter().find(|run| !run.plots.is_empty()).map_or_else(String::new, |run| {
        let link = |name: &String| {
            let word = name.trim_end_matches(".png").replace('_', " ");
            format!(", [{word}](reference/{}/plots/{name})", run.name)
        };
        run.plots.iter().map(link).collect()
    });
    format!("{}, [config](reference/{}/config.toml){plots}", summaries(runs), first.name)
}

/// The weights that a network's frozen features came from.
fn weights(run: &KeptRun) -> Option<String> {
    let base = run.machine.as_ref()?.features.as_ref()?;
    let start: String = base.weights_sha256.chars().take(8).collect();
    Some(format!("{}, SHA-256 {start}…", base.weights))
}

pub(super) fn summaries(runs: &[&KeptRun]) -> String {
    let link = |run: &&KeptRun| format!("[s{}](reference/{}/summary.json)", run.summary.seed, run.name);
    runs.iter().map(link).collect::<Vec<_>>().join(" ")
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
