//! Images, each beside the class probabilities that a model gives it.
//!
//! Blue is what is right, red what was wrongly predicted; a caption says the same in words.

use crate::Figure;
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Rect, real, whole};
use crate::heading::Heading;
use crate::png::PIXEL_RATIO;
use crate::scene::{Align, Image, Label, Scene};
use crate::style::{AXIS, BODY, Color, INK, MARGIN, MUTED, OTHER, RIGHT, SMALL, TINY, WRONG};
use crate::text::{clean, shorten};

/// Images are enlarged to at most about this, in device pixels.
const IMAGE: usize = 280;
/// Most bars of one image; the least probable classes are left out.
const MAX_BARS: usize = 10;
const BAR_ROW: f64 = 16.0;
const BARS: f64 = 110.0;
const MAX_NAME: f64 = 110.0;
const CAPTION_LINE: f64 = 20.0;
const COLUMN_GAP: f64 = 36.0;
const ROW_GAP: f64 = 26.0;
const MIN_WIDTH: f64 = 480.0;
const NOTHING: &str = "There are no predictions to show.";

/// Predictions in rows of `columns`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Heading.
    pub title: String,
    /// Predictions in a row; 0 counts as 1.
    pub columns: usize,
    /// One name for each class.
    pub class_names: Vec<String>,
    /// The predictions, row by row.
    pub predictions: Vec<Prediction>,
}

/// An image with its true class and the probabilities of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Row by row, 0 black to 255 white; `width` × `height` of them.
    pub pixels: Vec<u8>,
    /// Width of the image, in its own pixels.
    pub width: usize,
    /// Height of the image, in its own pixels.
    pub height: usize,
    /// What is said above the image, as in `test image 12`; may be empty.
    pub name: String,
    /// Index of the true class.
    pub truth: usize,
    /// From 0 to 1, one for each class; the greatest is the prediction.
    pub probabilities: Vec<f64>,
}

/// Sizes that all panels share.
struct Panel {
    image: (f64, f64),
    names: f64,
    bars: usize,
    width: f64,
    height: f64,
}

impl Figure for Predictions {
    fn scene(&self) -> Result<Scene, PlotError> {
        for (index, prediction) in self.predictions.iter().enumerate() {
            prediction.check(index, self.class_names.len())?;
        }
        let panel = self.panel();
        let columns = self.columns.clamp(1, self.predictions.len().max(1));
        let rows = self.predictions.len().div_ceil(columns);
        let grid = (panel.width + COLUMN_GAP) * real(columns) - COLUMN_GAP;
        let width = (grid + 2.0 * MARGIN).max(MIN_WIDTH).ceil();
        let subtitle = if rows == 0 { "" } else { "blue: the true class; red: a wrong prediction" };
        let heading = Heading::new(&self.title, subtitle, width);
        let top = heading.bottom() + 16.0;
        let content = if rows == 0 { 30.0 } else { (panel.height + ROW_GAP) * real(rows) - ROW_GAP };
        let mut scene = Scene::new(&self.title, width, top + content + MARGIN)?;
        heading.draw(&mut scene);
        if rows == 0 {
            scene.label(Label::new(NOTHING, (MARGIN, top + 16.0), Type::regular(BODY), MUTED));
        }
        for (index, prediction) in self.predictions.iter().enumerate() {
            let left = MARGIN + (panel.width + COLUMN_GAP) * real(index % columns);
            let at = (left.round(), top + (panel.height + ROW_GAP) * real(index / columns));
            self.draw_one(&mut scene, prediction, &panel, at);
        }
        Ok(scene)
    }
}

impl Predictions {
    fn panel(&self) -> Panel {
        let most = |side: fn(&Prediction) -> f64| self.predictions.iter().map(side).fold(0.0, f64::max);
        let image = (most(|it| it.size().0), most(|it| it.size().1));
        let face = Type::regular(TINY);
        let names = self.class_names.iter().map(|name| face.width(&clean(name))).fold(0.0, f64::max).min(MAX_NAME);
        let bars = self.class_names.len().min(MAX_BARS);
        let percent = face.width("100%") + 6.0;
        let width = image.0 + 14.0 + names + 8.0 + BARS + percent;
        // A line above for the name, two below for the caption.
        let picture = image.1 + 2.0 * CAPTION_LINE + 6.0;
        let hidden = if self.class_names.len() > bars { BAR_ROW } else { 0.0 };
        let height = CAPTION_LINE + picture.max(real(bars) * BAR_ROW + hidden);
        Panel { image, names, bars, width, height: height.ceil() }
    }

    fn draw_one(&self, scene: &mut Scene, prediction: &Prediction, panel: &Panel, (left, top): (f64, f64)) {
        let face = Type::regular(SMALL);
        let name = shorten(&prediction.name, panel.width, face);
        scene.label(Label::new(&name, (left, top + 14.0), face, MUTED));
        let (width, height) = prediction.size();
        let rect = Rect::new(left, top + CAPTION_LINE, width, height);
        let pixels = prediction.pixels.clone();
        scene.images.push(Image { rect, pixels, columns: prediction.width, rows: prediction.height });

        let predicted = prediction.predicted();
        let tone = if predicted == prediction.truth { RIGHT } else { WRONG };
        let probability = prediction.probabilities.get(predicted).copied().unwrap_or(0.0);
        let said = format!("{} {}", self.class_names[predicted], percent(probability));
        let truth = format!("true {}", self.class_names[prediction.truth]);
        for (line, (text, face, color)) in [(said, Type::bold(SMALL), tone), (truth, face, INK)].into_iter().enumerate()
        {
            let baseline = (left, rect.bottom + 20.0 + CAPTION_LINE * real(line));
            // Beside the bars, so not under them where these reach further down than the image.
            scene.label(Label::new(&shorten(&text, panel.image.0 + 6.0, face), baseline, face, color));
        }
        self.draw_bars(scene, prediction, panel, (left + panel.image.0 + 14.0, rect.top));
    }

