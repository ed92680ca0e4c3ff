//! The cells of a matrix: what they say, their colour, and the bar that explains it.

use super::{ConfusionMatrix, Layout};
use crate::font::{CAP_HEIGHT, Type};
use crate::geometry::{Rect, real};
use crate::scene::{Align, Label, Scene, Turn};
use crate::style::{AXIS, Color, INK, MUTED, SMALL};

/// White between cells, on each side of each cell.
const SEAM: f64 = 1.0;
/// Around the text of a cell.
const PADDING: f64 = 5.0;

/// How a share is written: `92.1%` where there is room, else `92%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShareFormat {
    Tenths,
    Whole,
}

/// The side of a cell, large for few classes and never smaller than what is written in it, and
/// how much fits.
pub(super) fn size(matrix: &ConfusionMatrix) -> (f64, ShareFormat) {
    let padded = |width: f64| width + 2.0 * (PADDING + SEAM);
    let share = Type::regular(SMALL);
    let counts = matrix.counts.iter().flatten().map(|&count| Type::bold(SMALL).width(&compact(count)));
    let widest = counts.fold(share.width("100%"), f64::max);
    let roomy = (760.0 / real(matrix.counts.len().max(1))).clamp(46.0, 96.0);
    let side = roomy.max(padded(widest)).floor();
    let format = if side >= padded(share.width("100.0%")) { ShareFormat::Tenths } else { ShareFormat::Whole };
    (side, format)
}

/// Draws all cells.
pub(super) fn draw(scene: &mut Scene, matrix: &ConfusionMatrix, layout: &Layout) {
    let (area, cell) = (&layout.matrix, layout.cell);
    for (truth, row) in matrix.counts.iter().enumerate() {
        let support: u128 = row.iter().copied().map(u128::from).sum();
        for (predicted, &count) in row.iter().enumerate() {
            let (left, top) = (area.left + real(predicted) * cell, area.top + real(truth) * cell);
            let rect = Rect::new(left, top, cell, cell).inset(SEAM);
            let share = ratio(u128::from(count), support);
            let color = if count == 0 { EMPTY } else { shade(share) };
            if truth == predicted {
                // A frame marks what is right, also where the model is not.
                scene.fill(rect, INK);
                scene.fill(rect.inset(1.5), color);
            } else {
                scene.fill(rect, color);
            }
            write_cell(scene, &rect, count, share, layout.shares, color);
        }
    }
}

/// Draws the scale of colours.
pub(super) fn draw_bar(scene: &mut Scene, bar: &Rect) {
    const STEPS: usize = 128;
    let step = bar.height() / real(STEPS);
    for index in 0..STEPS {
        let top = bar.top + (step * real(index)).round();
        let share = 1.0 - (real(index) + 0.5) / real(STEPS);
        // Each reaches under the next, so that no seam shows between two of them.
        let bottom = (top + 2.0 * step).min(bar.bottom);
        scene.fill(Rect { top, bottom, ..*bar }, shade(share));
    }
    for percent in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let y = bar.bottom - bar.height() * percent / 100.0;
        scene.line(vec![(bar.right, y), (bar.right + 5.0, y)], 1.0, AXIS);
        let text = format!("{percent}%");
        let at = (bar.right + 10.0, y + 5.0);
        scene.label(Label::new(&text, at, Type::regular(SMALL), MUTED));
    }
    let at = (bar.right + 58.0 + 14.0, bar.center().1);
    let name = Label::new("share of true class", at, Type::regular(SMALL), MUTED);
    scene.label(name.align(Align::Middle).turn(Turn::Up));
}

fn write_cell(scene: &mut Scene, rect: &Rect, count: u64, share: f64, shares: ShareFormat, color: Color) {
    let (middle, center) = rect.center();
    let line =
        |text: &str, baseline: f64, face, color| Label::new(text, (middle, baseline), face, color).align(Align::Middle);
    if count == 0 {
        scene.disc((middle, center), 1.75, AXIS);
        return;
    }
    let percent = match shares {
        ShareFormat::Tenths => format!("{:.1}%", 100.0 * share),
        ShareFormat::Whole if share < 0.005 => "<1%".to_owned(),
        ShareFormat::Whole => format!("{:.0}%", 100.0 * share),
    };
    let capitals = CAP_HEIGHT * SMALL;
    // Two lines with a fifth of the cell between them, but never touching.
    let gap = (rect.height() * 0.12).clamp(6.0, 9.0);
    let ink = color.readable();
    scene.label(line(&compact(count), center - gap / 2.0, Type::bold(SMALL), ink));
    scene.label(line(&percent, center + gap / 2.0 + capitals, Type::regular(SMALL), ink));
}

/// Background of cells without a count.
const EMPTY: Color = Color::new(0xF5, 0xF7, 0xF9);

/// The colour of a share from 0 to 1: lighter is less, in grey as well.
fn shade(share: f64) -> Color {
    const STOPS: [Color; 3] =
        [Color::new(0xE6, 0xF0, 0xF8), Color::new(0x47, 0x97, 0xCC), Color::new(0x08, 0x3F, 0x6B)];
    if share < 0.5 { STOPS[0].mix(STOPS[1], share * 2.0) } else { STOPS[1].mix(STOPS[2], share * 2.0 - 1.0) }
}

/// `part` of `whole`, 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(super) fn ratio(part: u128, whole: u128) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A count in full up to six digits, and else as in `12.3M`.
fn compact(count: u64) -> String {
    if count < 1_000_000 {
        return count.to_string();
    }
    let units = [
        (1_000_000_000_000_000_000, "E"),
        (1_000_000_000_000_000, "P"),
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
    ];
    let (size, unit) = units.into_iter().find(|(size, _)| count >= *size).unwrap_or((1_u64, ""));
    let tenths = u128::from(count) * 10 / u128::from(size);
    format!("{}.{}{unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_in_full_up_to_six_digits() {
        let check = |count, expected| assert_eq!(compact(count), expected);
        check(0, "0");
        check(999_999, "999999");
        check(1_000_000, "1.0M");
        check(12_345_678, "12.3M");
        check(u64::MAX, "18.4E");
    }

    #[test]
    fn the_share_of_a_class_without_samples_is_zero() {
        assert_eq!(ratio(0, 0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn darker_is_more_and_text_stays_readable() {
        let shades: Vec<Color> = (0..=100).map(|percent| shade(f64::from(percent) / 100.0)).collect();
        for pair in shades.windows(2) {
            assert!(pair[0].luminance() >= pair[1].luminance());
        }
        for color in shades {
            let (a, b) = (color.luminance(), color.readable().luminance());
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= 4.0, "{color:?}: contrast {contrast:.2}");
        }
    }
}
