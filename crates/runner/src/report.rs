//! The pictures of a run directory, drawn from its files alone.

mod curves;
mod galleries;
mod scores;

use std::path::PathBuf;

use plots::{ConfusionMatrix, Figure};

pub use curves::{Overlay, overlay};

use crate::{
    error::Error,
    experiment::{self, Overrides, TestPart},
    run_dir::RunDir,
};

/// Which files a figure is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formats {
    /// PNG.
    Png,
    /// PNG and SVG.
    PngAndSvg,
}

/// A figure's files: name and bytes.
pub type Files = Vec<(String, Vec<u8>)>;

/// Draws every figure that the run has data for, and returns the files written.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Malformed`], [`Error::Plot`].
pub fn draw(run: &RunDir, formats: Formats) -> Result<Vec<PathBuf>, Error> {
    let mut written = Vec::new();
    let mut add = |name: &str, figure: &dyn Figure| -> Result<(), Error> {
        for (file, bytes) in render(name, figure, formats)? {
            written.push(run.write_plot(&file, &bytes)?);
        }
        Ok(())
    };

    let rows = run.metrics()?;
    let summary = run.summary()?;
    let best = summary.as_ref().and_then(|it| it.best_epoch);
    let name = summary.as_ref().map_or_else(|| folder_name(run), |it| it.experiment.clone());
    let tested = tested_part(run);
    if !rows.is_empty() {
        add("loss", &curves::loss(&name, &rows, best))?;
        add("accuracy", &curves::accuracy(&name, &rows, best))?;
        add("history", &curves::history(&name, &rows))?;
        let measure = if run.has_learnt() { curves::Measure::SumOfErrors } else { curves::Measure::HalfClassMean };
        if let Some(error) = curves::error(&name, &rows, measure) {
            add("error", &error)?;
        }
    }
    if let Some(summary) = &summary {
        add("class_report", &scores::class_report(&name, tested.word(), summary))?;
    }
    if let Some((class_names, counts)) = run.confusion()? {
        let title = format!("{name}: confusion matrix of the {} set", tested.word());
        add("confusion_matrix", &ConfusionMatrix { title, class_names, counts })?;
    }
    if let Some(tiles) = run.tiles()? {
        add("samples", &galleries::samples(&name, &tiles))?;
        add("correct", &galleries::correct(&name, &tiles))?;
        add("misclassified", &galleries::misclassified(&name, &tiles))?;
    }
    Ok(written)
}

/// Turns a figure into files named after it.
///
/// # Errors
///
/// [`Error::Plot`].
pub fn render(name: &str, figure: &dyn Figure, formats: Formats) -> Result<Files, Error> {
    let failed = |source| Error::Plot { figure: name.to_owned(), source };
    let mut files = vec![(format!("{name}.png"), plots::png(figure).map_err(failed)?)];
    if formats == Formats::PngAndSvg {
        files.push((format!("{name}.svg"), plots::svg(figure).map_err(failed)?.into_bytes()));
    }
    Ok(files)
}

/// Which images the run is tested on: the test files' where its configuration is of an older form, or has no images.
fn tested_part(run: &RunDir) -> TestPart {
    let resolved = experiment::load(&run.config_path(), &Overrides::default());
    resolved.map_or_else(|_| TestPart::default(), |it| it.experiment.data.test)
}

/// The experiment that an unfinished run belongs to, by the folder that holds it.
fn folder_name(run: &RunDir) -> String {
    let path = run.path().canonicalize().unwrap_or_else(|_| run.path().to_owned());
    let folder = path.parent().and_then(|parent| parent.file_name());
    folder.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
