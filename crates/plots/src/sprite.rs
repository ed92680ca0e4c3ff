//! Many small images as one: no caption, no margin, one pixel for each pixel.

use crate::error::PlotError;
use crate::png::pack;

/// Grayscale images in rows of `columns`, from left to right and top to bottom, on black.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sprite<'a> {
    /// The images, each `width` × `height` bytes, row by row.
    pub images: Vec<&'a [u8]>,
    /// Width of each image.
    pub width: usize,
    /// Height of each image.
    pub height: usize,
    /// Images in a row; 0 counts as 1.
    pub columns: usize,
}

/// Longest side of a sprite, as WebGL viewers limit it.
const MAX_SIDE: usize = 8192;

impl Sprite<'_> {
    /// Packs the images into a PNG file.
    ///
    /// # Errors
    ///
    /// [`PlotError::Shape`] if an image has another size, or there is none; [`PlotError::TooLarge`] for a side
    /// of more than 8192 pixels.
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        let (columns, size) = (self.columns.max(1), self.width * self.height);
        if let Some(index) = self.images.iter().position(|image| image.len() != size) {
            return Err(PlotError::Shape {
                figure: format!("sprite, image {index}"),
                expected: format!("{} x {} pixels", self.width, self.height),
                found: format!("{} pixels", self.images[index].len()),
            });
        }
        if self.images.is_empty() || size == 0 {
            return Err(PlotError::Shape {
                figure: "sprite".to_owned(),
                expected: "at least one image of at least one pixel".to_owned(),
                found: format!("{} images of {size} pixels", self.images.len()),
            });
        }
        let across = columns.saturating_mul(self.width);
        let down = self.images.len().div_ceil(columns) * self.height;
        if across.max(down) > MAX_SIDE {
            let limit = (MAX_SIDE * MAX_SIDE) as u64;
            return Err(PlotError::TooLarge { limit, width: across as u64, height: down as u64 });
        }
        let mut pixels = vec![0; across * down];
        for (index, image) in self.images.iter().enumerate() {
            let (left, top) = (index % columns * self.width, index / columns * self.height);
            for (row, line) in image.chunks_exact(self.width).enumerate() {
                let start = (top + row) * across + left;
                pixels[start..start + self.width].copy_from_slice(line);
            }
        }
        // Both are at most MAX_SIDE.
        let pixels_along = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Ok(pack(&pixels, pixels_along(across), pixels_along(down), ::png::ColorType::Grayscale)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG header");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("whole image data");
        (info.width, info.height, pixels)
    }

    #[test]
    fn images_lie_row_by_row_and_the_rest_is_black() {
        let images: [&[u8]; 3] = [&[1, 2], &[3, 4], &[5, 6]];
        let sprite = Sprite { images: images.to_vec(), width: 2, height: 1, columns: 2 };
        let (width, height, pixels) = decode(&sprite.png().expect("a sprite"));
        assert_eq!((width, height, pixels), (4, 2, vec![1, 2, 3, 4, 5, 6, 0, 0]));
    }

    #[test]
    fn rejects_images_of_another_size_none_and_too_many() {
        let check = |images: Vec<&[u8]>, columns, expected: &str| {
            let error = Sprite { images, width: 28, height: 28, columns }.png().expect_err("an error");
            assert!(error.to_string().starts_with(expected), "{error}");
        };
        let image = [0_u8; 784];
        check(vec![&image, &image[1..]], 2, "sprite, image 1: expected 28 x 28 pixels, found 783");
        check(vec![], 2, "sprite: expected at least one image");
        check(vec![&image; 300], 300, "figure too large");
    }
}
