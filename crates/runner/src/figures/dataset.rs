//! Figures of a data set alone. Opens its training part and no other.

use std::path::Path;

use data::{DataFiles, Dataset, Part};
use plots::{
    Bar, Bars, CellInk, ColorBar, ColorMap, Curves, Gallery, LastValues, NumberMatrix, Series, SeriesStyle, thousands,
};

use super::{Group, Options, Output, chosen_indices, embeddings, images, projector};
use crate::{error::Error, run_dir::FigureFolder};

/// The image whose pixels are written out, where no other is asked for.
const DEFAULT_INDEX: usize = 42;
/// Labels of the one-hot demonstration.
const ONE_HOT: usize = 10;

/// Draws the figures of a data set into `<results>/datasets/<name>/`, and returns the files written.
///
/// # Errors
///
/// [`Error::Usage`] for an image or class that there is not; [`Error::Data`], [`Error::Plot`], [`Error::Embed`],
/// [`Error::Io`].
pub fn draw_dataset(files: &DataFiles, results: &Path, options: &Options) -> Result<Output, Error> {
    options.validate()?;
    let dataset = files.load(Part::Train)?;
    let indices = chosen_indices(&options.indices, &[DEFAULT_INDEX], dataset.len(), "training images")?;
    let folder = FigureFolder::create(results.join("datasets").join(folder_name(&files.name)))?;
    let mut output = Output::new(folder, "", options.formats);
    let drawing = Drawing { name: &files.name, dataset: &dataset };
    if options.draws(Group::Images) {
        drawing.galleries(&mut output)?;
        for index in indices {
            drawing.matrices(&mut output, index)?;
        }
        output.figure("label_counts", &drawing.label_counts())?;
        output.figure("one_hot_labels", &drawing.one_hot())?;
        output.figure("sigmoid", &sigmoid())?;
        if !dataset.is_empty() {
            output.file("sprite.png", &projector::sprite(&dataset, 0..dataset.len().min(options.images))?)?;
        }
    }
    if options.draws(Group::Embeddings) {
        let count = dataset.len().min(options.images);
        let pixels = embeddings::Source {
            owner: &files.name,
            what: format!("raw pixels of {} training images", thousands(count as u64)),
            name: "pixels",
            class_names: dataset.class_names(),
            images: (0..count).collect(),
            labels: dataset.labels()[..count].iter().map(|&label| usize::from(label)).collect(),
            rows: embeddings::pixels(&dataset, 0..count)?,
        };
        let axis = embeddings::axis_classes(options, dataset.class_names(), (0, 1))?;
        embeddings::draw(&mut output, &pixels, axis, options)?;
        projector::write(&mut output, "projector/", &dataset, &(0..count).collect::<Vec<_>>(), None, &[pixels])?;
    }
    Ok(output)
}

/// A data set's name as that of a folder; a name from a path may hold anything.
fn folder_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).take(64).collect();
    if plain.is_empty() { "unnamed".to_owned() } else { plain }
}

struct Drawing<'a> {
    name: &'a str,
    dataset: &'a Dataset,
}

