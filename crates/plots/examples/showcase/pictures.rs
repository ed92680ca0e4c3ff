//! Made-up numbers for tables, matrices, predictions, maps and embeddings.

use std::{error::Error, path::Path};

use plots::{
    Bar, Bars, CellInk, ColorBar, ColorMap, Column, Diagram, DiagramLayer, FeatureMaps, Gallery, LayerFamily,
    NumberMatrix, Prediction, Predictions, Scatter, Scatter3d, Table, Ticks,
};

use crate::{CLASSES, Kind, gallery, garment, noise, save};

pub(crate) fn draw(folder: &Path) -> Result<(), Box<dyn Error>> {
    save(
        folder,
        "samples_3",
        &Gallery { color_bar: ColorBar::Bytes, ..gallery("Three products", 3, 3, Kind::Samples) },
    )?;
    save(folder, "pixels", &pixels(ColorMap::Gray))?;
    save(folder, "pixels_summer", &pixels(ColorMap::Summer))?;
    save(folder, "one_hot", &one_hot())?;
    save(folder, "label_counts", &label_counts())?;
    save(folder, "class_report", &class_report())?;
    save(folder, "model", &model(1))?;
    save(folder, "model_deep", &model(8))?;
    save(folder, "predictions", &predictions(15, 3))?;
    save(folder, "prediction", &predictions(1, 1))?;
    save(folder, "feature_maps", &feature_maps(32, 26))?;
    save(folder, "feature_maps_small", &feature_maps(128, 3))?;
    save(folder, "scatter", &scatter())?;
    save(folder, "scatter_3d", &scatter_3d())?;
    Ok(())
}

fn key(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(0)
}

fn pixels(colors: ColorMap) -> NumberMatrix {
    let image = garment(9, 42);
    NumberMatrix {
        title: "Pixels of image 42".into(),
        subtitle: "Ankle boot, values from 0 to 255".into(),
        row_names: (0..28).map(|row| row.to_string()).collect(),
        column_names: (0..28).map(|column| column.to_string()).collect(),
        values: image.chunks(28).map(|row| row.iter().copied().map(f64::from).collect()).collect(),
        colors,
        ink: CellInk::WhiteBelow(255.0 / 2.5),
        ..NumberMatrix::default()
    }
}

fn one_hot() -> NumberMatrix {
    let labels = [9, 0, 0, 3, 0, 2, 7, 2, 5, 5];
    NumberMatrix {
        title: "Labels as one-hot vectors".into(),
        subtitle: "the first ten training images".into(),
        row_names: labels.iter().map(|label| format!("label {label}")).collect(),
        column_names: CLASSES.map(String::from).to_vec(),
        values: labels
            .iter()
            .map(|&label| (0..10).map(|class| f64::from(u8::from(class == label))).collect())
            .collect(),
        colors: ColorMap::Blues,
        ..NumberMatrix::default()
    }
}

fn label_counts() -> Bars {
    let counts = [("1", 6742), ("7", 6265), ("3", 6131), ("2", 5958), ("9", 5949), ("Ankle boot", 5421)];
    Bars {
        title: "Training images of each class".into(),
        subtitle: "most frequent class first".into(),
        bars: counts
            .map(|(name, count)| Bar { name: name.into(), value: f64::from(count), text: count.to_string() })
            .to_vec(),
    }
}

fn class_report() -> Table {
    let score = |index: usize| format!("{:.3}", 0.87 + 0.12 * noise(key(index)));
    let row = |(index, class): (usize, &&str)| {
        vec![(*class).into(), score(index), score(index + 50), score(index + 100), "1,000".into()]
    };
    Table {
        title: "cnn3_aug: scores per class".into(),
        subtitle: "test accuracy 0.9142".into(),
        columns: vec![
            Column::text("class"),
            Column::number("precision"),
            Column::number("recall"),
            Column::number("F1"),
            Column::number("support"),
        ],
        rows: CLASSES.iter().enumerate().map(row).collect(),
        totals: vec![vec!["mean of the classes".into(), score(1), score(2), score(3), "10,000".into()]],
    }
}

