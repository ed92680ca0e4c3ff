//! Tables over experiments of all sources: siblings, peers, kernels.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    listed::Listed,
    measured::{self, KeptRun, References},
    peers::Peer,
    settings, siblings,
    table::{is_sweep, summaries},
    text::{Rows, dash, percents, points},
};
use crate::{experiment::Select, metrics::Spread};

const KERNELS: &str = "\
## What the kernels change

The same experiments with the same seeds by the suite's own kernels (*fused*) and by Burn's operations
(`training.kernels = \"composed\"`), which draw other dropout and add in another order. The standard error is that of the
difference of the means.";

const KERAS: &str = "\
## What Keras reaches on the same files

Test accuracy of the same networks, trained the same way by Keras itself (`bench/keras_accuracy.py` writes
`reference/keras.jsonl`), after the last epoch and after the one that validated best; the experiment tests one of them.";

const MISTAKES: &str = "\
## What the mistakes cost

Experiments that differ in a mistake of the source, and in nothing else that decides: the settings are those in which the
two files do. Validation is that of the last epoch, or of the best trial's folds.";

/// Siblings that differ in a mistake of the source alone.
pub(super) fn mistakes(listed: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&[
        "experiment",
        "differ in",
        "test as published",
        "corrected",
        "cost",
        "validation as published",
        "corrected",
        "cost",
    ]);
    for published in listed {
        for corrected in siblings::mended(published, listed) {
            let test = [published, corrected].map(|it| measured::accuracy(&references.of(&it.name)));
            let valid = [published, corrected].map(|it| validation(it, references));
            let settings: Vec<String> = settings::between(published, corrected).into_iter().collect();
            let mut row = vec![format!("{} → {}", published.name, corrected.name), settings.join(", ")];
            let marks = [published, corrected].map(|it| settings::mark(it, &references.of(&it.name)));
            row.extend(test.into_iter().zip(marks).map(|(it, mark)| shown(it) + mark).chain([cost(test)]));
            row.extend(valid.into_iter().map(shown).chain([cost(valid)]));
            rows.add(row);
        }
    }
    rows.under(MISTAKES)
}

/// What Keras reaches.
pub(super) fn keras(listed: &[&Listed], references: &References, peers: &BTreeMap<String, Peer>) -> String {
    let mut rows = Rows::new(&["experiment", "tests", "Keras, last epoch", "Keras, best epoch", "n", "suite", "n"]);
    for it in listed {
        let Some(peer) = peers.get(&it.name) else { continue };
        let runs = references.of(&it.name);
        let own = measured::accuracy(&runs);
        let select = it.experiment.as_ref().map(|it| it.training.select);
        rows.add(vec![
            it.name.clone(),
            select
                .map_or("–", |select| if select == Select::Best { "the best epoch" } else { "the last epoch" })
                .to_owned(),
            percents(&peer.last),
            shown(peer.best),
            peer.last.n.to_string(),
            shown(own) + settings::mark(it, &runs),
            own.map_or_else(dash, |own| own.n.to_string()),
        ]);
    }
    rows.under(KERAS)
}

/// Experiments that were also run with Burn's operations in the place of the suite's kernels.
pub(super) fn kernels(listed: &[&Listed], references: &References) -> String {
    let mut rows = Rows::new(&[
        "experiment",
        "fused",
        "n",
        "composed",
        "n",
        "difference",
        "standard error",
        "s/epoch fused",
        "s/epoch composed",
        "kept",
    ]);
    for it in listed {
        let [mut fused, composed] = [references.of(&it.name), references.composed(&it.name)];
        // The same seeds, which begin with the same weights and see the same batches; and where the kernels cover nothing,
        // there is nothing to compare.
        let key = |run: &KeptRun| (run.summary.backend.clone(), run.summary.seed);
        fused.retain(|run| composed.iter().any(|other| key(other) == key(run)));
        let Some((own, other)) = measured::accuracy(&fused).zip(measured::accuracy(&composed)) else { continue };
        let error = own.standard_error().zip(other.standard_error()).map(|(own, other)| own.hypot(other));
        let [own_seconds, other_seconds] = [&fused, &composed].map(|runs| seconds(runs));
        rows.add(vec![
            it.name.clone(),
            percents(&own) + settings::mark(it, &fused),
            own.n.to_string(),
            percents(&other) + settings::mark(it, &composed),
            other.n.to_string(),
            points(own.mean - other.mean),
            error.map_or_else(dash, |error| format!("{:.2}", 100.0 * error)),
            own_seconds,
            other_seconds,
            summaries(&composed),
        ]);
    }
    rows.under(KERNELS)
}

/// Seconds per epoch, with the number of threads, which may be another for every run.
fn seconds(runs: &[&KeptRun]) -> String {
    let Some(seconds) = measured::seconds_per_epoch(runs) else { return dash() };
    let threads: BTreeSet<usize> = runs.iter().filter_map(|run| Some(run.machine.as_ref()?.threads)).collect();
    let threads: Vec<String> = threads.iter().map(ToString::to_string).collect();
    let unit = if threads == ["1"] { "thread" } else { "threads" };
    if threads.is_empty() {
        return format!("{:.1}", seconds.mean);
    }
    format!("{:.1} ({} {unit})", seconds.mean, threads.join(" or "))
}

fn validation(listed: &Listed, references: &References) -> Option<Spread> {
    if is_sweep(listed) {
        let ranking = &references.sweep_of(&listed.name)?.ranking;
        return ranking.trials[ranking.best?].valid_accuracy;
    }
    Spread::of(references.of(&listed.name).iter().filter_map(|run| run.last_epoch()?.valid_accuracy))
}

fn shown(accuracy: Option<Spread>) -> String {
    accuracy.map_or_else(dash, |it| percents(&it))
}

fn cost([before, after]: [Option<Spread>; 2]) -> String {
    before.zip(after).map_or_else(dash, |(before, after)| points(after.mean - before.mean))
}
