//! Convolution by way of the points of tiles ([`minimal`]): for each of a tile's points there is a product of matrices,
//! tiles by channels.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and vectors of a tile are counted alike in registers and in memory"
)]

use super::geometry::Geometry;
use super::minimal::{self, AXIS, Image, ImageBack, OUT, Output, OutputBack, POINTS};
use super::sparse::Outputs;
use super::{DEAD, Pool, TAPS};
use crate::simd::Simd;

/// The side of pooling's windows.
pub(super) const WINDOW: usize = 2;

impl Geometry {
    /// Side of the convolved pixels that an output is the largest of.
    fn window(&self) -> usize {
        match self.block.pool {
            Pool::None => 1,
            Pool::Max2 => WINDOW,
        }
    }

    /// Rows and columns of convolved pixels that outputs come from: pooling leaves out odd ones.
    fn pooled_from(&self) -> [usize; 2] {
        let [_, height, width] = self.block.output_shape();
        [height, width].map(|len| self.window() * len)
    }

    /// Tiles in an image: rows and columns.
    fn tiles(&self) -> [usize; 2] {
        self.pooled_from().map(|len| len.div_ceil(OUT))
    }

    /// Tiles of some images.
    pub(super) fn num_tiles(&self, images: usize) -> usize {
        images * self.tiles().iter().product::<usize>()
    }

    /// Whether points need fewer products than the definition: not where nearly all of a tile is outside.
    pub(super) fn points_are_fewer(&self) -> bool {
        POINTS * self.num_tiles(1) < TAPS * self.pooled_from().iter().product::<usize>()
    }

    /// Tiles that are transformed together: their points stay in the second-level cache, unless so few would have
    /// more of the weights read than of the points.
    pub(super) fn tiles_together(&self) -> usize {
        const CACHE_NUMBERS: usize = 64 << 10;
        let (inputs, outputs) = (self.channels, self.out_channels());
        let cached = CACHE_NUMBERS / (POINTS * (inputs + outputs));
        let balanced = inputs * outputs / (inputs + outputs);
        // A multiple of every number of rows in registers.
        (cached.max(balanced) / 12 * 12).clamp(12, 96)
    }

    /// Numbers from a point of the tiles to the next.
    #[inline]
    pub(super) fn point_step(&self, channels: usize) -> usize {
        point_len(self.tiles_together(), channels)
    }

    /// Numbers that the forward pass needs for the tiles of one time.
    pub(super) fn forward_work_len(&self) -> usize {
        POINTS * (self.point_step(self.channels) + self.point_step(self.out_channels()))
    }

    /// Numbers that the backward pass needs for the tiles of one time.
    pub(super) fn backward_work_len(&self) -> usize {
        POINTS * (2 * self.point_step(self.channels) + self.point_step(self.out_channels()))
    }

    /// Where some tiles of a few images are. Only the first one is worth a division.
    #[inline(always)]
    pub(super) fn places(&self, first: usize, count: usize) -> impl Iterator<Item = Place> {
        let [rows, columns] = self.tiles();
        let in_image = first % (rows * columns);
        let mut next =
            Place { image: first / (rows * columns), y: OUT * (in_image / columns), x: OUT * (in_image % columns) };
        (0..count).map(move |_| {
            let place = next;
            next.x += OUT;
            if next.x == OUT * columns {
                (next.x, next.y) = (0, next.y + OUT);
            }
            if next.y == OUT * rows {
                (next.y, next.image) = (0, next.image + 1);
            }
            place
        })
    }
}

/// Numbers from the matrix of one point to that of the next: an odd count of cache lines, else what belongs to one
/// place would compete for a few lines of the first-level cache.
#[inline]
pub(super) const fn point_len(rows: usize, columns: usize) -> usize {
    const LINE: usize = 16;
    ((rows * columns).div_ceil(LINE) | 1) * LINE
}

/// The image of a tile, and the pixel and the output at its upper left.
#[derive(Clone, Copy)]
pub(super) struct Place {
    image: usize,
    y: usize,
    x: usize,
}

impl Place {
    /// The index of a pixel of the bordered image, and how many rows and columns of the tile are inside.
    #[inline(always)]
    fn pixel(self, geometry: &Geometry) -> (usize, usize, usize) {
        let first = (self.image * geometry.height + self.y) * geometry.width + self.x;
        (first, (geometry.height - self.y).min(AXIS), (geometry.width - self.x).min(AXIS))
    }

    /// The outputs that the tile makes.
    #[inline(always)]
    pub(super) fn part(self, geometry: &Geometry) -> Part {
        let window = geometry.window();
        let [_, height, width] = geometry.block.output_shape();
        let (y, x) = (self.y / window, self.x / window);
        let first = (self.image * height + y) * width + x;
        Part { first, rows: (height - y).min(OUT / window), columns: (width - x).min(OUT / window), width }
    }
}

/// The part of the outputs that a tile makes.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// The output at the upper left.
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Outputs from a row to the next.
    pub(super) width: usize,
}

