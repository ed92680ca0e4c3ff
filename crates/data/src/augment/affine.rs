//! Rotation, shift, shear and zoom in one resampling.
//!
//! As Keras's `ImageDataGenerator` draws and composes them (`apply_affine_transform` of Keras 2.1.4 and
//! later, and `scipy.ndimage.affine_transform` of order 1 with mode "nearest", which it calls): the
//! matrix rotate · translate · shear · zoom maps positions of the output to positions of the input,
//! taken from the centre of the image at ((width − 1) / 2, (height − 1) / 2); positions outside the image
//! take the nearest edge; between four pixels, bilinear interpolation. Angles are in degrees.

use super::AugmentConfig;
use crate::random::Stream;

/// An affine map from output to input positions, in pixels; x counts columns, y rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine {
    /// input x = xx · x + xy · y + x0
    xx: f64,
    xy: f64,
    x0: f64,
    /// input y = yx · x + yy · y + y0
    yx: f64,
    yy: f64,
    y0: f64,
}

/// One draw of the four variations.
#[derive(Clone, Copy, Debug)]
struct Parameters {
    rotation_degrees: f64,
    /// Along x and y, in pixels.
    shift: (f64, f64),
    shear_degrees: f64,
    /// Along x and y.
    zoom: (f64, f64),
}

impl Affine {
    /// Draws a map for images of this size; none if the configuration has no affine part.
    pub(super) fn draw(config: &AugmentConfig, height: usize, width: usize, draws: &mut Stream) -> Option<Self> {
        let mut symmetric = |range: f32| draws.uniform(-1.0, 1.0) * f64::from(range);
        let parameters = Parameters {
            rotation_degrees: symmetric(config.rotation_degrees),
            shift: (symmetric(config.shift) * pixels(width), symmetric(config.shift) * pixels(height)),
            shear_degrees: symmetric(config.shear_degrees),
            zoom: (1.0 + symmetric(config.zoom), 1.0 + symmetric(config.zoom)),
        };
        config.is_affine().then(|| Self::compose(&parameters, height, width))
    }

    fn compose(parameters: &Parameters, height: usize, width: usize) -> Self {
        let (sin, cos) = parameters.rotation_degrees.to_radians().sin_cos();
        let (shear_sin, shear_cos) = parameters.shear_degrees.to_radians().sin_cos();
        let (shift_x, shift_y) = parameters.shift;
        let (zoom_x, zoom_y) = parameters.zoom;

        // [cos −sin; sin cos] · [1 −shear_sin; 0 shear_cos] · [zoom_x 0; 0 zoom_y]
        let xx = cos * zoom_x;
        let xy = -(cos * shear_sin + sin * shear_cos) * zoom_y;
        let yx = sin * zoom_x;
        let yy = (cos * shear_cos - sin * shear_sin) * zoom_y;

        // The shift is applied after shear and zoom, hence rotated; the centre stays where it is.
        let center_x = (pixels(width) - 1.0) / 2.0;
        let center_y = (pixels(height) - 1.0) / 2.0;
        Self {
            xx,
            xy,
            x0: center_x - xx * center_x - xy * center_y + cos * shift_x - sin * shift_y,
            yx,
            yy,
            y0: center_y - yx * center_x - yy * center_y + sin * shift_x + cos * shift_y,
        }
    }

    /// Fills `out` from `image`; both have rows of `width` pixels.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "positions are computed in f64 and kept in f32: images are far smaller than 2^24"
    )]
    pub(super) fn resample(&self, image: &[f32], out: &mut [f32], width: usize) {
        let source = Source::new(image, width);
        let step = (self.xx as f32, self.yx as f32);
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            let start_x = (self.xy * y as f64 + self.x0) as f32;
            let start_y = (self.yy * y as f64 + self.y0) as f32;
            for (chunk, pixels) in row.chunks_mut(LANES).enumerate() {
                let first = (chunk * LANES) as f32;
                let start = (start_x + step.0 * first, start_y + step.1 * first);
                source.read_line(start, step, pixels);
            }
        }
    }
}

/// Pixels that are computed side by side, so that the compiler can use vector instructions.
const LANES: usize = 8;

/// An image to interpolate.
struct Source<'a> {
    image: &'a [f32],
    /// The last column and row.
    last: (f32, f32),
    /// The last column and row with a neighbour to the right and below; 0 if there is none at all.
    last_pair: (i32, i32),
    /// Distance in `image` to the neighbour to the right and below; 0 if there is none at all.
    next: (usize, usize),
    /// Pixels of a row.
    width: i32,
}

