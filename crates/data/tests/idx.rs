//! Only whole and right IDX files are read; anything else is a typed error, never a panic.

use std::io::{Cursor, Read};

use data::{IdxError, Images, read_images, read_labels};
use proptest::prelude::*;

/// A file with this magic, these dimensions and these elements.
fn idx(magic: u32, dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let words = [&[magic], dimensions].concat();
    [words.into_iter().flat_map(u32::to_be_bytes).collect(), elements.to_vec()].concat()
}

fn check(bytes: &[u8], message: &str) {
    let error = read_images(bytes).expect_err(message);
    assert_eq!(error.to_string(), message);
}

#[test]
fn reads_images_in_row_major_order() {
    let bytes = idx(2051, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    let expected = Images { count: 2, height: 1, width: 3, pixels: vec![1, 2, 3, 4, 5, 6] };
    assert_eq!(read_images(&bytes[..]).expect("it is well-formed"), expected);
}

#[test]
fn reads_labels() {
    let bytes = idx(2049, &[3], &[9, 0, 255]);
    assert_eq!(read_labels(&bytes[..]).expect("it is well-formed"), [9, 0, 255]);
}

#[test]
fn rejects_files_of_another_kind() {
    check(b"<!DOCTYPE html>", r#"expected an IDX file, found one that begins with "<!DO""#);
    check(&idx(2049, &[1], &[0]), "expected magic 2051 (0x00000803), found 2049 (0x00000801)");
    check(&idx(0x0D03, &[1, 1, 1], &[0; 4]), "expected magic 2051 (0x00000803), found 3331 (0x00000d03)");
    let labels = read_labels(&idx(2051, &[1, 1, 1], &[0])[..]).expect_err("these are images");
    assert!(matches!(labels, IdxError::Magic { expected: 2049, found: 2051 }));
}

#[test]
fn rejects_truncated_headers() {
    let whole = idx(2051, &[1, 1, 1], &[]);
    for length in 0..16 {
        check(&whole[..length], &format!("expected a header of 16 bytes, found {length}"));
    }
}

#[test]
fn rejects_truncated_and_trailing_elements() {
    check(&idx(2051, &[2, 2, 2], &[0; 7]), "expected 8 bytes after the header, found 7");
    check(&idx(2051, &[2, 2, 2], &[0; 9]), "expected 8 bytes after the header, found more");
    let labels = read_labels(&idx(2049, &[3], &[1, 2])[..]).expect_err("one is missing");
    assert!(matches!(labels, IdxError::Truncated { expected: 3, found: 2 }));
}

#[test]
fn rejects_empty_dimensions() {
    check(&idx(2051, &[0, 28, 28], &[]), "expected dimension 1 to be at least 1, found 0");
    check(&idx(2051, &[1, 28, 0], &[]), "expected dimension 3 to be at least 1, found 0");
}

#[test]
fn rejects_sizes_beyond_all_bounds_without_reserving_memory() {
    check(&idx(2051, &[u32::MAX; 3], &[]), "expected at most 1073741824 elements, found 79228162458924105385300197375");
    let a_little_more = [1 << 20, 1, (1 << 10) + 1];
    check(&idx(2051, &a_little_more, &[]), "expected at most 1073741824 elements, found 1074790400");
    // A size within the bounds is not believed either before the bytes are there.
    check(&idx(2051, &[1 << 20, 1, 1 << 10], &[]), "expected 1073741824 bytes after the header, found 0");
}

#[test]
fn an_endless_file_is_not_read_on() {
    let header = Cursor::new(idx(2051, &[4, 8, 8], &[]));
    let error = read_images(header.chain(std::io::repeat(7))).expect_err("it never ends");
    assert!(matches!(error, IdxError::Trailing { expected: 256 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_image_file_is_read_back(
        (count, height, width, pixels) in (1u8..5, 1u8..5, 1u8..5).prop_flat_map(|(n, h, w)| {
            let size = usize::from(n) * usize::from(h) * usize::from(w);
            (Just(n), Just(h), Just(w), proptest::collection::vec(any::<u8>(), size))
        })
    ) {
        let bytes = idx(2051, &[count.into(), height.into(), width.into()], &pixels);
        let images = read_images(&bytes[..]).expect("it is well-formed");
        let found = (images.count, images.height, images.width);
        prop_assert_eq!(found, (count.into(), height.into(), width.into()));
        prop_assert_eq!(images.pixels, pixels);
    }

    #[test]
    fn any_other_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        // Random bytes begin like an IDX file once in four billion times.
        prop_assert!(read_images(&bytes[..]).is_err());
        prop_assert!(read_labels(&bytes[..]).is_err());
    }

    #[test]
    fn a_changed_header_is_never_silently_accepted(at in 0usize..16, value: u8) {
        let mut bytes = idx(2051, &[2, 2, 2], &[1; 8]);
        let changed = bytes[at] != value;
        bytes[at] = value;
        // Dimensions whose product stays 8 are the only other way to read these bytes.
        match read_images(&bytes[..]) {
            Ok(images) => prop_assert!(!changed || images.count * images.height * images.width == 8),
            Err(_) => prop_assert!(changed),
        }
    }
}
