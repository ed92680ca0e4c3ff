//! Phases of training: shaded bands with their names on top.
//!
//! A name stands at the left end of its band. Where a band is narrower than its name, the name
//! moves up a row, and its band grows up to it like the pole of a flag.

use super::PhaseSpan;
use crate::axis::{Scale, plottable};
use crate::font::Type;
use crate::geometry::{Rect, real};
use crate::scene::{Label, Scene};
use crate::style::{BANDS, MUTED, SMALL};
use crate::text::{clean, shorten};

const ROW: f64 = 26.0;
const MAX_ROWS: usize = 3;
/// Between the edge of a band and its name, and between names.
const GAP: f64 = 8.0;

/// A shaded band with its name, in pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Band {
    left: f64,
    right: f64,
    /// Empty if there is no room for it.
    name: String,
    name_left: f64,
    /// Rows of names below this one.
    row: usize,
}

/// Places bands and names. `span` is where there is data; bands at its ends reach to the edges.
pub(super) fn lay_out(phases: &[PhaseSpan], span: (f64, f64), x: &Scale) -> Vec<Band> {
    let mut phases: Vec<&PhaseSpan> = phases
        .iter()
        .filter(|phase| plottable(phase.first) && plottable(phase.last) && phase.first <= phase.last)
        .collect();
    phases.sort_by(|a, b| a.first.total_cmp(&b.first));

    let (left_edge, right_edge) = x.pixels;
    let middle = |a: f64, b: f64| x.place(f64::midpoint(a, b)).round();
    let mut bands: Vec<Band> = Vec::with_capacity(phases.len());
    for (index, phase) in phases.iter().enumerate() {
        let left = match index.checked_sub(1).map(|before| phases[before]) {
            Some(before) => middle(before.last, phase.first),
            None if phase.first <= span.0 => left_edge,
            None => x.place(phase.first),
        };
        let right = match phases.get(index + 1) {
            Some(after) => middle(phase.last, after.first),
            None if phase.last >= span.1 => right_edge,
            None => x.place(phase.last),
        };
        let (left, right) = (left.clamp(left_edge, right_edge), right.clamp(left_edge, right_edge));
        bands.push(Band { left, right, name: clean(&phase.name), name_left: 0.0, row: 0 });
    }
    place_names(&mut bands, (left_edge, right_edge));
    bands
}

/// Gives every name its row, from right to left, so that a name only reaches over lower ones.
fn place_names(bands: &mut [Band], (left_edge, right_edge): (f64, f64)) {
    let face = Type::regular(SMALL);
    for index in (0..bands.len()).rev() {
        let (head, placed) = bands.split_at_mut(index + 1);
        let band = &mut head[index];
        let fit = |name: &str, left: f64| {
            let width = face.width(name);
            let name_left = (left + GAP).min(right_edge - width - GAP).max(left_edge + GAP);
            (name_left, name_left + width)
        };
        let (mut from, to) = fit(&band.name, band.left);
        let row = placed
            .iter()
            .filter(|other| {
                let (left, right) = (other.name_left, other.name_left + face.width(&other.name));
                !other.name.is_empty() && left < to + GAP && from < right + GAP
            })
            .map(|other| other.row + 1)
            .max()
            .unwrap_or(0);
        if row < MAX_ROWS {
            band.row = row;
        } else {
            let room = band.right - band.left - 2.0 * GAP;
            band.name = if room < 30.0 { String::new() } else { shorten(&band.name, room, face) };
            from = band.left + GAP;
        }
        band.name_left = from;
    }
}

/// Height that the names need above the lines.
pub(super) fn strip_height(bands: &[Band]) -> f64 {
    let rows = bands.iter().filter(|band| !band.name.is_empty()).map(|band| band.row + 1).max();
    real(rows.unwrap_or(0)) * ROW
}

/// Draws bands down to the bottom of `plot` and names above it.
pub(super) fn draw(scene: &mut Scene, bands: &[Band], plot: &Rect, names_bottom: f64) {
    for (index, band) in bands.iter().enumerate() {
        let rows = if band.name.is_empty() { 0.0 } else { real(band.row + 1) };
        let top = names_bottom - rows * ROW;
        let rect = Rect { left: band.left, top, right: band.right, bottom: plot.bottom };
        scene.fill(rect, BANDS[index % BANDS.len()]);
        let baseline = (band.name_left, top + 18.0);
        scene.label(Label::new(&band.name, baseline, Type::regular(SMALL), MUTED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bands(phases: &[(&str, f64, f64)], epochs: f64) -> Vec<Band> {
        let phases: Vec<PhaseSpan> =
            phases.iter().map(|&(name, first, last)| PhaseSpan { name: name.into(), first, last }).collect();
        let x = Scale { data: (0.0, epochs + 1.0), pixels: (100.0, 900.0) };
        lay_out(&phases, (1.0, epochs), &x)
    }

    #[test]
    fn neighbouring_bands_meet_and_reach_the_edges() {
        let bands = bands(&[("plain", 1.0, 10.0), ("augmented", 11.0, 60.0)], 60.0);
        assert_eq!((bands[0].left, bands[1].right), (100.0, 900.0));
        assert_eq!(bands[0].right.to_bits(), bands[1].left.to_bits());
        assert_eq!((bands[0].row, bands[1].row), (0, 0));
    }

    #[test]
    fn the_name_of_a_narrow_band_moves_up_a_row() {
        let bands = bands(&[("warm-up", 1.0, 1.0), ("augmented", 2.0, 60.0)], 60.0);
        assert_eq!((bands[0].row, bands[1].row), (1, 0));
        assert!((strip_height(&bands) - 2.0 * ROW).abs() < 1e-9);
    }

    #[test]
    fn the_name_of_a_narrow_last_band_stays_inside() {
        let bands = bands(&[("plain", 1.0, 59.0), ("augmented", 60.0, 60.0)], 60.0);
        let end = bands[1].name_left + Type::regular(SMALL).width(&bands[1].name);
        assert!(end <= 900.0, "{bands:?}");
    }

    #[test]
    fn many_narrow_phases_never_overlap_their_names() {
        let phases: Vec<(String, f64)> = (1..=40).map(|i| (format!("phase {i}"), f64::from(i))).collect();
        let phases: Vec<(&str, f64, f64)> = phases.iter().map(|(name, at)| (name.as_str(), *at, *at)).collect();
        let bands = bands(&phases, 40.0);
        let mut named: Vec<&Band> = bands.iter().filter(|band| !band.name.is_empty()).collect();
        assert!(!named.is_empty());
        named.sort_by(|a, b| (a.row, a.name_left).partial_cmp(&(b.row, b.name_left)).expect("finite"));
        for pair in named.windows(2).filter(|pair| pair[0].row == pair[1].row) {
            let end = pair[0].name_left + Type::regular(SMALL).width(&pair[0].name);
            assert!(end < pair[1].name_left, "{pair:?}");
        }
    }

    #[test]
    fn hostile_phases_are_left_out() {
        let bands = bands(&[("nan", f64::NAN, 2.0), ("backwards", 5.0, 1.0)], 10.0);
        assert!(bands.is_empty());
    }
}
