//! The layers of a network from the image to the classes, each a box: what it does, what it puts out, and how
//! many parameters it has.

use crate::Figure;
use crate::error::PlotError;
use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::heading::Heading;
use crate::scene::{Align, Label, Scene};
use crate::style::{AXIS, BODY, Color, INK, MARGIN, MUTED, PALETTE, PAPER, SMALL};
use crate::text::shorten;

const BOX: f64 = 46.0;
const GAP: f64 = 16.0;
const STRIPE: f64 = 8.0;
const PADDING: f64 = 14.0;
const COLUMN_GAP: f64 = 44.0;
const MAX_NAME: f64 = 170.0;
const MAX_KIND: f64 = 230.0;
/// More layers than this stand in a second column, and so on.
const MAX_ROWS: usize = 16;

/// A network, layer by layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagram {
    /// Heading.
    pub title: String,
    /// A line below the heading, as in `241,546 parameters`; may be empty.
    pub subtitle: String,
    /// The boxes, in the order in which the layers are applied.
    pub layers: Vec<DiagramLayer>,
}

/// A box of a [`Diagram`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagramLayer {
    /// Name of the layer.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// Shape of its output.
    pub output: String,
    /// Its number of parameters in words; empty for none.
    pub parameters: String,
    /// Decides the colour.
    pub family: LayerFamily,
}

/// What kind of work a layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerFamily {
    /// The image.
    Input,
    /// A convolution.
    Convolution,
    /// A dense layer.
    Dense,
    /// A normalisation.
    Normalization,
    /// Pooling and other changes of shape.
    Shape,
    /// Dropout.
    Dropout,
}

impl LayerFamily {
    fn color(self) -> Color {
        match self {
            Self::Input => PALETTE[6],
            Self::Convolution => PALETTE[0],
            Self::Dense => PALETTE[1],
            Self::Normalization => PALETTE[2],
            Self::Shape => PALETTE[5],
            Self::Dropout => PALETTE[3],
        }
    }
}

/// Sizes that all boxes share.
struct Layout {
    rows: usize,
    columns: usize,
    box_width: f64,
    /// Where the kinds start, from the left of a box.
    kind_left: f64,
}

impl Figure for Diagram {
    fn scene(&self) -> Result<Scene, PlotError> {
        let layout = self.layout();
        let boxes = layout.box_width * real(layout.columns) + COLUMN_GAP * real(layout.columns.saturating_sub(1));
        let width = (boxes + 2.0 * MARGIN).max(480.0).ceil();
        let heading = Heading::new(&self.title, &self.subtitle, width);
        let top = heading.bottom() + 16.0;
        let content = if layout.rows == 0 { 30.0 } else { (BOX + GAP) * real(layout.rows) - GAP };
        let mut scene = Scene::new(&self.title, width, top + content + MARGIN)?;
        heading.draw(&mut scene);
        if self.layers.is_empty() {
            let note = "There are no layers to show.";
            scene.label(Label::new(note, (MARGIN, top + 16.0), Type::regular(BODY), MUTED));
        }
        let place = |index: usize| {
            let (column, row) = (index / layout.rows.max(1), index % layout.rows.max(1));
            let left = MARGIN + (layout.box_width + COLUMN_GAP) * real(column);
            Rect::new(left, top + (BOX + GAP) * real(row), layout.box_width, BOX)
        };
        for index in 1..self.layers.len() {
            connect(&mut scene, &place(index - 1), &place(index));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            layer.draw(&mut scene, &place(index), &layout);
        }
        Ok(scene)
    }
}

impl Diagram {
    fn layout(&self) -> Layout {
        let columns = self.layers.len().div_ceil(MAX_ROWS);
        let rows = self.layers.len().div_ceil(columns.max(1));
        let most = |width: fn(&DiagramLayer) -> f64| self.layers.iter().map(width).fold(0.0, f64::max).ceil();
        let name = most(|layer| Type::bold(BODY).width(&shorten(&layer.name, MAX_NAME, Type::bold(BODY))));
        let kind = most(|layer| Type::regular(SMALL).width(&shorten(&layer.kind, MAX_KIND, Type::regular(SMALL))));
        let right = most(|layer| {
            let output = Type::regular(BODY).width(&shorten(&layer.output, MAX_NAME, Type::regular(BODY)));
            output.max(Type::regular(SMALL).width(&shorten(&layer.parameters, MAX_KIND, Type::regular(SMALL))))
        });
        let kind_left = STRIPE + PADDING + name + 18.0;
        let box_width = (kind_left + kind + 24.0 + right + PADDING).max(320.0);
        Layout { rows, columns, box_width, kind_left }
    }
}

impl DiagramLayer {
    fn draw(&self, scene: &mut Scene, rect: &Rect, layout: &Layout) {
        scene.fill(*rect, self.family.color().mix(PAPER, 0.65));
        scene.fill(rect.inset(1.0), self.family.color().mix(PAPER, 0.93));
        scene.fill(Rect { right: rect.left + STRIPE, ..*rect }, self.family.color());
        let middle = rect.center().1;
        let name = shorten(&self.name, MAX_NAME, Type::bold(BODY));
        let at = (rect.left + STRIPE + PADDING, middle + 5.5);
        scene.label(Label::new(&name, at, Type::bold(BODY), INK));
        let kind = shorten(&self.kind, MAX_KIND, Type::regular(SMALL));
        let at = (rect.left + layout.kind_left, middle + 5.0);
        scene.label(Label::new(&kind, at, Type::regular(SMALL), INK));
        let right = rect.right - PADDING;
        let output = shorten(&self.output, MAX_NAME, Type::regular(BODY));
        let parameters = shorten(&self.parameters, MAX_KIND, Type::regular(SMALL));
        let rise = if parameters.is_empty() { 0.0 } else { 8.0 };
        let at = (right, middle + 5.5 - rise);
        scene.label(Label::new(&output, at, Type::regular(BODY), INK).align(Align::End));
        let at = (right, middle + 17.0);
        scene.label(Label::new(&parameters, at, Type::regular(SMALL), MUTED).align(Align::End));
    }
}

/// An arrow down to the next box, or around to the top of the next column.
fn connect(scene: &mut Scene, from: &Rect, to: &Rect) {
    let tip = |scene: &mut Scene, (x, y): (f64, f64)| {
        scene.triangle([(x - 5.0, y - 7.0), (x + 5.0, y - 7.0), (x, y)], AXIS);
    };
    if to.top > from.top {
        let x = from.center().0;
        scene.line(vec![(x, from.bottom), (x, to.top - 5.0)], 1.5, AXIS);
        tip(scene, (x, to.top));
        return;
    }
    // Through the gap between the columns: out to the right, up, and in from the left.
    let (x, start, end) = (f64::midpoint(from.right, to.left), from.center().1, to.center().1);
    scene.line(vec![(from.right, start), (x, start), (x, end), (to.left - 6.0, end)], 1.5, AXIS);
    scene.triangle([(to.left - 7.0, end - 5.0), (to.left - 7.0, end + 5.0), (to.left, end)], AXIS);
}
