//! Winograd's minimal filtering, F(2×2, 3×3) (Lavin and Gray, 2016, section 4.1), in training: 16 products for what
//! takes 36, of numbers that are sums of inputs and of weights.
//!
//! A *tile* is 2×2 outputs and the 4×4 pixels under them. For each of its 16 *points* there is a product of
//! matrices, tiles by channels. The backward passes are the adjoints of the same maps.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and vectors of a tile are counted alike in registers and in memory"
)]

use rayon::prelude::*;

use super::geometry::Geometry;
use super::sparse::Outputs;
use super::{DEAD, Pool, SIDE, TAPS};
use crate::simd::Simd;
use crate::tile;

/// Points of a tile.
pub(super) const POINTS: usize = 16;
/// Points along one axis.
const AXIS: usize = 4;

impl Geometry {
    /// Rows and columns of tiles in an image.
    fn tiles(&self) -> [usize; 2] {
        let convolved = [self.height - 2, self.width - 2];
        match self.block.pool {
            Pool::None => convolved.map(|len| len.div_ceil(2)),
            Pool::Max2 => convolved.map(|len| len / 2),
        }
    }

    /// Tiles that are transformed together: their points stay in the second-level cache.
    pub(super) fn tiles_together(&self) -> usize {
        const CACHE_NUMBERS: usize = 64 << 10;
        // A multiple of every number of rows in registers.
        (CACHE_NUMBERS / (POINTS * (self.channels + self.out_channels())) / 12 * 12).clamp(12, 96)
    }

    /// Numbers that the forward pass needs for the tiles of one time.
    pub(super) fn forward_work_len(&self) -> usize {
        POINTS * self.tiles_together() * (self.channels + self.out_channels())
    }

    /// Numbers that the backward pass needs for the tiles of one time.
    pub(super) fn backward_work_len(&self) -> usize {
        POINTS * self.tiles_together() * (2 * self.channels + self.out_channels())
    }

    /// Where some tiles of a few images are. Only the first one is worth a division.
    #[inline(always)]
    pub(super) fn places(&self, first: usize, count: usize) -> impl Iterator<Item = Place> {
        let [rows, columns] = self.tiles();
        let in_image = first % (rows * columns);
        let mut next =
            Place { image: first / (rows * columns), y: 2 * (in_image / columns), x: 2 * (in_image % columns) };
        (0..count).map(move |_| {
            let place = next;
            next.x += 2;
            if next.x == 2 * columns {
                (next.x, next.y) = (0, next.y + 2);
            }
            if next.y == 2 * rows {
                (next.y, next.image) = (0, next.image + 1);
            }
            place
        })
    }
}

/// The image of a tile, and the pixel and the output at its upper left.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) image: usize,
    pub(super) y: usize,
    pub(super) x: usize,
}

impl Place {
    /// The index of a pixel of the bordered image, and how many rows and columns of the tile are inside.
    #[inline(always)]
    fn pixel(self, geometry: &Geometry) -> (usize, usize, usize) {
        let first = (self.image * geometry.height + self.y) * geometry.width + self.x;
        (first, (geometry.height - self.y).min(AXIS), (geometry.width - self.x).min(AXIS))
    }

    /// The index of an output without pooling, and how many rows and columns of outputs there are.
    #[inline(always)]
    fn output(self, geometry: &Geometry) -> (usize, usize, usize) {
        let [height, width] = [geometry.height - 2, geometry.width - 2];
        ((self.image * height + self.y) * width + self.x, (height - self.y).min(2), (width - self.x).min(2))
    }
}

/// Tiles of some images.
pub(super) fn num_tiles(geometry: &Geometry, images: usize) -> usize {
    images * geometry.tiles().iter().product::<usize>()
}

/// `G g Gᵀ` of one filter.
fn filter_points(taps: &[f32]) -> [f32; POINTS] {
    let along = |a: f32, b: f32, c: f32| [a, (a + c + b) / 2.0, (a + c - b) / 2.0, c];
    let mut rows = [[0.0; SIDE]; AXIS];
    for column in 0..SIDE {
        let points = along(taps[column], taps[SIDE + column], taps[2 * SIDE + column]);
        for (row, point) in rows.iter_mut().zip(points) {
            row[column] = point;
        }
    }
    let mut points = [0.0; POINTS];
    for (points, row) in points.chunks_exact_mut(AXIS).zip(rows) {
        points.copy_from_slice(&along(row[0], row[1], row[2]));
    }
    points
}

