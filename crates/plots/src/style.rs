//! The look that all figures share: colours, sizes of type, and how series are told apart.
//!
//! Knows no figure. Sizes are in logical pixels; a PNG has two device pixels for each.

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

/// How a line is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dash {
    /// Unbroken.
    #[default]
    Solid,
    /// Long strokes.
    Dashed,
    /// Short strokes.
    Dotted,
}

/// What is drawn at the points of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing, except where a point has no neighbours to be joined with.
    #[default]
    None,
    /// A filled disc.
    Dot,
    /// An open circle.
    Ring,
    /// A filled square.
    Square,
}

/// How one series looks. Never told apart by colour alone: it must also read in grey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesStyle {
    /// Colour of line and marks.
    pub color: Color,
    /// How the line is broken.
    pub dash: Dash,
    /// What is drawn at the points.
    pub mark: Mark,
}

impl Color {
    /// The colour with these channels.
    #[must_use]
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// The mix of `self` and `other`, with `share` of `other` from 0 to 1, in sRGB.
    #[must_use]
    pub fn mix(self, other: Self, share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a mix of two bytes with a share in 0..=1 is a byte"
        )]
        let channel = |a: u8, b: u8| {
            let share = share.clamp(0.0, 1.0);
            (f64::from(a) * (1.0 - share) + f64::from(b) * share).round() as u8
        };
        Self {
            red: channel(self.red, other.red),
            green: channel(self.green, other.green),
            blue: channel(self.blue, other.blue),
        }
    }

    /// Relative luminance from 0 (black) to 1 (white), as WCAG 2 defines it.
    #[must_use]
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// The one of ink and paper that is easier to read on this colour.
    #[must_use]
    pub(crate) fn readable(self) -> Self {
        let contrast = |text: Self| {
            let (a, b) = (self.luminance() + 0.05, text.luminance() + 0.05);
            a.max(b) / a.min(b)
        };
        if contrast(INK) > contrast(PAPER) { INK } else { PAPER }
    }
}

impl SeriesStyle {
    /// Training: a plain dark line.
    #[must_use]
    pub const fn train() -> Self {
        Self { color: PALETTE[0], dash: Dash::Solid, mark: Mark::None }
    }

    /// Validation: a line with open circles.
    #[must_use]
    pub const fn valid() -> Self {
        Self { color: PALETTE[1], dash: Dash::Solid, mark: Mark::Ring }
    }

    /// The look of the `index`-th of many series: colours first, then dashes, then marks.
    #[must_use]
    pub fn nth(index: usize) -> Self {
        let round = index / PALETTE.len();
        Self {
            color: PALETTE[index % PALETTE.len()],
            dash: [Dash::Solid, Dash::Dashed, Dash::Dotted][round % 3],
            mark: [Mark::None, Mark::Ring, Mark::Square, Mark::Dot][round / 3 % 4],
        }
    }

    /// The same look with another dash.
    #[must_use]
    pub const fn with_dash(self, dash: Dash) -> Self {
        Self { dash, ..self }
    }

    /// The same look with another mark.
    #[must_use]
    pub const fn with_mark(self, mark: Mark) -> Self {
        Self { mark, ..self }
    }
}

/// The colour-blind-safe palette of Okabe and Ito (2008), without its yellow, which is too pale
/// for a thin line on white, and with its black last.
pub const PALETTE: [Color; 7] = [
    Color::new(0x00, 0x72, 0xB2),
    Color::new(0xD5, 0x5E, 0x00),
    Color::new(0x00, 0x9E, 0x73),
    Color::new(0xCC, 0x79, 0xA7),
    Color::new(0xE6, 0x9F, 0x00),
    Color::new(0x56, 0xB4, 0xE9),
    Color::new(0x33, 0x3B, 0x46),
];

/// Colours of points by class: the "muted" scheme of Paul Tol (technical note SRON/EPS/TN/09-002, 2021),
/// ten colours that people with any kind of colour vision tell apart; its pale grey, which vanishes on
/// white, is a dark one here, and its sand a little darker.
pub(crate) const CLASS_COLORS: [Color; 10] = [
    Color::new(0xCC, 0x66, 0x77),
    Color::new(0x33, 0x22, 0x88),
    Color::new(0xD1, 0xBC, 0x4E),
    Color::new(0x11, 0x77, 0x33),
    Color::new(0x6F, 0xBF, 0xE6),
    Color::new(0x88, 0x22, 0x55),
    Color::new(0x3A, 0xA0, 0x8F),
    Color::new(0x8C, 0x8C, 0x2E),
    Color::new(0xB0, 0x4C, 0xA0),
    Color::new(0x4A, 0x4F, 0x57),
];

/// Bars and captions of predictions: right, wrong, and neither.
pub(crate) const RIGHT: Color = Color::new(0x00, 0x62, 0xA8);
pub(crate) const WRONG: Color = Color::new(0xC4, 0x28, 0x1B);
pub(crate) const OTHER: Color = Color::new(0x9A, 0xA4, 0xB2);

pub(crate) const PAPER: Color = Color::new(0xFF, 0xFF, 0xFF);
pub(crate) const INK: Color = Color::new(0x11, 0x18, 0x21);
pub(crate) const MUTED: Color = Color::new(0x5C, 0x67, 0x75);
pub(crate) const GRID: Color = Color::new(0xDE, 0xE3, 0xEA);
pub(crate) const AXIS: Color = Color::new(0x9A, 0xA4, 0xB2);
/// Backgrounds of alternating phases.
pub(crate) const BANDS: [Color; 2] = [Color::new(0xF6, 0xF8, 0xFA), Color::new(0xEA, 0xEF, 0xF5)];
/// Caption of what went right, and of what went wrong: dark enough to be read as text.
pub(crate) const GOOD: Color = Color::new(0x00, 0x73, 0x55);
pub(crate) const BAD: Color = Color::new(0xB8, 0x4A, 0x00);

/// Type sizes (pixels per em).
pub(crate) const TITLE: f64 = 22.0;
pub(crate) const BODY: f64 = 15.0;
pub(crate) const SMALL: f64 = 14.0;
/// For what there is much of: bars beside small images, cells of large matrices.
pub(crate) const TINY: f64 = 12.0;

/// Blank frame around every figure.
pub(crate) const MARGIN: f64 = 28.0;
