//! Values over epochs: training curves of one run, or one curve for each of many runs.
//!
//! Every text has a strip of its own outside the lines' box (phase names and the marker above,
//! the legend on the right), so that nothing ever covers a line.

mod legend;
mod lines;
mod phases;

use crate::Figure;
use crate::axis::{self, Scale, Steps, Tick};
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::Rect;
use crate::heading::Heading;
use crate::scene::{Align, Label, Scene, Turn};
use crate::style::{AXIS, BODY, GRID, INK, MARGIN, MUTED, PAPER, SMALL, SeriesStyle};
use crate::text::shorten;

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 750.0;
/// Strip above the lines for the marker's label.
const MARKER_STRIP: f64 = 26.0;
/// Strip below the lines for tick labels and the name of the axis.
const X_STRIP: f64 = 56.0;

/// Line chart of one or more series over the same x axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Heading.
    pub title: String,
    /// Name and unit of the values.
    pub y_label: String,
    /// Name of the x axis, as in `epoch`.
    pub x_label: String,
    /// The lines, drawn in this order.
    pub series: Vec<Series>,
    /// Shaded spans of the x axis, in order.
    pub phases: Vec<PhaseSpan>,
    /// The x value to point out.
    pub marker: Option<Marker>,
    /// Range of the y axis; `None`, or anything but two increasing numbers, fits it to the data.
    pub y_range: Option<(f64, f64)>,
    /// Whether the legend states the last value of each line.
    pub last_values: LastValues,
}

/// Whether a legend states the last value of each line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastValues {
    /// It does: what a run came to.
    #[default]
    Shown,
    /// It does not: the line is a function, whose end is arbitrary.
    Hidden,
}

/// A named line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// `(x, y)` in order of x. NaN and infinite values leave a gap.
    pub points: Vec<(f64, f64)>,
    /// How the line looks.
    pub style: SeriesStyle,
}

/// A named span of the x axis, both ends included.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseSpan {
    /// Name at the top of the span.
    pub name: String,
    /// First x value (epoch) of the phase.
    pub first: f64,
    /// Last x value (epoch) of the phase.
    pub last: f64,
}

/// A vertical line that points out an x value, such as the best epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    /// Where the line stands. Not drawn if outside the data.
    pub x: f64,
    /// Height of a dot on the line, as a y value.
    pub y: Option<f64>,
    /// Text above the line, drawn as it is: `best epoch 37: 0.9142`.
    pub label: String,
}

/// Where everything goes.
struct Layout {
    plot: Rect,
    x: Scale,
    y: Scale,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    bands: Vec<phases::Band>,
    /// Where the strip of phase names ends.
    names_bottom: f64,
    legend: legend::Legend,
}

impl Figure for Curves {
    fn scene(&self) -> Result<Scene, PlotError> {
        let mut scene = Scene::new(&self.title, WIDTH, HEIGHT)?;
        let heading = Heading::new(&self.title, "", WIDTH);
        let layout = self.layout(heading.bottom());
        heading.draw(&mut scene);
        phases::draw(&mut scene, &layout.bands, &layout.plot, layout.names_bottom);
        self.draw_axes(&mut scene, &layout);
        self.draw_marker_line(&mut scene, &layout);
        for series in &self.series {
            lines::draw(&mut scene, series, &layout.plot, &layout.x, &layout.y);
        }
        self.draw_marker_dot(&mut scene, &layout);
        layout.legend.draw(&mut scene);
        Ok(scene)
    }
}

impl Curves {
    fn layout(&self, heading_bottom: f64) -> Layout {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let ends = self.phases.iter().flat_map(|phase| [phase.first, phase.last]);
        let x_span = axis::span(points().map(|point| point.0).chain(ends)).unwrap_or((0.0, 1.0));
        let y_span = axis::span(points().map(|point| point.1)).unwrap_or((0.0, 1.0));
        let y_range = self
            .y_range
            .filter(|&(low, high)| axis::plottable(low) && axis::plottable(high) && low < high)
            .unwrap_or_else(|| axis::padded(y_span, 0.06));
        let whole = points().all(|point| !axis::plottable(point.0) || point.0.fract() == 0.0);
        let steps = if whole { Steps::Whole } else { Steps::Any };

        let legend_width = legend::width(&self.series, self.last_values);
        let y_ticks = axis::ticks(y_range, 6, Steps::Any);
        let widest = y_ticks.iter().map(|tick| Type::regular(SMALL).width(&tick.label)).fold(0.0, f64::max);
        let left = (MARGIN + if self.y_label.is_empty() { 0.0 } else { 30.0 } + widest + 10.0).ceil();
        let right = (WIDTH - MARGIN - legend_width).floor();
        let bottom = HEIGHT - MARGIN - X_STRIP + 8.0;

        let x_pad = if x_span.1 > x_span.0 { (x_span.1 - x_span.0) * 0.02 } else { 1.0 };
        let x = Scale { data: (x_span.0 - x_pad, x_span.1 + x_pad), pixels: (left, right) };
        let bands = phases::lay_out(&self.phases, x_span, &x);
        let marker_strip = if self.shown_marker(&x).is_some() { MARKER_STRIP } else { 0.0 };
        let names_bottom = heading_bottom + 20.0 + phases::strip_height(&bands);
        let top = names_bottom + marker_strip;

        let plot = Rect { left, top, right, bottom };
        let y = Scale { data: y_range, pixels: (bottom, top) };
        let legend = legend::Legend::lay_out(&self.series, self.last_values, &plot, (&x, &y));
        Layout { plot, x, y, x_ticks: axis::ticks(x_span, 8, steps), y_ticks, bands, names_bottom, legend }
    }

