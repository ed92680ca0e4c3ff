//! The confusion matrix: which class was taken for which, as counts and shares of each row.
//!
//! Colour follows the share, not the count, so that classes of different sizes compare.

mod cells;

use crate::Figure;
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::names;
use crate::scene::{Align, Label, Scene, Turn};
use crate::style::{BODY, INK, MARGIN};
use crate::text::thousands;

const MIN_WIDTH: f64 = 480.0;
/// Least height of the colour bar, so that its labels stay apart beside a small matrix.
const MIN_BAR: f64 = 200.0;
const BAR_WIDTH: f64 = 16.0;
/// True classes as rows, predicted classes as columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// Heading. The overall accuracy is added below it.
    pub title: String,
    /// One name for each class.
    pub class_names: Vec<String>,
    /// `counts[true][predicted]`, a square.
    pub counts: Vec<Vec<u64>>,
}

/// Where everything goes.
struct Layout {
    width: f64,
    height: f64,
    matrix: Rect,
    cell: f64,
    bar: Rect,
    /// Baseline of the name of the x axis, and of the (turned) name of the y axis.
    below: f64,
    beside: f64,
    shares: cells::ShareFormat,
}

impl Figure for ConfusionMatrix {
    fn scene(&self) -> Result<Scene, PlotError> {
        self.check()?;
        let rows = names::Rows::new(&self.class_names);
        let (cell, shares) = cells::size(self);
        let columns = names::Columns::new(&self.class_names, cell);
        let layout = self.layout(&rows, &columns, cell, shares);

        let mut scene = Scene::new(&self.title, layout.width, layout.height)?;
        Heading::new(&self.title, &self.subtitle(), layout.width).draw(&mut scene);
        cells::draw(&mut scene, self, &layout);
        rows.draw(&mut scene, &layout.matrix, cell);
        columns.draw(&mut scene, &layout.matrix, cell);
        if !self.counts.is_empty() {
            draw_axis_names(&mut scene, &layout);
            cells::draw_bar(&mut scene, &layout.bar);
        }
        Ok(scene)
    }
}

impl ConfusionMatrix {
    fn check(&self) -> Result<(), PlotError> {
        let classes = self.class_names.len();
        let mismatch = |figure: String, what: &str, found: usize| PlotError::Shape {
            figure,
            expected: format!("{classes} {what}, one for each class name"),
            found: found.to_string(),
        };
        if self.counts.len() != classes {
            return Err(mismatch("confusion matrix".into(), "rows", self.counts.len()));
        }
        match self.counts.iter().position(|row| row.len() != classes) {
            Some(row) => {
                let figure = format!("confusion matrix, row {row}");
                Err(mismatch(figure, "columns", self.counts[row].len()))
            }
            None => Ok(()),
        }
    }

    fn subtitle(&self) -> String {
        let total: u128 = self.counts.iter().flatten().copied().map(u128::from).sum();
        let correct: u128 = self.counts.iter().enumerate().map(|(class, row)| u128::from(row[class])).sum();
        if total == 0 {
            return "no predictions yet".to_owned();
        }
        format!(
            "{} of {} correct: accuracy {:.2}%",
            thousands(correct),
            thousands(total),
            100.0 * cells::ratio(correct, total)
        )
    }

    fn layout(&self, rows: &names::Rows, columns: &names::Columns, cell: f64, shares: cells::ShareFormat) -> Layout {
        let side = cell * real(self.counts.len());
        let before = MARGIN + 34.0 + rows.width() + 12.0;
        let after = 32.0 + BAR_WIDTH + 58.0 + 20.0 + MARGIN;
        let width = (before + side + after).max(MIN_WIDTH).ceil();
        let top = Heading::new(&self.title, &self.subtitle(), width).bottom() + 18.0;
        let matrix = Rect::new(before.round(), top, side, side);
        let names_bottom = matrix.bottom + 12.0 + columns.height();
        let bar = Rect::new(matrix.right + 32.0, top, BAR_WIDTH, side.max(MIN_BAR));
        let below = names_bottom + 26.0;
        let height = (below + 4.0).max(bar.bottom) + MARGIN;
        Layout { width, height, matrix, cell, bar, below, beside: MARGIN + 12.0, shares }
    }
}

fn draw_axis_names(scene: &mut Scene, layout: &Layout) {
    let (middle_x, middle_y) = layout.matrix.center();
    let below = Label::new("predicted class", (middle_x, layout.below), Type::regular(BODY), INK);
    scene.label(below.align(Align::Middle));
    let beside = Label::new("true class", (layout.beside, middle_y), Type::regular(BODY), INK);
    scene.label(beside.align(Align::Middle).turn(Turn::Up));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subtitle_states_the_accuracy() {
        let matrix = |counts: [[u64; 2]; 2]| ConfusionMatrix {
            counts: counts.map(Vec::from).to_vec(),
            ..ConfusionMatrix::default()
        };
        let check = |counts, expected: &str| assert_eq!(matrix(counts).subtitle(), expected);
        check([[900, 100], [50, 950]], "1,850 of 2,000 correct: accuracy 92.50%");
        check([[0, 0], [0, 0]], "no predictions yet");
    }
}
