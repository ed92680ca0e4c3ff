//! Draws one series: its line with gaps where values are missing, and its marks.

use super::Series;
use crate::axis::{Scale, plottable};
use crate::geometry::{Point, Rect, clip_path, dashes, real, whole};
use crate::scene::Scene;
use crate::style::{Color, Dash, Mark, PAPER, SeriesStyle};

const WIDTH: f64 = 2.25;
const MARK_RADIUS: f64 = 4.0;
/// Marks closer than this would melt into a band.
const MARK_DISTANCE: f64 = 14.0;
/// Points closer than this make a thinner line with fewer marks.
const DENSE: f64 = 3.0;
const DENSE_WIDTH: f64 = 1.25;
const DENSE_MARK_DISTANCE: f64 = 60.0;

/// Whether a point can be drawn.
pub(crate) fn drawable(&(x, y): &(f64, f64)) -> bool {
    plottable(x) && plottable(y)
}

/// Draws the part of `series` inside `plot`.
pub(super) fn draw(scene: &mut Scene, series: &Series, plot: &Rect, x: &Scale, y: &Scale) {
    // A line at the very top or bottom keeps its full width.
    let bounds = plot.inset(-WIDTH / 2.0);
    let runs: Vec<Vec<Point>> = series
        .points
        .split(|point| !drawable(point))
        .map(|run| run.iter().map(|point| (x.place(point.0), y.place(point.1))).collect())
        .collect();
    for run in &runs {
        let stroke_width = if is_dense(run) { DENSE_WIDTH } else { WIDTH };
        line(scene, run, &bounds, stroke_width, series.style);
    }
    let seen = |point: &&Point| bounds.contains(**point);
    match series.style.mark {
        Mark::None => {
            // A point without neighbours has no line to show it.
            for alone in runs.iter().filter(|run| run.len() == 1).flatten().filter(seen) {
                scene.disc(*alone, MARK_RADIUS, series.style.color);
            }
        }
        shape => {
            let points: Vec<Point> = runs.iter().flatten().filter(seen).copied().collect();
            for point in thinned(&points) {
                mark(scene, point, shape, series.style.color);
            }
        }
    }
}

/// Draws a line sample as the legend shows it, from `from` to `to`.
pub(super) fn sample(scene: &mut Scene, from: Point, to: Point, style: SeriesStyle) {
    let bounds = Rect { left: from.0, top: from.1, right: to.0, bottom: to.1 }.inset(-WIDTH);
    line(scene, &[from, to], &bounds, WIDTH, style);
    let middle = (f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1));
    mark(scene, middle, style.mark, style.color);
}

fn line(scene: &mut Scene, run: &[Point], bounds: &Rect, width: f64, style: SeriesStyle) {
    for part in clip_path(run, bounds) {
        let strokes = match style.dash {
            Dash::Solid => vec![part],
            Dash::Dashed => dashes(&part, 9.0, 5.0),
            Dash::Dotted => dashes(&part, 2.5, 4.0),
        };
        for stroke in strokes {
            scene.line(stroke, width, style.color);
        }
    }
}

fn mark(scene: &mut Scene, (x, y): Point, shape: Mark, color: Color) {
    match shape {
        Mark::None => {}
        Mark::Dot => scene.disc((x, y), MARK_RADIUS, color),
        Mark::Ring => {
            scene.disc((x, y), MARK_RADIUS, color);
            scene.disc((x, y), MARK_RADIUS - 1.75, PAPER);
        }
        Mark::Square => {
            let side = 2.0 * MARK_RADIUS - 1.0;
            scene.fill(Rect::new(x - side / 2.0, y - side / 2.0, side, side), color);
        }
    }
}

/// Every n-th point, so that marks stay apart on average.
fn thinned(points: &[Point]) -> impl Iterator<Item = Point> + '_ {
    let marks = width(points) / if is_dense(points) { DENSE_MARK_DISTANCE } else { MARK_DISTANCE };
    let every = whole((real(points.len()) / (marks + 1.0)).ceil()).unsigned_abs().max(1);
    points.iter().copied().step_by(every as usize)
}

/// Whether the points are so close together that they look like a band.
fn is_dense(points: &[Point]) -> bool {
    real(points.len()) * DENSE > width(points) + DENSE
}

fn width(points: &[Point]) -> f64 {
    let ends = points.first().zip(points.last());
    ends.map_or(0.0, |(first, last)| (last.0 - first.0).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_a_thousand_points_stay_apart() {
        let points: Vec<Point> = (0..1000).map(|i| (f64::from(i) * 0.9, 0.0)).collect();
        let marks: Vec<Point> = thinned(&points).collect();
        assert!((10..=20).contains(&marks.len()), "{} marks", marks.len());
    }

    #[test]
    fn few_points_all_keep_their_mark() {
        let points = [(0.0, 0.0), (20.0, 1.0), (40.0, 2.0)];
        assert_eq!(thinned(&points).count(), 3);
        assert_eq!(thinned(&points[..1]).count(), 1);
        assert_eq!(thinned(&[]).count(), 0);
    }
}
