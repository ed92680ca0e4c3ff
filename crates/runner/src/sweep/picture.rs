//! The trials of a sweep as a heat map.

use plots::Heatmap;

use super::ranking::{Ranked, Ranking, shown};
use crate::experiment::{Direction, Metric};

/// A cell per trial. With several settings, the values of one are columns and the combinations of the others rows;
/// where that leaves holes, as after a random choice, or there is one setting only, a row per trial, best first.
pub(super) fn trials(ranking: &Ranking) -> Heatmap {
    let metric = match ranking.metric {
        Metric::ValidLoss => "validation loss",
        Metric::ValidAccuracy => "validation accuracy",
    };
    let folds = ranking.folds.map(|folds| format!(", mean of {folds} folds")).unwrap_or_default();
    let best = ranking
        .best
        .and_then(|best| Some((best, ranking.score(&ranking.trials[best])?)))
        .map(|(best, score)| format!("; best: trial {best} with {score}"))
        .unwrap_or_default();
    let heatmap = Heatmap {
        title: format!("{}: {} trials", ranking.experiment, ranking.trials.len()),
        subtitle: format!("{metric}{folds}{best}"),
        value_name: metric.to_owned(),
        lower_is_better: ranking.direction == Direction::Minimize,
        ..Heatmap::default()
    };
    crossed(ranking, &heatmap).unwrap_or_else(|| listed(ranking, heatmap))
}

/// Trials as rows and columns, if every place of the table has one.
fn crossed(ranking: &Ranking, heatmap: &Heatmap) -> Option<Heatmap> {
    let keys = ranking.keys();
    if keys.len() < 2 {
        return None;
    }
    // The key with the most values makes the columns; of equals, the first.
    let column_key =
        *keys.iter().rev().max_by_key(|key| values(ranking, |trial| shown(&trial.settings[**key])).len())?;
    let column = |trial: &Ranked| shown(&trial.settings[column_key]);
    let row = |trial: &Ranked| {
        let others = trial.settings.iter().filter(|(key, _)| *key != column_key);
        others.map(|(_, value)| shown(value)).collect::<Vec<_>>().join(", ")
    };
    let (rows, columns) = (values(ranking, row), values(ranking, column));
    if rows.len() * columns.len() != ranking.trials.len() {
        return None;
    }
    let at = |row_name: &String, column_name: &String| {
        let trial = ranking.trials.iter().find(|trial| row(trial) == *row_name && column(trial) == *column_name)?;
        Some(ranking.score(trial).map(|score| score.mean))
    };
    let cells: Option<Vec<Vec<Option<f64>>>> =
        rows.iter().map(|row| columns.iter().map(|column| at(row, column)).collect()).collect();
    let others: Vec<&str> = keys.into_iter().filter(|key| *key != column_key).collect();
    let (row_name, column_name) = (others.join(", "), column_key.to_owned());
    Some(Heatmap { rows, columns, row_name, column_name, cells: cells?, ..heatmap.clone() })
}

fn listed(ranking: &Ranking, heatmap: Heatmap) -> Heatmap {
    let trials: Vec<&Ranked> = ranking.by_rank().into_iter().take(LISTED).collect();
    let name = |trial: &&Ranked| trial.settings.values().map(shown).collect::<Vec<_>>().join(", ");
    Heatmap {
        rows: trials.iter().map(name).collect(),
        columns: vec![String::new()],
        row_name: ranking.keys().join(", "),
        cells: trials.iter().map(|trial| vec![ranking.score(trial).map(|score| score.mean)]).collect(),
        ..heatmap
    }
}

/// A picture of more rows cannot be read.
const LISTED: usize = 40;

/// The different values, in the order of the trials.
fn values(ranking: &Ranking, of: impl Fn(&Ranked) -> String) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in ranking.trials.iter().map(of) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}
