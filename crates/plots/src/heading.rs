//! Title and subtitle, as all figures have them: top left, wrapped, never cut.

use crate::font::Type;
use crate::geometry::real;
use crate::scene::{Label, Scene};
use crate::style::{BODY, INK, MARGIN, MUTED, TITLE};
use crate::text::wrap_or_shorten;

const TITLE_LINE: f64 = 28.0;
const SUBTITLE_LINE: f64 = 24.0;

/// A wrapped title and subtitle.
pub(crate) struct Heading {
    title: Vec<String>,
    subtitle: Vec<String>,
}

impl Heading {
    /// Wraps for a figure `width` wide. Empty texts take no room.
    pub(crate) fn new(title: &str, subtitle: &str, width: f64) -> Self {
        let room = width - 2.0 * MARGIN;
        let wrap = |text: &str, face| {
            let lines = wrap_or_shorten(text, room, 2, face);
            lines.into_iter().filter(|line| !line.is_empty()).collect()
        };
        Self { title: wrap(title, Type::bold(TITLE)), subtitle: wrap(subtitle, Type::regular(BODY)) }
    }

    /// Where the heading ends, in pixels from the top of the figure.
    pub(crate) fn bottom(&self) -> f64 {
        MARGIN + real(self.title.len()) * TITLE_LINE + real(self.subtitle.len()) * SUBTITLE_LINE
    }

    pub(crate) fn draw(&self, scene: &mut Scene) {
        let mut bottom = MARGIN;
        for line in &self.title {
            bottom += TITLE_LINE;
            scene.label(Label::new(line, (MARGIN, bottom - 10.0), Type::bold(TITLE), INK));
        }
        for line in &self.subtitle {
            bottom += SUBTITLE_LINE;
            scene.label(Label::new(line, (MARGIN, bottom - 8.0), Type::regular(BODY), MUTED));
        }
    }
}
