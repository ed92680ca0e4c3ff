//! A table of one number per cell, coloured by it: what a search among settings has found.

use crate::Figure;
use crate::error::PlotError;
use crate::font::{CAP_HEIGHT, Type};
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::scene::{Align, Label, Scene, Turn};
use crate::style::{AXIS, BODY, Color, INK, MARGIN, MUTED, SMALL};
use crate::text::{shorten, wrap_or_shorten};

const CELL_HEIGHT: f64 = 52.0;
const MIN_CELL_WIDTH: f64 = 92.0;
const MAX_NAME: f64 = 220.0;
const MIN_WIDTH: f64 = 560.0;
const LINE: f64 = 18.0;
/// White between cells, on each side of each cell.
const SEAM: f64 = 1.0;
const BAR_WIDTH: f64 = 16.0;
const FACE: Type = Type::regular(SMALL);

/// One number per cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heatmap {
    /// Heading.
    pub title: String,
    /// Below it.
    pub subtitle: String,
    /// Name of each row.
    pub rows: Vec<String>,
    /// Name of each column.
    pub columns: Vec<String>,
    /// What the rows' names are names of.
    pub row_name: String,
    /// What the columns' names are names of.
    pub column_name: String,
    /// What the numbers are.
    pub value_name: String,
    /// `cells[row][column]`; none where there is no number.
    pub cells: Vec<Vec<Option<f64>>>,
    /// Whether the best number, which gets a frame and the darkest colour, is the least.
    pub lower_is_better: bool,
}

/// Where everything goes.
struct Layout {
    width: f64,
    height: f64,
    table: Rect,
    cell: (f64, f64),
    bar: Rect,
}

impl Figure for Heatmap {
    fn scene(&self) -> Result<Scene, PlotError> {
        self.check()?;
        let rows: Vec<Vec<String>> = self.rows.iter().map(|name| wrap_or_shorten(name, MAX_NAME, 2, FACE)).collect();
        let layout = self.layout(&rows);
        let mut scene = Scene::new(&self.title, layout.width, layout.height)?;
        Heading::new(&self.title, &self.subtitle, layout.width).draw(&mut scene);
        self.draw_cells(&mut scene, &layout);
        self.draw_names(&mut scene, &layout, &rows);
        if let Some(range) = self.range() {
            self.draw_bar(&mut scene, &layout.bar, range);
        }
        Ok(scene)
    }
}

impl Heatmap {
    fn check(&self) -> Result<(), PlotError> {
        let mismatch = |figure: String, expected: String, found: usize| {
            Err(PlotError::Shape { figure, expected, found: found.to_string() })
        };
        if self.cells.len() != self.rows.len() {
            let expected = format!("{} rows, one for each name", self.rows.len());
            return mismatch("heat map".into(), expected, self.cells.len());
        }
        match self.cells.iter().position(|row| row.len() != self.columns.len()) {
            Some(row) => {
                let expected = format!("{} columns, one for each name", self.columns.len());
                mismatch(format!("heat map, row {row}"), expected, self.cells[row].len())
            }
            None => Ok(()),
        }
    }

    fn layout(&self, rows: &[Vec<String>]) -> Layout {
        let widest = |names: &mut dyn Iterator<Item = &String>| names.map(|name| FACE.width(name)).fold(0.0, f64::max);
        let names = widest(&mut rows.iter().flatten());
        let cell = (widest(&mut self.columns.iter()).min(MAX_NAME) + 24.0).max(MIN_CELL_WIDTH).ceil();
        let left = (MARGIN + 30.0 + names + 12.0).ceil();
        let (columns, lines) = (real(self.columns.len()), real(self.rows.len()));
        let width = (left + cell * columns + 30.0 + BAR_WIDTH + 104.0 + MARGIN).max(MIN_WIDTH).ceil();
        let top = Heading::new(&self.title, &self.subtitle, width).bottom() + 18.0;
        let table = Rect::new(left, top, cell * columns, CELL_HEIGHT * lines);
        let bar = Rect::new(table.right + 30.0, top, BAR_WIDTH, table.height().max(3.0 * CELL_HEIGHT));
        let below = table.bottom + 2.0 * LINE + 26.0;
        Layout { width, height: below.max(bar.bottom) + MARGIN, table, cell: (cell, CELL_HEIGHT), bar }
    }

    /// The least and the greatest number; none if there is none.
    fn range(&self) -> Option<(f64, f64)> {
        let numbers = self.cells.iter().flatten().flatten().copied().filter(|number| number.is_finite());
        numbers.fold(None, |range, number| match range {
            None => Some((number, number)),
            Some((low, high)) => Some((low.min(number), high.max(number))),
        })
    }

    /// How good a number is, from 0 for the worst of the table to 1 for the best.
    fn merit(&self, number: f64, (low, high): (f64, f64)) -> f64 {
        if low >= high {
            return 1.0;
        }
        let share = (number - low) / (high - low);
        if self.lower_is_better { 1.0 - share } else { share }
    }

