//! Scenes as SVG documents.
//!
//! Plotters writes shapes and text. It can embed images only with the whole `image` crate, so
//! they are added here, as PNG data. Text stays text: it can be searched, and is drawn with the
//! viewer's `DejaVu Sans` or what resembles it.

use plotters::prelude::{DrawingBackend, SVGBackend};

use crate::error::PlotError;
use crate::png::pack;
use crate::scene::{Image, Scene, UNITS};

/// Writes a scene as a whole SVG document.
pub(crate) fn encode(scene: &Scene) -> Result<String, PlotError> {
    let (width, height) = scene.size();
    let shapes = paint(scene, |scene, backend| scene.draw_shapes(backend))?;
    let labels = paint(scene, |scene, backend| scene.draw_labels(backend))?;
    let images = scene.images.iter().map(image).collect::<Result<String, _>>()?;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {} {}\" stroke-linejoin=\"round\" role=\"img\">\n\
         <title>{}</title>\n{shapes}{images}{labels}</svg>\n",
        width * UNITS,
        height * UNITS,
        escape(&scene.title),
    ))
}

/// What plotters writes for one layer, without the `<svg>` element around it.
fn paint(
    scene: &Scene,
    layer: impl FnOnce(&Scene, &mut SVGBackend<'_>) -> Result<(), plotters_backend::DrawingErrorKind<std::io::Error>>,
) -> Result<String, PlotError> {
    let mut document = String::new();
    let mut backend = SVGBackend::with_string(&mut document, (scene.width * UNITS, scene.height * UNITS));
    layer(scene, &mut backend).and_then(|()| backend.present()).map_err(|error| PlotError::Draw(error.to_string()))?;
    drop(backend);
    let body = document.split_once('\n').map_or("", |(_, body)| body);
    Ok(body.strip_suffix("</svg>\n").unwrap_or(body).to_owned())
}

fn image(image: &Image) -> Result<String, PlotError> {
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let data = pack(&image.pixels, side(image.columns), side(image.rows), ::png::ColorType::Grayscale)?;
    let units = f64::from(UNITS);
    Ok(format!(
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
         style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
        image.rect.left * units,
        image.rect.top * units,
        image.rect.width() * units,
        image.rect.height() * units,
        base64(&data),
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= chunk.len() {
                let value = group >> (18 - 6 * digit) & 63;
                text.push(char::from(DIGITS[value as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_the_examples_of_rfc_4648() {
        let check = |bytes: &str, expected| assert_eq!(base64(bytes.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foob", "Zm9vYg==");
        check("fooba", "Zm9vYmE=");
        check("foobar", "Zm9vYmFy");
    }
}
