//! Test images with the class probabilities that a run gave them, from its `predictions.csv`.

use data::Dataset;
use plots::{Prediction, Predictions};

use super::{Options, Output, chosen_indices};
use crate::{error::Error, run_dir::PredictionRow};

/// The grid: five rows of three.
const GRID: (usize, usize) = (5, 3);

/// The images that a run was tested on, and what it said of them.
pub(super) struct Tested<'a> {
    /// What they are called, as in "test".
    pub(super) part: &'a str,
    pub(super) images: &'a Dataset,
    /// One for each image.
    pub(super) rows: &'a [PredictionRow],
}

/// Draws the grid of the first predictions, and each chosen one alone: by default the first, and the first mistake.
pub(super) fn draw(output: &mut Output, experiment: &str, tested: &Tested<'_>, options: &Options) -> Result<(), Error> {
    let rows = tested.rows;
    let figure = |title: String, columns, indices: &[usize]| Predictions {
        title,
        columns,
        class_names: tested.images.class_names().to_vec(),
        predictions: indices.iter().map(|&index| tested.prediction(index)).collect(),
    };
    let first: Vec<usize> = (0..rows.len().min(GRID.0 * GRID.1)).collect();
    let title = format!("{experiment}: the first predictions");
    output.figure("predictions", &figure(title, GRID.1, &first))?;

    let mistake = rows.iter().position(|row| row.truth != row.predicted);
    let by_default: Vec<usize> = [Some(0), mistake.filter(|&index| index > 0)].into_iter().flatten().collect();
    for index in chosen_indices(&options.indices, &by_default, rows.len(), "images that were tested")? {
        let title = format!("{experiment}: one prediction");
        output.figure(&format!("prediction_{index}"), &figure(title, 1, &[index]))?;
    }
    Ok(())
}

impl Tested<'_> {
    fn prediction(&self, index: usize) -> Prediction {
        let (images, row) = (self.images, &self.rows[index]);
        Prediction {
            pixels: images.image(index).to_vec(),
            width: images.width(),
            height: images.height(),
            name: format!("{} image {index}", self.part),
            truth: row.truth,
            probabilities: row.probabilities.clone(),
        }
    }
}
