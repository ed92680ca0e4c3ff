//! Thick lines as outlines: one box for each segment, and a disc where the line turns.

use std::f64::consts::TAU;

use crate::geometry::{Point, real};

/// Turns below this angle (radians) leave no visible gap between two boxes.
const SMALLEST_JOINT: f64 = 0.15;

/// Outlines, all wound the same way, whose union is the polyline `path` drawn `width` wide with
/// flat ends and round joints.
pub(crate) fn stroke(path: &[Point], width: f64) -> Vec<Vec<Point>> {
    let radius = width / 2.0;
    let mut path = path.to_vec();
    path.dedup();
    let mut outlines = Vec::with_capacity(path.len() * 2);
    let mut previous: Option<Point> = None;
    for pair in path.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let along = ((x1 - x0) / length, (y1 - y0) / length);
        let (nx, ny) = (-along.1 * radius, along.0 * radius);
        outlines.push(vec![(x0 - nx, y0 - ny), (x1 - nx, y1 - ny), (x1 + nx, y1 + ny), (x0 + nx, y0 + ny)]);
        if previous.is_some_and(|before| angle(before, along) > SMALLEST_JOINT) {
            outlines.push(disc((x0, y0), radius));
        }
        previous = Some(along);
    }
    outlines
}

/// The angle between two unit vectors, in radians.
fn angle(a: Point, b: Point) -> f64 {
    (a.0 * b.0 + a.1 * b.1).clamp(-1.0, 1.0).acos()
}

fn disc((x, y): Point, radius: f64) -> Vec<Point> {
    const CORNERS: usize = 16;
    (0..CORNERS)
        .map(|corner| {
            let (sin, cos) = (TAU * real(corner) / real(CORNERS)).sin_cos();
            (x + radius * cos, y + radius * sin)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice the signed area of a closed outline.
    fn winding(outline: &[Point]) -> f64 {
        let next = outline.iter().cycle().skip(1);
        outline.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
    }

    #[test]
    fn a_segment_becomes_a_box_of_its_width() {
        let outlines = stroke(&[(0.0, 0.0), (10.0, 0.0)], 2.0);
        assert_eq!(outlines, [vec![(0.0, -1.0), (10.0, -1.0), (10.0, 1.0), (0.0, 1.0)]]);
    }

    #[test]
    fn all_pieces_wind_the_same_way_so_that_none_cuts_a_hole() {
        let path = [(0.0, 0.0), (10.0, 0.0), (0.0, 1.0), (-8.0, -9.0), (3.0, 7.0)];
        let outlines = stroke(&path, 3.0);
        assert_eq!(outlines.len(), 4 + 3);
        assert!(outlines.iter().all(|outline| winding(outline) > 0.0));
    }

    #[test]
    fn repeated_points_and_single_points_draw_nothing() {
        assert!(stroke(&[(1.0, 1.0), (1.0, 1.0)], 2.0).is_empty());
        assert!(stroke(&[(1.0, 1.0)], 2.0).is_empty());
        assert!(stroke(&[], 2.0).is_empty());
    }
}
