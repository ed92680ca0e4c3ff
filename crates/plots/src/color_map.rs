//! From a number to a colour, and the bar that explains it.

use crate::axis::{Scale, Steps, ticks};
use crate::font::Type;
use crate::geometry::{Rect, real, whole};
use crate::scene::{Label, Scene};
use crate::style::{AXIS, Color, MUTED, SMALL};

/// A scale of colours from the least to the greatest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMap {
    /// Black to white, as the images are stored.
    #[default]
    Gray,
    /// Green to yellow: Matplotlib's "summer".
    Summer,
    /// Pale to dark blue.
    Blues,
}

/// Width of a bar with its tick labels.
pub(crate) const BAR_ROOM: f64 = 74.0;
const BAR_WIDTH: f64 = 16.0;

impl ColorMap {
    /// The colour of a share from 0 to 1 of the scale.
    pub(crate) fn at(self, share: f64) -> Color {
        let (low, high) = match self {
            Self::Gray => (Color::new(0, 0, 0), Color::new(255, 255, 255)),
            // (share, 0.5 + share / 2, 0.4), as Matplotlib defines it.
            Self::Summer => (Color::new(0, 128, 102), Color::new(255, 255, 102)),
            Self::Blues => (Color::new(0xF1, 0xF5, 0xFA), Color::new(0x0B, 0x5C, 0x9E)),
        };
        low.mix(high, share)
    }
}

/// Draws the scale upright at the left of `area`, whose width is [`BAR_ROOM`].
pub(crate) fn draw_bar(scene: &mut Scene, area: &Rect, map: ColorMap, range: (f64, f64)) {
    const STEPS: usize = 64;
    let bar = Rect { right: area.left + BAR_WIDTH, ..*area };
    scene.fill(bar.inset(-1.0), AXIS);
    let step = bar.height() / real(STEPS);
    for index in 0..STEPS {
        let top = bar.top + step * real(index);
        let share = 1.0 - (real(index) + 0.5) / real(STEPS);
        // Each reaches under the next, so that no seam shows between two of them.
        let bottom = (top + 2.0 * step).min(bar.bottom);
        scene.fill(Rect { top, bottom, ..bar }, map.at(share));
    }
    let place = Scale { data: range, pixels: (bar.bottom, bar.top) };
    // As many as stay apart.
    let count = whole(area.height() / 60.0).clamp(2, 6).unsigned_abs() as usize;
    for tick in ticks(range, count, Steps::Any) {
        let y = place.place(tick.value);
        scene.line(vec![(bar.right + 1.0, y), (bar.right + 6.0, y)], 1.0, AXIS);
        scene.label(Label::new(&tick.label, (bar.right + 10.0, y + 5.0), Type::regular(SMALL), MUTED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_where_they_should() {
        let check = |map: ColorMap, low, high| assert_eq!((map.at(0.0), map.at(1.0)), (low, high));
        check(ColorMap::Gray, Color::new(0, 0, 0), Color::new(255, 255, 255));
        check(ColorMap::Summer, Color::new(0, 128, 102), Color::new(255, 255, 102));
    }
}
