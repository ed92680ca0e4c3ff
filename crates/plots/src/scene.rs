//! A laid-out figure: shapes, images and text with their places, in logical pixels.
//!
//! Figures build scenes and backends paint them, so that a layout can be tested (does any text
//! overlap, or leave the canvas?) without looking at a pixel. Knows no figure, no file format.

use plotters::prelude::{DrawingBackend, FontDesc, FontFamily, FontStyle, FontTransform};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{RGBColor, ShapeStyle, TextStyle};
use plotters_backend::{BackendColor, BackendCoord, DrawingErrorKind};

use crate::error::PlotError;
use crate::font::{ASCENT, FAMILY, Type, Weight};
use crate::geometry::{Point, Rect, real, whole};
use crate::style::{Color, PAPER};
use crate::text::clean;

/// Backend units per logical pixel. Plotters' coordinates are whole numbers; units this fine
/// keep lines from wobbling.
pub(crate) const UNITS: u32 = 8;

/// Most logical pixels of a figure: a 4000 × 4000 square. Guards memory.
const MAX_AREA: u64 = 16_000_000;

/// A laid-out figure, ready to be painted.
#[derive(Clone, Debug)]
pub struct Scene {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) title: String,
    /// Painted in this order, below everything else.
    pub(crate) shapes: Vec<Shape>,
    pub(crate) images: Vec<Image>,
    pub(crate) labels: Vec<Label>,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Box { rect: Rect, color: Color },
    Disc { center: Point, radius: f64, color: Color },
    Triangle { corners: [Point; 3], color: Color },
    Line { points: Vec<Point>, width: f64, color: Color },
}

/// A grayscale image, stretched over `rect` without smoothing.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) rect: Rect,
    /// Row by row, 0 black to 255 white; `columns` × `rows`.
    pub(crate) pixels: Vec<u8>,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// One line of text.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) text: String,
    /// Where the baseline starts, is halved, or ends, as `align` says.
    pub(crate) at: Point,
    pub(crate) face: Type,
    pub(crate) color: Color,
    pub(crate) align: Align,
    pub(crate) turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Start,
    Middle,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    None,
    /// Reads from bottom to top.
    Up,
}

impl Label {
    pub(crate) fn new(text: &str, at: Point, face: Type, color: Color) -> Self {
        Self { text: clean(text), at, face, color, align: Align::Start, turn: Turn::None }
    }

    pub(crate) fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    pub(crate) fn turn(self, turn: Turn) -> Self {
        Self { turn, ..self }
    }

    /// The box that the text fills, from ascenders to descenders.
    #[cfg(test)]
    pub(crate) fn bounds(&self) -> Rect {
        let width = self.face.width(&self.text);
        let before = match self.align {
            Align::Start => 0.0,
            Align::Middle => width / 2.0,
            Align::End => width,
        };
        let (above, below) = (ASCENT * self.face.size, crate::font::DESCENT * self.face.size);
        let (x, y) = self.at;
        match self.turn {
            Turn::None => Rect::new(x - before, y - above, width, above + below),
            Turn::Up => Rect::new(x - above, y + before - width, above + below, width),
        }
    }

    fn draw<DB: DrawingBackend>(&self, backend: &mut DB) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        let units = f64::from(UNITS);
        // Plotters' text size is 1.24 times the em, and its text hangs from a line `ASCENT` em
        // above the baseline.
        let hang = ASCENT * self.face.size;
        let (transform, anchor) = match self.turn {
            Turn::None => (FontTransform::None, (self.at.0, self.at.1 - hang)),
            Turn::Up => (FontTransform::Rotate270, (self.at.0 - hang, self.at.1)),
        };
        let style = match self.face.weight {
            Weight::Regular => FontStyle::Normal,
            Weight::Bold => FontStyle::Bold,
        };
        let position = match self.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let size = self.face.size * units * 1.24;
        let font = FontDesc::new(FontFamily::Name(FAMILY), size, style).transform(transform);
        let text_style = TextStyle { font, color: backend_color(self.color), pos: Pos::new(position, VPos::Top) };
        backend.draw_text(&self.text, &text_style, to_units(anchor))
    }
}

