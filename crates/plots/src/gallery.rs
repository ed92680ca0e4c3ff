//! A grid of small grayscale images with captions: samples, hits and misses.

use crate::Figure;
use crate::color_map::{BAR_ROOM, ColorMap, draw_bar};
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::png::PIXEL_RATIO;
use crate::scene::{Image, Label, Scene};
use crate::style::{BAD, BODY, Color, GOOD, INK, MARGIN, MUTED, SMALL};
use crate::text::{clean, shorten};

const MIN_WIDTH: f64 = 620.0;
/// Images are enlarged to at most about this, in device pixels.
const IMAGE: usize = 280;
const MAX_CAPTION: f64 = 210.0;
const LINE: f64 = 20.0;
const COLUMN_GAP: f64 = 24.0;
const ROW_GAP: f64 = 22.0;
const NOTHING: &str = "There are no images to show.";

/// Images in rows of `columns`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gallery {
    /// Heading.
    pub title: String,
    /// Images per row; 0 counts as 1.
    pub columns: usize,
    /// The images, row by row.
    pub tiles: Vec<Tile>,
    /// The sentence to draw if there are no tiles; a plain one stands in for an empty text.
    pub empty_note: String,
    /// Whether a bar at the right says which grey is which value.
    pub color_bar: ColorBar,
}

/// Whether a gallery has a bar that explains its greys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorBar {
    /// It has none.
    #[default]
    None,
    /// From 0 to 255.
    Bytes,
}

/// A grayscale image with its caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Row by row, 0 black to 255 white; `width` × `height` of them.
    pub pixels: Vec<u8>,
    /// Width of the image, in its own pixels.
    pub width: usize,
    /// Height of the image, in its own pixels.
    pub height: usize,
    /// Lines below the image.
    pub caption: Vec<Line>,
}

/// A line of a caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// What it means.
    pub tone: Tone,
}

/// What a line of a caption means, shown by its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    #[default]
    Neutral,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
}

impl Tone {
    fn color(self) -> Color {
        match self {
            Self::Neutral => INK,
            Self::Good => GOOD,
            Self::Bad => BAD,
        }
    }
}

/// Where everything goes.
struct Layout {
    width: f64,
    height: f64,
    /// Top left of the first image.
    origin: (f64, f64),
    /// From one tile to the next.
    pitch: (f64, f64),
    /// The largest image, in logical pixels.
    image: (f64, f64),
    columns: usize,
    bar: Option<Rect>,
}

impl Figure for Gallery {
    fn scene(&self) -> Result<Scene, PlotError> {
        for (index, tile) in self.tiles.iter().enumerate() {
            tile.check(index)?;
        }
        let layout = self.layout();
        let mut scene = Scene::new(&self.title, layout.width, layout.height)?;
        Heading::new(&self.title, "", layout.width).draw(&mut scene);
        if self.tiles.is_empty() {
            let note = clean(&self.empty_note);
            let note = if note.is_empty() { NOTHING } else { &note };
            let face = Type::regular(BODY);
            let note = shorten(note, layout.width - 2.0 * MARGIN, face);
            scene.label(Label::new(&note, (MARGIN, layout.origin.1 + 16.0), face, MUTED));
        }
        for (index, tile) in self.tiles.iter().enumerate() {
            let (column, row) = (index % layout.columns, index / layout.columns);
            let left = layout.origin.0 + layout.pitch.0 * real(column);
            let top = layout.origin.1 + layout.pitch.1 * real(row);
            tile.draw(&mut scene, (left, top), &layout);
        }
        if let Some(bar) = layout.bar {
            draw_bar(&mut scene, &bar, ColorMap::Gray, (0.0, 255.0));
        }
        Ok(scene)
    }
}

impl Gallery {
    fn layout(&self) -> Layout {
        let columns = self.columns.clamp(1, self.tiles.len().max(1));
        let rows = self.tiles.len().div_ceil(columns);
        let most = |length: fn(&Tile) -> f64| self.tiles.iter().map(length).fold(0.0, f64::max);
        let image = (most(|tile| tile.size().0), most(|tile| tile.size().1));
        let lines = most(|tile| real(tile.caption.len()));
        let caption = most(Tile::caption_width);

        let caption_height = if lines > 0.0 { 6.0 + lines * LINE } else { 0.0 };
        let pitch = (image.0.max(caption).ceil() + COLUMN_GAP, image.1 + caption_height + ROW_GAP);
        let grid = pitch.0 * real(columns) - COLUMN_GAP;
        let has_bar = self.color_bar == ColorBar::Bytes && rows > 0;
        let bar_room = if has_bar { COLUMN_GAP + BAR_ROOM } else { 0.0 };
        let width = (grid + bar_room + 2.0 * MARGIN).max(MIN_WIDTH);
        let top = Heading::new(&self.title, "", width).bottom() + 12.0;
        let content = if rows == 0 { 40.0 } else { pitch.1 * real(rows) - ROW_GAP };
        // Beside the first row of images, and never so low that its numbers meet.
        let bar = has_bar.then(|| Rect::new(MARGIN + grid + COLUMN_GAP, top, BAR_ROOM, image.1.max(80.0)));
        let height = top + content.max(bar.map_or(0.0, |bar| bar.height() + 8.0)) + MARGIN;
        Layout { width, height, origin: (MARGIN, top), pitch, image, columns, bar }
    }
}

impl Tile {
    fn check(&self, index: usize) -> Result<(), PlotError> {
        let expected = self.width.checked_mul(self.height);
        if expected == Some(self.pixels.len()) && !self.pixels.is_empty() {
            return Ok(());
        }
        Err(PlotError::Shape {
            figure: format!("tile {index}"),
            expected: format!("{} x {} pixels, at least one", self.width, self.height),
            found: format!("{} pixels", self.pixels.len()),
        })
    }

    /// Size in logical pixels: a whole number of device pixels for each pixel of the image.
    fn size(&self) -> (f64, f64) {
        let enlarged = (IMAGE / self.width.max(self.height).max(1)).max(1);
        let side = |pixels: usize| real(pixels * enlarged) / f64::from(PIXEL_RATIO);
        (side(self.width), side(self.height))
    }

    fn caption_width(&self) -> f64 {
        let width = |line: &Line| Type::regular(SMALL).width(&clean(&line.text));
        self.caption.iter().map(width).fold(0.0, f64::max).min(MAX_CAPTION)
    }

    fn draw(&self, scene: &mut Scene, (left, top): (f64, f64), layout: &Layout) {
        let (width, height) = self.size();
        // Images of different heights stand on the same line, right above their captions.
        let rect = Rect::new(left, top + layout.image.1 - height, width, height);
        let pixels = self.pixels.clone();
        scene.images.push(Image { rect, pixels, columns: self.width, rows: self.height });
        let face = Type::regular(SMALL);
        for (index, line) in self.caption.iter().enumerate() {
            let baseline = rect.bottom + 6.0 + 14.0 + LINE * real(index);
            let text = shorten(&line.text, layout.pitch.0 - COLUMN_GAP, face);
            scene.label(Label::new(&text, (left, baseline), face, line.tone.color()));
        }
    }
}
