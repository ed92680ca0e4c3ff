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

use super::SIDE;
use std::mem::MaybeUninit;

use super::geometry::Geometry;
use super::minimal::{self, Image, ImageBack, Output, OutputBack, Sink, Source, Steps};
use super::sparse::Outputs;
use crate::simd::Simd;

/// Rows and columns of pixels that neighbouring tiles share.
const OVERLAP: usize = SIDE - 1;

/// The side of pooling's windows.
pub(super) const WINDOW: usize = 2;

impl Geometry {
    /// How often pooling halves the sides of a tile.
    #[inline]
    fn halvings(&self) -> u32 {
        if self.pools() && !self.pools_later() { WINDOW.ilog2() } else { 0 }
    }

    /// Rows and columns of convolved pixels that outputs come from: pooling leaves out odd ones.
    #[inline]
    pub(super) fn convolved(&self) -> [usize; 2] {
        let [_, height, width] = self.block.output_shape();
        let window = if self.pools() { WINDOW } else { 1 };
        [height * window, width * window]
    }

    /// Tiles in an image: rows and columns.
    fn tiles(&self) -> [usize; 2] {
        self.convolved().map(|len| len.div_ceil(self.tile))
    }

    /// Tiles of some images.
    pub(super) fn num_tiles(&self, images: usize) -> usize {
        images * self.tiles().iter().product::<usize>()
    }

    /// Points of a tile.
    #[inline]
    pub(super) fn num_points(&self) -> usize {
        minimal::axis(self.tile).pow(2)
    }

    /// Products for every pair of channels of an image.
    pub(super) fn products(&self) -> usize {
        self.num_points() * self.num_tiles(1)
    }

    /// Tiles that are transformed together at most: their points stay in the second-level cache, unless so few would
    /// have more of the weights read than of the points.
    pub(super) fn tiles_together(&self) -> usize {
        const CACHE_NUMBERS: usize = 64 << 10;
        let (inputs, outputs) = (self.channels, self.out_channels());
        let cached = CACHE_NUMBERS / (self.num_points() * (inputs + outputs));
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
        self.num_points() * (self.point_step(self.channels) + self.point_step(self.out_channels()))
    }

    /// Numbers of some images' outputs that are pooled later.
    pub(super) fn convolved_len(&self, images: usize) -> usize {
        let pixels =
            if self.transforms_forward() && self.pools_later() { self.convolved().iter().product() } else { 0 };
        images * pixels * self.block.out_channels
    }

    /// Numbers that the backward pass needs for the tiles of one time.
    pub(super) fn backward_work_len(&self) -> usize {
        self.num_points() * (2 * self.point_step(self.channels) + self.point_step(self.out_channels()))
    }

    /// Where some tiles of a few images are. Only the first one is worth a division.
    #[inline(always)]
    pub(super) fn places(&self, first: usize, count: usize) -> impl Iterator<Item = Place> {
        let [rows, columns] = self.tiles();
        let side = self.tile;
        let in_image = first % (rows * columns);
        let mut next =
            Place { image: first / (rows * columns), y: side * (in_image / columns), x: side * (in_image % columns) };
        (0..count).map(move |_| {
            let place = next;
            next.x += side;
            if next.x == side * columns {
                (next.x, next.y) = (0, next.y + side);
            }
            if next.y == side * rows {
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
    fn under<const AXIS: usize>(self, geometry: &Geometry) -> Square<AXIS> {
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
    fn new_pixels<const AXIS: usize>(self) -> u64 {
        let shared = |at: usize| if at > 0 { OVERLAP } else { 0 };
        Square::<AXIS>::cells((shared(self.y), AXIS), (shared(self.x), AXIS))
    }

    /// The outputs that the tile makes.
    #[inline(always)]
    pub(super) fn part(self, geometry: &Geometry) -> Part {
        let halvings = geometry.halvings();
        let [height, width] = geometry.convolved().map(|len| len >> halvings);
        let (y, x, most) = (self.y >> halvings, self.x >> halvings, geometry.tile >> halvings);
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

    #[inline(always)]
    fn has(self, row: usize, column: usize) -> bool {
        self.inside >> (SIDE * row + column) & 1 == 1
    }
}

/// Vectors of pixels under a tile.
#[derive(Clone, Copy)]
struct Pixels<'a, P, const SIDE: usize> {
    first: P,
    offsets: &'a [[usize; SIDE]; SIDE],
}

impl<S: Simd, const SIDE: usize> Source<S> for Pixels<'_, *const f32, SIDE> {
    #[inline(always)]
    unsafe fn load(self, s: S, row: usize, column: usize) -> S::F {
        // SAFETY: as the caller promises.
        unsafe { s.load(self.first.wrapping_add(self.offsets[row][column])) }
    }
}

/// Those that are in the image, zero elsewhere.
#[derive(Clone, Copy)]
struct Inside<T, const SIDE: usize>(T, Square<SIDE>);

impl<S: Simd, T: Source<S>, const SIDE: usize> Source<S> for Inside<T, SIDE> {
    #[inline(always)]
    unsafe fn load(self, s: S, row: usize, column: usize) -> S::F {
        // SAFETY: as the caller promises of those.
        if self.1.has(row, column) { unsafe { self.0.load(s, row, column) } } else { s.splat(0.0) }
    }
}

/// Gradients of a vector of outputs and of those around it, of which some stop if they have codes.
#[derive(Clone, Copy)]
struct Gradients<'a, const SIDE: usize, const CODES: bool> {
    outputs: Outputs<'a>,
    at: usize,
    left: usize,
    offsets: &'a [[usize; SIDE]; SIDE],
}

impl<S: Simd, const SIDE: usize, const CODES: bool> Source<S> for Gradients<'_, SIDE, CODES> {
    #[inline(always)]
    unsafe fn load(self, s: S, row: usize, column: usize) -> S::F {
        let at = self.at + self.offsets[row][column];
        // SAFETY: as the caller promises.
        unsafe { if CODES { self.outputs.at(s, at, self.left) } else { self.outputs.gradient_at(s, at, self.left) } }
    }
}

/// The gradients of pixels under a tile: where tiles overlap, the first one's is written and the others' are added.
#[derive(Clone, Copy)]
struct Added<'a, const SIDE: usize> {
    pixels: Pixels<'a, *mut f32, SIDE>,
    /// Those in the image, and those under no tile before.
    inside: Square<SIDE>,
    new: u64,
}

impl<S: Simd, const SIDE: usize> Sink<S> for Added<'_, SIDE> {
    #[inline(always)]
    unsafe fn store(self, s: S, row: usize, column: usize, value: S::F) {
        if !self.inside.has(row, column) {
            return;
        }
        let to = self.pixels.first.wrapping_add(self.pixels.offsets[row][column]);
        let is_new = self.new >> (SIDE * row + column) & 1 == 1;
        // SAFETY: as the caller promises of those inside.
        unsafe { s.store(to, if is_new { value } else { s.add(s.load(to), value) }) }
    }
}

