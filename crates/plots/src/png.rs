//! Scenes as PNG files, and grayscale images too.

use ::png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter, PixelDimensions, Unit};

use crate::canvas::Canvas;
use crate::error::PlotError;
use crate::scene::{Scene, UNITS};

/// Device pixels per logical pixel: crisp on dense screens, and when shown smaller than drawn.
pub const PIXEL_RATIO: u32 = 2;

/// Device pixels per metre that make a logical pixel 1/96 inch wide, as on the web.
const PIXELS_PER_METRE: u32 = 3780 * PIXEL_RATIO;

/// Paints a scene and packs it.
pub(crate) fn encode(scene: &Scene) -> Result<Vec<u8>, PlotError> {
    let (width, height) = (scene.width * PIXEL_RATIO, scene.height * PIXEL_RATIO);
    let mut canvas = Canvas::new(width, height, UNITS / PIXEL_RATIO);
    scene
        .draw_shapes(&mut canvas)
        .and_then(|()| scene.draw_images(&mut canvas))
        .and_then(|()| scene.draw_labels(&mut canvas))
        .map_err(|error| PlotError::Draw(error.to_string()))?;
    Ok(pack(&canvas.into_pixels(), width, height, ColorType::Rgb)?)
}

/// Packs `pixels`, one byte for each channel, row by row.
pub(crate) fn pack(pixels: &[u8], width: u32, height: u32, color: ColorType) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    // Large even areas and sharp edges: rows repeat as they are, and filters only blur that.
    encoder.set_filter(Filter::NoFilter);
    encoder.set_pixel_dims(Some(PixelDimensions { xppu: PIXELS_PER_METRE, yppu: PIXELS_PER_METRE, unit: Unit::Meter }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}
