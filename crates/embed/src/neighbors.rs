//! The nearest neighbours of every sample, by comparing all pairs.
//!
//! Exact and in a fixed order, equal distances by index, so that what is built on it does not depend on chance.

use bhtsne::Neighbor;
use rayon::prelude::*;

use crate::Rows;

/// The `count` nearest other samples of each, nearest first.
pub(crate) fn nearest(rows: &Rows, count: usize) -> Vec<Vec<Neighbor<f32>>> {
    let of = |index: usize| {
        let here = rows.row(index);
        let mut others: Vec<(f32, usize)> = (0..rows.len())
            .filter(|&other| other != index)
            .map(|other| (squared_distance(here, rows.row(other)), other))
            .collect();
        let order = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if count < others.len() {
            others.select_nth_unstable_by(count, order);
            others.truncate(count);
        }
        others.sort_unstable_by(order);
        others.into_iter().map(|(squared, index)| Neighbor { index, distance: squared.sqrt() }).collect()
    };
    (0..rows.len()).into_par_iter().map(of).collect()
}

/// In eight sums, which the compiler turns into one vector.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_come_nearest_first_and_ties_by_index() {
        let rows = Rows::new(vec![0.0, 1.0, 3.0, -1.0, 7.0], 1).expect("finite");
        let found = nearest(&rows, 2);
        let indices = |sample: usize| found[sample].iter().map(|it| it.index).collect::<Vec<_>>();
        assert_eq!(indices(0), [1, 3]);
        assert_eq!(indices(4), [2, 1]);
        assert!((found[4][0].distance - 4.0).abs() < 1e-6);
    }

    #[test]
    fn distances_count_every_number_once() {
        for width in [1_u16, 7, 8, 9, 50] {
            let row: Vec<f32> = (0..width).map(f32::from).collect();
            let expected: f32 = row.iter().map(|x| x * x).sum();
            assert!((squared_distance(&row, &vec![0.0; row.len()]) - expected).abs() <= expected * 1e-6);
        }
    }
}
