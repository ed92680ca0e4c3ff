//! A table as a picture: scores per class, layers of a network.

use crate::Figure;
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::scene::{Align, Label, Scene};
use crate::style::{AXIS, BANDS, BODY, INK, MARGIN, MUTED};
use crate::text::{clean, shorten};

const ROW: f64 = 30.0;
const COLUMN_GAP: f64 = 34.0;
const MAX_COLUMN: f64 = 320.0;
const MIN_WIDTH: f64 = 420.0;
/// White between the rows and the totals below them.
const RULE: f64 = 8.0;

/// Rows of text under a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// A line below the heading; may be empty.
    pub subtitle: String,
    /// Names of the columns, and how their cells are aligned.
    pub columns: Vec<Column>,
    /// One text for each column, row by row.
    pub rows: Vec<Vec<String>>,
    /// Rows below a rule: means, sums.
    pub totals: Vec<Vec<String>>,
}

/// A column of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What stands above it.
    pub name: String,
    /// How its cells are aligned.
    pub alignment: Alignment,
}

/// How the cells of a column are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

impl Column {
    /// A column of names.
    #[must_use]
    pub fn text(name: &str) -> Self {
        Self { name: name.to_owned(), alignment: Alignment::Left }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(name: &str) -> Self {
        Self { name: name.to_owned(), alignment: Alignment::Right }
    }
}

impl Figure for Table {
    fn scene(&self) -> Result<Scene, PlotError> {
        self.check()?;
        let widths = self.widths();
        let gaps = COLUMN_GAP * real(widths.len().saturating_sub(1));
        let width = (widths.iter().sum::<f64>() + gaps + 2.0 * MARGIN).max(MIN_WIDTH).ceil();
        let heading = Heading::new(&self.title, &self.subtitle, width);
        let top = heading.bottom() + 14.0;
        let rule = if self.totals.is_empty() { 0.0 } else { RULE };
        let height = top + ROW * real(1 + self.rows.len() + self.totals.len()) + rule + MARGIN;
        let mut scene = Scene::new(&self.title, width, height)?;
        heading.draw(&mut scene);

        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        self.draw_row(&mut scene, &names, top, &widths, Type::bold(BODY));
        let rule_at = |scene: &mut Scene, y: f64| {
            scene.fill(Rect::new(MARGIN - 8.0, y - 0.5, width - 2.0 * MARGIN + 16.0, 1.0), AXIS);
        };
        rule_at(&mut scene, top + ROW);
        for (index, row) in self.rows.iter().enumerate() {
            let row_top = top + ROW * real(index + 1);
            if index % 2 == 1 {
                let band = Rect::new(MARGIN - 8.0, row_top + 0.5, width - 2.0 * MARGIN + 16.0, ROW - 1.0);
                scene.fill(band, BANDS[0]);
            }
            self.draw_row(&mut scene, row, row_top, &widths, Type::regular(BODY));
        }
        let below = top + ROW * real(1 + self.rows.len()) + rule;
        if !self.totals.is_empty() {
            rule_at(&mut scene, below - rule / 2.0);
        }
        for (index, row) in self.totals.iter().enumerate() {
            self.draw_row(&mut scene, row, below + ROW * real(index), &widths, Type::regular(BODY));
        }
        if self.rows.is_empty() && self.totals.is_empty() && self.columns.is_empty() {
            let note = Label::new("There is nothing to show.", (MARGIN, top + 16.0), Type::regular(BODY), MUTED);
            scene.label(note);
        }
        Ok(scene)
    }
}

impl Table {
    fn check(&self) -> Result<(), PlotError> {
        let columns = self.columns.len();
        match self.rows.iter().chain(&self.totals).position(|row| row.len() != columns) {
            None => Ok(()),
            Some(index) => Err(PlotError::Shape {
                figure: format!("table, row {index}"),
                expected: format!("{columns} cells, one for each column"),
                found: self.rows.iter().chain(&self.totals).nth(index).map_or(0, Vec::len).to_string(),
            }),
        }
    }

    fn widths(&self) -> Vec<f64> {
        let cells = |index: usize| self.rows.iter().chain(&self.totals).map(move |row| &row[index]);
        let width = |text: &String| Type::regular(BODY).width(&clean(text));
        self.columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let header = Type::bold(BODY).width(&clean(&column.name));
                cells(index).map(width).fold(header, f64::max).min(MAX_COLUMN).ceil()
            })
            .collect()
    }

    fn draw_row(&self, scene: &mut Scene, cells: &[String], top: f64, widths: &[f64], face: Type) {
        let mut left = MARGIN;
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns) {
            let text = shorten(cell, *width, face);
            let baseline = top + ROW / 2.0 + 5.5;
            scene.label(match column.alignment {
                Alignment::Left => Label::new(&text, (left, baseline), face, INK),
                Alignment::Right => Label::new(&text, (left + width, baseline), face, INK).align(Align::End),
            });
            left += width + COLUMN_GAP;
        }
    }
}
