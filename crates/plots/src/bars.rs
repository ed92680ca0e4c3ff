//! Named values as bars, one below the other: label counts, F1 by class.

use crate::Figure;
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::scene::{Align, Label, Scene};
use crate::style::{AXIS, BODY, INK, MARGIN, MUTED, PALETTE, SMALL};
use crate::text::{clean, shorten};

const WIDTH: f64 = 900.0;
const MAX_NAME: f64 = 220.0;
/// Room of one bar, which shrinks where there are many.
const MAX_ROW: f64 = 40.0;
const MIN_ROW: f64 = 22.0;
const NOTHING: &str = "There are no values to show.";

/// A bar chart. Bars lie, so that names of any length can be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Heading.
    pub title: String,
    /// A line below the heading; may be empty.
    pub subtitle: String,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it stands for.
    pub name: String,
    /// Its length; below zero and NaN count as zero.
    pub value: f64,
    /// What is written at its end.
    pub text: String,
}

impl Figure for Bars {
    fn scene(&self) -> Result<Scene, PlotError> {
        let (name_face, value_face) = (Type::regular(BODY), Type::regular(SMALL));
        let heading = Heading::new(&self.title, &self.subtitle, WIDTH);
        let top = heading.bottom() + 16.0;
        let row = (700.0 / real(self.bars.len().max(1))).clamp(MIN_ROW, MAX_ROW).floor();
        let content = if self.bars.is_empty() { 30.0 } else { row * real(self.bars.len()) };
        let mut scene = Scene::new(&self.title, WIDTH, top + content + MARGIN)?;
        heading.draw(&mut scene);
        if self.bars.is_empty() {
            scene.label(Label::new(NOTHING, (MARGIN, top + 16.0), name_face, MUTED));
        }

        let width = |text: &str, face: Type| face.width(&clean(text));
        let names = self.bars.iter().map(|bar| width(&bar.name, name_face)).fold(0.0, f64::max).min(MAX_NAME);
        let values = self.bars.iter().map(|bar| width(&bar.text, value_face)).fold(0.0, f64::max).min(MAX_NAME);
        let left = (MARGIN + names + 12.0).ceil();
        let room = WIDTH - MARGIN - values - 10.0 - left;
        let most = self.bars.iter().map(Bar::length).fold(0.0, f64::max);
        for (index, bar) in self.bars.iter().enumerate() {
            let middle = top + row * (real(index) + 0.5);
            let share = if most > 0.0 { bar.length() / most } else { 0.0 };
            let thickness = (row * 0.7).round();
            let length = (room * share).max(1.0);
            scene.fill(Rect::new(left, middle - thickness / 2.0, length, thickness), PALETTE[0]);
            let baseline = middle + 5.0;
            let name = shorten(&bar.name, MAX_NAME, name_face);
            scene.label(Label::new(&name, (left - 12.0, baseline), name_face, INK).align(Align::End));
            let text = shorten(&bar.text, MAX_NAME, value_face);
            scene.label(Label::new(&text, (left + length + 8.0, baseline), value_face, MUTED));
        }
        scene.fill(Rect::new(left - 1.0, top, 1.0, content), AXIS);
        Ok(scene)
    }
}

impl Bar {
    fn length(&self) -> f64 {
        if self.value.is_finite() { self.value.max(0.0) } else { 0.0 }
    }
}
