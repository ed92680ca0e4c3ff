//! Bilinear interpolation at the positions of an affine map.
//!
//! As `scipy.ndimage.affine_transform` of order 1 with mode "nearest": between four pixels each counts as
//! much as it is near, and positions outside the image take the nearest edge.
//!
//! Most of what preparing a batch costs is spent here, hence the shape of the code. A pixel is kept with its
//! three neighbours in one word, so that a position takes one load. The positions of a line are found first,
//! then their words are loaded, then they are interpolated: the first and the last are loops without a branch
//! and with nothing that the vector instructions of every processor lack.

use super::affine::Affine;

/// The most pixels of a row that are computed together.
const LINE: usize = 64;

/// Interpolates images of one size, one after the other: it keeps its buffers.
#[derive(Clone, Debug)]
pub(super) struct Resampler {
    width: usize,
    /// The last column and row.
    last: (f32, f32),
    /// An image, and more behind it than a neighbour is away.
    padded: Vec<u8>,
    /// Each of its pixels, and from the second byte on the neighbours to the right, below, and to the right of
    /// that. Where there is no neighbour, it is some other number, which counts nothing: no position lies beyond.
    quads: Vec<u32>,
}

impl Resampler {
    /// For images of `height` × `width` pixels.
    #[expect(clippy::cast_precision_loss, reason = "images are far smaller than 2^23 in each direction")]
    pub(super) fn new(height: usize, width: usize) -> Self {
        Self {
            width,
            last: ((width - 1) as f32, (height - 1) as f32),
            padded: vec![0; height * width + width + 1],
            quads: vec![0; height * width],
        }
    }

    /// Fills `out` with the pixels of `image`, 0–255, at the positions of `affine`.
    pub(super) fn resample(&mut self, affine: &Affine, image: &[u8], out: &mut [f32]) {
        self.read(image);
        let mut line = Line::new(affine.step());
        for (y, row) in out.chunks_exact_mut(self.width).enumerate() {
            for (part, pixels) in row.chunks_mut(LINE).enumerate() {
                line.place(affine.position(part * LINE, y), self, pixels.len());
                line.load(self, pixels.len());
                line.interpolate(pixels);
            }
        }
    }

    fn read(&mut self, image: &[u8]) {
        self.padded[..image.len()].copy_from_slice(image);
        let at = |distance: usize| self.padded[distance..][..image.len()].iter();
        let (pairs, pairs_below) = (at(0).zip(at(1)), at(self.width).zip(at(self.width + 1)));
        for (quad, ((&a, &b), (&c, &d))) in self.quads.iter_mut().zip(pairs.zip(pairs_below)) {
            *quad = u32::from_le_bytes([a, b, c, d]);
        }
    }
}

/// Positions next to each other in a row of the output.
struct Line {
    /// From the first position to each, in columns and rows.
    steps: ([f32; LINE], [f32; LINE]),
    /// The pixel to the upper left of each: its number, then it and its neighbours.
    corners: [u32; LINE],
    /// How far each lies from that pixel towards the next column and row, as a share of the way.
    shares: ([f32; LINE], [f32; LINE]),
}

impl Line {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "distances within a line are kept in f32"
    )]
    fn new((step_x, step_y): (f64, f64)) -> Self {
        let mut steps = ([0.0; LINE], [0.0; LINE]);
        for (count, (x, y)) in steps.0.iter_mut().zip(&mut steps.1).enumerate() {
            (*x, *y) = ((step_x * count as f64) as f32, (step_y * count as f64) as f32);
        }
        Self { steps, corners: [0; LINE], shares: ([0.0; LINE], [0.0; LINE]) }
    }

    /// Finds `len` positions, of which `start` is the first.
    #[expect(clippy::cast_possible_truncation, reason = "positions are kept in f32, numbers of pixels in u32")]
    fn place(&mut self, start: (f64, f64), source: &Resampler, len: usize) {
        let (start_x, start_y, width) = (start.0 as f32, start.1 as f32, source.width as u32);
        let (steps, shares) =
            (self.steps.0.iter().zip(&self.steps.1), self.shares.0.iter_mut().zip(&mut self.shares.1));
        for (((step_x, step_y), (share_x, share_y)), corner) in steps.zip(shares).zip(&mut self.corners).take(len) {
            // Unlike `clamp`, which branches on its bounds, this becomes vector instructions.
            let x = (start_x + step_x).max(0.0).min(source.last.0);
            let y = (start_y + step_y).max(0.0).min(source.last.1);
            let ((left, column), (top, row)) = (floor(x), floor(y));
            (*share_x, *share_y) = (x - left, y - top);
            *corner = row * width + column;
        }
    }

    /// Puts the pixels in the place of their numbers.
    fn load(&mut self, source: &Resampler, len: usize) {
        for corner in &mut self.corners[..len] {
            *corner = source.quads[*corner as usize];
        }
    }

    fn interpolate(&self, out: &mut [f32]) {
        let shares = self.shares.0.iter().zip(&self.shares.1);
        for (pixel, (&quad, (share_x, share_y))) in out.iter_mut().zip(self.corners.iter().zip(shares)) {
            let [left, right, left_below, right_below] = bytes(quad);
            let upper = left + (right - left) * share_x;
            let lower = left_below + (right_below - left_below) * share_x;
            *pixel = upper + (lower - upper) * share_y;
        }
    }
}

/// The whole part of a number in 0..2^23, as a float and as an integer.
///
/// A float of 2^23 has no bits for fractions: adding it rounds to a whole number, which then stands in the
/// lowest bits. A cast would take the detour of saturation.
fn floor(x: f32) -> (f32, u32) {
    const WHOLE: f32 = 8_388_608.0;
    let near = (x + WHOLE) - WHOLE;
    let whole = if near > x { near - 1.0 } else { near };
    (whole, (whole + WHOLE).to_bits() - WHOLE.to_bits())
}

/// The bytes of a word, the lowest first.
#[expect(clippy::cast_precision_loss, reason = "bytes")]
fn bytes(word: u32) -> [f32; 4] {
    // Vectors convert signed integers alone.
    [word & 255, (word >> 8) & 255, (word >> 16) & 255, word >> 24].map(|byte| byte.cast_signed() as f32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers in 0..2^23")]
    fn check(x: f32) {
        assert_eq!(floor(x), (x.floor(), x as u32), "{x}");
    }

    #[test]
    fn whole_parts_of_halves_and_of_the_outermost_numbers() {
        for x in [0.0, 0.5, 0.999_999_94, 1.0, 1.5, 2.5, 8_388_606.5, 8_388_607.0, 8_388_607.5] {
            check(x);
        }
    }

    #[test]
    fn the_lowest_byte_comes_first() {
        assert_eq!(
            bytes(u32::from_le_bytes([1, 128, 3, 255])).map(f32::to_bits),
            [1.0, 128.0, 3.0, 255.0].map(f32::to_bits)
        );
    }

    proptest! {
        #[test]
        fn whole_parts_are_rounded_down(x in 0.0..8_388_608.0f32, near in 0.0..300.0f32) {
            check(x);
            check(near);
        }
    }
}
