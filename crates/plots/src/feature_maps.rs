//! All maps that a convolution puts out for one image, in a grid.

use crate::Figure;
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::png::PIXEL_RATIO;
use crate::scene::{Align, Image, Label, Scene};
use crate::style::{BODY, MARGIN, MUTED, SMALL};

/// Maps are enlarged to at most about this, in device pixels.
const MAP: usize = 130;
const GAP: f64 = 3.0;
const MIN_WIDTH: f64 = 480.0;
const NOTHING: &str = "There are no maps to show.";

/// Maps of one size, in rows of `columns`, with the number of each row's first channel at its left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureMaps {
    /// Heading.
    pub title: String,
    /// A line below the heading; may be empty.
    pub subtitle: String,
    /// Maps in a row; 0 counts as 1.
    pub columns: usize,
    /// Width of each map, in its own pixels.
    pub width: usize,
    /// Height of each map, in its own pixels.
    pub height: usize,
    /// One map for each channel, row by row, 0 black to 255 white.
    pub maps: Vec<Vec<u8>>,
}

impl Figure for FeatureMaps {
    fn scene(&self) -> Result<Scene, PlotError> {
        self.check()?;
        let columns = self.columns.clamp(1, self.maps.len().max(1));
        let rows = self.maps.len().div_ceil(columns);
        let enlarged = (MAP / self.width.max(self.height).max(1)).max(1);
        let side = |pixels: usize| real(pixels * enlarged) / f64::from(PIXEL_RATIO);
        let (map_width, map_height) = (side(self.width), side(self.height));

        let face = Type::regular(SMALL);
        let numbers = face.width(&self.maps.len().to_string());
        let left = (MARGIN + numbers + 10.0).ceil();
        let width = (left + (map_width + GAP) * real(columns) - GAP + MARGIN).max(MIN_WIDTH);
        let heading = Heading::new(&self.title, &self.subtitle, width);
        let top = heading.bottom() + 14.0;
        // A row is never lower than the number beside it.
        let pitch = (map_height + GAP).max(20.0);
        let content = if rows == 0 { 30.0 } else { pitch * real(rows) };
        let mut scene = Scene::new(&self.title, width, top + content + MARGIN)?;
        heading.draw(&mut scene);
        if rows == 0 {
            scene.label(Label::new(NOTHING, (MARGIN, top + 16.0), Type::regular(BODY), MUTED));
        }
        for (index, map) in self.maps.iter().enumerate() {
            let (column, row) = (index % columns, index / columns);
            let at = (left + (map_width + GAP) * real(column), top + pitch * real(row));
            let rect = Rect::new(at.0, at.1, map_width, map_height);
            scene.images.push(Image { rect, pixels: map.clone(), columns: self.width, rows: self.height });
            if column == 0 {
                let baseline = (left - 10.0, at.1 + map_height / 2.0 + 5.0);
                scene.label(Label::new(&index.to_string(), baseline, face, MUTED).align(Align::End));
            }
        }
        Ok(scene)
    }
}

impl FeatureMaps {
    fn check(&self) -> Result<(), PlotError> {
        let size = self.width * self.height;
        match self.maps.iter().position(|map| map.len() != size || map.is_empty()) {
            None => Ok(()),
            Some(index) => Err(PlotError::Shape {
                figure: format!("map {index}"),
                expected: format!("{} x {} pixels, at least one", self.width, self.height),
                found: format!("{} pixels", self.maps[index].len()),
            }),
        }
    }
}
