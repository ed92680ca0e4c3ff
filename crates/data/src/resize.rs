//! Bilinear resizing of grey images.
//!
//! Pixels are points at the middle of their squares, and what lies beyond the border repeats it: as
//! `tf.image.resize` (Keras's `Resizing`) and PyTorch's `interpolate(mode="bilinear", align_corners=False)`
//! have it, both without anti-aliasing, which only matters where images shrink. Values are not rounded to bytes.

/// A resizing from one size to another, with its weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resize {
    rows: Vec<Tap>,
    columns: Vec<Tap>,
    from: (usize, usize),
}

/// The two pixels that an output pixel lies between, along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    before: usize,
    after: usize,
    /// Share of the pixel after.
    weight: f32,
}

impl Resize {
    /// From and to heights and widths, none of which may be zero.
    pub(crate) fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        Self { rows: taps(from.0, to.0), columns: taps(from.1, to.1), from }
    }

    /// Height and width of the result.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.columns.len())
    }

    /// Resizes one image.
    ///
    /// # Shapes
    ///
    /// `image` and `out` are `[height, width]`, flat, of the sizes from and to.
    pub(crate) fn apply(&self, image: &[f32], out: &mut [f32]) {
        let width = self.from.1;
        assert_eq!(image.len(), self.from.0 * width, "an image of the size to resize from");
        assert_eq!(out.len(), self.rows.len() * self.columns.len(), "an image of the size to resize to");
        for (row, out) in self.rows.iter().zip(out.chunks_exact_mut(self.columns.len())) {
            let (upper, lower) = (&image[row.before * width..][..width], &image[row.after * width..][..width]);
            for (column, out) in self.columns.iter().zip(out) {
                let between = |line: &[f32]| mix(line[column.before], line[column.after], column.weight);
                *out = mix(between(upper), between(lower), row.weight);
            }
        }
    }
}

fn mix(before: f32, after: f32, weight: f32) -> f32 {
    before + weight * (after - before)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are far below 2^24, and places are within them"
)]
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let last = from - 1;
    let scale = from as f64 / to as f64;
    let tap = |index: usize| {
        let place = ((index as f64 + 0.5) * scale - 0.5).clamp(0.0, last as f64);
        let before = place as usize;
        Tap { before, after: (before + 1).min(last), weight: (place - before as f64) as f32 }
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &[f32], from: (usize, usize), to: (usize, usize), expected: &[f32]) {
        let resize = Resize::new(from, to);
        assert_eq!(resize.size(), to);
        let mut out = vec![f32::NAN; to.0 * to.1];
        resize.apply(image, &mut out);
        for (index, (found, expected)) in out.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 1e-5, "{from:?} to {to:?}, {index}: {found}, expected {expected}");
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        // torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=False).
        check(&[0.0, 4.0], (1, 2), (1, 4), &[0.0, 1.0, 3.0, 4.0]);
        check(&[0.0, 4.0, 8.0, 12.0], (2, 2), (2, 4), &[0.0, 1.0, 3.0, 4.0, 8.0, 9.0, 11.0, 12.0]);
        check(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], (1, 6), (1, 3), &[0.5, 2.5, 4.5]);
        check(
            &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 80.0],
            (3, 3),
            (2, 5),
            &[0.75, 1.15, 1.75, 2.35, 2.75, 5.25, 5.65, 6.25, 39.25, 61.25],
        );
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let image: Vec<f32> = (0..12u8).map(f32::from).collect();
        check(&image, (3, 4), (3, 4), &image);
    }

    #[test]
    fn a_constant_image_stays_constant() {
        check(&[7.0; 6], (2, 3), (5, 4), &[7.0; 20]);
    }
}
