//! The inner loops of the forward pass: tiles of outputs that stay in registers from the bias to the dropout, or that
//! come from points.

#![expect(
    clippy::inline_always,
    reason = "vectors must never cross a call: the caller alone is compiled with the instruction set"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "rows and vectors of a tile are counted alike in registers and in memory"
)]

use super::forward::Task;
use super::minimal::by_side;
use super::points::{self, Part, WINDOW};
use super::{Pool, SIDE, grey};
use crate::ending::Ending;
use crate::isa::Kernel;
use crate::simd::Simd;
use crate::tile::{self, Panels, Start, Tile, accumulate, by_rows};

/// A few images whose every output is computed by one thread.
pub(super) struct Group<'a> {
    pub(super) task: &'a Task<'a>,
    /// Channels last, with the geometry's border.
    pub(super) input: &'a [f32],
    /// Room for the points of tiles.
    work: &'a mut [f32],
    /// Room for what is pooled later, channels last.
    convolved: &'a mut [f32],
    /// Outputs per channel, of all images.
    pub(super) units: usize,
    pub(super) first_sample: usize,
    /// The sample that is being worked on, how its outputs end, and the first output after it.
    sample: usize,
    ending: Ending,
    sample_end: usize,
    /// Channels last.
    pub(super) output: &'a mut [f32],
    pub(super) codes: Option<&'a mut [u8]>,
}

impl<'a> Group<'a> {
    pub(super) fn new(
        task: &'a Task<'a>,
        input: &'a [f32],
        (work, convolved): (&'a mut [f32], &'a mut [f32]),
        units: usize,
        first_sample: usize,
        output: &'a mut [f32],
        codes: Option<&'a mut [u8]>,
    ) -> Self {
        Self {
            task,
            input,
            work,
            convolved,
            units,
            first_sample,
            sample: first_sample,
            ending: task.ending(first_sample),
            sample_end: 0,
            output,
            codes,
        }
    }
}

impl Kernel for Group<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let geometry = &self.task.geometry;
        let images = self.units / geometry.units;
        // The addresses below follow from these lengths.
        assert!(self.input.len() == images * geometry.image_len() && S::LANES == geometry.lanes);
        assert!(self.output.len() == images * geometry.block.output_len());
        assert!(self.codes.as_ref().is_none_or(|codes| codes.len() == self.output.len()));
        if geometry.transforms_forward() {
            assert!(self.work.len() == geometry.forward_work_len());
            assert!(self.convolved.len() == geometry.convolved_len(images));
            // SAFETY: the lengths are right.
            return unsafe { by_side!(geometry.tile, OUT, AXIS => self.transformed::<S, OUT, AXIS>(s)) };
        }
        assert!(self.task.offsets.len() >= self.units * geometry.unit_pixels);
        for block in 0..geometry.out_channels() / geometry.columns {
            // SAFETY: the lengths are right, and there is a panel of weights for every block.
            unsafe {
                match (geometry.columns == S::LANES, geometry.channels) {
                    // Grey images are common, and their loops of three terms worth unrolling where all of it stays in
                    // registers.
                    (false, 1) if S::WIDE => self.block::<S, 2, 1>(s, block),
                    (true, _) => self.block::<S, 1, 0>(s, block),
                    (false, _) => self.block::<S, 2, 0>(s, block),
                }
            }
        }
    }
}

