//! A plotters backend that paints pixels by the exact area that a shape covers of each.
//!
//! Plotters' own bitmap backend drops the side bearings of glyphs, so that letters stand
//! unevenly, leaves holes in thick lines that turn sharply, and writes PNG files only with the
//! whole `image` crate. Here every shape and every letter becomes closed outlines on the
//! rasterizer that `ab_glyph` uses. Knows no figure and no file format.

use std::convert::Infallible;
use std::f64::consts::TAU;

use ab_glyph_rasterizer::{Rasterizer, point};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};

use crate::font::{ASCENT, DESCENT, Type};
use crate::geometry::{Point, real, whole};
use crate::stroke::stroke;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// An RGB picture, white at first.
pub(crate) struct Canvas {
    /// In pixels.
    width: usize,
    height: usize,
    /// Backend units per pixel.
    units: u32,
    /// Row by row, three bytes per pixel.
    pixels: Vec<u8>,
}

impl Canvas {
    /// A canvas of `width` × `height` pixels, each `units` backend units wide.
    pub(crate) fn new(width: u32, height: u32, units: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, units, pixels: vec![255; width * height * 3] }
    }

    /// The pixels row by row, three bytes each.
    pub(crate) fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Paints what `outlines`, given in backend units, enclose.
    fn fill(&mut self, outlines: &[Vec<Point>], color: BackendColor) {
        // Clamping bends what leaves the canvas, but bounds the memory of the rasterizer.
        let (max_x, max_y) = (real(self.width), real(self.height));
        let to_pixels = |&(x, y): &Point| {
            let units = f64::from(self.units);
            ((x / units).clamp(0.0, max_x), (y / units).clamp(0.0, max_y))
        };
        let outlines: Vec<Vec<Point>> =
            outlines.iter().map(|outline| outline.iter().map(to_pixels).collect()).collect();
        let Some((low, high)) = bounds(outlines.iter().flatten()) else {
            return;
        };
        let [left, top, right, bottom] = [low.0.floor(), low.1.floor(), high.0.ceil(), high.1.ceil()].map(index);

        let mut raster = Rasterizer::new(right - left, bottom - top);
        for outline in &outlines {
            let next = outline.iter().cycle().skip(1);
            for (from, to) in outline.iter().zip(next) {
                let [from, to] = [from, to].map(|&(x, y)| local(x - real(left), y - real(top)));
                raster.draw_line(from, to);
            }
        }
        raster.for_each_pixel_2d(|x, y, coverage| {
            if coverage > 0.0 {
                let at = ((top + y as usize) * self.width + left + x as usize) * 3;
                blend(&mut self.pixels[at..at + 3], color, f64::from(coverage));
            }
        });
    }
}

impl DrawingBackend for Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let units = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX) * self.units;
        (units(self.width), units(self.height))
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x.saturating_add(1), y.saturating_add(1)), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        if fill {
            self.fill_polygon(corners, style)
        } else {
            self.draw_path(corners.into_iter().chain([(left, top)]), style)
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let path: Vec<Point> = path.into_iter().map(real_point).collect();
        self.fill(&stroke(&path, f64::from(style.stroke_width())), style.color());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let outline = circle(real_point(center), f64::from(radius));
        if fill {
            self.fill(&[outline], style.color());
        } else {
            self.fill(&stroke(&outline, f64::from(style.stroke_width())), style.color());
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Drawn {
        self.fill(&[corners.into_iter().map(real_point).collect()], style.color());
        Ok(())
    }

    /// Places text as plotters' SVG backend does, whatever the family: it is always the shipped one.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, position: BackendCoord) -> Drawn {
        let em = style.size() / 1.24;
        let face = match style.style() {
            FontStyle::Bold => Type::bold(em),
            FontStyle::Normal | FontStyle::Oblique | FontStyle::Italic => Type::regular(em),
        };
        let width = face.width(text);
        let dx = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let dy = match style.anchor().v_pos {
            VPos::Top => ASCENT * em,
            VPos::Center => (ASCENT - DESCENT) / 2.0 * em,
            VPos::Bottom => -DESCENT * em,
        };
        // Only the direction of the turn is taken from plotters, whose coordinates are whole.
        let transform = style.transform();
        let (along, across) = (transform.transform(1, 0), transform.transform(0, 1));
        let origin = real_point(position);
        let mut outlines = face.outlines(text);
        for point in outlines.iter_mut().flatten() {
            let (x, y) = (point.0 + dx, point.1 + dy);
            point.0 = origin.0 + x * f64::from(along.0) + y * f64::from(across.0);
            point.1 = origin.1 + x * f64::from(along.1) + y * f64::from(across.1);
        }
        self.fill(&outlines, style.color());
        Ok(())
    }
}

