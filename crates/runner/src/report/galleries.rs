//! Galleries of images with the names of their classes.

use plots::{Gallery, Line, Tone};

use crate::run_dir::{Tile, Tiles};

/// Training images, and where a phase augments, what the model sees of them.
pub(super) fn samples(name: &str, tiles: &Tiles) -> Gallery {
    let is_augmented = tiles.samples.iter().any(|tile| tile.augmented_in_epoch.is_some());
    let what =
        if is_augmented { "training images, and below each what the model sees of it" } else { "training images" };
    let caption = |tile: &Tile| {
        let text = match tile.augmented_in_epoch {
            Some(epoch) => format!("in epoch {epoch}"),
            None => tile.class.clone(),
        };
        vec![Line { text, tone: Tone::Neutral }]
    };
    gallery(format!("{name}: {what}"), tiles, &tiles.samples, tiles.sample_columns, caption)
}

/// The first tested images that were predicted right.
pub(super) fn correct(name: &str, tiles: &Tiles) -> Gallery {
    let title = format!("{name}: the first right predictions ({} of {})", tiles.tested - tiles.mistakes, tiles.tested);
    gallery(title, tiles, &tiles.correct, tiles.sample_columns, |tile| judged(tile, Tone::Good))
}

/// The first tested images that were predicted wrong.
pub(super) fn misclassified(name: &str, tiles: &Tiles) -> Gallery {
    let title = format!("{name}: the first wrong predictions ({} of {})", tiles.mistakes, tiles.tested);
    gallery(title, tiles, &tiles.misclassified, tiles.sample_columns, |tile| judged(tile, Tone::Bad))
}

fn judged(tile: &Tile, tone: Tone) -> Vec<Line> {
    let predicted = tile.predicted.as_deref().unwrap_or("?");
    let probability = tile.probability.map(|p| format!(" {:.0}%", 100.0 * p)).unwrap_or_default();
    vec![
        Line { text: format!("true {}", tile.class), tone: Tone::Neutral },
        Line { text: format!("pred. {predicted}{probability}"), tone },
    ]
}

fn gallery(
    title: String,
    size: &Tiles,
    tiles: &[Tile],
    columns: usize,
    caption: impl Fn(&Tile) -> Vec<Line>,
) -> Gallery {
    Gallery {
        title,
        columns,
        tiles: tiles
            .iter()
            .map(|tile| plots::Tile {
                pixels: tile.pixels.clone(),
                width: size.width,
                height: size.height,
                caption: caption(tile),
            })
            .collect(),
        empty_note: "There are none.".to_owned(),
        ..Gallery::default()
    }
}