/// `Gᵀ p G`: from the gradient of a filter's points to that of the filter.
pub(super) fn filter_gradient(points: [f32; POINTS]) -> [f32; TAPS] {
    let along = |p: [f32; AXIS]| {
        let (sum, difference) = ((p[1] + p[2]) * 0.5, (p[1] - p[2]) * 0.5);
        [p[0] + sum, difference, sum + p[3]]
    };
    let mut columns = [[0.0; AXIS]; SIDE];
    for column in 0..AXIS {
        let taps = along([points[column], points[AXIS + column], points[2 * AXIS + column], points[3 * AXIS + column]]);
        for (row, tap) in columns.iter_mut().zip(taps) {
            row[column] = tap;
        }
    }
    let mut taps = [0.0; TAPS];
    for (taps, row) in taps.chunks_exact_mut(SIDE).zip(columns) {
        taps.copy_from_slice(&along(row));
    }
    taps
}

/// Orders the points of weights as `[point][blocks of out channels][in channel][out channel]`, zeros where
/// there is no channel.
pub(super) fn pack_weights(geometry: &Geometry, weight: &[f32], packed: &mut [f32]) {
    let (inputs, outputs, columns) = (geometry.block.in_channels, geometry.block.out_channels, geometry.columns);
    let panel_len = geometry.channels * columns;
    let point_len = geometry.channels * geometry.out_channels();
    packed.fill(0.0);
    for out in 0..outputs {
        for channel in 0..inputs {
            let points = filter_points(&weight[(out * inputs + channel) * TAPS..][..TAPS]);
            let at = out / columns * panel_len + channel * columns + out % columns;
            for (point, value) in points.into_iter().enumerate() {
                packed[point * point_len + at] = value;
            }
        }
    }
}

/// Orders the points of weights as `[point][blocks of in channels][out channel][in channel]`, zeros where
/// there is no channel.
pub(super) fn pack_filters(geometry: &Geometry, weight: &[f32], packed: &mut [f32]) {
    let (inputs, outputs, columns) = (geometry.block.in_channels, geometry.block.out_channels, geometry.grad_columns());
    let panel_len = outputs * columns;
    let point_len = outputs * geometry.grad_channels;
    packed.fill(0.0);
    for out in 0..outputs {
        for channel in 0..inputs {
            let points = filter_points(&weight[(out * inputs + channel) * TAPS..][..TAPS]);
            let at = channel / columns * panel_len + out * columns + channel % columns;
            for (point, value) in points.into_iter().enumerate() {
                packed[point * point_len + at] = value;
            }
        }
    }
}

/// Writes the gradients of weights from the sums `[point][in channel][out channel]`.
pub(super) fn unpack_sums(geometry: &Geometry, sums: &[f32], grad_weight: &mut [f32]) {
    let inputs = geometry.block.in_channels;
    let out_channels = geometry.out_channels();
    let point_len = geometry.channels * out_channels;
    grad_weight.par_chunks_mut(inputs * TAPS).with_min_len(8).enumerate().for_each(|(out, filter)| {
        for (channel, taps) in filter.chunks_exact_mut(TAPS).enumerate() {
            let at = channel * out_channels + out;
            taps.copy_from_slice(&filter_gradient(std::array::from_fn(|point| sums[point * point_len + at])));
        }
    });
}

/// Points of the images under some tiles, `Bᵀ d B`, as `[point][tile][channel]` with room for `room` tiles.
///
/// # Safety
///
/// The tiles must be in `images`; `points` must have the room.
#[inline(always)]
pub(super) unsafe fn image_points<S: Simd>(
    s: S,
    geometry: &Geometry,
    images: *const f32,
    (first, count): (usize, usize),
    points: *mut f32,
    room: usize,
) {
    let channels = geometry.channels;
    let zero = s.splat(0.0);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let (pixel, rows, columns) = place.pixel(geometry);
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: only pixels inside the image are read; the caller promises the room.
            unsafe {
                let from = images.add(pixel * channels + channel);
                let mut half = [[zero; AXIS]; AXIS];
                for row in 0..AXIS {
                    let at = |column: usize| {
                        if row < rows && column < columns {
                            s.load(from.add((row * geometry.width + column) * channels))
                        } else {
                            zero
                        }
                    };
                    half[row] = image_axis(s, [at(0), at(1), at(2), at(3)]);
                }
                let to = points.add(tile * channels + channel);
                for column in 0..AXIS {
                    let found = image_axis(s, [half[0][column], half[1][column], half[2][column], half[3][column]]);
                    for row in 0..AXIS {
                        s.store(to.add((row * AXIS + column) * room * channels), found[row]);
                    }
                }
            }
        }
    }
}

