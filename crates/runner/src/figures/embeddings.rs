//! Where many images lie: principal components, t-SNE in two and three dimensions, and a line between two classes, as
//! pictures and as numbers.

use std::iter;

use data::Dataset;
use embed::{Rows, axis, pca, tsne};
use plots::{Scatter, Scatter3d, Ticks};

use super::{COMPONENTS, Options, Output, class_label};
use crate::error::Error;

/// Most numbers that are embedded at once: one gigabyte of memory on the way.
const MAX_NUMBERS: usize = 1 << 26;

/// Numbers of many images, and what they are.
pub(super) struct Source<'a> {
    /// The experiment or data set.
    pub(super) owner: &'a str,
    /// As in "raw pixels of 2,500 test images".
    pub(super) what: String,
    /// As in file names: "pixels", or a layer's.
    pub(super) name: &'a str,
    pub(super) class_names: &'a [String],
    /// Where the images stand in their part of the data.
    pub(super) images: Vec<usize>,
    pub(super) labels: Vec<usize>,
    pub(super) rows: Rows,
}

/// The pixels of some images, from 0 to 1.
pub(super) fn pixels(dataset: &Dataset, indices: impl IntoIterator<Item = usize>) -> Result<Rows, Error> {
    let values: Vec<f32> = indices
        .into_iter()
        .flat_map(|index| dataset.image(index).iter().map(|&pixel| f32::from(pixel) / 255.0))
        .collect();
    Rows::new(values, dataset.height() * dataset.width()).map_err(failed("pixels"))
}

/// Checks that so many images of so many numbers can be embedded.
pub(super) fn check_size(layer: &str, images: usize, width: usize) -> Result<(), Error> {
    if images.saturating_mul(width) <= MAX_NUMBERS {
        return Ok(());
    }
    let most = MAX_NUMBERS / width.max(1);
    let message =
        format!("--layer {layer}: expected at most {most} images of {width} numbers, found {images}; lower --images");
    Err(Error::Usage(message))
}

/// The classes that the custom axis connects.
pub(super) fn axis_classes(
    options: &Options,
    class_names: &[String],
    or_else: (usize, usize),
) -> Result<(usize, usize), Error> {
    match &options.axis {
        Some([from, to]) => Ok((class_label(from, class_names)?, class_label(to, class_names)?)),
        None => Ok(or_else),
    }
}

/// Draws all pictures of one source.
pub(super) fn draw(
    output: &mut Output,
    source: &Source<'_>,
    (from, to): (usize, usize),
    options: &Options,
) -> Result<(), Error> {
    let name = |what: &str| format!("embedding_{}_{what}", source.name);
    draw_components(output, source, options)?;

    // Fewer images have too few neighbours, and nothing to show.
    if source.rows.len() > 3 {
        let subtitle = format!(
            "perplexity {}, seed {}; only distances between neighbours mean something",
            options.tsne.perplexity, options.tsne.seed
        );
        let title = |dimensions: &str| format!("{}: t-SNE in {dimensions} of {}", source.owner, source.what);
        let places = tsne::<2>(&source.rows, &options.tsne).map_err(failed("t-SNE"))?;
        numbers(output, source, "tsne_2d", &["x", "y"], &places)?;
        output.figure(
            &name("tsne_2d"),
            &Scatter {
                title: title("2-D"),
                subtitle: subtitle.clone(),
                ticks: Ticks::Hidden,
                points: places.iter().map(|&[x, y]| (f64::from(x), f64::from(y))).collect(),
                ..plane(source)
            },
        )?;
        let places = tsne::<3>(&source.rows, &options.tsne).map_err(failed("t-SNE"))?;
        numbers(output, source, "tsne_3d", &["x", "y", "z"], &places)?;
        output.figure(
            &name("tsne_3d"),
            &Scatter3d {
                title: title("3-D"),
                subtitle,
                points: places.iter().map(|place| place.map(f64::from)).collect(),
                ..space(source)
            },
        )?;
    }

    let line = match axis(&source.rows, &source.labels, from, to) {
        Ok(line) => line,
        Err(error) if options.axis.is_some() => return Err(failed("custom axis")(error)),
        // Nobody asked for this line; without it the rest is still worth having.
        Err(error) => {
            tracing::warn!("no custom axis: {error}");
            return Ok(());
        }
    };
    let (from, to) = (&source.class_names[from], &source.class_names[to]);
    let places: Vec<[f64; 2]> = line.coordinates.iter().map(|&(along, across)| [along, across]).collect();
    numbers(output, source, "axis", &["along", "across"], &places)?;
    output.figure(
        &name("axis"),
        &Scatter {
            title: format!("{}: {} along the line from {from} to {to}", source.owner, source.what),
            subtitle: format!("0 is the centroid of {from}, 1 that of {to}"),
            x_label: format!("{from} → {to}"),
            y_label: "greatest variance at right angles".to_owned(),
            points: line.coordinates,
            ..plane(source)
        },
    )
}

