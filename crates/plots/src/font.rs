//! The shipped typeface, `DejaVu Sans`: widths and outlines of text.
//!
//! The fonts are part of the program, so that figures look the same on a machine without any.
//! No shaping: one glyph per character, from left to right, with kerning.

use std::iter::once;
use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, OutlineCurve};

use crate::geometry::{Point, real};

/// Name of the shipped family for SVG viewers, then what resembles it.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// How far the tallest letters rise above the baseline, and the lowest fall below it, per em.
pub(crate) const ASCENT: f64 = 0.76;
pub(crate) const DESCENT: f64 = 0.24;

/// Height of capitals and digits, per em.
pub(crate) const CAP_HEIGHT: f64 = 0.73;

/// Weight of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// Size and weight of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Type {
    /// Pixels per em.
    pub(crate) size: f64,
    pub(crate) weight: Weight,
}

impl Type {
    pub(crate) const fn regular(size: f64) -> Self {
        Self { size, weight: Weight::Regular }
    }

    pub(crate) const fn bold(size: f64) -> Self {
        Self { size, weight: Weight::Bold }
    }

    /// Advance width of `text`, in pixels.
    pub(crate) fn width(self, text: &str) -> f64 {
        self.glyphs(text).1
    }

    /// The closed outlines of `text`, starting at the origin of its baseline, y downwards.
    pub(crate) fn outlines(self, text: &str) -> Vec<Vec<Point>> {
        let font = face(self.weight);
        let scale = self.scale();
        let mut contours = Vec::new();
        for (id, x) in self.glyphs(text).0 {
            for curve in font.outline(id).map(|outline| outline.curves).unwrap_or_default() {
                let place = |point: ab_glyph::Point| (x + f64::from(point.x) * scale, -f64::from(point.y) * scale);
                append(&mut contours, &flatten(&curve, place));
            }
        }
        contours
    }

    /// Glyphs of `text` with their positions, and the width of all.
    fn glyphs(self, text: &str) -> (Vec<(ab_glyph::GlyphId, f64)>, f64) {
        let font = face(self.weight);
        let scale = self.scale();
        let mut pen = 0.0;
        let mut previous = None;
        let mut glyphs = Vec::with_capacity(text.len());
        for character in text.chars() {
            let id = font.glyph_id(character);
            if let Some(previous) = previous {
                pen += f64::from(font.kern_unscaled(previous, id)) * scale;
            }
            glyphs.push((id, pen));
            pen += f64::from(font.h_advance_unscaled(id)) * scale;
            previous = Some(id);
        }
        (glyphs, pen)
    }

    fn scale(self) -> f64 {
        self.size / f64::from(face(self.weight).units_per_em().expect("the shipped fonts state it"))
    }
}

fn face(weight: Weight) -> &'static FontRef<'static> {
    static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(include_bytes!("../assets/DejaVuSans.ttf")));
    static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(include_bytes!("../assets/DejaVuSans-Bold.ttf")));
    match weight {
        Weight::Regular => &REGULAR,
        Weight::Bold => &BOLD,
    }
}

fn parse(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the shipped fonts are valid")
}

/// A curve as a polyline, fine enough for type up to some hundred pixels. Its ends are exact, so
/// that the next curve is seen to continue it.
fn flatten(curve: &OutlineCurve, place: impl Fn(ab_glyph::Point) -> Point) -> Vec<Point> {
    const STEPS: usize = 8;
    let lerp = |a: Point, b: Point, t: f64| (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1));
    let quad = |a, b, c, t| lerp(lerp(a, b, t), lerp(b, c, t), t);
    let inner = (1..STEPS).map(|step| real(step) / real(STEPS));
    match *curve {
        OutlineCurve::Line(a, b) => vec![place(a), place(b)],
        OutlineCurve::Quad(a, b, c) => {
            let (a, b, c) = (place(a), place(b), place(c));
            once(a).chain(inner.map(|t| quad(a, b, c, t))).chain(once(c)).collect()
        }
        OutlineCurve::Cubic(a, b, c, d) => {
            let (a, b, c, d) = (place(a), place(b), place(c), place(d));
            let cubic = |t| lerp(quad(a, b, c, t), quad(b, c, d, t), t);
            once(a).chain(inner.map(cubic)).chain(once(d)).collect()
        }
    }
}

/// Joins `piece` to the last contour if it continues it, and else starts another.
fn append(contours: &mut Vec<Vec<Point>>, piece: &[Point]) {
    match contours.last_mut() {
        Some(contour) if contour.last() == piece.first() => contour.extend(&piece[1..]),
        _ => contours.push(piece.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_grows_with_text_size_and_weight() {
        let small = Type::regular(14.0);
        assert!(small.width("validation") > small.width("valid"));
        assert!((Type::regular(28.0).width("valid") - 2.0 * small.width("valid")).abs() < 1e-9);
        assert!(Type::bold(14.0).width("valid") > small.width("valid"));
        assert!(small.width("").abs() < f64::EPSILON);
    }

    #[test]
    fn digits_are_equally_wide_so_that_columns_align() {
        let digit = Type::regular(14.0);
        for other in "123456789".chars() {
            assert_eq!(digit.width("0").to_bits(), digit.width(&other.to_string()).to_bits());
        }
    }

    #[test]
    fn outlines_stay_between_ascent_and_descent() {
        let text = "Shirt jpgqy | Ankle boot, T-shirt/top (92.1%)";
        let contours = Type::regular(100.0).outlines(text);
        assert!(!contours.is_empty());
        for (_, y) in contours.into_iter().flatten() {
            assert!((-100.0 * ASCENT - 1.0..=100.0 * DESCENT + 1.0).contains(&y), "y = {y}");
        }
    }

    #[test]
    fn every_letter_is_one_closed_outline_for_each_of_its_edges() {
        let check = |text, expected| {
            for size in [14.0, 15.0, 22.0, 120.0] {
                let contours = Type::regular(size).outlines(text);
                assert_eq!(contours.len(), expected, "{text} at {size}");
                for contour in contours {
                    assert_eq!(contour.first(), contour.last(), "{text} at {size}");
                }
            }
        };
        check("l", 1);
        check("o", 2);
        check("%", 5);
        check("B", 3);
        check("epoch", 2 + 2 + 2 + 1 + 1);
    }
}