/// `Bᵀ d`.
#[inline(always)]
fn image_axis<S: Simd>(s: S, d: [S::F; AXIS]) -> [S::F; AXIS] {
    [s.sub(d[0], d[2]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[1], d[3])]
}

/// `B n`, the adjoint.
#[inline(always)]
fn image_axis_back<S: Simd>(s: S, n: [S::F; AXIS]) -> [S::F; AXIS] {
    let zero = s.splat(0.0);
    [n[0], s.add(s.sub(n[1], n[2]), n[3]), s.sub(s.add(n[1], n[2]), n[0]), s.sub(zero, n[3])]
}

/// `Aᵀ m`.
#[inline(always)]
fn output_axis<S: Simd>(s: S, m: [S::F; AXIS]) -> [S::F; 2] {
    [s.add(s.add(m[0], m[1]), m[2]), s.sub(s.sub(m[1], m[2]), m[3])]
}

/// `A y`, the adjoint.
#[inline(always)]
fn output_axis_back<S: Simd>(s: S, y: [S::F; 2]) -> [S::F; AXIS] {
    [y[0], s.add(y[0], y[1]), s.sub(y[0], y[1]), s.sub(s.splat(0.0), y[1])]
}

/// The four outputs of a tile from its points, a vector of channels; rows of two.
///
/// # Safety
///
/// The points of a vector must be readable at `points`, each `step` numbers after the last.
#[inline(always)]
pub(super) unsafe fn outputs<S: Simd>(s: S, points: *const f32, step: usize) -> [S::F; 4] {
    let mut half = [[s.splat(0.0); AXIS]; 2];
    for column in 0..AXIS {
        // SAFETY: the caller promises the points.
        let m = unsafe {
            let at = |row: usize| s.load(points.add((row * AXIS + column) * step));
            [at(0), at(1), at(2), at(3)]
        };
        let [upper, lower] = output_axis(s, m);
        half[0][column] = upper;
        half[1][column] = lower;
    }
    let (upper, lower) = (output_axis(s, half[0]), output_axis(s, half[1]));
    [upper[0], upper[1], lower[0], lower[1]]
}

/// Where the outputs of a tile go without pooling: the four indices, none for what is outside.
#[inline(always)]
pub(super) fn output_units(geometry: &Geometry, place: Place) -> [Option<usize>; 4] {
    let (first, rows, columns) = place.output(geometry);
    let width = geometry.width - 2;
    let at = |row: usize, column: usize| (row < rows && column < columns).then_some(first + row * width + column);
    [at(0, 0), at(0, 1), at(1, 0), at(1, 1)]
}

/// Points of the gradients at some tiles, `A g Aᵀ`, as `[point][tile][out channel]`, and the sums of the
/// gradients to `bias`. The gradients are without pooling.
///
/// # Safety
///
/// The tiles must be in the outputs; `points` must have the room, `bias` a padded row.
#[inline(always)]
pub(super) unsafe fn gradient_points<S: Simd>(
    s: S,
    geometry: &Geometry,
    outputs: Outputs<'_>,
    (first, count): (usize, usize),
    (points, room): (*mut f32, usize),
    bias: *mut f32,
) {
    let (channels, padded) = (geometry.block.out_channels, geometry.out_channels());
    let (zero, scale) = (s.splat(0.0), s.splat(outputs.scale));
    for (tile, place) in geometry.places(first, count).enumerate() {
        let units = output_units(geometry, place);
        for channel in (0..padded).step_by(S::LANES) {
            let left = channels.saturating_sub(channel);
            // SAFETY: the caller promises the outputs; loads stop at the last channel.
            unsafe {
                let mut sum = s.load(bias.add(channel));
                let mut gradients = [zero; 4];
                for (gradient, unit) in gradients.iter_mut().zip(units) {
                    if let Some(unit) = unit {
                        let at = unit * channels + channel;
                        let value = s.load_some(outputs.gradients.as_ptr().wrapping_add(at), left);
                        let code = s.load_some_bytes(outputs.codes.as_ptr().wrapping_add(at), left);
                        let dead = s.u_eq(code, s.u_splat(u32::from(DEAD)));
                        *gradient = s.select(dead, zero, s.mul(value, scale));
                        sum = s.add(sum, *gradient);
                    }
                }
                s.store(bias.add(channel), sum);
                let left = output_axis_back(s, [gradients[0], gradients[2]]);
                let right = output_axis_back(s, [gradients[1], gradients[3]]);
                let to = points.add(tile * padded + channel);
                for row in 0..AXIS {
                    let found = output_axis_back(s, [left[row], right[row]]);
                    for column in 0..AXIS {
                        s.store(to.add((row * AXIS + column) * room * padded), found[column]);
                    }
                }
            }
        }
    }
}