/// The same for a tile with others above and to the left, all of whose pixels are in the image.
#[derive(Clone, Copy)]
struct AddedInner<'a, const SIDE: usize>(Pixels<'a, *mut f32, SIDE>);

impl<S: Simd, const SIDE: usize> Sink<S> for AddedInner<'_, SIDE> {
    #[inline(always)]
    unsafe fn store(self, s: S, row: usize, column: usize, value: S::F) {
        let to = self.0.first.wrapping_add(self.0.offsets[row][column]);
        let is_new = row >= OVERLAP && column >= OVERLAP;
        // SAFETY: as the caller promises.
        unsafe { s.store(to, if is_new { value } else { s.add(s.load(to), value) }) }
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
    pub(super) fn is_whole<const OUT: usize>(self) -> bool {
        self.rows == OUT && self.columns == OUT
    }

    /// The same without pooling, as a square.
    #[inline(always)]
    fn square<const OUT: usize>(self) -> Square<OUT> {
        Square { first: self.first, inside: Square::<OUT>::cells((0, self.rows), (0, self.columns)) }
    }
}

/// Points of the images under some tiles, `Bᵀ d B`, as `[point][tile][channel]`.
///
/// # Safety
///
/// The tiles must be in `images`; `points` must hold a step for every point.
#[inline(always)]
pub(super) unsafe fn image_points<S: Simd, const AXIS: usize>(
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
        let under = place.under::<AXIS>(geometry);
        for channel in (0..channels).step_by(S::LANES) {
            let from = images.wrapping_add(under.first.wrapping_mul(channels).wrapping_add(channel));
            // SAFETY: only pixels inside the image are read; the caller promises the room.
            unsafe {
                let pixels = Pixels { first: from, offsets: &offsets };
                let to = Steps::<_, AXIS> { first: points.add(tile * channels + channel), step };
                if under.is_whole() {
                    minimal::both::<S, Image, AXIS, AXIS>(s, pixels, to);
                } else {
                    minimal::both::<S, Image, AXIS, AXIS>(s, Inside(pixels, under), to);
                }
            }
        }
    }
}

/// A square of vectors, in rows.
#[derive(Clone, Copy)]
struct Vectors<F, const SIDE: usize>(*mut F);

impl<S: Simd, const SIDE: usize> Sink<S> for Vectors<S::F, SIDE> {
    #[inline(always)]
    unsafe fn store(self, _s: S, row: usize, column: usize, value: S::F) {
        // SAFETY: as the caller promises.
        unsafe { self.0.add(row * SIDE + column).write(value) }
    }
}

