//! A line of one's own through the samples: from the centroid of one class to that of another, as the embedding
//! projector's custom axes.

use crate::{EmbedError, Rows, pca};

/// Samples along the line between two centroids, and across it.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// `(along, across)` of each sample. Along is 0 at the first centroid and 1 at the second; across is the
    /// direction of greatest variance at right angles, on the same scale.
    pub coordinates: Vec<(f64, f64)>,
}

/// Lays a line from the centroid of the samples labelled `from` to the centroid of those labelled `to`.
///
/// # Errors
///
/// [`EmbedError::Labels`] if there is not one label for each sample; [`EmbedError::NoAxis`] if a class has no sample
/// or both centroids are the same; [`EmbedError::Decomposition`].
pub fn axis(rows: &Rows, labels: &[usize], from: usize, to: usize) -> Result<Axis, EmbedError> {
    if labels.len() != rows.len() {
        return Err(EmbedError::Labels { expected: rows.len(), found: labels.len() });
    }
    let no_axis = |reason| EmbedError::NoAxis { from, to, reason };
    let centroid = |label: usize| rows.mean(|index| labels[index] == label);
    let start = centroid(from).ok_or_else(|| no_axis("the first has no sample"))?;
    let end = centroid(to).ok_or_else(|| no_axis("the second has no sample"))?;
    let line: Vec<f64> = start.iter().zip(&end).map(|(start, end)| end - start).collect();
    let squared: f64 = line.iter().map(|x| x * x).sum();
    if squared <= f64::EPSILON * end.iter().map(|x| x * x).sum::<f64>() {
        return Err(no_axis("their centroids are the same"));
    }

    let mut along = Vec::with_capacity(rows.len());
    let mut rest = Vec::with_capacity(rows.len() * rows.width());
    for row in rows.iter() {
        let steps = row.iter().zip(&start).map(|(&value, start)| f64::from(value) - start);
        let share = steps.clone().zip(&line).map(|(step, line)| step * line).sum::<f64>() / squared;
        #[expect(clippy::cast_possible_truncation, reason = "the samples are f32")]
        rest.extend(steps.zip(&line).map(|(step, line)| (step - share * line) as f32));
        along.push(share);
    }
    let across = pca(&Rows::new(rest, rows.width())?, 1)?.coordinates;
    let length = squared.sqrt();
    let across = across.iter().map(|place| f64::from(place[0]) / length);
    Ok(Axis { coordinates: along.into_iter().zip(across).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centroids_lie_at_zero_and_one() {
        // Two classes of two samples each, and one sample of a third halfway, off the line.
        let values = vec![0.0, 1.0, 0.0, -1.0, 4.0, 1.0, 4.0, -1.0, 2.0, 8.0];
        let rows = Rows::new(values, 2).expect("finite");
        let found = axis(&rows, &[3, 3, 5, 5, 9], 3, 5).expect("two classes").coordinates;
        let along: Vec<f64> = found.iter().map(|place| place.0).collect();
        for (found, expected) in along.iter().zip([0.0, 0.0, 1.0, 1.0, 0.5]) {
            assert!((found - expected).abs() < 1e-6, "{along:?}");
        }
        // Across is measured in the length of the line, four, around the mean height, 1.6.
        assert!((found[4].1.abs() - 6.4 / 4.0).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn classes_without_samples_or_with_one_centroid_make_no_line() {
        let rows = Rows::new(vec![1.0, 1.0, 1.0], 1).expect("finite");
        let check = |from, to, reason: &str| {
            let error = axis(&rows, &[0, 1, 1], from, to).expect_err("no line").to_string();
            assert_eq!(error, format!("no line leads from class {from} to class {to}: {reason}"));
        };
        check(2, 0, "the first has no sample");
        check(0, 2, "the second has no sample");
        check(0, 1, "their centroids are the same");
        assert_eq!(axis(&rows, &[0], 0, 1), Err(EmbedError::Labels { expected: 3, found: 1 }));
    }
}
