//! Loss and accuracy over epochs, of one run or of many.

use plots::{Curves, Dash, Mark, Marker, PhaseSpan, Series, SeriesStyle};

use crate::metrics::EpochRow;

/// A value of a row.
type Field = fn(&EpochRow) -> Option<f64>;

const LOSS_LABEL: &str = "cross-entropy (nats)";

/// What an error is the error of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// `loss.monitor = "half_class_mean"`.
    HalfClassMean,
    /// That of the exclusive or.
    SumOfErrors,
}

impl Measure {
    fn label(self) -> &'static str {
        match self {
            Self::HalfClassMean => "half the class mean of summed cross-entropy and penalty",
            Self::SumOfErrors => "sum over the rows of target less output",
        }
    }
}

/// The error that a source plots; none where the rows have none.
pub(super) fn error(name: &str, rows: &[EpochRow], measure: Measure) -> Option<Curves> {
    let points = points(rows, |row| row.train_error);
    let series = Series { name: "train".to_owned(), points, style: SeriesStyle::train() };
    (!series.points.is_empty()).then(|| Curves {
        title: format!("{name}: error"),
        x_label: "epoch".to_owned(),
        y_label: measure.label().to_owned(),
        series: vec![series],
        phases: phases(rows),
        ..Curves::default()
    })
}

/// What the loss is, as far as rows tell: where an error is watched besides, it is another than cross-entropy.
fn loss_label(rows: &[EpochRow]) -> &'static str {
    if rows.iter().any(|row| row.train_error.is_some()) { "loss per sample" } else { LOSS_LABEL }
}

/// Training and validation loss.
pub(super) fn loss(name: &str, rows: &[EpochRow], best: Option<usize>) -> Curves {
    curves(&format!("{name}: loss"), loss_label(rows), rows, best, |row| Some(row.train_loss), |row| row.valid_loss)
}

/// Training and validation accuracy.
pub(super) fn accuracy(name: &str, rows: &[EpochRow], best: Option<usize>) -> Curves {
    let title = format!("{name}: accuracy");
    curves(&title, "accuracy", rows, best, |row| Some(row.train_accuracy), |row| row.valid_accuracy)
}

/// All of them in one plot, from 0 to 1: a loss above 1 leaves it at the top.
pub(super) fn history(name: &str, rows: &[EpochRow]) -> Curves {
    let lines: [(&str, Field, SeriesStyle); 4] = [
        ("train loss", |row| Some(row.train_loss), SeriesStyle::nth(1)),
        ("train accuracy", |row| Some(row.train_accuracy), SeriesStyle::nth(0)),
        ("validation loss", |row| row.valid_loss, SeriesStyle::nth(1).with_mark(Mark::Ring).with_dash(Dash::Dashed)),
        (
            "validation accuracy",
            |row| row.valid_accuracy,
            SeriesStyle::nth(0).with_mark(Mark::Ring).with_dash(Dash::Dashed),
        ),
    ];
    let series = lines.into_iter().map(|(name, field, style)| Series {
        name: name.to_owned(),
        points: points(rows, field),
        style,
    });
    let is_off = rows.iter().any(|row| row.train_loss > 1.0 || row.valid_loss.is_some_and(|loss| loss > 1.0));
    let off = if is_off { "; losses above 1 are off the plot" } else { "" };
    Curves {
        title: format!("{name}: loss and accuracy{off}"),
        x_label: "epoch".to_owned(),
        y_label: format!("{} and accuracy", loss_label(rows)),
        series: series.filter(|series| !series.points.is_empty()).collect(),
        phases: phases(rows),
        y_range: Some((0.0, 1.0)),
        ..Curves::default()
    }
}

fn curves(title: &str, y_label: &str, rows: &[EpochRow], best: Option<usize>, train: Field, valid: Field) -> Curves {
    let series = [("train", train, SeriesStyle::train()), ("validation", valid, SeriesStyle::valid())];
    let marker = best.and_then(|epoch| rows.iter().find(|row| row.epoch == epoch)).map(|row| Marker {
        x: x(row),
        y: valid(row),
        label: valid(row).map_or_else(
            || format!("best epoch {}", row.epoch),
            |value| format!("best epoch {}: {value:.4}", row.epoch),
        ),
    });
    Curves {
        title: title.to_owned(),
        x_label: "epoch".to_owned(),
        y_label: y_label.to_owned(),
        series: series
            .into_iter()
            .map(|(name, field, style)| Series { name: name.to_owned(), points: points(rows, field), style })
            .filter(|series| !series.points.is_empty())
            .collect(),
        phases: phases(rows),
        marker,
        ..Curves::default()
    }
}

/// What an overlay compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// Validation loss, or training loss of runs without a validation part.
    Loss,
    /// Validation accuracy, or training accuracy of runs without a validation part.
    Accuracy,
}

/// One curve per run.
#[must_use]
pub fn overlay(kind: Overlay, runs: &[(String, Vec<EpochRow>)]) -> Curves {
    let (word, y_label, train, valid): (&str, &str, Field, Field) = match kind {
        Overlay::Loss => ("loss", LOSS_LABEL, |row| Some(row.train_loss), |row| row.valid_loss),
        Overlay::Accuracy => ("accuracy", "accuracy", |row| Some(row.train_accuracy), |row| row.valid_accuracy),
    };
    let series = runs.iter().enumerate().map(|(index, (name, rows))| {
        let validated = points(rows, valid);
        let (name, points) = if validated.is_empty() {
            (format!("{name} (train)"), points(rows, train))
        } else {
            (name.clone(), validated)
        };
        Series { name, points, style: SeriesStyle::nth(index) }
    });
    Curves {
        title: format!("validation {word}"),
        x_label: "epoch".to_owned(),
        y_label: y_label.to_owned(),
        series: series.collect(),
        ..Curves::default()
    }
}

fn points(rows: &[EpochRow], field: Field) -> Vec<(f64, f64)> {
    rows.iter().filter_map(|row| Some((x(row), field(row)?))).collect()
}

/// Spans of equal phase names; none where there is only one phase to tell.
fn phases(rows: &[EpochRow]) -> Vec<PhaseSpan> {
    let spans: Vec<PhaseSpan> = rows
        .chunk_by(|a, b| a.phase == b.phase)
        .map(|rows| PhaseSpan { name: rows[0].phase.clone(), first: x(&rows[0]), last: x(&rows[rows.len() - 1]) })
        .collect();
    if spans.len() > 1 { spans } else { Vec::new() }
}

#[expect(clippy::cast_precision_loss, reason = "epoch counts stay far below 2^52")]
fn x(row: &EpochRow) -> f64 {
    row.epoch as f64
}
