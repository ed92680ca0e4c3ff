//! A data set of six images, as IDX files.

pub(crate) const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// An IDX file of unsigned bytes.
pub(crate) fn idx(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let magic = 0x0800 + u32::try_from(dimensions.len()).expect("few dimensions");
    let words = [&[magic], dimensions].concat();
    [words.into_iter().flat_map(u32::to_be_bytes).collect(), elements.to_vec()].concat()
}

/// Four training and two test images of 2x3 pixels, in three classes.
pub(crate) fn files() -> [Vec<u8>; 4] {
    [
        idx(&[4, 2, 3], &(0..24).collect::<Vec<u8>>()),
        idx(&[4], &[0, 2, 1, 2]),
        idx(&[2, 2, 3], &(100..112).collect::<Vec<u8>>()),
        idx(&[2], &[1, 0]),
    ]
}