fn draw_components(output: &mut Output, source: &Source<'_>, options: &Options) -> Result<(), Error> {
    let found = pca(&source.rows, COMPONENTS).map_err(failed("principal components"))?;
    let there = found.explained.len();
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    let label = |component: usize| {
        let share = found.explained.get(component - 1).copied().unwrap_or(0.0);
        format!("component {component} ({} of the variance)", percent(share))
    };
    // A component that does not exist is flat.
    let at = |place: &[f32], component: usize| place.get(component - 1).copied().map_or(0.0, f64::from);
    let all = percent(found.explained.iter().sum());
    let title = format!("{}: principal components of {}", source.owner, source.what);
    let subtitle = format!("the first {there} components together explain {all} of the variance");
    let name = |shown: &[usize]| {
        let numbers: Vec<String> = shown.iter().map(usize::to_string).collect();
        format!("embedding_{}_pca_{}", source.name, numbers.join("_"))
    };
    let columns: Vec<String> = (1..=there).map(|component| format!("component_{component}")).collect();
    numbers(output, source, "pca", &columns, found.coordinates.iter())?;
    let shares =
        found.explained.iter().enumerate().map(|(index, share)| vec![(index + 1).to_string(), share.to_string()]);
    let header = ["component", "share_of_variance"].map(str::to_owned).to_vec();
    output.csv(&format!("embedding_{}_pca_variance", source.name), iter::once(header).chain(shares))?;
    let chosen = match options.components.as_slice() {
        [] => vec![vec![1, 2], vec![1, 2, 3]],
        chosen => vec![chosen.to_vec()],
    };
    for shown in chosen {
        match shown[..] {
            [x, y] => output.figure(
                &name(&shown),
                &Scatter {
                    title: title.clone(),
                    subtitle: subtitle.clone(),
                    x_label: label(x),
                    y_label: label(y),
                    points: found.coordinates.iter().map(|place| (at(place, x), at(place, y))).collect(),
                    ..plane(source)
                },
            )?,
            [x, y, z] => output.figure(
                &name(&shown),
                &Scatter3d {
                    title: title.clone(),
                    subtitle: subtitle.clone(),
                    axis_labels: [x, y, z].map(label),
                    points: found.coordinates.iter().map(|place| [x, y, z].map(|k| at(place, k))).collect(),
                    ..space(source)
                },
            )?,
            _ => unreachable!("two or three components, as `Options::validate` checks"),
        }
    }
    Ok(())
}

/// Writes where every image lies: its index, its class, and its coordinates.
fn numbers<V: ToString>(
    output: &mut Output,
    source: &Source<'_>,
    what: &str,
    columns: &[impl AsRef<str>],
    places: impl IntoIterator<Item = impl AsRef<[V]>>,
) -> Result<(), Error> {
    let header = ["image", "class"].into_iter().chain(columns.iter().map(AsRef::as_ref)).map(str::to_owned);
    let rows = source.images.iter().zip(&source.labels).zip(places).map(|((image, &label), place)| {
        let place = place.as_ref().iter().map(ToString::to_string);
        [image.to_string(), source.class_names[label].clone()].into_iter().chain(place).collect()
    });
    output.csv(&format!("embedding_{}_{what}", source.name), iter::once(header.collect()).chain(rows))
}

fn plane(source: &Source<'_>) -> Scatter {
    Scatter { class_names: source.class_names.to_vec(), classes: source.labels.clone(), ..Scatter::default() }
}

fn space(source: &Source<'_>) -> Scatter3d {
    Scatter3d { class_names: source.class_names.to_vec(), classes: source.labels.clone(), ..Scatter3d::default() }
}

pub(super) fn failed(figure: &'static str) -> impl Fn(embed::EmbedError) -> Error {
    move |source| Error::Embed { figure, source }
}