/// Adds `B n Bᵀ` of some tiles to the gradient of the images.
///
/// # Safety
///
/// The tiles must be in `images`; `points` must hold them.
#[inline(always)]
pub(super) unsafe fn add_to_images<S: Simd>(
    s: S,
    geometry: &Geometry,
    (points, room): (*const f32, usize),
    (first, count): (usize, usize),
    images: *mut f32,
) {
    let channels = geometry.grad_channels;
    let zero = s.splat(0.0);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let (pixel, rows, columns) = place.pixel(geometry);
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: only pixels inside the image are written; the caller promises the points.
            unsafe {
                let from = points.add(tile * channels + channel);
                let mut half = [[zero; AXIS]; AXIS];
                for column in 0..AXIS {
                    let at = |row: usize| s.load(from.add((row * AXIS + column) * room * channels));
                    let found = image_axis_back(s, [at(0), at(1), at(2), at(3)]);
                    for row in 0..AXIS {
                        half[row][column] = found[row];
                    }
                }
                let to = images.add(pixel * channels + channel);
                for row in 0..rows {
                    let found = image_axis_back(s, half[row]);
                    for column in 0..columns {
                        let to = to.add((row * geometry.width + column) * channels);
                        s.store(to, s.add(s.load(to), found[column]));
                    }
                }
            }
        }
    }
}

/// What the sums of a product start from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Zero,
    Result,
}

/// One block of `Q` vectors of columns of a product: `result[r][c] (+)= Σ left[r · row_step + i · term_step] ·
/// right[i · right_step + c]` over `i` in `0..terms`.
///
/// # Safety
///
/// All of those addresses must be readable, and the result writable.
#[inline(always)]
pub(super) unsafe fn multiply<S: Simd, const Q: usize>(
    s: S,
    (rows, terms): (usize, usize),
    (left, row_step, term_step): (*const f32, usize, usize),
    right: (*const f32, usize),
    (result, result_step): (*mut f32, usize),
    start: Start,
) {
    let mut row = 0;
    while row < rows {
        // SAFETY: no tile has more rows than are left; the caller promises the addresses.
        row += unsafe {
            let left = (left.add(row * row_step), row_step, term_step);
            let result = (result.add(row * result_step), result_step);
            match rows - row {
                12.. if S::WIDE => multiply_rows::<S, 12, Q>(s, terms, left, right, result, start),
                6.. => multiply_rows::<S, 6, Q>(s, terms, left, right, result, start),
                3.. => multiply_rows::<S, 3, Q>(s, terms, left, right, result, start),
                _ => multiply_rows::<S, 1, Q>(s, terms, left, right, result, start),
            }
        };
    }
}

#[inline(always)]
unsafe fn multiply_rows<S: Simd, const P: usize, const Q: usize>(
    s: S,
    terms: usize,
    (left, row_step, term_step): (*const f32, usize, usize),
    right: (*const f32, usize),
    (result, result_step): (*mut f32, usize),
    start: Start,
) -> usize {
    // SAFETY: the caller promises `P` rows.
    unsafe {
        let mut sums = match start {
            Start::Zero => [[s.splat(0.0); Q]; P],
            Start::Result => tile::load::<S, P, Q>(s, result, result_step),
        };
        let mut rows = [left; P];
        for (p, row) in rows.iter_mut().enumerate() {
            *row = row.add(p * row_step);
        }
        tile::accumulate::<S, P, Q>(s, &mut sums, terms, (rows, term_step), right);
        tile::store::<S, P, Q>(s, &sums, result, result_step, Q * S::LANES);
    }
    P
}
