//! Images that are worked on a few at a time, in parallel.

use rayon::prelude::*;

use crate::threads;

/// The codes of a part with a number, of parts with `len` codes each; none if there are none.
pub(crate) fn codes_of(codes: &[u8], part: usize, len: usize) -> &[u8] {
    codes.get(part * len..).map_or(&[], |rest| &rest[..len.min(rest.len())])
}

/// Calls `work` for every `together` images with the number of the first one, their numbers, and their part of the
/// output and of the codes. `input_len` and `output_len` are numbers of one image.
pub(crate) fn for_each_group(
    together: usize,
    (input, input_len): (&[f32], usize),
    (output, output_len): (&mut [f32], usize),
    codes: Option<&mut [u8]>,
    work: impl Fn(usize, &[f32], &mut [f32], Option<&mut [u8]>) + Sync,
) {
    let pairs = input.par_chunks(together * input_len).zip(output.par_chunks_mut(together * output_len));
    match codes {
        None => {
            threads::for_each(pairs.enumerate(), |(i, (input, output))| work(i * together, input, output, None));
        }
        Some(codes) => {
            let triples = pairs.zip(codes.par_chunks_mut(together * output_len)).enumerate();
            threads::for_each(triples, |(i, ((input, output), codes))| work(i * together, input, output, Some(codes)));
        }
    }
}
