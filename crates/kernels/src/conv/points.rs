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
use super::{Pool, TAPS};
use crate::simd::Simd;

/// Rows and columns of pixels that neighbouring tiles share.
const OVERLAP: usize = AXIS - OUT;

/// The side of pooling's windows.
pub(super) const WINDOW: usize = 2;

impl Geometry {
    /// How often pooling halves the sides of the convolved pixels.
    #[inline]
    fn halvings(&self) -> u32 {
        match self.block.pool {
            Pool::None => 0,
            Pool::Max2 => WINDOW.ilog2(),
        }
    }

    /// Rows and columns of convolved pixels that outputs come from: pooling leaves out odd ones.
    fn pooled_from(&self) -> [usize; 2] {
        let [_, height, width] = self.block.output_shape();
        [height, width].map(|len| len << self.halvings())
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

    /// Tiles that are transformed together at most: their points stay in the second-level cache, unless so few would
    /// have more of the weights read than of the points.
    pub(super) fn tiles_together(&self) -> usize {
        const CACHE_NUMBERS: usize = 64 << 10;
        let (inputs, outputs) = (self.channels, self.out_channels());
        let cached = CACHE_NUMBERS / (POINTS * (inputs + outputs));
        let balanced = inputs * outputs / (inputs + outputs);
        cached.max(balanced).clamp(12, 96)
    }

    /// The tiles of some images, the first one and how many, in shares that are all about the same.
    pub(super) fn shares(&self, images: usize) -> impl Iterator<Item = (usize, usize)> {
        let tiles = self.num_tiles(images);
        let share = tiles.div_ceil(tiles.div_ceil(self.tiles_together()).max(1)).max(1);
        (0..tiles).step_by(share).map(move |first| (first, share.min(tiles - first)))
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
    /// The pixels under the tile, of which there may be some on every side that are not in the image.
    #[inline(always)]
    fn under(self, geometry: &Geometry) -> Square<AXIS> {
        let padding = geometry.padding;
        let inside = |at: usize, len: usize| (padding.saturating_sub(at), (len + padding - at).min(AXIS));
        let pixel = (self.image * geometry.height + self.y) * geometry.width + self.x;
        Square {
            // Before the image, perhaps: nobody goes there.
            first: pixel.wrapping_sub(padding * (geometry.width + 1)),
            inside: Square::<AXIS>::cells(inside(self.y, geometry.height), inside(self.x, geometry.width)),
        }
    }

    /// Those of the pixels that no tile before this one has under it.
    #[inline(always)]
    fn new_pixels(self) -> u64 {
        let shared = |at: usize| if at > 0 { OVERLAP } else { 0 };
        Square::<AXIS>::cells((shared(self.y), AXIS), (shared(self.x), AXIS))
    }

    /// The outputs that the tile makes.
    #[inline(always)]
    pub(super) fn part(self, geometry: &Geometry) -> Part {
        let halvings = geometry.halvings();
        let [_, height, width] = geometry.block.output_shape();
        let (y, x, most) = (self.y >> halvings, self.x >> halvings, OUT >> halvings);
        let first = (self.image * height + y) * width + x;
        Part { first, rows: (height - y).min(most), columns: (width - x).min(most), width }
    }
}

/// A square of pixels, row by row, `SIDE` by `SIDE`, some of which may not be in the image.
#[derive(Clone, Copy)]
struct Square<const SIDE: usize> {
    /// The one at the upper left.
    first: usize,
    /// A bit for every pixel that is in the image.
    inside: u64,
}

impl<const SIDE: usize> Square<SIDE> {
    /// All of its pixels.
    const WHOLE: u64 = (1 << (SIDE * SIDE)) - 1;
    /// The first column.
    const COLUMN: u64 = Self::WHOLE / ((1 << SIDE) - 1);

    /// A bit for every pixel in some rows and columns: from one up to another.
    #[inline(always)]
    const fn cells((top, bottom): (usize, usize), (left, right): (usize, usize)) -> u64 {
        let rows = (1_u64 << (SIDE * bottom)) - (1 << (SIDE * top));
        (Self::COLUMN & rows) * ((1 << right) - (1 << left))
    }

    #[inline(always)]
    fn is_whole(self) -> bool {
        self.inside == Self::WHOLE
    }

    /// Where its numbers are from the first one on, `[row][column]`: computed once, since a tile is small work.
    #[inline(always)]
    fn offsets(width: usize, channels: usize) -> [[usize; SIDE]; SIDE] {
        let mut offsets = [[0; SIDE]; SIDE];
        for row in 0..SIDE {
            for column in 0..SIDE {
                offsets[row][column] = (row * width + column) * channels;
            }
        }
        offsets
    }

    /// What the source has of every pixel in the image, zero elsewhere.
    ///
    /// # Safety
    ///
    /// The source must have them, from the first one on.
    #[inline(always)]
    unsafe fn load<S: Simd>(
        self,
        s: S,
        offsets: &[[usize; SIDE]; SIDE],
        source: impl Source<S>,
    ) -> [[S::F; SIDE]; SIDE] {
        let mut found = [[s.splat(0.0); SIDE]; SIDE];
        let is_whole = self.is_whole();
        for row in 0..SIDE {
            for column in 0..SIDE {
                if is_whole || self.inside >> (SIDE * row + column) & 1 == 1 {
                    // SAFETY: the pixel is in the image, and the caller promises those.
                    found[row][column] = unsafe { source.load(s, offsets[row][column]) };
                }
            }
        }
        found
    }
}

/// Where vectors come from. Not a closure, which nobody can ask to be inlined: on its own it would be compiled without
/// the instruction set.
trait Source<S: Simd>: Copy {
    /// The vector so many numbers after the first one.
    ///
    /// # Safety
    ///
    /// It must be there.
    unsafe fn load(self, s: S, offset: usize) -> S::F;
}

impl<S: Simd> Source<S> for *const f32 {
    #[inline(always)]
    unsafe fn load(self, s: S, offset: usize) -> S::F {
        // SAFETY: as the caller promises.
        unsafe { s.load(self.wrapping_add(offset)) }
    }
}

/// Gradients of a vector of outputs and of those around it, of which some stop if they have codes.
#[derive(Clone, Copy)]
struct Gradients<'a, const CODES: bool> {
    outputs: Outputs<'a>,
    at: usize,
    left: usize,
}

impl<S: Simd, const CODES: bool> Source<S> for Gradients<'_, CODES> {
    #[inline(always)]
    unsafe fn load(self, s: S, offset: usize) -> S::F {
        let at = self.at + offset;
        // SAFETY: as the caller promises.
        unsafe { if CODES { self.outputs.at(s, at, self.left) } else { self.outputs.gradient_at(s, at, self.left) } }
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

impl Part {
    /// Whether the tile makes outputs of all of its pixels.
    #[inline(always)]
    pub(super) fn is_whole(self) -> bool {
        self.rows == OUT && self.columns == OUT
    }

    /// The same without pooling, as a square.
    #[inline(always)]
    fn square(self) -> Square<OUT> {
        Square { first: self.first, inside: Square::<OUT>::cells((0, self.rows), (0, self.columns)) }
    }
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
    let step = geometry.point_step(channels);
    let offsets = Square::<AXIS>::offsets(geometry.width, channels);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let under = place.under(geometry);
        for channel in (0..channels).step_by(S::LANES) {
            let from = images.wrapping_add(under.first.wrapping_mul(channels).wrapping_add(channel));
            // SAFETY: only pixels inside the image are read; the caller promises the room.
            unsafe {
                let pixels = under.load(s, &offsets, from);
                let found = minimal::both::<S, Image, AXIS, AXIS>(s, pixels);
                store_points(s, &found, points.add(tile * channels + channel), step);
            }
        }
    }
}

/// Stores the points of a tile, a vector of channels; in rows.
///
/// # Safety
///
/// They must be writable at `points`, each `step` numbers after the last.
#[inline(always)]
unsafe fn store_points<S: Simd>(s: S, found: &[[S::F; AXIS]; AXIS], points: *mut f32, step: usize) {
    for row in 0..AXIS {
        for column in 0..AXIS {
            // SAFETY: the caller promises the points.
            unsafe { s.store(points.add((row * AXIS + column) * step), found[row][column]) };
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
    let offsets = Square::<OUT>::offsets(geometry.block.output_shape()[2], channels);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let over = place.part(geometry).square();
        for channel in (0..padded).step_by(S::LANES) {
            let (at, left) = (over.first * channels + channel, channels.saturating_sub(channel));
            // SAFETY: the caller promises the outputs; loads stop at the last channel.
            unsafe {
                let gradients = if outputs.codes.is_empty() {
                    over.load(s, &offsets, Gradients::<false> { outputs, at, left })
                } else {
                    over.load(s, &offsets, Gradients::<true> { outputs, at, left })
                };
                let mut sum = s.load(bias.add(channel));
                for row in 0..OUT {
                    for column in 0..OUT {
                        sum = s.add(sum, gradients[row][column]);
                    }
                }
                s.store(bias.add(channel), sum);
                let found = minimal::both::<S, OutputBack, OUT, AXIS>(s, gradients);
                store_points(s, &found, points.add(tile * padded + channel), step);
            }
        }
    }
}

/// The new pixels of a tile with others above and to the left.
const INNER: u64 = Square::<AXIS>::cells((OVERLAP, AXIS), (OVERLAP, AXIS));

/// The gradient of the images from that of some tiles' points, `B n Bᵀ`: where tiles overlap, the first one's is
/// written and the others' are added.
///
/// # Safety
///
/// The tiles must be in `images`, and all earlier ones of the same image must have been written there; `points` must hold
/// them.
#[inline(always)]
pub(super) unsafe fn write_images<S: Simd>(
    s: S,
    geometry: &Geometry,
    points: *const f32,
    (first, count): (usize, usize),
    images: *mut f32,
) {
    let channels = geometry.grad_channels;
    let step = geometry.point_step(channels);
    let offsets = Square::<AXIS>::offsets(geometry.width, channels);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let (under, new) = (place.under(geometry), place.new_pixels());
        for channel in (0..channels).step_by(S::LANES) {
            let to = images.wrapping_add(under.first.wrapping_mul(channels).wrapping_add(channel));
            // SAFETY: only pixels inside the image are written; the caller promises the points.
            unsafe {
                let from = points.add(tile * channels + channel);
                let found = minimal::both::<S, ImageBack, AXIS, AXIS>(s, load_points(s, from, step));
                if under.is_whole() && new == INNER {
                    for row in 0..AXIS {
                        for column in 0..AXIS {
                            let to = to.wrapping_add(offsets[row][column]);
                            let is_new = row >= OVERLAP && column >= OVERLAP;
                            put(s, to, found[row][column], is_new);
                        }
                    }
                    continue;
                }
                for row in 0..AXIS {
                    for column in 0..AXIS {
                        let bit = AXIS * row + column;
                        if under.inside >> bit & 1 == 1 {
                            let to = to.wrapping_add(offsets[row][column]);
                            let is_new = new >> bit & 1 == 1;
                            put(s, to, found[row][column], is_new);
                        }
                    }
                }
            }
        }
    }
}

/// Writes a vector, or adds it to what is there already.
///
/// # Safety
///
/// The vector at `to` must be writable, and readable unless it is new.
#[inline(always)]
unsafe fn put<S: Simd>(s: S, to: *mut f32, value: S::F, is_new: bool) {
    // SAFETY: as the caller promises.
    unsafe { s.store(to, if is_new { value } else { s.add(s.load(to), value) }) }
}
