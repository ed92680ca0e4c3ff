//! Between the order of the caller's images and that of the kernels.

use super::Layout;
use super::geometry::Geometry;

/// Copies images to channels last, with zeros at the border and in the added channels.
pub(super) fn pack_images(geometry: &Geometry, images: &[f32], packed: &mut [f32]) {
    let block = &geometry.block;
    if geometry.border > 0 || geometry.channels > block.in_channels {
        packed.fill(0.0);
    }
    let pairs = images.chunks_exact(block.input_len()).zip(packed.chunks_exact_mut(geometry.image_len()));
    for (image, packed) in pairs {
        for_each_row(geometry, geometry.channels, |row, at| {
            if block.input_layout == Layout::ChannelsLast && geometry.channels == block.in_channels {
                let len = block.width * block.in_channels;
                return packed[at..at + len].copy_from_slice(&image[row * len..][..len]);
            }
            let packed = &mut packed[at..at + block.width * geometry.channels];
            for (x, pixel) in packed.chunks_exact_mut(geometry.channels).enumerate() {
                for (channel, value) in pixel[..block.in_channels].iter_mut().enumerate() {
                    *value = image[index(geometry, row, x, channel)];
                }
            }
        });
    }
}

/// Copies the gradients of images back to the caller's order, leaving out what was added.
pub(super) fn unpack_images(geometry: &Geometry, packed: &[f32], images: &mut [f32]) {
    let block = &geometry.block;
    let pairs = images.chunks_exact_mut(block.input_len()).zip(packed.chunks_exact(geometry.grad_image_len()));
    for (image, packed) in pairs {
        for_each_row(geometry, geometry.grad_channels, |row, at| {
            if block.input_layout == Layout::ChannelsLast && geometry.grad_channels == block.in_channels {
                let len = block.width * block.in_channels;
                return image[row * len..][..len].copy_from_slice(&packed[at..at + len]);
            }
            let packed = &packed[at..at + block.width * geometry.grad_channels];
            for (x, pixel) in packed.chunks_exact(geometry.grad_channels).enumerate() {
                for (channel, &value) in pixel[..block.in_channels].iter().enumerate() {
                    image[index(geometry, row, x, channel)] = value;
                }
            }
        });
    }
}

/// Calls `f` with each row of the image and where its first pixel is among the bordered ones.
fn for_each_row(geometry: &Geometry, channels: usize, mut f: impl FnMut(usize, usize)) {
    for row in 0..geometry.block.height {
        f(row, ((row + geometry.border) * geometry.width + geometry.border) * channels);
    }
}

/// Where a number of an image is in the caller's order.
#[inline]
fn index(geometry: &Geometry, y: usize, x: usize, channel: usize) -> usize {
    let block = &geometry.block;
    match block.input_layout {
        Layout::ChannelsFirst => (channel * block.height + y) * block.width + x,
        Layout::ChannelsLast => (y * block.width + x) * block.in_channels + channel,
    }
}
