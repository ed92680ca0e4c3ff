//! How classes are told apart in a scatter: a colour and a shape each, and the legend that names them.

use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Point, Rect, real, whole};
use crate::scene::{Align, Label, Scene};
use crate::style::{BODY, CLASS_COLORS, Color, INK, MUTED, PAPER, SMALL};
use crate::text::{shorten, thousands};

const ROW: f64 = 24.0;
/// From the points to the marks of the legend, and from there to the names.
const BEFORE: f64 = 28.0;
const MARK: f64 = 20.0;
const MAX_NAME: f64 = 210.0;
const GAP: f64 = 16.0;

/// Checks that every point has a class and every class a name.
pub(super) fn check(figure: &str, points: usize, classes: &[usize], names: usize) -> Result<(), PlotError> {
    let wrong = |expected: String, found: String| Err(PlotError::Shape { figure: figure.to_owned(), expected, found });
    if classes.len() != points {
        return wrong(format!("{points} classes, one for each point"), classes.len().to_string());
    }
    match classes.iter().find(|&&class| class >= names) {
        Some(class) => wrong(format!("classes below {names}, the number of names"), class.to_string()),
        None => Ok(()),
    }
}

/// The marks of points, smaller where there are many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    radius: f64,
}

impl Marks {
    pub(super) fn for_count(points: usize) -> Self {
        Self { radius: (135.0 / real(points.max(1)).sqrt()).clamp(1.8, 5.0) }
    }

    /// Draws the mark of a class; `distance` from 0 to 1 fades it as what lies further back.
    pub(super) fn draw(self, scene: &mut Scene, (x, y): Point, class: usize, distance: f64) {
        let color = CLASS_COLORS[class % CLASS_COLORS.len()].mix(PAPER, 0.55 * distance);
        let radius = self.radius * (1.0 - 0.3 * distance);
        // A white rim keeps neighbours apart.
        for (radius, color) in [(radius + 0.6, PAPER), (radius, color)] {
            shape(scene, (x, y), radius, class / CLASS_COLORS.len(), color);
        }
    }
}

/// Discs first; classes beyond the colours are squares, and then triangles.
fn shape(scene: &mut Scene, (x, y): Point, radius: f64, round: usize, color: Color) {
    match round % 3 {
        0 => scene.disc((x, y), radius, color),
        1 => {
            let side = radius * 1.8;
            scene.fill(Rect::new(x - side / 2.0, y - side / 2.0, side, side), color);
        }
        _ => {
            let (across, down) = (radius * 1.2, radius * 0.8);
            scene.triangle([(x, y - radius * 1.4), (x + across, y + down), (x - across, y + down)], color);
        }
    }
}

/// The classes with their marks and numbers of points.
pub(super) struct Legend {
    entries: Vec<(usize, String, String)>,
    width: f64,
}

impl Legend {
    pub(super) fn new(names: &[String], classes: &[usize], seen: &[bool]) -> Self {
        let mut counts = vec![0_u128; names.len()];
        for (&class, _) in classes.iter().zip(seen).filter(|(_, seen)| **seen) {
            counts[class] += 1;
        }
        let entries: Vec<(usize, String, String)> = names
            .iter()
            .zip(counts)
            .enumerate()
            .map(|(class, (name, count))| (class, shorten(name, MAX_NAME, Type::regular(BODY)), thousands(count)))
            .collect();
        let most = |text: fn(&(usize, String, String)) -> f64| entries.iter().map(text).fold(0.0, f64::max);
        let name = most(|entry| Type::regular(BODY).width(&entry.1)).max(Type::regular(SMALL).width("and 999 more"));
        let count = most(|entry| Type::regular(SMALL).width(&entry.2));
        let width = if entries.is_empty() { 0.0 } else { (BEFORE + MARK + name + GAP + count).ceil() };
        Self { entries, width }
    }

    /// Width, with the distance to the points.
    pub(super) fn width(&self) -> f64 {
        self.width
    }

    /// Draws the legend to the right of `at`, in no more than `height`.
    pub(super) fn draw(&self, scene: &mut Scene, at: Point, height: f64) {
        let capacity = whole((height / ROW).floor()).unsigned_abs() as usize;
        let shown = if self.entries.len() > capacity { capacity.saturating_sub(1) } else { self.entries.len() };
        let (left, right) = (at.0 + BEFORE, at.0 + self.width);
        for (row, (class, name, count)) in self.entries.iter().take(shown).enumerate() {
            let middle = at.1 + ROW * (real(row) + 0.5);
            Marks { radius: 5.5 }.draw(scene, (left + 5.0, middle), *class, 0.0);
            scene.label(Label::new(name, (left + MARK, middle + 5.5), Type::regular(BODY), INK));
            let count = Label::new(count, (right, middle + 5.5), Type::regular(SMALL), MUTED);
            scene.label(count.align(Align::End));
        }
        if shown < self.entries.len() {
            let text = format!("and {} more", self.entries.len() - shown);
            let baseline = at.1 + ROW * (real(shown) + 0.5) + 5.5;
            scene.label(Label::new(&text, (left + MARK, baseline), Type::regular(SMALL), MUTED));
        }
    }
}
