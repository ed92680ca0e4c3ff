//! Points, boxes, clipping and dashing. Knows no figure and no colour.

/// `(x, y)`, y growing downwards.
pub(crate) type Point = (f64, f64);

/// An upright box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Rect {
    pub(crate) fn new(left: f64, top: f64, width: f64, height: f64) -> Self {
        Self { left, top, right: left + width, bottom: top + height }
    }

    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn center(&self) -> Point {
        (f64::midpoint(self.left, self.right), f64::midpoint(self.top, self.bottom))
    }

    /// The box without a strip of `amount` on every side; with one for a negative `amount`.
    pub(crate) fn inset(&self, amount: f64) -> Self {
        Self {
            left: self.left + amount,
            top: self.top + amount,
            right: self.right - amount,
            bottom: self.bottom - amount,
        }
    }

    pub(crate) fn contains(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    pub(crate) fn corners(&self) -> [Point; 4] {
        [(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)]
    }
}

/// The part of the segment `from`–`to` inside `bounds` (Liang and Barsky, 1984).
pub(crate) fn clip(from: Point, to: Point, bounds: &Rect) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (slope, distance) in [
        (-dx, from.0 - bounds.left),
        (dx, bounds.right - from.0),
        (-dy, from.1 - bounds.top),
        (dy, bounds.bottom - from.1),
    ] {
        if slope == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if slope < 0.0 {
            enter = enter.max(distance / slope);
        } else {
            leave = leave.min(distance / slope);
        }
    }
    let at = |t: f64| (from.0 + t * dx, from.1 + t * dy);
    (enter <= leave).then(|| (at(enter), at(leave)))
}

/// The parts of a polyline inside `bounds`, in order.
pub(crate) fn clip_path(path: &[Point], bounds: &Rect) -> Vec<Vec<Point>> {
    let mut parts: Vec<Vec<Point>> = Vec::new();
    for pair in path.windows(2) {
        let Some((from, to)) = clip(pair[0], pair[1], bounds) else {
            continue;
        };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&from) => part.push(to),
            _ => parts.push(vec![from, to]),
        }
    }
    parts
}

/// Cuts a polyline into strokes of length `on` with gaps of length `off`.
pub(crate) fn dashes(path: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let mut strokes = Vec::new();
    let mut stroke: Vec<Point> = path.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, on);
    for pair in path.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let mut walked = 0.0;
        while length - walked > left {
            walked += left;
            let t = walked / length;
            let point = (x0 + t * (x1 - x0), y0 + t * (y1 - y0));
            stroke.push(point);
            let done = std::mem::replace(&mut stroke, vec![point]);
            if drawing {
                strokes.push(done);
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length - walked;
        stroke.push(pair[1]);
    }
    if drawing && stroke.len() > 1 {
        strokes.push(stroke);
    }
    strokes
}

/// A count as a coordinate.
#[expect(clippy::cast_precision_loss, reason = "counts of things in a picture are far below 2^52")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

/// The nearest whole coordinate. NaN becomes 0 and what is out of range the nearest end.
#[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is what is wanted")]
pub(crate) fn whole(value: f64) -> i32 {
    value.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Rect {
        Rect::new(0.0, 0.0, 10.0, 10.0)
    }

    #[test]
    fn clips_segments_to_the_box() {
        let check = |from, to, expected| assert_eq!(clip(from, to, &unit()), expected);
        check((1.0, 1.0), (9.0, 9.0), Some(((1.0, 1.0), (9.0, 9.0))));
        check((-5.0, 5.0), (15.0, 5.0), Some(((0.0, 5.0), (10.0, 5.0))));
        check((5.0, -1024.0), (5.0, 1024.0), Some(((5.0, 0.0), (5.0, 10.0))));
        check((-5.0, -1.0), (15.0, -1.0), None);
        check((11.0, 0.0), (11.0, 10.0), None);
    }

    #[test]
    fn a_path_that_leaves_and_returns_has_two_parts() {
        let path = [(1.0, 5.0), (5.0, 15.0), (9.0, 5.0)];
        let parts = clip_path(&path, &unit());
        assert_eq!(parts, [vec![(1.0, 5.0), (3.0, 10.0)], vec![(7.0, 10.0), (9.0, 5.0)]]);
    }

    #[test]
    fn dashes_keep_their_length_around_corners() {
        let path = [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)];
        let strokes = dashes(&path, 4.0, 2.0);
        assert_eq!(strokes, [vec![(0.0, 0.0), (4.0, 0.0)], vec![(5.0, 1.0), (5.0, 5.0)]]);
    }

    #[test]
    fn dashes_of_nothing_are_nothing() {
        assert!(dashes(&[], 4.0, 2.0).is_empty());
        assert!(dashes(&[(1.0, 1.0)], 4.0, 2.0).is_empty());
    }
}