fn model(stages: usize) -> Diagram {
    let layer = |name: String, kind: &str, output: &str, parameters: &str, family| DiagramLayer {
        name,
        kind: kind.into(),
        output: output.into(),
        parameters: parameters.into(),
        family,
    };
    let mut layers = vec![layer("image".into(), "pixels", "1 × 28 × 28", "", LayerFamily::Input)];
    for n in 1..=stages {
        layers.push(layer(
            format!("conv{n}"),
            "conv2d 3x3, relu",
            "32 × 26 × 26",
            "320 parameters",
            LayerFamily::Convolution,
        ));
        layers.push(layer(
            format!("bn{n}"),
            "batch_norm",
            "32 × 26 × 26",
            "128 parameters",
            LayerFamily::Normalization,
        ));
        layers.push(layer(format!("pool{n}"), "max_pool 2x2", "32 × 13 × 13", "", LayerFamily::Shape));
        layers.push(layer(format!("dropout{n}"), "dropout 0.25", "32 × 13 × 13", "", LayerFamily::Dropout));
    }
    layers.push(layer("flatten".into(), "flatten", "5408", "", LayerFamily::Shape));
    layers.push(layer("dense1".into(), "linear, relu", "128", "692,352 parameters", LayerFamily::Dense));
    layers.push(layer("head".into(), "linear, softmax", "10", "1,290 parameters", LayerFamily::Dense));
    Diagram { title: "cnn1: the layers".into(), subtitle: "693,962 parameters".into(), layers }
}

fn predictions(count: usize, columns: usize) -> Predictions {
    let one = |index: usize| {
        let truth = index * 7 % 10;
        let favourite = if index % 4 == 1 { (truth + 3) % 10 } else { truth };
        let weight =
            |class: usize| (3.0 * noise(key(index * 10 + class)) + if class == favourite { 4.5 } else { 0.0 }).exp();
        let total: f64 = (0..10).map(weight).sum();
        Prediction {
            pixels: garment(truth, index),
            width: 28,
            height: 28,
            name: format!("test image {index}"),
            truth,
            probabilities: (0..10).map(|class| weight(class) / total).collect(),
        }
    };
    Predictions {
        title: "cnn1: the first predictions".into(),
        columns,
        class_names: CLASSES.map(String::from).to_vec(),
        predictions: (0..count).map(one).collect(),
    }
}

fn feature_maps(channels: usize, side: usize) -> FeatureMaps {
    let map = |channel: usize| {
        let value = |pixel: usize| {
            let (x, y) = (pixel % side, pixel / side);
            let wave = f64::from(key((x * (channel % 5 + 1) + y * (channel % 3 + 1)) % 13)) * 19.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 228")]
            let value = wave as u8;
            value
        };
        (0..side * side).map(value).collect()
    };
    FeatureMaps {
        title: format!("cnn1: the {channels} maps of conv1"),
        subtitle: "rows start at the channel beside them".into(),
        columns: 16,
        width: side,
        height: side,
        maps: (0..channels).map(map).collect(),
    }
}

/// Ten clouds in space.
fn clouds() -> (Vec<[f64; 3]>, Vec<usize>) {
    let classes: Vec<usize> = (0..2500).map(|index| index % 10).collect();
    let point = |(index, &class): (usize, &usize)| {
        [0, 1, 2].map(|axis| {
            let center = 6.0 * noise(key(class * 3 + axis + 9000));
            let spread: f64 = (0..4).map(|n| noise(key(index * 12 + axis * 4 + n))).sum();
            center + spread
        })
    };
    (classes.iter().enumerate().map(point).collect(), classes)
}

fn scatter() -> Scatter {
    let (points, classes) = clouds();
    Scatter {
        title: "cnn1: principal components of raw pixels of 2,500 test images".into(),
        subtitle: "the first 10 components together explain 71.2% of the variance".into(),
        x_label: "component 1 (29.0% of the variance)".into(),
        y_label: "component 2 (17.7% of the variance)".into(),
        ticks: Ticks::Shown,
        class_names: CLASSES.map(String::from).to_vec(),
        points: points.iter().map(|&[x, y, _]| (x, y)).collect(),
        classes,
    }
}

fn scatter_3d() -> Scatter3d {
    let (points, classes) = clouds();
    Scatter3d {
        title: "cnn1: principal components of raw pixels of 2,500 test images".into(),
        subtitle: "the first 10 components together explain 71.2% of the variance".into(),
        axis_labels: [1, 2, 3].map(|n| format!("component {n} (29.0% of the variance)")),
        class_names: CLASSES.map(String::from).to_vec(),
        points,
        classes,
    }
}
