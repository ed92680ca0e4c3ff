//! Points in space, seen from a fixed place without perspective: what lies further back is smaller and paler.

use super::classes::{self, Legend, Marks};
use super::frame;
use crate::Figure;
use crate::axis;
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Point, Rect, real};
use crate::heading::Heading;
use crate::scene::{Align, Label, Scene};
use crate::style::{AXIS, BODY, GRID, INK, MARGIN};
use crate::text::shorten;

/// Width and height of the picture of the box.
const SIDE: f64 = 760.0;
/// Direction of the eye: turned around the vertical axis, and above the horizon, in degrees.
const AZIMUTH: f64 = 35.0;
const ELEVATION: f64 = 24.0;
/// Room of a line that names an axis.
const NAME_LINE: f64 = 24.0;
/// Around the box of the points, where the letters of the axes stand.
const LETTER_ROOM: f64 = 40.0;
/// A side of the box is never shorter than this share of the longest.
const FLATTEST: f64 = 0.05;

/// A point of each sample in space, with a colour and a mark for each class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scatter3d {
    /// Heading.
    pub title: String,
    /// A line below the heading; may be empty.
    pub subtitle: String,
    /// Names of the three axes; the third points upwards.
    pub axis_labels: [String; 3],
    /// One name for each class.
    pub class_names: Vec<String>,
    /// `[x, y, z]` of each sample. Points with NaN or infinite values are left out.
    pub points: Vec<[f64; 3]>,
    /// The class of each sample.
    pub classes: Vec<usize>,
}

/// From the box of the points, whose middle is the origin, to the picture.
struct View {
    /// Half of each side of the box.
    half: [f64; 3],
    center: Point,
    scale: f64,
}

impl View {
    /// Lets the box fill `plot` but for the letters around it.
    fn new(half: [f64; 3], plot: &Rect) -> Self {
        let unscaled = Self { half, center: (0.0, 0.0), scale: 1.0 };
        let corners: Vec<Point> = (0..8).map(|bits| unscaled.project(unscaled.corner(bits)).0).collect();
        let reach = |coordinate: fn(&Point) -> f64| corners.iter().map(coordinate).fold(0.0, f64::max);
        let (across, down) = (reach(|corner| corner.0.abs()), reach(|corner| corner.1.abs()));
        let room = |length: f64| length / 2.0 - LETTER_ROOM;
        Self { half, center: plot.center(), scale: (room(plot.width()) / across).min(room(plot.height()) / down) }
    }

    /// One of the eight corners of the box, by one bit for each axis.
    fn corner(&self, bits: usize) -> [f64; 3] {
        [0, 1, 2].map(|k| if bits >> k & 1 == 1 { self.half[k] } else { -self.half[k] })
    }

    /// Place in the picture, and depth: greater is nearer.
    fn project(&self, [x, y, z]: [f64; 3]) -> (Point, f64) {
        let (sin_a, cos_a) = AZIMUTH.to_radians().sin_cos();
        let (sin_e, cos_e) = ELEVATION.to_radians().sin_cos();
        let across = x * cos_a - y * sin_a;
        let away = x * sin_a + y * cos_a;
        let up = z * cos_e + away * sin_e;
        let near = z * sin_e - away * cos_e;
        ((self.center.0 + self.scale * across, self.center.1 - self.scale * up), near)
    }
}

