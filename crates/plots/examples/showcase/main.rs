//! Draws every kind of figure from made-up numbers, as PNG and SVG:
//! `cargo run --release -p plots --example showcase -- FOLDER`

mod pictures;

use std::error::Error;
use std::path::{Path, PathBuf};

use plots::{
    ColorBar, ConfusionMatrix, Curves, Figure, Gallery, Line, Marker, PhaseSpan, Series, SeriesStyle, Tile, Tone,
};

const CLASSES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("expected a folder to draw into")?);
    std::fs::create_dir_all(&folder)?;
    save(&folder, "loss", &loss(60))?;
    save(&folder, "accuracy", &accuracy(60))?;
    save(&folder, "one_epoch", &loss(1))?;
    save(&folder, "two_epochs", &loss(2))?;
    save(&folder, "thousand_epochs", &loss(1000))?;
    save(&folder, "compare", &compare())?;
    save(&folder, "gaps", &gaps())?;
    save(&folder, "empty_curves", &Curves { title: "Loss".into(), ..Curves::default() })?;
    save(&folder, "confusion_10", &confusion(&CLASSES.map(String::from)))?;
    let many: Vec<String> = (1..=20).map(|class| format!("class number {class}")).collect();
    save(&folder, "confusion_20", &confusion(&many))?;
    save(&folder, "confusion_3", &confusion(&["cat", "dog", "axolotl"].map(String::from)))?;
    save(&folder, "confusion_1", &confusion(&["everything".into()]))?;
    save(&folder, "samples", &gallery("25 training images", 25, 5, Kind::Samples))?;
    save(&folder, "correct", &gallery("Correct, most confident first", 25, 5, Kind::Correct))?;
    save(&folder, "misclassified", &gallery("Misclassified test images", 9, 3, Kind::Wrong))?;
    save(&folder, "no_mistakes", &gallery("Misclassified test images", 0, 5, Kind::Wrong))?;
    pictures::draw(&folder)
}

fn save(folder: &Path, name: &str, figure: &impl Figure) -> Result<(), Box<dyn Error>> {
    let path = folder.join(name);
    std::fs::write(path.with_extension("png"), plots::png(figure)?)?;
    std::fs::write(path.with_extension("svg"), plots::svg(figure)?)?;
    println!("{}", path.with_extension("png").display());
    Ok(())
}

/// A repeatable number from -1 to 1 for each key.
fn noise(key: u32) -> f64 {
    let mut bits = key.wrapping_add(1).wrapping_mul(0x9E37_79B9);
    bits = (bits ^ bits >> 16).wrapping_mul(0x85EB_CA6B);
    bits = (bits ^ bits >> 13).wrapping_mul(0xC2B2_AE35);
    f64::from(bits ^ bits >> 16) / f64::from(u32::MAX) * 2.0 - 1.0
}

fn series(name: &str, epochs: u32, style: SeriesStyle, at: impl Fn(u32) -> f64) -> Series {
    let points = (1..=epochs).map(|epoch| (f64::from(epoch), at(epoch))).collect();
    Series { name: name.into(), points, style }
}

fn phases(epochs: u32) -> Vec<PhaseSpan> {
    let span = |name: &str, first: u32, last: u32| PhaseSpan {
        name: name.into(),
        first: f64::from(first),
        last: f64::from(last),
    };
    match epochs {
        1 => vec![span("plain", 1, 1)],
        2..=10 => vec![span("plain", 1, 1), span("augmented", 2, epochs)],
        _ => vec![span("plain", 1, 10), span("augmented", 11, epochs)],
    }
}

fn train_loss(epoch: u32) -> f64 {
    let t = f64::from(epoch);
    let fall = 0.20 + 0.55 * (-t / 4.0).exp();
    let augmented = if epoch > 10 { 0.13 * (-(t - 11.0) / 40.0).exp() } else { 0.0 };
    fall + augmented - 0.0006 * t.min(60.0) + 0.004 * noise(epoch)
}