    fn draw_bars(&self, scene: &mut Scene, prediction: &Prediction, panel: &Panel, (left, top): (f64, f64)) {
        let face = Type::regular(TINY);
        let axis = left + panel.names + 8.0;
        for (row, class) in prediction.shown(panel.bars).into_iter().enumerate() {
            let probability = prediction.probabilities[class];
            let middle = top + BAR_ROW * (real(row) + 0.5);
            let color = prediction.color(class);
            let length = (BARS * probability.clamp(0.0, 1.0)).max(1.0);
            scene.fill(Rect::new(axis, middle - 5.5, length, 11.0), color);
            let name = shorten(&self.class_names[class], MAX_NAME, face);
            let ink = if color == OTHER { MUTED } else { color };
            scene.label(Label::new(&name, (axis - 8.0, middle + 4.0), face, ink).align(Align::End));
            if probability >= 0.005 {
                let text = percent(probability);
                scene.label(Label::new(&text, (axis + length + 5.0, middle + 4.0), face, ink));
            }
        }
        let height = BAR_ROW * real(panel.bars);
        scene.fill(Rect::new(axis - 1.0, top, 1.0, height), AXIS);
        let hidden = self.class_names.len() - panel.bars;
        if hidden > 0 {
            let text = format!("and {hidden} more");
            scene.label(Label::new(&text, (axis, top + height + 12.0), face, MUTED));
        }
    }
}

impl Prediction {
    fn check(&self, index: usize, classes: usize) -> Result<(), PlotError> {
        let wrong = |expected: String, found: String| {
            Err(PlotError::Shape { figure: format!("prediction {index}"), expected, found })
        };
        if self.width.checked_mul(self.height) != Some(self.pixels.len()) || self.pixels.is_empty() {
            let expected = format!("{} x {} pixels, at least one", self.width, self.height);
            return wrong(expected, format!("{} pixels", self.pixels.len()));
        }
        if self.probabilities.len() != classes {
            let found = self.probabilities.len().to_string();
            return wrong(format!("{classes} probabilities, one for each class name"), found);
        }
        if self.truth >= classes {
            return wrong(format!("a true class below {classes}"), self.truth.to_string());
        }
        Ok(())
    }

    fn size(&self) -> (f64, f64) {
        let enlarged = (IMAGE / self.width.max(self.height).max(1)).max(1);
        let side = |pixels: usize| real(pixels * enlarged) / f64::from(PIXEL_RATIO);
        (side(self.width), side(self.height))
    }

    /// The first class of the greatest probability; NaN never wins.
    fn predicted(&self) -> usize {
        let mut best = 0;
        for (class, value) in self.probabilities.iter().enumerate() {
            if *value > self.probabilities[best] || (self.probabilities[best].is_nan() && !value.is_nan()) {
                best = class;
            }
        }
        best
    }

    fn color(&self, class: usize) -> Color {
        if class == self.truth {
            RIGHT
        } else if class == self.predicted() {
            WRONG
        } else {
            OTHER
        }
    }

    /// The classes that get a bar, in their order: all, or the true one and the most probable.
    fn shown(&self, bars: usize) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.probabilities.len()).collect();
        if classes.len() > bars {
            classes.sort_by(|&a, &b| {
                let key = |class: usize| (class == self.truth, self.probabilities[class]);
                let ((a_is_true, a), (b_is_true, b)) = (key(a), key(b));
                b_is_true.cmp(&a_is_true).then(b.total_cmp(&a))
            });
            classes.truncate(bars);
            classes.sort_unstable();
        }
        classes
    }
}

fn percent(probability: f64) -> String {
    format!("{}%", whole(100.0 * probability))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(truth: usize, probabilities: &[f64]) -> Prediction {
        let probabilities = probabilities.to_vec();
        Prediction { pixels: vec![0], width: 1, height: 1, name: String::new(), truth, probabilities }
    }

    #[test]
    fn the_greatest_probability_is_the_prediction() {
        assert_eq!(prediction(0, &[0.1, 0.7, 0.2]).predicted(), 1);
        assert_eq!(prediction(0, &[f64::NAN, 0.2, 0.2]).predicted(), 1);
    }

    #[test]
    fn of_many_classes_the_true_one_and_the_most_probable_are_shown() {
        assert_eq!(prediction(4, &[0.1, 0.5, 0.2, 0.15, 0.05]).shown(3), [1, 2, 4]);
        assert_eq!(prediction(1, &[0.4, 0.6]).shown(10), [0, 1]);
    }

    #[test]
    fn bars_are_blue_for_the_truth_and_red_for_a_wrong_prediction() {
        let wrong = prediction(0, &[0.3, 0.6, 0.1]);
        assert_eq!([0, 1, 2].map(|class| wrong.color(class)), [RIGHT, WRONG, OTHER]);
        let right = prediction(1, &[0.3, 0.6, 0.1]);
        assert_eq!([0, 1, 2].map(|class| right.color(class)), [OTHER, RIGHT, OTHER]);
    }
}
