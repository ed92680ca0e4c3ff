//! Pictures of few colours in half the bytes: a palette instead of three bytes per pixel.

use std::collections::HashMap;

use ::png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter};

/// Colours of a palette whose entries fit a byte.
const MOST: usize = 256;

type Rgb = [u8; 3];

/// Repacks a PNG of 8-bit RGB with a palette. Figures have some hundred colours, nearly all of them between ink and
/// paper: the most frequent 256 stay as they are, and the others become the nearest of these.
///
/// None for bytes that are no such PNG.
#[must_use]
pub fn with_palette(picture: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Decoder::new(std::io::Cursor::new(picture)).read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut pixels).ok()?;
    if (info.color_type, info.bit_depth) != (ColorType::Rgb, BitDepth::Eight) {
        return None;
    }
    let size = reader.info().pixel_dims;
    let (palette, indices) = index(pixels.as_chunks::<3>().0);

    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, info.width, info.height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_pixel_dims(size);
    encoder.set_compression(Compression::High);
    encoder.set_filter(Filter::NoFilter);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&indices).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}

/// A palette, the most frequent colour first, and each pixel's place in it.
fn index(pixels: &[Rgb]) -> (Vec<Rgb>, Vec<u8>) {
    let mut counts: HashMap<Rgb, usize> = HashMap::new();
    for &pixel in pixels {
        *counts.entry(pixel).or_default() += 1;
    }
    let mut colors: Vec<Rgb> = counts.keys().copied().collect();
    // Equally frequent ones by their numbers: the same picture gives the same bytes.
    colors.sort_unstable_by_key(|color| (std::cmp::Reverse(counts[color]), *color));
    let palette: Vec<Rgb> = colors.iter().copied().take(MOST).collect();
    let places: HashMap<Rgb, u8> = colors.iter().map(|&color| (color, nearest(&palette, color))).collect();
    let indices = pixels.iter().map(|pixel| places[pixel]).collect();
    (palette, indices)
}

fn nearest(palette: &[Rgb], color: Rgb) -> u8 {
    let distance =
        |other: &Rgb| -> u32 { color.iter().zip(other).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    let place = (0..palette.len()).min_by_key(|&place| distance(&palette[place])).unwrap_or(0);
    u8::try_from(place).expect("a palette has at most 256 colours")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(pixels: &[Rgb], width: u32) -> Vec<u8> {
        let height = u32::try_from(pixels.len()).expect("small") / width;
        crate::png::pack(&pixels.concat(), width, height, ColorType::Rgb).expect("a picture")
    }

    fn decode(bytes: &[u8]) -> Vec<Rgb> {
        let mut decoder = Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(::png::Transformations::EXPAND);
        let mut reader = decoder.read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut pixels).expect("whole image data");
        pixels.as_chunks::<3>().0.to_vec()
    }

    #[test]
    fn few_colours_stay_exactly_as_they_are() {
        let pixels: Vec<Rgb> = (0..=255).map(|gray| [gray, 255 - gray, 7]).cycle().take(64 * 64).collect();
        let before = picture(&pixels, 64);
        let after = with_palette(&before).expect("a PNG of RGB");
        assert_eq!(decode(&after), pixels);
        assert!(after == with_palette(&before).expect("again"), "other bytes the second time");
    }

    #[test]
    fn rare_colours_become_the_nearest_frequent_one() {
        let frequent = (0..=255).map(|gray| [gray, gray, gray]);
        let pixels: Vec<Rgb> =
            frequent.clone().chain(frequent).chain([[200, 201, 200]; 1]).chain([[0; 3]; 63]).collect();
        let after = decode(&with_palette(&picture(&pixels, 64)).expect("a PNG of RGB"));
        assert_eq!(after[512], [200, 200, 200]);
        assert_eq!(after[..512], pixels[..512]);
    }

    #[test]
    fn anything_else_is_left_to_the_caller() {
        assert_eq!(with_palette(b"not a picture"), None);
        let gray = crate::png::pack(&[0; 4], 2, 2, ColorType::Grayscale).expect("a picture");
        assert_eq!(with_palette(&gray), None);
    }
}