impl Group<'_> {
    /// One block of columns. `C` is the number of channels where the compiler is to know it, else 0.
    #[inline(always)]
    unsafe fn block<S: Simd, const Q: usize, const C: usize>(&mut self, s: S, block: usize) {
        self.rewind();
        // SAFETY: as the caller promises.
        unsafe {
            match self.task.geometry.block.pool {
                Pool::Max2 if C == 1 => grey::windows::<S, Q>(s, self, block),
                Pool::None => self.pixels::<S, Q, C>(s, block),
                Pool::Max2 => self.windows::<S, Q>(s, block),
            }
        }
    }

    /// All columns by way of the points of tiles.
    #[inline(always)]
    unsafe fn transformed<S: Simd, const OUT: usize, const AXIS: usize>(&mut self, s: S) {
        const { assert!(AXIS == OUT + SIDE - 1) };
        let task = self.task;
        let geometry = &task.geometry;
        let (channels, padded) = (geometry.channels, geometry.out_channels());
        let (image_step, output_step) = (geometry.point_step(channels), geometry.point_step(padded));
        let weight_step = geometry.weights_len() / geometry.num_points();
        let images = self.input.as_ptr();
        let image_points = self.work.as_mut_ptr();
        self.rewind();
        for (first, count) in geometry.shares(self.units / geometry.units) {
            // SAFETY: `run` has checked the lengths that these addresses follow from.
            unsafe {
                let output_points = image_points.add(geometry.num_points() * image_step);
                points::image_points::<S, AXIS>(s, geometry, images, (first, count), image_points);
                for point in 0..geometry.num_points() {
                    let right = Panels {
                        first: task.weights.as_ptr().add(point * weight_step),
                        panel_step: geometry.columns * channels,
                        row_step: geometry.columns,
                        columns: geometry.columns,
                    };
                    let left = (image_points.add(point * image_step).cast_const(), channels, 1);
                    let result = (output_points.add(point * output_step), padded, padded);
                    tile::multiply(s, (count, channels), left, right, result, Start::Zero);
                }
                for (tile, place) in geometry.places(first, count).enumerate() {
                    let part = place.part(geometry);
                    for channel in (0..geometry.block.out_channels).step_by(S::LANES) {
                        let from = output_points.add(tile * padded + channel);
                        let mut values = points::outputs::<S, OUT, AXIS>(s, from, output_step);
                        let bias = s.load(task.bias.as_ptr().add(channel));
                        for row in 0..OUT {
                            for column in 0..OUT {
                                values[row][column] = s.add(values[row][column], bias);
                            }
                        }
                        self.finish_tile(s, channel, part, values);
                    }
                }
            }
        }
        if geometry.pools_later() {
            // SAFETY: all tiles are done.
            unsafe { self.pool_convolved(s) };
        }
    }

    /// Pools what the tiles have left, an output at a time.
    #[inline(always)]
    unsafe fn pool_convolved<S: Simd>(&mut self, s: S) {
        let geometry = &self.task.geometry;
        let channels = geometry.block.out_channels;
        let [_, _, width] = geometry.block.output_shape();
        let row = WINDOW * width * channels;
        let mut window = self.convolved.as_ptr();
        for unit_row in 0..self.units / width {
            for unit in unit_row * width..(unit_row + 1) * width {
                self.enter(unit);
                for channel in (0..channels).step_by(S::LANES) {
                    let left = channels - channel;
                    // SAFETY: every output has a window of convolved ones, of which loads stop at the last channel.
                    unsafe {
                        let at = window.add(channel);
                        let values = [
                            s.load_some(at, left),
                            s.load_some(at.add(channels), left),
                            s.load_some(at.add(row), left),
                            s.load_some(at.add(row + channels), left),
                        ];
                        let (value, code) = largest(s, values);
                        self.finish_one(s, channel, unit, value, code);
                    }
                }
                window = window.wrapping_add(WINDOW * channels);
            }
            window = window.wrapping_add(row);
        }
    }

    /// The outputs of a tile.
    #[inline(always)]
    unsafe fn finish_tile<S: Simd, const OUT: usize>(
        &mut self,
        s: S,
        channel: usize,
        part: Part,
        values: [[S::F; OUT]; OUT],
    ) {
        let geometry = &self.task.geometry;
        let block = &geometry.block;
        let (pool, channels) = (block.pool, block.out_channels);
        if geometry.pools_later() {
            // SAFETY: the part is in the convolved images.
            return unsafe { put_tile(s, self.convolved.as_mut_ptr().add(channel), part, channels, channel, &values) };
        }
        self.enter(part.first);
        if pool == Pool::None && self.ending.is_nothing() && part.is_whole::<OUT>() {
            // As most tiles of a batch norm's input are: nothing but stores.
            // SAFETY: the part is in the output.
            return unsafe { put_tile(s, self.output.as_mut_ptr().add(channel), part, channels, channel, &values) };
        }
        for row in 0..OUT {
            for column in 0..OUT {
                if row < part.rows && column < part.columns {
                    let (value, code) = match pool {
                        Pool::None => (values[row][column], s.u_splat(0)),
                        Pool::Max2 if row < OUT / WINDOW && column < OUT / WINDOW => {
                            let (upper, left) = (WINDOW * row, WINDOW * column);
                            let [above, below] = [values[upper], values[upper + 1]];
                            largest(s, [above[left], above[left + 1], below[left], below[left + 1]])
                        }
                        Pool::Max2 => continue,
                    };
                    let unit = part.first + row * part.width + column;
                    // SAFETY: as the caller promises.
                    unsafe { self.finish_one(s, channel, unit, value, code) };
                }
            }
        }
    }

    fn rewind(&mut self) {
        self.sample = self.first_sample;
        self.sample_end = self.task.geometry.units;
        self.start_sample();
    }

    fn start_sample(&mut self) {
        self.ending = self.task.ending(self.sample);
    }

    /// One block of columns without pooling: a row of a tile is an output.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const Q: usize, const C: usize>(&mut self, s: S, block: usize) {
        let mut unit = 0;
        while unit < self.units {
            // SAFETY: no tile has more rows than outputs are left.
            unit += unsafe { by_rows!(S, self.units - unit, P => self.pixel_tile::<S, P, Q, C>(s, block, unit)) };
        }
    }

    #[inline(always)]
    unsafe fn pixel_tile<S: Simd, const P: usize, const Q: usize, const C: usize>(
        &mut self,
        s: S,
        block: usize,
        unit: usize,
    ) -> usize {
        // SAFETY: the caller promises `P` outputs from `unit` on.
        unsafe {
            let tile = self.convolve::<S, P, Q, C>(s, block, unit);
            for p in 0..P {
                self.finish::<S, Q>(s, block, unit + p, tile[p], [s.u_splat(0); Q]);
            }
        }
        P
    }

    /// One block of columns with pooling: four rows of a tile are an output.
    #[inline(always)]
    unsafe fn windows<S: Simd, const Q: usize>(&mut self, s: S, block: usize) {
        let mut unit = 0;
        while unit < self.units {
            let left = self.units - unit;
            // SAFETY: no tile has more windows than outputs are left.
            unit += unsafe {
                match left {
                    3.. if S::WIDE => self.window_tile::<S, 12, Q>(s, block, unit),
                    2.. if S::WIDE => self.window_tile::<S, 8, Q>(s, block, unit),
                    _ => self.window_tile::<S, 4, Q>(s, block, unit),
                }
            };
        }
    }

    #[inline(always)]
    unsafe fn window_tile<S: Simd, const P: usize, const Q: usize>(
        &mut self,
        s: S,
        block: usize,
        unit: usize,
    ) -> usize {
        // SAFETY: the caller promises `P / 4` outputs from `unit` on.
        unsafe {
            let tile = self.convolve::<S, P, Q, 0>(s, block, 4 * unit);
            for window in 0..P / 4 {
                let (mut best, mut index) = (tile[4 * window], [s.u_splat(0); Q]);
                for q in 0..Q {
                    let at = |position: usize| tile[4 * window + position][q];
                    (best[q], index[q]) = largest(s, [at(0), at(1), at(2), at(3)]);
                }
                self.finish::<S, Q>(s, block, unit + window, best, index);
            }
        }
        P / 4
    }

    /// The convolution with its bias at `P` pixels.
    #[inline(always)]
    unsafe fn convolve<S: Simd, const P: usize, const Q: usize, const C: usize>(
        &self,
        s: S,
        block: usize,
        first: usize,
    ) -> Tile<S, P, Q> {
        let geometry = &self.task.geometry;
        let channels = if C == 0 { geometry.channels } else { C };
        let row_len = SIDE * channels;
        // SAFETY: the caller promises `P` pixels; every pixel has its three rows of three pixels inside the
        // bordered image, and a panel holds the weights of all of them.
        unsafe {
            let bias = self.task.bias.as_ptr().add(block * geometry.columns);
            let mut tile = [[s.splat(0.0); Q]; P];
            for q in 0..Q {
                let bias = s.load(bias.add(q * S::LANES));
                for row in &mut tile {
                    row[q] = bias;
                }
            }
            let mut pixels = [self.input.as_ptr(); P];
            for (p, pixel) in pixels.iter_mut().enumerate() {
                *pixel = pixel.add(*self.task.offsets.get_unchecked(first + p) as usize);
            }
            let mut weights = self.task.weights.as_ptr().add(block * geometry.filter_len() * geometry.columns);
            for _ in 0..SIDE {
                accumulate::<S, P, Q>(s, &mut tile, row_len, (pixels, 1), (weights, Q * S::LANES));
                weights = weights.wrapping_add(row_len * Q * S::LANES);
                for pixel in &mut pixels {
                    *pixel = pixel.wrapping_add(geometry.width * channels);
                }
            }
            tile
        }
    }

    /// Activates, drops out and stores one output's channels of a block.
    #[inline(always)]
    unsafe fn finish<S: Simd, const Q: usize>(
        &mut self,
        s: S,
        block: usize,
        unit: usize,
        values: [S::F; Q],
        indices: [S::U; Q],
    ) {
        let geometry = &self.task.geometry;
        self.enter(unit);
        for q in 0..Q {
            let channel = block * geometry.columns + q * S::LANES;
            if channel >= geometry.block.out_channels {
                return;
            }
            // SAFETY: as the caller promises.
            unsafe { self.finish_one(s, channel, unit, values[q], indices[q]) };
        }
    }

    /// Goes on to the next sample where an output is the first of it.
    #[inline(always)]
    fn enter(&mut self, unit: usize) {
        if unit >= self.sample_end {
            self.sample += 1;
            self.sample_end += self.task.geometry.units;
            self.start_sample();
        }
    }

    /// Activates, drops out and stores a vector of one output's channels, of the sample that is worked on.
    #[inline(always)]
    unsafe fn finish_one<S: Simd>(&mut self, s: S, channel: usize, unit: usize, value: S::F, code: S::U) {
        let geometry = &self.task.geometry;
        let channels = geometry.block.out_channels;
        let element = (unit + geometry.units - self.sample_end) * channels + channel;
        let (value, code) = self.ending.apply(s, self.ending.kept(s, element), value, code);
        let at = unit * channels + channel;
        // SAFETY: the caller promises the unit; as many channels are left as are stored.
        unsafe {
            s.store_some(self.output.as_mut_ptr().add(at), value, channels - channel);
            if let Some(codes) = &mut self.codes {
                s.store_some_bytes(codes.as_mut_ptr().add(at), code, channels - channel);
            }
        }
    }
}

/// Stores a vector of channels of the outputs of a tile.
///
/// # Safety
///
/// All of them must be writable: `to` is the vector of the first output of all.
#[inline(always)]
unsafe fn put_tile<S: Simd, const OUT: usize>(
    s: S,
    to: *mut f32,
    part: Part,
    channels: usize,
    channel: usize,
    values: &[[S::F; OUT]; OUT],
) {
    for row in 0..OUT {
        for column in 0..OUT {
            if row < part.rows && column < part.columns {
                let at = (part.first + row * part.width + column) * channels;
                // SAFETY: as the caller promises.
                unsafe { s.store_some(to.add(at), values[row][column], channels - channel) };
            }
        }
    }
}

/// The largest of a window's four values and which one it is, of equals the first.
#[inline(always)]
pub(super) fn largest<S: Simd>(s: S, values: [S::F; 4]) -> (S::F, S::U) {
    let (mut best, mut index) = (values[0], s.u_splat(0));
    for position in 1..4 {
        let value = values[position];
        index = s.u_select(s.gt(value, best), s.u_splat([0, 1, 2, 3][position]), index);
        // `best` second: if it is not a number, it stays.
        best = s.max(value, best);
    }
    (best, index)
}