fn valid_loss(epoch: u32) -> f64 {
    let t = f64::from(epoch);
    let overfit = if epoch <= 10 { 0.004 * t } else { 0.0 };
    0.222 + 0.30 * (-t / 5.0).exp() + overfit - 0.0004 * t.min(50.0) + 0.012 * noise(epoch + 7000)
}

fn best(series: &Series, what: &str, better: impl Fn(f64, f64) -> bool) -> Option<Marker> {
    let best = series.points.iter().copied().reduce(|a, b| if better(b.1, a.1) { b } else { a });
    best.map(|(x, y)| Marker { x, y: Some(y), label: format!("best epoch {x}: {what} {y:.4}") })
}

fn loss(epochs: u32) -> Curves {
    let valid = series("validation", epochs, SeriesStyle::valid(), valid_loss);
    Curves {
        title: "cnn3_aug: loss".into(),
        x_label: "epoch".into(),
        y_label: "cross-entropy".into(),
        marker: best(&valid, "validation loss", |a, b| a < b),
        series: vec![series("train", epochs, SeriesStyle::train(), train_loss), valid],
        phases: phases(epochs),
        ..Curves::default()
    }
}

fn accuracy(epochs: u32) -> Curves {
    let accuracy = |loss: f64| 1.0 - 0.37 * loss.powf(1.05);
    let valid = series("validation", epochs, SeriesStyle::valid(), |epoch| accuracy(valid_loss(epoch)));
    Curves {
        title: "cnn3_aug: accuracy".into(),
        x_label: "epoch".into(),
        y_label: "accuracy".into(),
        marker: best(&valid, "validation accuracy", |a, b| a > b),
        series: vec![series("train", epochs, SeriesStyle::train(), |epoch| accuracy(train_loss(epoch))), valid],
        phases: phases(epochs),
        ..Curves::default()
    }
}

fn compare() -> Curves {
    let names = [
        "dense_128",
        "dense_deep",
        "ann_fashion",
        "cnn1",
        "cnn1_aug",
        "cnn3",
        "cnn3_aug",
        "cnn4",
        "cnn4_aug",
        "vgg_small",
        "cnn3_aug / 20250131T101500Z-flex-s1",
        "cnn3_aug / 20250131T113000Z-wgpu-s2",
    ];
    let one = |(index, name): (usize, &&str)| {
        let rank = f64::from(u32::try_from(index).unwrap_or(0));
        let epochs = if index == 0 { 12 } else { 30 };
        series(name, epochs, SeriesStyle::nth(index), |epoch| {
            let t = f64::from(epoch);
            let key = epoch + 100 * u32::try_from(index).unwrap_or(0);
            0.865 + 0.006 * rank - 0.12 * (-t / (2.0 + rank / 3.0)).exp() + 0.003 * noise(key)
        })
    };
    Curves {
        title: "Validation accuracy of twelve runs".into(),
        x_label: "epoch".into(),
        y_label: "validation accuracy".into(),
        series: names.iter().enumerate().map(one).collect(),
        ..Curves::default()
    }
}

fn gaps() -> Curves {
    let broken = |epoch: u32| match epoch {
        5 | 9 | 11 => f64::NAN,
        20 => f64::INFINITY,
        _ => train_loss(epoch),
    };
    Curves {
        title: "Missing values leave gaps, and a very long title wraps onto a second line rather \
                than being cut at the right edge of the picture"
            .into(),
        x_label: "epoch".into(),
        y_label: "cross-entropy".into(),
        series: vec![
            series("train", 30, SeriesStyle::train(), broken),
            series("constant", 30, SeriesStyle::nth(8), |_| 0.35),
            series("nothing finite", 30, SeriesStyle::nth(2), |_| f64::NAN),
        ],
        phases: [("warm-up", 1.0, 1.0), ("plain", 2.0, 3.0), ("augmented", 4.0, 29.0), ("cool-down", 30.0, 30.0)]
            .map(|(name, first, last)| PhaseSpan { name: name.into(), first, last })
            .to_vec(),
        marker: Some(Marker { x: 29.0, y: None, label: "best epoch 29".into() }),
        ..Curves::default()
    }
}

