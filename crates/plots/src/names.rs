//! Names beside the rows and below the columns of a matrix.

use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::scene::{Align, Label, Scene, Turn};
use crate::style::{INK, SMALL};
use crate::text::{shorten, wrap, wrap_or_shorten};

const FACE: Type = Type::regular(SMALL);
const LINE: f64 = 18.0;
const MAX_WIDTH: f64 = 190.0;

/// Names beside rows, right-aligned, in one or two lines.
pub(crate) struct Rows(Vec<Vec<String>>);

impl Rows {
    pub(crate) fn new(names: &[String]) -> Self {
        let lines = |name: &String| wrap_or_shorten(name, MAX_WIDTH, 2, FACE);
        Self(names.iter().map(lines).collect())
    }

    pub(crate) fn width(&self) -> f64 {
        self.0.iter().flatten().map(|line| FACE.width(line)).fold(0.0, f64::max)
    }

    pub(crate) fn draw(&self, scene: &mut Scene, matrix: &Rect, cell: f64) {
        for (index, lines) in self.0.iter().enumerate() {
            let center = matrix.top + (real(index) + 0.5) * cell;
            let first = center + 5.0 - LINE * (real(lines.len()) - 1.0) / 2.0;
            for (line, text) in lines.iter().enumerate() {
                let at = (matrix.left - 12.0, first + LINE * real(line));
                scene.label(Label::new(text, at, FACE, INK).align(Align::End));
            }
        }
    }
}

/// Names below columns: upright if all fit in up to three lines, and else turned.
pub(crate) enum Columns {
    Upright(Vec<Vec<String>>),
    Turned(Vec<String>),
}

impl Columns {
    pub(crate) fn new(names: &[String], cell: f64) -> Self {
        let upright = |name: &String| wrap(name, cell - 6.0, 3, FACE);
        let turned = |name: &String| shorten(name, MAX_WIDTH, FACE);
        names
            .iter()
            .map(upright)
            .collect::<Option<Vec<_>>>()
            .map_or_else(|| Self::Turned(names.iter().map(turned).collect()), Self::Upright)
    }

    pub(crate) fn height(&self) -> f64 {
        match self {
            Self::Upright(names) => real(names.iter().map(Vec::len).max().unwrap_or(0)) * LINE,
            Self::Turned(names) => names.iter().map(|name| FACE.width(name)).fold(0.0, f64::max),
        }
    }

    pub(crate) fn draw(&self, scene: &mut Scene, matrix: &Rect, cell: f64) {
        let center = |index: usize| matrix.left + (real(index) + 0.5) * cell;
        let top = matrix.bottom + 10.0;
        match self {
            Self::Upright(names) => {
                for (index, lines) in names.iter().enumerate() {
                    for (line, text) in lines.iter().enumerate() {
                        let at = (center(index), top + 12.0 + LINE * real(line));
                        scene.label(Label::new(text, at, FACE, INK).align(Align::Middle));
                    }
                }
            }
            Self::Turned(names) => {
                for (index, text) in names.iter().enumerate() {
                    let label = Label::new(text, (center(index) + 5.0, top), FACE, INK);
                    scene.label(label.align(Align::End).turn(Turn::Up));
                }
            }
        }
    }
}