/// A closed circle with enough corners to look round.
fn circle((x, y): Point, radius: f64) -> Vec<Point> {
    const CORNERS: usize = 48;
    (0..=CORNERS)
        .map(|corner| {
            let (sin, cos) = (TAU * real(corner) / real(CORNERS)).sin_cos();
            (x + radius * cos, y + radius * sin)
        })
        .collect()
}

fn bounds<'a>(points: impl Iterator<Item = &'a Point>) -> Option<(Point, Point)> {
    points.fold(None, |bounds, &(x, y)| {
        let (low, high) = bounds.unwrap_or(((x, y), (x, y)));
        Some(((low.0.min(x), low.1.min(y)), (high.0.max(x), high.1.max(y))))
    })
}

fn real_point((x, y): BackendCoord) -> Point {
    (f64::from(x), f64::from(y))
}

fn index(coordinate: f64) -> usize {
    whole(coordinate).unsigned_abs() as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the rasterizer works in f32")]
fn local(x: f64, y: f64) -> ab_glyph_rasterizer::Point {
    point(x as f32, y as f32)
}

fn blend(pixel: &mut [u8], color: BackendColor, coverage: f64) {
    // Sixteen steps look as smooth as 255 here, and pack into half as many bytes.
    let share = (coverage.min(1.0) * 16.0).round() / 16.0 * color.alpha;
    let (red, green, blue) = color.rgb;
    for (below, above) in pixel.iter_mut().zip([red, green, blue]) {
        let mixed = f64::from(*below) * (1.0 - share) + f64::from(above) * share;
        *below = u8::try_from(whole(mixed)).unwrap_or(u8::MAX);
    }
}

#[cfg(test)]
mod tests {
    use plotters_backend::{BackendColor, DrawingBackend};

    use super::*;

    const BLACK: BackendColor = BackendColor { alpha: 1.0, rgb: (0, 0, 0) };

    struct Thick;

    impl BackendStyle for Thick {
        fn color(&self) -> BackendColor {
            BLACK
        }

        fn stroke_width(&self) -> u32 {
            4
        }
    }

    /// The red channel after drawing on `width` × `height` pixels of four units each.
    fn check(width: u32, height: u32, draw: impl FnOnce(&mut Canvas) -> Drawn, expected: &[u8]) {
        let mut canvas = Canvas::new(width, height, 4);
        draw(&mut canvas).expect("drawing on a canvas cannot fail");
        let red: Vec<u8> = canvas.into_pixels().chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(red, expected);
    }

    #[test]
    fn pixels_are_as_dark_as_they_are_covered() {
        check(3, 1, |canvas| canvas.draw_rect((2, 0), (9, 4), &BLACK, true), &[128, 0, 191]);
        check(2, 2, |canvas| canvas.draw_rect((0, 2), (4, 6), &BLACK, true), &[128, 255, 128, 255]);
    }

    #[test]
    fn thick_lines_that_turn_back_have_no_holes() {
        let there_and_back = [(0, 2), (12, 2), (0, 2), (12, 2)];
        check(3, 1, |canvas| canvas.draw_path(there_and_back, &Thick), &[0, 0, 0]);
    }

    #[test]
    fn what_lies_outside_is_not_drawn() {
        check(1, 1, |canvas| canvas.draw_rect((-90, -90), (-4, -4), &BLACK, true), &[255]);
        check(1, 1, |canvas| canvas.draw_rect((-90, -90), (900, 900), &BLACK, true), &[0]);
        let far = [(i32::MIN, i32::MIN), (i32::MAX, i32::MIN)];
        check(1, 1, |canvas| canvas.draw_path(far, &Thick), &[255]);
    }
}