    fn draw_cells(&self, scene: &mut Scene, layout: &Layout) {
        let (width, height) = layout.cell;
        let range = self.range();
        for (row, numbers) in self.cells.iter().enumerate() {
            for (column, number) in numbers.iter().enumerate() {
                let (left, top) = (layout.table.left + real(column) * width, layout.table.top + real(row) * height);
                let rect = Rect::new(left, top, width, height).inset(SEAM);
                let Some((number, range)) = number.filter(|number| number.is_finite()).zip(range) else {
                    scene.fill(rect, EMPTY);
                    let middle = (rect.center().0, rect.center().1 + CAP_HEIGHT * SMALL / 2.0);
                    scene.label(Label::new("failed", middle, FACE, MUTED).align(Align::Middle));
                    continue;
                };
                let merit = self.merit(number, range);
                let color = shade(merit);
                let is_best = merit >= 1.0;
                if is_best {
                    scene.fill(rect, INK);
                    scene.fill(rect.inset(2.5), color);
                } else {
                    scene.fill(rect, color);
                }
                let face = if is_best { Type::bold(BODY) } else { Type::regular(BODY) };
                let middle = (rect.center().0, rect.center().1 + CAP_HEIGHT * BODY / 2.0);
                scene.label(Label::new(&format!("{number:.4}"), middle, face, color.readable()).align(Align::Middle));
            }
        }
    }

    fn draw_names(&self, scene: &mut Scene, layout: &Layout, rows: &[Vec<String>]) {
        let (width, height) = layout.cell;
        let table = &layout.table;
        for (index, lines) in rows.iter().enumerate() {
            let first = table.top + (real(index) + 0.5) * height + 5.0 - LINE * (real(lines.len()) - 1.0) / 2.0;
            for (line, text) in lines.iter().enumerate() {
                let at = (table.left - 12.0, first + LINE * real(line));
                scene.label(Label::new(text, at, FACE, INK).align(Align::End));
            }
        }
        for (index, name) in self.columns.iter().enumerate() {
            let at = (table.left + (real(index) + 0.5) * width, table.bottom + LINE + 2.0);
            scene.label(Label::new(&shorten(name, width - 8.0, FACE), at, FACE, INK).align(Align::Middle));
        }
        let (middle_x, middle_y) = table.center();
        let below = (middle_x, table.bottom + 2.0 * LINE + 16.0);
        scene.label(Label::new(&self.column_name, below, Type::regular(BODY), INK).align(Align::Middle));
        let beside = Label::new(
            &shorten(&self.row_name, layout.height - 2.0 * MARGIN, FACE),
            (MARGIN + 12.0, middle_y),
            Type::regular(BODY),
            INK,
        );
        scene.label(beside.align(Align::Middle).turn(Turn::Up));
    }

    fn draw_bar(&self, scene: &mut Scene, bar: &Rect, (low, high): (f64, f64)) {
        const STEPS: usize = 128;
        let step = bar.height() / real(STEPS);
        for index in 0..STEPS {
            let top = bar.top + (step * real(index)).round();
            let merit = 1.0 - (real(index) + 0.5) / real(STEPS);
            // Each reaches under the next, so that no seam shows between two of them.
            let bottom = (top + 2.0 * step).min(bar.bottom);
            scene.fill(Rect { top, bottom, ..*bar }, shade(merit));
        }
        let (best, worst) = if self.lower_is_better { (low, high) } else { (high, low) };
        for (y, number) in [(bar.top, best), (bar.bottom, worst)] {
            scene.line(vec![(bar.right, y), (bar.right + 5.0, y)], 1.0, AXIS);
            scene.label(Label::new(&format!("{number:.4}"), (bar.right + 10.0, y + 5.0), FACE, MUTED));
        }
        let at = (bar.right + 26.0, bar.center().1);
        let name = Label::new(&self.value_name, at, FACE, MUTED);
        scene.label(name.align(Align::Middle).turn(Turn::Up));
    }
}

/// Background of cells without a number.
const EMPTY: Color = Color::new(0xF0, 0xF1, 0xF3);

/// The colour of a merit from 0 to 1: lighter is worse, in grey as well.
fn shade(merit: f64) -> Color {
    const STOPS: [Color; 3] =
        [Color::new(0xE6, 0xF0, 0xF8), Color::new(0x47, 0x97, 0xCC), Color::new(0x08, 0x3F, 0x6B)];
    if merit < 0.5 { STOPS[0].mix(STOPS[1], merit * 2.0) } else { STOPS[1].mix(STOPS[2], merit * 2.0 - 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_number_has_merit_one_whichever_way_is_better() {
        let map = |lower_is_better| Heatmap { lower_is_better, ..Heatmap::default() };
        let check = |map: &Heatmap, number: f64, merit: f64| {
            assert!((map.merit(number, (1.0, 3.0)) - merit).abs() < 1e-12, "{number}");
        };
        check(&map(false), 3.0, 1.0);
        check(&map(false), 2.0, 0.5);
        check(&map(true), 1.0, 1.0);
        assert!((map(true).merit(4.0, (4.0, 4.0)) - 1.0).abs() < 1e-12, "all alike: all best");
    }

    #[test]
    fn holes_are_left_out_of_the_range() {
        let cells = vec![vec![Some(0.5), None], vec![Some(f64::NAN), Some(0.25)]];
        assert_eq!(Heatmap { cells, ..Heatmap::default() }.range(), Some((0.25, 0.5)));
        assert_eq!(Heatmap::default().range(), None);
    }
}
