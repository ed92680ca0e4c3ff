//! t-SNE: places samples so that those that are near each other stay so (van der Maaten and Hinton, 2008;
//! Barnes-Hut, van der Maaten, 2014).

use bhtsne::{Dim, Morton, tSNE};

use crate::neighbors::nearest;
use crate::random::Stream;
use crate::{EmbedError, Rows, pca};

/// Wider samples are brought to so many principal components first, as the article of 2014 does.
const MAX_WIDTH: usize = 50;
/// Fewer samples have too few neighbours for any perplexity.
const MIN_SAMPLES: usize = 4;
/// Standard deviation of the start, as in the article of 2008.
const START: f32 = 1e-4;

/// How to embed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tsne {
    /// About how many neighbours count for each sample; lowered where there are too few samples.
    pub perplexity: f32,
    /// Steps of gradient descent.
    pub epochs: usize,
    /// How coarsely far points are taken together: 0 to 1, of which less is slower and more exact.
    pub theta: f32,
    /// Seed of the places where points start.
    pub seed: u64,
}

impl Default for Tsne {
    fn default() -> Self {
        Self { perplexity: 30.0, epochs: 1000, theta: 0.5, seed: 0 }
    }
}

/// Places in `D` dimensions, one for each sample.
///
/// # Errors
///
/// [`EmbedError::TooFew`] for fewer than four samples; [`EmbedError::Decomposition`].
pub fn tsne<const D: usize>(rows: &Rows, config: &Tsne) -> Result<Vec<[f32; D]>, EmbedError>
where
    Dim<D>: Morton<D>,
{
    if rows.len() < MIN_SAMPLES {
        return Err(EmbedError::TooFew { expected: MIN_SAMPLES, found: rows.len() });
    }
    let reduced = if rows.width() > MAX_WIDTH { Some(pca(rows, MAX_WIDTH)?.coordinates) } else { None };
    let rows = reduced.as_ref().unwrap_or(rows);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^24 thirds of samples")]
    let perplexity = config.perplexity.clamp(1.0, ((rows.len() - 1) / 3) as f32);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 3, fewer than the samples")]
    let neighbors = nearest(rows, (3.0 * perplexity) as usize);

    let mut stream = Stream::new(config.seed);
    let start: Vec<f32> = (0..rows.len() * D).map(|_| START * stream.normal()).collect();
    let samples: Vec<&[f32]> = rows.iter().collect();
    let fit = || {
        let mut tsne = tSNE::<f32, &[f32], D>::new(&samples);
        tsne.perplexity(perplexity).epochs(config.epochs).initial_embedding(start);
        tsne.barnes_hut_with_neighbors(config.theta.max(f32::EPSILON), &neighbors);
        tsne.embedding()
    };
    // On one thread, sums have one order.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| EmbedError::Decomposition(format!("no thread to compute on: {error}")))?;
    let places = pool.install(fit);
    Ok(places.as_chunks::<D>().0.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three groups of samples far from each other.
    fn groups(each: usize, width: usize) -> (Rows, Vec<usize>) {
        let mut stream = Stream::new(11);
        let labels: Vec<usize> = (0..3 * each).map(|index| index % 3).collect();
        let value = |label: usize, column: usize, noise: f32| if column % 3 == label { 8.0 + noise } else { noise };
        let values = labels.iter().flat_map(|&label| (0..width).map(move |column| (label, column)));
        let values = values.map(|(label, column)| value(label, column, stream.normal())).collect();
        (Rows::new(values, width).expect("finite"), labels)
    }

    fn quick() -> Tsne {
        Tsne { epochs: 400, perplexity: 10.0, ..Tsne::default() }
    }

    #[test]
    fn groups_stay_together() {
        for width in [6, 60] {
            let (rows, labels) = groups(40, width);
            let places = tsne::<2>(&rows, &quick()).expect("enough samples");
            let flat = Rows::new(places.into_iter().flatten().collect(), 2).expect("finite");
            let near = nearest(&flat, 5);
            let kept =
                near.iter().zip(&labels).filter(|(near, label)| near.iter().all(|it| labels[it.index] == **label));
            assert!(kept.count() >= 114, "width {width}");
        }
    }

    #[test]
    fn the_seed_decides_to_the_bit_whatever_the_number_of_threads() {
        let (rows, _) = groups(30, 60);
        let run = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| tsne::<3>(&rows, &Tsne { seed, ..quick() }).expect("enough samples"))
        };
        let first = run(1, 5);
        assert_eq!(first, run(4, 5));
        assert_ne!(first, run(1, 6));
    }

    #[test]
    fn few_and_equal_samples_have_finite_places() {
        let check = |samples: usize| {
            let rows = Rows::new(vec![1.5; samples * 3], 3).expect("finite");
            let places = tsne::<2>(&rows, &Tsne { epochs: 50, ..Tsne::default() }).expect("enough samples");
            assert!(places.iter().flatten().all(|value| value.is_finite()), "{samples} samples: {places:?}");
        };
        check(4);
        check(20);
        let three = Rows::new(vec![0.0; 9], 3).expect("finite");
        assert_eq!(tsne::<2>(&three, &quick()), Err(EmbedError::TooFew { expected: 4, found: 3 }));
    }
}
