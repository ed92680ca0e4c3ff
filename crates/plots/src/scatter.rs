//! Points in the plane, coloured by class: what an embedding looks like.

mod classes;
mod space;

pub use space::Scatter3d;

use self::classes::{Legend, Marks};
use crate::Figure;
use crate::axis::{self, Scale, Steps};
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::Rect;
use crate::heading::Heading;
use crate::scene::{Align, Label, Scene, Turn};
use crate::style::{AXIS, BODY, GRID, INK, MARGIN, MUTED, SMALL};
use crate::text::shorten;

/// Side of the square that the points lie in.
const SIDE: f64 = 760.0;

/// A point of each sample, with a colour and a mark for each class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scatter {
    /// Heading.
    pub title: String,
    /// A line below the heading; may be empty.
    pub subtitle: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Name of the vertical axis.
    pub y_label: String,
    /// Whether places on the axes mean anything.
    pub ticks: Ticks,
    /// One name for each class.
    pub class_names: Vec<String>,
    /// `(x, y)` of each sample. Points with NaN or infinite values are left out.
    pub points: Vec<(f64, f64)>,
    /// The class of each sample.
    pub classes: Vec<usize>,
}

/// Whether an axis has numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ticks {
    /// Round numbers along both axes.
    #[default]
    Shown,
    /// None: only distances mean something, as in t-SNE.
    Hidden,
}

impl Figure for Scatter {
    fn scene(&self) -> Result<Scene, PlotError> {
        classes::check("scatter", self.points.len(), &self.classes, self.class_names.len())?;
        let seen: Vec<bool> = self.points.iter().map(|&(x, y)| axis::plottable(x) && axis::plottable(y)).collect();
        let legend = Legend::new(&self.class_names, &self.classes, &seen);

        let (x_range, y_range) = self.ranges();
        let ticks = |range| match self.ticks {
            Ticks::Shown => axis::ticks(range, 7, Steps::Any),
            Ticks::Hidden => Vec::new(),
        };
        let (x_ticks, y_ticks) = (ticks(x_range), ticks(y_range));
        let small = Type::regular(SMALL);
        let widest = y_ticks.iter().map(|tick| small.width(&tick.label)).fold(0.0, f64::max);
        let left = (MARGIN + 30.0 + widest + 10.0).ceil();
        let width = left + SIDE + legend.width() + MARGIN;
        let heading = Heading::new(&self.title, &self.subtitle, width);
        let plot = Rect::new(left, heading.bottom() + 16.0, SIDE, SIDE);
        // Tick labels and the name of the axis, where there are any.
        let below = if self.x_label.is_empty() { if x_ticks.is_empty() { 0.0 } else { 28.0 } } else { 56.0 };
        let mut scene = Scene::new(&self.title, width, plot.bottom + below + MARGIN)?;
        heading.draw(&mut scene);

        let x = Scale { data: x_range, pixels: (plot.left, plot.right) };
        let y = Scale { data: y_range, pixels: (plot.bottom, plot.top) };
        for tick in &x_ticks {
            let at = x.place(tick.value).round();
            scene.fill(Rect::new(at, plot.top, 1.0, SIDE), GRID);
            let label = Label::new(&tick.label, (at, plot.bottom + 22.0), small, MUTED);
            scene.label(label.align(Align::Middle));
        }
        for tick in &y_ticks {
            let at = y.place(tick.value).round();
            scene.fill(Rect::new(plot.left, at, SIDE, 1.0), GRID);
            let label = Label::new(&tick.label, (plot.left - 10.0, at + 5.0), small, MUTED);
            scene.label(label.align(Align::End));
        }
        frame(&mut scene, &plot);
        self.name_axes(&mut scene, &plot);

        let marks = Marks::for_count(self.points.len());
        for (&(px, py), &class) in self
            .points
            .iter()
            .zip(&self.classes)
            .filter(|(point, _)| axis::plottable(point.0) && axis::plottable(point.1))
        {
            marks.draw(&mut scene, (x.place(px), y.place(py)), class, 0.0);
        }
        legend.draw(&mut scene, (plot.right, plot.top), SIDE);
        Ok(scene)
    }
}

impl Scatter {
    /// Ranges of equal length, so that distances compare in all directions.
    fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        let whole = self.points.iter().filter(|(x, y)| axis::plottable(*x) && axis::plottable(*y));
        let span = |values: Vec<f64>| axis::padded(axis::span(values.into_iter()).unwrap_or((-1.0, 1.0)), 0.0);
        let x = span(whole.clone().map(|point| point.0).collect());
        let y = span(whole.map(|point| point.1).collect());
        let half = (x.1 - x.0).max(y.1 - y.0) / 2.0 * 1.04;
        let around = |(low, high): (f64, f64)| {
            let middle = f64::midpoint(low, high);
            (middle - half, middle + half)
        };
        (around(x), around(y))
    }

    fn name_axes(&self, scene: &mut Scene, plot: &Rect) {
        let face = Type::regular(BODY);
        let (middle_x, middle_y) = plot.center();
        let below = shorten(&self.x_label, plot.width(), face);
        scene.label(Label::new(&below, (middle_x, plot.bottom + 50.0), face, INK).align(Align::Middle));
        let beside = shorten(&self.y_label, plot.height(), face);
        let beside = Label::new(&beside, (MARGIN + 12.0, middle_y), face, INK);
        scene.label(beside.align(Align::Middle).turn(Turn::Up));
    }
}

/// A thin line around the points.
fn frame(scene: &mut Scene, plot: &Rect) {
    for edge in [
        Rect::new(plot.left, plot.top, plot.width(), 1.0),
        Rect::new(plot.left, plot.bottom - 1.0, plot.width(), 1.0),
        Rect::new(plot.left, plot.top, 1.0, plot.height()),
        Rect::new(plot.right - 1.0, plot.top, 1.0, plot.height()),
    ] {
        scene.fill(edge, AXIS);
    }
}