impl Figure for Scatter3d {
    fn scene(&self) -> Result<Scene, PlotError> {
        classes::check("scatter in space", self.points.len(), &self.classes, self.class_names.len())?;
        let whole = |point: &[f64; 3]| point.iter().all(|&value| axis::plottable(value));
        let seen: Vec<bool> = self.points.iter().map(whole).collect();
        let legend = Legend::new(&self.class_names, &self.classes, &seen);

        let width = MARGIN + SIDE + legend.width() + MARGIN;
        let heading = Heading::new(&self.title, &self.subtitle, width);
        let plot = Rect::new(MARGIN, heading.bottom() + 16.0, SIDE, SIDE);
        let is_named = self.axis_labels.iter().any(|label| !label.is_empty());
        let below = if is_named { 3.0 * NAME_LINE + 8.0 } else { 0.0 };
        let mut scene = Scene::new(&self.title, width, plot.bottom + below + MARGIN)?;
        heading.draw(&mut scene);
        frame(&mut scene, &plot);
        let (middles, half) = self.bounds();
        let view = View::new(half, &plot);
        draw_box(&mut scene, &view);
        self.name_axes(&mut scene, &plot);

        let mut order: Vec<(usize, Point, f64)> = self
            .points
            .iter()
            .enumerate()
            .filter(|(index, _)| seen[*index])
            .map(|(index, point)| {
                let (at, near) = view.project([0, 1, 2].map(|k| point[k] - middles[k]));
                (index, at, near)
            })
            .collect();
        // Far points first, so that near ones cover them.
        order.sort_by(|a, b| a.2.total_cmp(&b.2));
        let (nearest, furthest) = (order.last().map_or(0.0, |it| it.2), order.first().map_or(0.0, |it| it.2));
        let depth = (nearest - furthest).max(1e-12);
        let marks = Marks::for_count(self.points.len());
        for (index, at, near) in order {
            marks.draw(&mut scene, at, self.classes[index], (nearest - near) / depth);
        }
        legend.draw(&mut scene, (plot.right, plot.top), SIDE);
        Ok(scene)
    }
}

impl Scatter3d {
    /// The middle of the box around the points, and half of each of its sides. All axes have the same scale.
    fn bounds(&self) -> ([f64; 3], [f64; 3]) {
        let whole = || self.points.iter().filter(|point| point.iter().all(|&value| axis::plottable(value)));
        let spans = [0, 1, 2].map(|k| axis::span(whole().map(|point| point[k])).unwrap_or((0.0, 0.0)));
        let longest = spans.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
        // Closer than this, points are the same for a picture.
        let shortest = if longest > 1e-200 { longest * FLATTEST } else { 1.0 };
        let half = spans.map(|(low, high)| (high - low).max(shortest) / 2.0);
        (spans.map(|(low, high)| f64::midpoint(low, high)), half)
    }

    fn name_axes(&self, scene: &mut Scene, plot: &Rect) {
        let face = Type::regular(BODY);
        for (index, label) in self.axis_labels.iter().enumerate() {
            let text = format!("{}: {}", LETTERS[index], shorten(label, plot.width() - 40.0, face));
            let baseline = plot.bottom + 6.0 + NAME_LINE * (real(index) + 0.8);
            if !label.is_empty() {
                scene.label(Label::new(&text, (plot.left, baseline), face, INK));
            }
        }
    }
}

const LETTERS: [&str; 3] = ["x", "y", "z"];

/// The edges of the box, the three axes at its furthest corner darker, each with its letter.
fn draw_box(scene: &mut Scene, view: &View) {
    let project = |bits: usize| view.project(view.corner(bits)).0;
    let near = |bits: usize| view.project(view.corner(bits)).1;
    // The axes start at the furthest corner, whose neighbours lie on the outline.
    let furthest = (0..8).min_by(|&a, &b| near(a).total_cmp(&near(b))).unwrap_or(0);
    for from in 0..8_usize {
        for axis in 0..3 {
            let to = from ^ 1 << axis;
            if from < to && from != furthest && to != furthest {
                scene.line(vec![project(from), project(to)], 1.0, GRID);
            }
        }
    }
    for (axis, letter) in LETTERS.iter().enumerate() {
        let (start, end) = (project(furthest), project(furthest ^ 1 << axis));
        scene.line(vec![start, end], 1.5, AXIS);
        // Outwards from the middle of the picture, where no edge can be.
        let (dx, dy) = (end.0 - view.center.0, end.1 - view.center.1);
        let length = dx.hypot(dy).max(1.0);
        let at = (end.0 + dx / length * 16.0, end.1 + dy / length * 16.0 + 5.0);
        scene.label(Label::new(letter, at, Type::bold(BODY), INK).align(Align::Middle));
    }
}
