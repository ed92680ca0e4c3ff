//! An area of the original size, cut out of the image padded with zeros.

/// Cuts `image`, with rows of `width` pixels, out of itself surrounded by `padding` zeros on each side.
///
/// `(top, left)` is the corner of the cut in the padded image: `(padding, padding)` changes nothing.
pub(super) fn crop(image: &mut [f32], width: usize, padding: usize, (top, left): (usize, usize)) {
    move_by(image, padding, top, width);
    if left != padding {
        for row in image.chunks_exact_mut(width) {
            move_by(row, padding, left, 1);
        }
    }
}

/// Moves elements by `start − padding` strides towards the front, or back if negative; zeros follow.
fn move_by(elements: &mut [f32], padding: usize, start: usize, stride: usize) {
    let len = elements.len();
    let distance = (start.abs_diff(padding) * stride).min(len);
    if start > padding {
        elements.copy_within(distance.., 0);
        elements[len - distance..].fill(0.0);
    } else {
        elements.copy_within(..len - distance, distance);
        elements[..distance].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::float_cmp, reason = "pixels are moved, not computed")]
    fn check(padding: usize, corner: (usize, usize), expected: [f32; 6]) {
        let mut image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        crop(&mut image, 3, padding, corner);
        assert_eq!(image, expected, "padding {padding}, corner {corner:?}");
    }

    #[test]
    fn the_centre_is_the_image_itself() {
        check(0, (0, 0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        check(4, (4, 4), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn other_corners_move_the_image_and_bring_zeros_in() {
        check(1, (0, 0), [0.0, 0.0, 0.0, 0.0, 1.0, 2.0]);
        check(1, (2, 2), [5.0, 6.0, 0.0, 0.0, 0.0, 0.0]);
        check(2, (2, 1), [0.0, 1.0, 2.0, 0.0, 4.0, 5.0]);
        check(2, (3, 2), [4.0, 5.0, 6.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn padding_wider_than_the_image_can_leave_nothing() {
        check(5, (0, 5), [0.0; 6]);
        check(5, (5, 10), [0.0; 6]);
    }
}