/// Points of the images under some tiles, `Bᵀ d B`, as `[point][tile][channel]`.
///
/// # Safety
///
/// The tiles must be in `images`; `points` must hold `POINTS` steps.
#[inline(always)]
pub(super) unsafe fn image_points<S: Simd>(
    s: S,
    geometry: &Geometry,
    images: *const f32,
    (first, count): (usize, usize),
    points: *mut f32,
) {
    let channels = geometry.channels;
    let (row_len, step) = (geometry.width * channels, geometry.point_step(channels));
    let zero = s.splat(0.0);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let (pixel, rows, columns) = place.pixel(geometry);
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: only pixels inside the image are read; the caller promises the room.
            unsafe {
                let from = images.add(pixel * channels + channel);
                // Columns of pixels as rows, so that pixels of one row are summed first.
                let mut pixels = [[zero; AXIS]; AXIS];
                for row in 0..AXIS {
                    for column in 0..AXIS {
                        if row < rows && column < columns {
                            pixels[column][row] = s.load(from.add(row * row_len + column * channels));
                        }
                    }
                }
                let found = minimal::both::<S, Image, AXIS, AXIS>(s, pixels);
                let to = points.add(tile * channels + channel);
                for row in 0..AXIS {
                    for column in 0..AXIS {
                        s.store(to.add((row * AXIS + column) * step), found[column][row]);
                    }
                }
            }
        }
    }
}

/// The points of a tile, a vector of channels; in rows.
///
/// # Safety
///
/// They must be readable at `points`, each `step` numbers after the last.
#[inline(always)]
pub(super) unsafe fn load_points<S: Simd>(s: S, points: *const f32, step: usize) -> [[S::F; AXIS]; AXIS] {
    let mut found = [[s.splat(0.0); AXIS]; AXIS];
    for row in 0..AXIS {
        for column in 0..AXIS {
            // SAFETY: the caller promises the points.
            found[row][column] = unsafe { s.load(points.add((row * AXIS + column) * step)) };
        }
    }
    found
}

/// The outputs of a tile from its points, a vector of channels; in rows.
///
/// # Safety
///
/// The points of a vector must be readable at `points`, each `step` numbers after the last.
#[inline(always)]
pub(super) unsafe fn outputs<S: Simd>(s: S, points: *const f32, step: usize) -> [[S::F; OUT]; OUT] {
    // SAFETY: the caller promises the points.
    minimal::both::<S, Output, AXIS, OUT>(s, unsafe { load_points(s, points, step) })
}

/// Points of the gradients at some tiles, `A g Aᵀ`, as `[point][tile][out channel]`, and the sums of the
/// gradients to `bias`. The gradients are without pooling.
///
/// # Safety
///
/// The tiles must be in the outputs; `points` must hold `POINTS` steps, `bias` a padded row.
#[inline(always)]
pub(super) unsafe fn gradient_points<S: Simd>(
    s: S,
    geometry: &Geometry,
    outputs: Outputs<'_>,
    (first, count): (usize, usize),
    points: *mut f32,
    bias: *mut f32,
) {
    let (channels, padded) = (geometry.block.out_channels, geometry.out_channels());
    let step = geometry.point_step(padded);
    let (zero, scale) = (s.splat(0.0), s.splat(outputs.scale));
    for (tile, place) in geometry.places(first, count).enumerate() {
        let part = place.part(geometry);
        for channel in (0..padded).step_by(S::LANES) {
            let left = channels.saturating_sub(channel);
            // SAFETY: the caller promises the outputs; loads stop at the last channel.
            unsafe {
                let mut sum = s.load(bias.add(channel));
                let mut gradients = [[zero; OUT]; OUT];
                for row in 0..OUT {
                    for column in 0..OUT {
                        if row < part.rows && column < part.columns {
                            let at = (part.first + row * part.width + column) * channels + channel;
                            let value = s.load_some(outputs.gradients.as_ptr().wrapping_add(at), left);
                            let code = s.load_some_bytes(outputs.codes.as_ptr().wrapping_add(at), left);
                            let dead = s.u_eq(code, s.u_splat(u32::from(DEAD)));
                            gradients[row][column] = s.select(dead, zero, s.mul(value, scale));
                            sum = s.add(sum, gradients[row][column]);
                        }
                    }
                }
                s.store(bias.add(channel), sum);
                let found = minimal::both::<S, OutputBack, OUT, AXIS>(s, gradients);
                let to = points.add(tile * padded + channel);
                for row in 0..AXIS {
                    for column in 0..AXIS {
                        s.store(to.add((row * AXIS + column) * step), found[row][column]);
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
    points: *const f32,
    (first, count): (usize, usize),
    images: *mut f32,
) {
    let channels = geometry.grad_channels;
    let step = geometry.point_step(channels);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let (pixel, rows, columns) = place.pixel(geometry);
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: only pixels inside the image are written; the caller promises the points.
            unsafe {
                let from = points.add(tile * channels + channel);
                let found = minimal::both::<S, ImageBack, AXIS, AXIS>(s, load_points(s, from, step));
                let to = images.add(pixel * channels + channel);
                for row in 0..AXIS {
                    for column in 0..AXIS {
                        if row < rows && column < columns {
                            let to = to.add((row * geometry.width + column) * channels);
                            s.store(to, s.add(s.load(to), found[row][column]));
                        }
                    }
                }
            }
        }
    }
}
