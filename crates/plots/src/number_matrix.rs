//! A matrix of numbers, each written on its colour: the pixels of an image, one-hot labels.

use crate::Figure;
use crate::axis;
use crate::color_map::{BAR_ROOM, ColorMap, draw_bar};
use crate::error::PlotError;
use crate::font::{CAP_HEIGHT, Type};
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::names::{Columns, Rows};
use crate::scene::{Align, Label, Scene};
use crate::style::{BODY, Color, INK, MARGIN, MUTED, PAPER, TINY};

/// Least side of a cell, and around its text.
const MIN_CELL: f64 = 26.0;
const PADDING: f64 = 4.0;
const MIN_WIDTH: f64 = 480.0;
const MIN_BAR: f64 = 120.0;
const NOTHING: &str = "There are no values to show.";

/// Rows and columns of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberMatrix {
    /// Heading.
    pub title: String,
    /// A line below the heading; may be empty.
    pub subtitle: String,
    /// One name for each row.
    pub row_names: Vec<String>,
    /// One name for each column.
    pub column_names: Vec<String>,
    /// `values[row][column]`; NaN and infinities are empty cells.
    pub values: Vec<Vec<f64>>,
    /// Digits after the point.
    pub decimals: usize,
    /// Colours from the least to the greatest value.
    pub colors: ColorMap,
    /// Colour of the numbers.
    pub ink: CellInk,
}

/// In which colour a cell's number is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum CellInk {
    /// Whichever of black and white reads better on the cell.
    #[default]
    Readable,
    /// White where the value is less than this, else black.
    WhiteBelow(f64),
}

impl Figure for NumberMatrix {
    fn scene(&self) -> Result<Scene, PlotError> {
        self.check()?;
        let face = Type::regular(TINY);
        let range = self.range();
        let cells = self.values.iter().flatten();
        let widest = cells.map(|&value| face.width(&self.text(value))).fold(0.0, f64::max);
        let cell = (widest + 2.0 * PADDING).max(MIN_CELL).ceil();
        let (rows, columns) = (Rows::new(&self.row_names), Columns::new(&self.column_names, cell));

        let before = (MARGIN + rows.width() + 12.0).ceil();
        let (across, down) = (cell * real(self.column_names.len()), cell * real(self.row_names.len()));
        let has_bar = self.needs_bar(range);
        let bar_room = if has_bar { 24.0 + BAR_ROOM } else { 0.0 };
        let width = (before + across + bar_room + MARGIN).max(MIN_WIDTH);
        let heading = Heading::new(&self.title, &self.subtitle, width);
        let top = heading.bottom() + 16.0;
        let matrix = Rect::new(before, top, across, down);
        let bar = Rect::new(matrix.right + 24.0, top, BAR_ROOM, down.max(MIN_BAR));
        let bottom = (matrix.bottom + 12.0 + columns.height()).max(if has_bar { bar.bottom + 10.0 } else { 0.0 });
        let mut scene = Scene::new(&self.title, width, bottom.max(top + 30.0) + MARGIN)?;
        heading.draw(&mut scene);
        for (row, values) in self.values.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let (left, cell_top) = (matrix.left + cell * real(column), top + cell * real(row));
                self.draw_cell(&mut scene, &Rect::new(left, cell_top, cell, cell), value, range);
            }
        }
        rows.draw(&mut scene, &matrix, cell);
        columns.draw(&mut scene, &matrix, cell);
        if self.values.iter().all(Vec::is_empty) {
            scene.label(Label::new(NOTHING, (MARGIN, top + 16.0), Type::regular(BODY), MUTED));
        } else if has_bar {
            draw_bar(&mut scene, &bar, self.colors, range);
        }
        Ok(scene)
    }
}

impl NumberMatrix {
    fn check(&self) -> Result<(), PlotError> {
        let mismatch = |figure: String, what: &str, expected: usize, found: usize| PlotError::Shape {
            figure,
            expected: format!("{expected} {what}, one for each name"),
            found: found.to_string(),
        };
        if self.values.len() != self.row_names.len() {
            let (expected, found) = (self.row_names.len(), self.values.len());
            return Err(mismatch("matrix".to_owned(), "rows", expected, found));
        }
        let columns = self.column_names.len();
        match self.values.iter().position(|row| row.len() != columns) {
            None => Ok(()),
            Some(row) => Err(mismatch(format!("matrix, row {row}"), "columns", columns, self.values[row].len())),
        }
    }

    fn range(&self) -> (f64, f64) {
        axis::span(self.values.iter().flatten().copied()).unwrap_or((0.0, 0.0))
    }

    /// Two colours explain themselves.
    fn needs_bar(&self, range: (f64, f64)) -> bool {
        let between = |&value: &f64| value > range.0 && value < range.1;
        self.values.iter().flatten().any(between)
    }

    fn text(&self, value: f64) -> String {
        let decimals = self.decimals.min(6);
        if !axis::plottable(value) {
            String::new()
        } else if value.abs() >= 1e6 {
            format!("{value:.1e}")
        } else {
            format!("{value:.decimals$}")
        }
    }

    fn draw_cell(&self, scene: &mut Scene, rect: &Rect, value: f64, range: (f64, f64)) {
        if !axis::plottable(value) {
            return;
        }
        let span = range.1 - range.0;
        let color = self.colors.at(if span > 0.0 { (value - range.0) / span } else { 0.0 });
        scene.fill(rect.inset(0.5), color);
        let (middle, center) = rect.center();
        let at = (middle, center + CAP_HEIGHT * TINY / 2.0);
        let label = Label::new(&self.text(value), at, Type::regular(TINY), self.ink.on(color, value));
        scene.label(label.align(Align::Middle));
    }
}

impl CellInk {
    fn on(self, color: Color, value: f64) -> Color {
        match self {
            Self::Readable => color.readable(),
            Self::WhiteBelow(limit) if value < limit => PAPER,
            Self::WhiteBelow(_) => INK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_turn_black_at_the_limit() {
        let ink = CellInk::WhiteBelow(102.0);
        assert_eq!(ink.on(Color::new(0, 0, 0), 101.9), PAPER);
        assert_eq!(ink.on(Color::new(0, 0, 0), 102.0), INK);
    }
}