fn confusion(names: &[String]) -> ConfusionMatrix {
    let count = |truth: usize, predicted: usize| -> u64 {
        let key = u32::try_from(truth * 31 + predicted * 7).unwrap_or(0);
        let alike = [0, 2, 4, 6].contains(&truth) && [0, 2, 4, 6].contains(&predicted);
        let luck = noise(key);
        match (truth == predicted, alike) {
            (true, true) => 870 - 10 * u64::from(key % 9),
            (true, false) => 968 + u64::from(key % 9),
            (false, true) => 30 + u64::from(key % 37),
            (false, false) if luck > 0.35 => u64::from(key % 11),
            (false, false) => 0,
        }
    };
    let row = |truth| (0..names.len()).map(|predicted| count(truth, predicted)).collect();
    ConfusionMatrix {
        title: "Confusion matrix, test set".into(),
        class_names: names.to_vec(),
        counts: (0..names.len()).map(row).collect(),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Samples,
    Correct,
    Wrong,
}

fn gallery(title: &str, count: usize, columns: usize, kind: Kind) -> Gallery {
    let make = |index: usize| {
        let (class, other) = (index * 7 % 10, (index * 3 + 1) % 10);
        let line = |text: String, tone| Line { text, tone };
        let truth = line(format!("true {}", CLASSES[class]), Tone::Neutral);
        let caption = match kind {
            Kind::Samples => vec![line(CLASSES[class].into(), Tone::Neutral)],
            Kind::Correct => {
                vec![truth, line(format!("predicted {} 99%", CLASSES[class]), Tone::Good)]
            }
            Kind::Wrong => {
                vec![truth, line(format!("predicted {} 73%", CLASSES[other]), Tone::Bad)]
            }
        };
        Tile { pixels: garment(class, index), width: 28, height: 28, caption }
    };
    Gallery {
        title: title.into(),
        columns,
        tiles: (0..count).map(make).collect(),
        empty_note: "Every test image was classified correctly.".into(),
        color_bar: ColorBar::None,
    }
}

/// A rough silhouette of a piece of clothing, shaded, 28 × 28.
fn garment(class: usize, seed: usize) -> Vec<u8> {
    let inside = |x: f64, y: f64| {
        let body = x.abs() < 0.34 && y.abs() < 0.8;
        match class {
            0 => body || (y < -0.3 && y > -0.8 && x.abs() < 0.75 + y * 0.1),
            1 => y.abs() < 0.9 && x.abs() < 0.35 && (y < -0.45 || x.abs() > 0.08),
            2 | 4 | 6 => body || (y > -0.8 && y < 0.75 && x.abs() < 0.62 + y * 0.15),
            3 => y.abs() < 0.9 && x.abs() < 0.2 + (y + 0.9) * 0.12,
            5 => (y > 0.3 - x * 0.5 && y < 0.45 - x * 0.2) || (y > 0.5 && y < 0.6),
            7 => y > -0.05 - x * 0.25 && y < 0.35 && x.abs() < 0.9,
            8 => y.abs() < 0.5 && x.abs() < 0.7 && (y > -0.15 || x.abs() > 0.4 || y < -0.35),
            _ => y < 0.6 && y > -0.7 && (x > 0.05 || y > 0.1 - x * 0.1) && x.abs() < 0.7,
        }
    };
    let shade = |index: u32| {
        let (x, y) = (f64::from(index % 28) / 13.5 - 1.0, f64::from(index / 28) / 13.5 - 1.0);
        if !inside(x, y) {
            return 0;
        }
        let grain = noise(index + 784 * u32::try_from(seed).unwrap_or(0));
        let light = (165.0 - 50.0 * x + 35.0 * grain).clamp(40.0, 255.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "40 to 255")]
        let light = light as u8;
        light
    };
    (0..784).map(shade).collect()
}