impl<'a> Source<'a> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "images are far smaller than 2^24 in each direction"
    )]
    fn new(image: &'a [f32], width: usize) -> Self {
        let height = image.len() / width;
        Self {
            image,
            last: ((width - 1) as f32, (height - 1) as f32),
            last_pair: (width.saturating_sub(2) as i32, height.saturating_sub(2) as i32),
            next: (usize::from(width > 1), if height > 1 { width } else { 0 }),
            width: width as i32,
        }
    }

    /// Interpolates at `start`, `start + step`, and so on: at most [`LANES`] positions (x, y).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positions are within the image once clamped"
    )]
    fn read_line(&self, start: (f32, f32), step: (f32, f32), out: &mut [f32]) {
        let (mut corner, mut share_x, mut share_y) = ([0; LANES], [0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            // Unlike `clamp`, which branches on its bounds, this becomes vector instructions.
            let x = (start.0 + step.0 * lane as f32).max(0.0).min(self.last.0);
            let y = (start.1 + step.1 * lane as f32).max(0.0).min(self.last.1);
            // On the last column and row, the pair before it is read with the whole share on its end.
            let (left, top) = ((x as i32).min(self.last_pair.0), (y as i32).min(self.last_pair.1));
            (share_x[lane], share_y[lane]) = (x - left as f32, y - top as f32);
            corner[lane] = top * self.width + left;
        }
        let (right, below) = self.next;
        for (lane, pixel) in out.iter_mut().enumerate() {
            let corner = corner[lane] as usize;
            let between = |at: usize| {
                let (left, right) = (self.image[at], self.image[at + right]);
                left + (right - left) * share_x[lane]
            };
            let (upper, lower) = (between(corner), between(corner + below));
            *pixel = upper + (lower - upper) * share_y[lane];
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "images are far smaller than 2^52")]
fn pixels(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Matrix = [[f64; 3]; 3];

    const IDENTITY: Parameters =
        Parameters { rotation_degrees: 0.0, shift: (0.0, 0.0), shear_degrees: 0.0, zoom: (1.0, 1.0) };

    fn image(height: usize, width: usize) -> Vec<f32> {
        (0..=255u8).cycle().step_by(37).take(height * width).map(f32::from).collect()
    }

    fn resampled(parameters: &Parameters, height: usize, width: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; height * width];
        Affine::compose(parameters, height, width).resample(&image(height, width), &mut out, width);
        out
    }

    /// The same by the book: a product of seven matrices, and four weighted pixels.
    fn reference(parameters: &Parameters, height: usize, width: usize) -> Vec<f64> {
        let (center_x, center_y) = ((pixels(width) - 1.0) / 2.0, (pixels(height) - 1.0) / 2.0);
        let (sin, cos) = parameters.rotation_degrees.to_radians().sin_cos();
        let (shear_sin, shear_cos) = parameters.shear_degrees.to_radians().sin_cos();
        let translation = |x, y| [[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]];
        let matrix: Matrix = [
            translation(center_x, center_y),
            [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]],
            translation(parameters.shift.0, parameters.shift.1),
            [[1.0, -shear_sin, 0.0], [0.0, shear_cos, 0.0], [0.0, 0.0, 1.0]],
            [[parameters.zoom.0, 0.0, 0.0], [0.0, parameters.zoom.1, 0.0], [0.0, 0.0, 1.0]],
            translation(-center_x, -center_y),
        ]
        .into_iter()
        .reduce(|a, b| std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum())))
        .expect("there are matrices");

        let image = image(height, width);
        let mut out = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let position = |row: [f64; 3], count: usize| {
                    let exact = row[0] * pixels(x) + row[1] * pixels(y) + row[2];
                    exact.clamp(0.0, pixels(count) - 1.0)
                };
                let (from_x, from_y) = (position(matrix[0], width), position(matrix[1], height));
                let weight = |position: f64, at: usize| (1.0 - (position - pixels(at)).abs()).max(0.0);
                let weighted = (0..height * width)
                    .map(|at| f64::from(image[at]) * weight(from_x, at % width) * weight(from_y, at / width));
                out.push(weighted.sum());
            }
        }
        out
    }

    fn check(parameters: &Parameters, height: usize, width: usize, expected: &[f64]) {
        let found = resampled(parameters, height, width);
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let difference = (f64::from(*found) - expected).abs();
            assert!(difference < 0.01, "{parameters:?}, pixel {at}: {found} instead of {expected}");
        }
    }

    #[test]
    fn the_identity_changes_nothing() {
        for (height, width) in [(28, 28), (1, 5), (5, 1), (1, 1), (2, 3), (9, 17)] {
            assert_eq!(resampled(&IDENTITY, height, width), image(height, width));
        }
    }

    #[test]
    fn agrees_with_scipy() {
        // scipy.ndimage.affine_transform 1.17.1, order 1, mode "nearest", with Keras's matrices.
        let parameters =
            Parameters { rotation_degrees: 20.0, shift: (0.7, -0.4), shear_degrees: 10.0, zoom: (0.9, 1.2) };
        #[rustfmt::skip]
        let expected = [
             74.116, 105.408, 136.700, 140.012, 118.157,
             70.589,  45.145,  54.581,  66.337,  44.371,
            195.723, 134.618, 184.683, 153.549,  98.276,
             99.737, 109.174, 118.611, 144.392, 175.683,
        ];
        check(&parameters, 4, 5, &expected);
    }

    #[test]
    fn whole_shifts_repeat_the_edge() {
        let parameters = Parameters { shift: (1.0, 0.0), ..IDENTITY };
        check(&parameters, 1, 3, &[37.0, 74.0, 74.0]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_slow_reference(
            rotation_degrees in -180.0..180.0f64,
            shift in (-9.0..9.0f64, -9.0..9.0f64),
            shear_degrees in -60.0..60.0f64,
            zoom in (0.3..2.0f64, 0.3..2.0f64),
            height in 1usize..12,
            width in 1usize..12,
        ) {
            let parameters = Parameters { rotation_degrees, shift, shear_degrees, zoom };
            check(&parameters, height, width, &reference(&parameters, height, width));
        }
    }
}