impl Shape {
    fn draw<DB: DrawingBackend>(&self, backend: &mut DB) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        match self {
            Self::Box { rect, color } => {
                let [from, _, to, _] = rect.corners();
                backend.draw_rect(to_units(from), to_units(to), &backend_color(*color), true)
            }
            Self::Disc { center, radius, color } => {
                let radius = whole(radius * f64::from(UNITS)).unsigned_abs();
                backend.draw_circle(to_units(*center), radius, &backend_color(*color), true)
            }
            Self::Triangle { corners, color } => {
                backend.fill_polygon(corners.iter().copied().map(to_units), &backend_color(*color))
            }
            Self::Line { points, width, color } => {
                let color = RGBColor(color.red, color.green, color.blue);
                let stroke_width = whole(width * f64::from(UNITS)).unsigned_abs().max(1);
                let style = ShapeStyle { color: color.into(), filled: false, stroke_width };
                backend.draw_path(points.iter().copied().map(to_units), &style)
            }
        }
    }
}

impl Scene {
    /// An empty sheet.
    ///
    /// # Errors
    ///
    /// [`PlotError::TooLarge`] if the picture would not fit in a sensible amount of memory.
    pub(crate) fn new(title: &str, width: f64, height: f64) -> Result<Self, PlotError> {
        let side = |length: f64| u64::from(whole(length.ceil()).unsigned_abs()).max(1);
        let (width, height) = (side(width), side(height));
        if width.saturating_mul(height) > MAX_AREA {
            return Err(PlotError::TooLarge { limit: MAX_AREA, width, height });
        }
        let fits = |side| u32::try_from(side).expect("a side is not larger than MAX_AREA");
        Ok(Self {
            width: fits(width),
            height: fits(height),
            title: clean(title),
            shapes: Vec::new(),
            images: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// Width and height in logical pixels; a PNG has twice as many on each side.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(crate) fn fill(&mut self, rect: Rect, color: Color) {
        self.shapes.push(Shape::Box { rect, color });
    }

    pub(crate) fn line(&mut self, points: Vec<Point>, width: f64, color: Color) {
        self.shapes.push(Shape::Line { points, width, color });
    }

    pub(crate) fn disc(&mut self, center: Point, radius: f64, color: Color) {
        self.shapes.push(Shape::Disc { center, radius, color });
    }

    pub(crate) fn triangle(&mut self, corners: [Point; 3], color: Color) {
        self.shapes.push(Shape::Triangle { corners, color });
    }

    pub(crate) fn label(&mut self, label: Label) {
        if !label.text.is_empty() {
            self.labels.push(label);
        }
    }

    /// Paints paper and shapes, which lie below images and text.
    pub(crate) fn draw_shapes<DB: DrawingBackend>(
        &self,
        backend: &mut DB,
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        let paper = Rect::new(0.0, 0.0, f64::from(self.width), f64::from(self.height));
        Shape::Box { rect: paper, color: PAPER }.draw(backend)?;
        self.shapes.iter().try_for_each(|shape| shape.draw(backend))
    }

    /// Paints images, one box for each pixel.
    pub(crate) fn draw_images<DB: DrawingBackend>(
        &self,
        backend: &mut DB,
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        for image in &self.images {
            let step_x = image.rect.width() / real(image.columns);
            let step_y = image.rect.height() / real(image.rows);
            for (index, &gray) in image.pixels.iter().enumerate() {
                let (row, column) = (real(index / image.columns), real(index % image.columns));
                let (x, y) = (image.rect.left + column * step_x, image.rect.top + row * step_y);
                let color = Color { red: gray, green: gray, blue: gray };
                Shape::Box { rect: Rect::new(x, y, step_x, step_y), color }.draw(backend)?;
            }
        }
        Ok(())
    }

    /// Paints text.
    pub(crate) fn draw_labels<DB: DrawingBackend>(
        &self,
        backend: &mut DB,
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        self.labels.iter().try_for_each(|label| label.draw(backend))
    }
}

fn to_units((x, y): Point) -> BackendCoord {
    let units = f64::from(UNITS);
    (whole(x * units), whole(y * units))
}

fn backend_color(color: Color) -> BackendColor {
    BackendColor { alpha: 1.0, rgb: (color.red, color.green, color.blue) }
}
