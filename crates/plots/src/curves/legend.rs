//! The legend on the right: each series beside the end of its line, with its last value.

use super::{LastValues, Series, lines};
use crate::axis::Scale;
use crate::font::Type;
use crate::geometry::{Point, Rect, real};
use crate::scene::{Align, Label, Scene};
use crate::style::{AXIS, BODY, INK, MUTED, SMALL, SeriesStyle};
use crate::text::{clean, shorten, value};

/// Room for the thread from the end of a line to its entry.
const THREAD: f64 = 26.0;
/// Three dashes and the two gaps between them.
const SAMPLE: f64 = 37.0;
const GAP: f64 = 10.0;
const MAX_NAME: f64 = 250.0;
const ROW: f64 = 24.0;
const HEADER: &str = "last value";

/// Entries of the legend with their places.
pub(super) struct Legend {
    entries: Vec<Entry>,
    /// What stands below the entries if there are too many.
    rest: Option<(String, Point)>,
    /// Right ends of the plot and of the column of values, if there is one.
    plot_right: f64,
    values_right: Option<f64>,
}

struct Entry {
    name: String,
    value: String,
    style: SeriesStyle,
    /// Height of the entry's middle.
    y: f64,
    /// The end of the line, if that is at the right of the plot.
    end: Option<Point>,
}

/// Width that the legend needs, its distance to the plot included.
pub(super) fn width(series: &[Series], last_values: LastValues) -> f64 {
    if series.iter().all(|series| clean(&series.name).is_empty()) {
        return 0.0;
    }
    let name = series.iter().map(|series| Type::regular(BODY).width(&short(&series.name))).fold(0.0, f64::max);
    if last_values == LastValues::Hidden {
        return THREAD + SAMPLE + GAP + name;
    }
    let value = series
        .iter()
        .map(|series| Type::regular(SMALL).width(&last(series).map_or_else(String::new, |(_, y)| value(y))))
        .fold(Type::regular(SMALL).width(HEADER), f64::max);
    THREAD + SAMPLE + GAP + name + 2.0 * GAP + value
}

impl Legend {
    /// Places the entries at the ends of their lines, as near as their neighbours allow.
    pub(super) fn lay_out(series: &[Series], last_values: LastValues, plot: &Rect, (x, y): (&Scale, &Scale)) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let width = width(series, last_values);
        let named = width > 0.0;
        for series in series.iter().filter(|_| named) {
            let end = last(series).map(|(at, height)| (x.place(at), y.place(height).clamp(plot.top, plot.bottom)));
            entries.push(Entry {
                name: short(&series.name),
                value: last(series).map_or_else(|| "–".to_owned(), |(_, height)| value(height)),
                style: series.style,
                y: end.map_or(plot.bottom, |(_, height)| height),
                end: end.filter(|end| end.0 >= plot.right - 0.04 * plot.width()),
            });
        }
        // Stable, so that equal ends keep the order of the series.
        entries.sort_by(|a, b| a.y.total_cmp(&b.y));
        let capacity = crate::geometry::whole((plot.height() / ROW).floor()).unsigned_abs() as usize;
        let hidden = if entries.len() > capacity { entries.len() + 1 - capacity } else { 0 };
        entries.truncate(entries.len() - hidden);
        let bottom = if hidden > 0 { plot.bottom - ROW } else { plot.bottom };
        let wanted: Vec<f64> = entries.iter().map(|entry| entry.y).collect();
        for (entry, y) in entries.iter_mut().zip(spread(&wanted, ROW, (plot.top, bottom))) {
            entry.y = y;
        }
        Self {
            entries,
            rest: (hidden > 0)
                .then(|| (format!("and {hidden} more"), (plot.right + THREAD + SAMPLE + GAP, plot.bottom))),
            plot_right: plot.right,
            values_right: (last_values == LastValues::Shown).then_some(plot.right + width),
        }
    }

    pub(super) fn draw(&self, scene: &mut Scene) {
        let left = self.plot_right + THREAD;
        for entry in &self.entries {
            if let Some(end) = entry.end {
                let bend = (self.plot_right, end.1);
                let thread = vec![(end.0 + 7.0, end.1), bend, (left - 6.0, entry.y)];
                scene.line(thread, 1.0, AXIS);
            }
            lines::sample(scene, (left, entry.y), (left + SAMPLE, entry.y), entry.style);
            let baseline = entry.y + 5.5;
            let name_at = (left + SAMPLE + GAP, baseline);
            scene.label(Label::new(&entry.name, name_at, Type::regular(BODY), INK));
            if let Some(right) = self.values_right {
                let last = Label::new(&entry.value, (right, baseline), Type::regular(SMALL), MUTED);
                scene.label(last.align(Align::End));
            }
        }
        if let Some((first, right)) = self.entries.first().zip(self.values_right) {
            let header_at = (right, first.y + 5.5 - ROW);
            let header = Label::new(HEADER, header_at, Type::regular(SMALL), MUTED);
            scene.label(header.align(Align::End));
        }
        if let Some((text, at)) = &self.rest {
            scene.label(Label::new(text, *at, Type::regular(SMALL), MUTED));
        }
    }
}

fn short(name: &str) -> String {
    shorten(name, MAX_NAME, Type::regular(BODY))
}

/// The last point that can be drawn.
fn last(series: &Series) -> Option<(f64, f64)> {
    series.points.iter().rev().find(|point| lines::drawable(point)).copied()
}

/// Moves ascending positions as little as needed to keep `distance` between them and
/// `distance` / 2 from both ends of `bounds`: overlapping ones form a block around their mean.
fn spread(wanted: &[f64], distance: f64, bounds: (f64, f64)) -> Vec<f64> {
    /// Consecutive entries that touch: how many, and where the first one would like to be.
    struct Block {
        count: usize,
        start: f64,
    }
    let (low, high) = (bounds.0 + distance / 2.0, bounds.1 - distance / 2.0);
    let limited = |block: &Block| {
        let last_start = high - distance * real(block.count - 1);
        block.start.min(last_start).max(low)
    };
    let mut blocks: Vec<Block> = Vec::new();
    for &start in wanted {
        let mut block = Block { count: 1, start };
        while let Some(above) = blocks.last() {
            if limited(above) + distance * real(above.count) <= limited(&block) {
                break;
            }
            // The best start of a merged block is the mean of what its members would like.
            let (a, b) = (real(above.count), real(block.count));
            let shifted = block.start - distance * a;
            block = Block { count: above.count + block.count, start: (above.start * a + shifted * b) / (a + b) };
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks.iter().flat_map(|block| (0..block.count).map(|index| limited(block) + distance * real(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[f64], expected: &[f64]) {
        let found = spread(wanted, 20.0, (0.0, 200.0));
        assert_eq!(found, expected, "spread of {wanted:?}");
    }

    #[test]
    fn entries_apart_stay_where_their_lines_end() {
        check(&[30.0, 60.0, 150.0], &[30.0, 60.0, 150.0]);
        check(&[], &[]);
    }

    #[test]
    fn entries_that_touch_spread_around_their_mean() {
        check(&[100.0, 100.0], &[90.0, 110.0]);
        check(&[99.0, 100.0, 101.0], &[80.0, 100.0, 120.0]);
    }

    #[test]
    fn entries_stay_inside() {
        check(&[0.0, 0.0], &[10.0, 30.0]);
        check(&[200.0, 200.0, 200.0], &[150.0, 170.0, 190.0]);
    }
}
