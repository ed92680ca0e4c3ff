//! Figures that take more than a run directory's records: images of the data set, or the network itself.
//!
//! `report` draws what records say and is part of every run; this draws on request, for a finished run or for a data
//! set. Reads the test part only for a run that is finished: what is chosen has been chosen by then. Knows no command
//! line.

mod activations;
mod dataset;
mod embeddings;
mod folder;
mod images;
mod model;
mod predictions;
mod projector;
mod run;

pub use self::{dataset::draw_dataset, folder::Output, run::draw_run};
use crate::{error::Error, report::Formats};

/// What to draw, and how. Empty lists leave the choice to each figure.
#[derive(Clone, Debug)]
pub struct Options {
    /// What figures are written as.
    pub formats: Formats,
    /// Which groups of figures; empty for all.
    pub groups: Vec<Group>,
    /// Images that get figures of their own, by their index in the part.
    pub indices: Vec<usize>,
    /// Channels of the first convolution that are shown large; empty for those that vary most.
    pub channels: Vec<usize>,
    /// Layers that are embedded, by their names in the model's summary.
    pub layers: Vec<String>,
    /// Which images of a run are embedded.
    pub part: EmbeddedPart,
    /// How many images are embedded, from the first on.
    pub images: usize,
    /// Principal components that are shown, counted from 1: two or three.
    pub components: Vec<usize>,
    /// Names or labels of the classes that the custom axis leads from and to.
    pub axis: Option<[String; 2]>,
    /// How t-SNE embeds.
    pub tsne: embed::Tsne,
}

/// Figures that are drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// What needs nothing but records: curves, scores, confusion matrix, galleries.
    Records,
    /// The layers of the network, as text and as a diagram.
    Model,
    /// Images of the data set: samples, pixel values, label counts, sprite, one-hot labels, the sigmoid.
    Images,
    /// Images with the class probabilities that the network gives them.
    Predictions,
    /// What the convolutions put out.
    Activations,
    /// Principal components, t-SNE and a custom axis, as pictures and for the embedding projector.
    Embeddings,
}

/// Which images of a run are embedded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum EmbeddedPart {
    /// Those that train.
    Train,
    /// Those held out for validation.
    Valid,
    /// The test set.
    #[default]
    Test,
}

/// Principal components that are computed, whichever are shown.
const COMPONENTS: usize = 10;

impl Options {
    /// Whether a group is asked for.
    #[must_use]
    pub fn draws(&self, group: Group) -> bool {
        self.groups.is_empty() || self.groups.contains(&group)
    }

    /// Checks what no file has to be read for.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`].
    pub fn validate(&self) -> Result<(), Error> {
        let wrong = |message: String| Err(Error::Usage(message));
        if !matches!(self.components.len(), 0 | 2 | 3) {
            return wrong(format!("--components: expected two or three numbers, found {}", self.components.len()));
        }
        if let Some(component) = self.components.iter().find(|&&it| !(1..=COMPONENTS).contains(&it)) {
            return wrong(format!("--components: expected numbers from 1 to {COMPONENTS}, found {component}"));
        }
        if self.images == 0 {
            return wrong("--images: expected at least 1, found 0".to_owned());
        }
        if !(1.0..=1000.0).contains(&self.tsne.perplexity) {
            return wrong(format!("--perplexity: expected 1 to 1000, found {}", self.tsne.perplexity));
        }
        Ok(())
    }
}

/// Checks that a part has the images asked for, or chooses `or_else` of those that it has.
fn chosen_indices(wanted: &[usize], or_else: &[usize], len: usize, what: &str) -> Result<Vec<usize>, Error> {
    if wanted.is_empty() {
        return Ok(or_else.iter().copied().filter(|&index| index < len).collect());
    }
    match wanted.iter().find(|&&index| index >= len) {
        Some(index) => {
            Err(Error::Usage(format!("--index {index}: expected an index below {len}, the number of {what}")))
        }
        None => Ok(wanted.to_vec()),
    }
}

/// The label of a class given by its name, whatever its case, or by its number.
fn class_label(given: &str, class_names: &[String]) -> Result<usize, Error> {
    let by_name = class_names.iter().position(|name| name.eq_ignore_ascii_case(given));
    let by_number = || given.parse().ok().filter(|&label: &usize| label < class_names.len());
    by_name.or_else(by_number).ok_or_else(|| {
        Error::Usage(format!("--axis: no class is called {given:?}; known are {}", class_names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            formats: Formats::Png,
            groups: vec![],
            indices: vec![],
            channels: vec![],
            layers: vec![],
            part: EmbeddedPart::Test,
            images: 2500,
            components: vec![],
            axis: None,
            tsne: embed::Tsne::default(),
        }
    }

    #[test]
    fn rejects_options_out_of_range() {
        let check = |options: Options, expected: &str| {
            let error = options.validate().expect_err("out of range").to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        assert!(options().validate().is_ok());
        check(Options { components: vec![1], ..options() }, "--components: expected two or three");
        check(Options { components: vec![0, 1], ..options() }, "--components: expected numbers from 1 to 10");
        check(Options { components: vec![2, 11], ..options() }, "--components: expected numbers from 1 to 10");
        check(Options { images: 0, ..options() }, "--images");
        check(Options { tsne: embed::Tsne { perplexity: f32::NAN, ..embed::Tsne::default() }, ..options() }, "--perp");
    }

    #[test]
    fn classes_are_found_by_name_and_by_number() {
        let names = ["T-shirt/top", "Trouser"].map(String::from);
        let check = |given, expected| assert_eq!(class_label(given, &names).ok(), expected);
        check("trouser", Some(1));
        check("0", Some(0));
        check("2", None);
        check("Shirt", None);
    }

    #[test]
    fn default_images_are_those_that_there_are() {
        assert_eq!(chosen_indices(&[], &[0, 42], 10, "images").ok(), Some(vec![0]));
        assert_eq!(chosen_indices(&[7, 3], &[0], 10, "images").ok(), Some(vec![7, 3]));
        let error = chosen_indices(&[10], &[0], 10, "test images").expect_err("too large").to_string();
        assert_eq!(error, "--index 10: expected an index below 10, the number of test images");
    }
}
