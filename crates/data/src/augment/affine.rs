//! Rotation, shift, shear and zoom in one map.
//!
//! As Keras's `ImageDataGenerator` draws and composes them (`apply_affine_transform` of Keras 2.1.4 and
//! later): the matrix rotate · translate · shear · zoom maps positions of the output to positions of the
//! input, taken from the centre of the image at ((width − 1) / 2, (height − 1) / 2). Angles are in degrees.

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

    /// Where the output's pixel in column `x` of row `y` is read: a column and a row of the input.
    pub(super) fn position(&self, x: usize, y: usize) -> (f64, f64) {
        let (x, y) = (pixels(x), pixels(y));
        (self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0)
    }

    /// From the position of a pixel to that of the next one in its row.
    pub(super) fn step(&self) -> (f64, f64) {
        (self.xx, self.yx)
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
    use crate::augment::resample::Resampler;

    type Matrix = [[f64; 3]; 3];

    const IDENTITY: Parameters =
        Parameters { rotation_degrees: 0.0, shift: (0.0, 0.0), shear_degrees: 0.0, zoom: (1.0, 1.0) };

    fn image(height: usize, width: usize) -> Vec<u8> {
        (0..=255).cycle().step_by(37).take(height * width).collect()
    }

    fn resampled(parameters: &Parameters, height: usize, width: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; height * width];
        let affine = Affine::compose(parameters, height, width);
        Resampler::new(height, width).resample(&affine, &image(height, width), &mut out);
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
        for (height, width) in [(28, 28), (1, 5), (5, 1), (1, 1), (2, 3), (9, 17), (3, 200)] {
            let expected: Vec<f32> = image(height, width).into_iter().map(f32::from).collect();
            assert_eq!(resampled(&IDENTITY, height, width), expected);
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
            width in prop_oneof![1usize..12, 60usize..140],
        ) {
            let parameters = Parameters { rotation_degrees, shift, shear_degrees, zoom };
            check(&parameters, height, width, &reference(&parameters, height, width));
        }
    }
}