    fn draw_axes(&self, scene: &mut Scene, layout: &Layout) {
        let Layout { plot, x, y, .. } = layout;
        for tick in &layout.y_ticks {
            let at = y.place(tick.value).round();
            scene.line(vec![(plot.left, at), (plot.right, at)], 1.0, GRID);
            let text_at = (plot.left - 10.0, at + 5.0);
            let label = Label::new(&tick.label, text_at, Type::regular(SMALL), MUTED);
            scene.label(label.align(Align::End));
        }
        scene.line(vec![(plot.left, plot.bottom), (plot.right, plot.bottom)], 1.0, AXIS);
        for tick in &layout.x_ticks {
            let at = x.place(tick.value).round();
            scene.line(vec![(at, plot.bottom), (at, plot.bottom + 6.0)], 1.0, AXIS);
            let text_at = (at, plot.bottom + 22.0);
            let label = Label::new(&tick.label, text_at, Type::regular(SMALL), MUTED);
            scene.label(label.align(Align::Middle));
        }
        let (middle_x, middle_y) = plot.center();
        let face = Type::regular(BODY);
        let name = shorten(&self.x_label, plot.width(), face);
        let below = Label::new(&name, (middle_x, HEIGHT - MARGIN), face, INK);
        scene.label(below.align(Align::Middle));
        let name = shorten(&self.y_label, plot.height(), face);
        let beside = Label::new(&name, (MARGIN + 12.0, middle_y), face, INK);
        scene.label(beside.align(Align::Middle).turn(Turn::Up));
        if !self.has_data() {
            let nothing = Label::new("no data yet", (middle_x, middle_y), face, MUTED);
            scene.label(nothing.align(Align::Middle));
        }
    }

    fn has_data(&self) -> bool {
        let mut points = self.series.iter().flat_map(|series| &series.points);
        points.any(lines::drawable)
    }

    fn shown_marker(&self, x: &Scale) -> Option<&Marker> {
        let marker = self.marker.as_ref()?;
        (self.has_data() && x.shows(marker.x)).then_some(marker)
    }

    fn draw_marker_line(&self, scene: &mut Scene, layout: &Layout) {
        let Some(marker) = self.shown_marker(&layout.x) else {
            return;
        };
        let plot = &layout.plot;
        let at = layout.x.place(marker.x);
        scene.line(vec![(at, plot.top - 2.0), (at, plot.bottom)], 1.25, MUTED);
        let face = Type::bold(SMALL);
        let text = shorten(&marker.label, plot.width() - 16.0, face);
        let half = face.width(&text) / 2.0 + 8.0;
        let middle = at.clamp(plot.left + half, (plot.right - half).max(plot.left + half));
        let label = Label::new(&text, (middle, plot.top - 9.0), face, INK);
        scene.label(label.align(Align::Middle));
    }

    fn draw_marker_dot(&self, scene: &mut Scene, layout: &Layout) {
        let shown = self.shown_marker(&layout.x);
        let Some((x, y)) = shown.and_then(|marker| Some((marker.x, marker.y?))) else {
            return;
        };
        if layout.y.shows(y) {
            let center = (layout.x.place(x), layout.y.place(y));
            scene.disc(center, 8.5, PAPER);
            scene.disc(center, 7.0, INK);
            // The colour of the line that the dot lies on, if it lies on one.
            let mut owners = self.series.iter().filter(|series| series.points.contains(&(x, y)));
            let color = owners.next().map_or(INK, |series| series.style.color);
            scene.disc(center, 4.5, color);
        }
    }
}