impl Drawing<'_> {
    fn galleries(&self, output: &mut Output) -> Result<(), Error> {
        let gallery = |title: String, count: usize, columns| Gallery {
            title,
            columns,
            tiles: (0..count.min(self.dataset.len())).map(|index| images::tile(self.dataset, index)).collect(),
            ..Gallery::default()
        };
        let title = |what: &str| format!("{}: the first {what} training images", self.name);
        output.figure("samples_25", &gallery(title("25"), 25, 5))?;
        output.figure("samples_15", &gallery(title("15"), 15, 5))?;
        let three = Gallery { color_bar: ColorBar::Bytes, ..gallery(title("three"), 3, 3) };
        output.figure("samples_3", &three)
    }

    fn matrices(&self, output: &mut Output, index: usize) -> Result<(), Error> {
        for (suffix, colors) in [("", ColorMap::Gray), ("_summer", ColorMap::Summer)] {
            output.figure(&format!("pixels_{index}{suffix}"), &self.matrix(index, colors))?;
        }
        let tiles = vec![images::tile(self.dataset, index)];
        let title = format!("{}: training image {index}", self.name);
        output.figure(&format!("image_{index}"), &Gallery { title, columns: 1, tiles, ..Gallery::default() })
    }

    fn matrix(&self, index: usize, colors: ColorMap) -> NumberMatrix {
        let image = self.dataset.image(index);
        let most = f64::from(image.iter().copied().max().unwrap_or(0));
        NumberMatrix {
            title: format!("{}: pixels of training image {index}", self.name),
            subtitle: format!("class {}, values from 0 to 255", images::class_name(self.dataset, index)),
            row_names: (0..self.dataset.height()).map(|row| row.to_string()).collect(),
            column_names: (0..self.dataset.width()).map(|column| column.to_string()).collect(),
            values: image
                .chunks(self.dataset.width())
                .map(|row| row.iter().copied().map(f64::from).collect())
                .collect(),
            colors,
            // As the tutorials do: white on the darker two fifths of the scale.
            ink: CellInk::WhiteBelow(most / 2.5),
            ..NumberMatrix::default()
        }
    }

    fn label_counts(&self) -> Bars {
        let mut counts = vec![0_u32; self.dataset.num_classes()];
        for &label in self.dataset.labels() {
            counts[usize::from(label)] += 1;
        }
        let mut order: Vec<usize> = (0..counts.len()).collect();
        // Stable: equal counts keep the order of the labels.
        order.sort_by_key(|&label| std::cmp::Reverse(counts[label]));
        let bar = |label: usize| Bar {
            name: self.dataset.class_names()[label].clone(),
            value: f64::from(counts[label]),
            text: thousands(u64::from(counts[label])),
        };
        Bars {
            title: format!("{}: training images of each class", self.name),
            subtitle: format!("{} images, most frequent class first", thousands(self.dataset.len() as u64)),
            bars: order.into_iter().map(bar).collect(),
        }
    }

    fn one_hot(&self) -> NumberMatrix {
        let count = ONE_HOT.min(self.dataset.len());
        let row = |index: usize| {
            let label = usize::from(self.dataset.label(index));
            (0..self.dataset.num_classes()).map(|class| if class == label { 1.0 } else { 0.0 }).collect()
        };
        NumberMatrix {
            title: format!("{}: labels as one-hot vectors", self.name),
            subtitle: format!("the first {count} training images; a row is what a network learns to put out"),
            row_names: (0..count).map(|index| format!("label {}", self.dataset.label(index))).collect(),
            column_names: self.dataset.class_names().to_vec(),
            values: (0..count).map(row).collect(),
            colors: ColorMap::Blues,
            ..NumberMatrix::default()
        }
    }
}

/// `1 / (1 + e⁻ˣ)` and its derivative `σ(x) · (1 - σ(x))`.
fn sigmoid() -> Curves {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let curve = |name: &str, style, value: &dyn Fn(f64) -> f64| Series {
        name: name.to_owned(),
        points: (-60..=60).map(|step| f64::from(step) / 10.0).map(|x| (x, value(x))).collect(),
        style,
    };
    Curves {
        title: "The sigmoid and its derivative".to_owned(),
        x_label: "x".to_owned(),
        y_label: "value".to_owned(),
        series: vec![
            curve("σ(x) = 1 / (1 + exp(-x))", SeriesStyle::nth(0), &sigmoid),
            curve("σ′(x) = σ(x) · (1 - σ(x))", SeriesStyle::nth(1), &|x| sigmoid(x) * (1.0 - sigmoid(x))),
        ],
        y_range: Some((0.0, 1.0)),
        last_values: LastValues::Hidden,
        ..Curves::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        let names = ["cat", "dog", "axolotl"].map(String::from).to_vec();
        Dataset::new((0..24).collect(), vec![1, 2, 2, 1, 1, 0], (2, 2), names)
    }

    #[test]
    fn label_counts_fall() {
        let dataset = dataset();
        let bars = Drawing { name: "pets", dataset: &dataset }.label_counts().bars;
        let shown: Vec<(&str, &str)> = bars.iter().map(|bar| (bar.name.as_str(), bar.text.as_str())).collect();
        assert_eq!(shown, [("dog", "3"), ("axolotl", "2"), ("cat", "1")]);
    }

    #[test]
    fn a_one_hot_row_has_its_one_at_the_label() {
        let dataset = dataset();
        let matrix = Drawing { name: "pets", dataset: &dataset }.one_hot();
        assert_eq!((matrix.values[0].as_slice(), matrix.row_names[0].as_str()), (&[0.0, 1.0, 0.0][..], "label 1"));
        assert_eq!(matrix.values.len(), 6);
    }

    #[test]
    fn a_pixel_matrix_holds_the_image_with_white_text_below_two_fifths() {
        let dataset = dataset();
        let matrix = Drawing { name: "pets", dataset: &dataset }.matrix(5, ColorMap::Summer);
        assert_eq!(matrix.values, [[20.0, 21.0], [22.0, 23.0]]);
        assert_eq!(matrix.ink, CellInk::WhiteBelow(23.0 / 2.5));
    }

    #[test]
    fn folders_of_data_sets_have_plain_names() {
        assert_eq!(folder_name("fashion-mnist"), "fashion-mnist");
        assert_eq!(folder_name("../my data"), "___my_data");
        assert_eq!(folder_name(""), "unnamed");
    }
}