/// The outputs of a tile from its points, a vector of channels; in rows.
///
/// # Safety
///
/// The points of a vector must be readable at `points`, each `step` numbers after the last.
#[inline(always)]
pub(super) unsafe fn outputs<S: Simd, const OUT: usize, const AXIS: usize>(
    s: S,
    points: *const f32,
    step: usize,
) -> [[S::F; OUT]; OUT] {
    let mut found = [[MaybeUninit::<S::F>::uninit(); OUT]; OUT];
    // SAFETY: the caller promises the points, and all outputs are written.
    unsafe {
        let from = Steps::<_, AXIS> { first: points, step };
        let to = found.as_mut_ptr().cast();
        minimal::both::<S, Output, AXIS, OUT>(s, from, Vectors::<_, OUT>(to));
        found.as_ptr().cast::<[[S::F; OUT]; OUT]>().read()
    }
}

/// Points of the gradients at some tiles, `A g Aᵀ`, as `[point][tile][out channel]`, and the sums of the
/// gradients to `bias`. The gradients are without pooling.
///
/// # Safety
///
/// The tiles must be in the outputs; `points` must hold a step for every point, `bias` a padded row.
#[inline(always)]
pub(super) unsafe fn gradient_points<S: Simd, const OUT: usize, const AXIS: usize>(
    s: S,
    geometry: &Geometry,
    outputs: Outputs<'_>,
    (first, count): (usize, usize),
    points: *mut f32,
    bias: *mut f32,
) {
    let (channels, padded) = (geometry.block.out_channels, geometry.out_channels());
    let step = geometry.point_step(padded);
    let offsets = Square::<OUT>::offsets(geometry.convolved()[1], channels);
    for (tile, place) in geometry.places(first, count).enumerate() {
        let over = place.part(geometry).square::<OUT>();
        for channel in (0..padded).step_by(S::LANES) {
            let (at, left) = (over.first * channels + channel, channels.saturating_sub(channel));
            // SAFETY: the caller promises the outputs; loads stop at the last channel.
            unsafe {
                let offsets = &offsets;
                let to = Steps::<_, AXIS> { first: points.add(tile * padded + channel), step };
                let bias = bias.add(channel);
                if !outputs.codes.is_empty() {
                    let gradients = Gradients::<OUT, true> { outputs, at, left, offsets };
                    back::<S, OUT, AXIS>(s, Inside(gradients, over), to, bias);
                    continue;
                }
                let gradients = Gradients::<OUT, false> { outputs, at, left, offsets };
                if over.is_whole() {
                    back::<S, OUT, AXIS>(s, gradients, to, bias);
                } else {
                    back::<S, OUT, AXIS>(s, Inside(gradients, over), to, bias);
                }
            }
        }
    }
}

/// The points of one tile's gradients, whose sum goes to `bias`.
///
/// # Safety
///
/// All of it must be there.
#[inline(always)]
unsafe fn back<S: Simd, const OUT: usize, const AXIS: usize>(
    s: S,
    gradients: impl Source<S>,
    to: Steps<*mut f32, AXIS>,
    bias: *mut f32,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sum = s.load(bias);
        for row in 0..OUT {
            for column in 0..OUT {
                sum = s.add(sum, gradients.load(s, row, column));
            }
        }
        s.store(bias, sum);
        minimal::both::<S, OutputBack, OUT, AXIS>(s, gradients, to);
    }
}

/// The gradient of the images from that of some tiles' points, `B n Bᵀ`: where tiles overlap, the first one's is
/// written and the others' are added.
///
/// # Safety
///
/// The tiles must be in `images`, and all earlier ones of the same image must have been written there; `points` must hold
/// them.
#[inline(always)]
pub(super) unsafe fn write_images<S: Simd, const AXIS: usize>(
    s: S,
    geometry: &Geometry,
    points: *const f32,
    (first, count): (usize, usize),
    images: *mut f32,
) {
    let channels = geometry.grad_channels;
    let step = geometry.point_step(channels);
    let offsets = Square::<AXIS>::offsets(geometry.width, channels);
    // The new pixels of a tile with others above and to the left.
    let inner = const { Square::<AXIS>::cells((OVERLAP, AXIS), (OVERLAP, AXIS)) };
    for (tile, place) in geometry.places(first, count).enumerate() {
        let (under, new) = (place.under::<AXIS>(geometry), place.new_pixels::<AXIS>());
        for channel in (0..channels).step_by(S::LANES) {
            let to = images.wrapping_add(under.first.wrapping_mul(channels).wrapping_add(channel));
            // SAFETY: only pixels inside the image are written; the caller promises the points.
            unsafe {
                let from = Steps::<_, AXIS> { first: points.add(tile * channels + channel), step };
                let pixels = Pixels { first: to, offsets: &offsets };
                if under.is_whole() && new == inner {
                    minimal::both::<S, ImageBack, AXIS, AXIS>(s, from, AddedInner(pixels));
                } else {
                    minimal::both::<S, ImageBack, AXIS, AXIS>(s, from, Added { pixels, inside: under, new });
                }
            }
        }
    }
}
