//! What must hold for the layout of every figure, whatever it is made of: all text lies on the
//! canvas, and no text touches another text, an image or a line.

mod pictures;
mod tables;

use crate::geometry::{Rect, clip};
use crate::scene::{Label, Scene, Shape};
use crate::style::SeriesStyle;
use crate::{ColorBar, ConfusionMatrix, Curves, Figure, Gallery, Line, Marker, PhaseSpan, Series, Tile, Tone};

const HOSTILE: [&str; 8] = [
    "",
    "a",
    "<script>alert('&')</script>",
    "Größe/Ähnlichkeit-Привет",
    "tab\tnewline\nzero\u{0}rtl\u{202E}",
    "snowman ☃ and 漢字 and 🙂",
    "averyveryveryveryveryveryveryveryveryveryverylongnamewithoutanyplacetobreakit",
    "a very long name, of many words, that could be broken in many places, and then some more",
];

fn check(figure: &impl Figure) -> Scene {
    let scene = figure.scene().expect("the figure is consistent");
    let (width, height) = scene.size();
    let canvas = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    for (index, label) in scene.labels.iter().enumerate() {
        let bounds = label.bounds();
        let inside = |corner| canvas.contains(corner);
        assert!(bounds.corners().into_iter().all(inside), "{label:?} leaves {canvas:?}");
        for other in &scene.labels[index + 1..] {
            assert!(!overlap(&bounds, &other.bounds()), "{label:?} overlaps {other:?}");
        }
        for image in &scene.images {
            assert!(!overlap(&bounds, &image.rect), "{label:?} overlaps {:?}", image.rect);
        }
        check_lines(&scene, label);
    }
    for image in &scene.images {
        assert!(image.rect.corners().into_iter().all(|corner| canvas.contains(corner)));
    }
    scene
}

fn check_lines(scene: &Scene, label: &Label) {
    let bounds = label.bounds().inset(1.0);
    for shape in &scene.shapes {
        let Shape::Line { points, .. } = shape else { continue };
        for pair in points.windows(2) {
            assert!(clip(pair[0], pair[1], &bounds).is_none(), "{pair:?} crosses {label:?}");
        }
    }
}

/// Whether two boxes share more than their edges.
fn overlap(a: &Rect, b: &Rect) -> bool {
    let (a, b) = (a.inset(0.5), b.inset(0.5));
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

fn series(name: &str, values: &[f64]) -> Series {
    let points = (1_u32..).map(f64::from).zip(values.iter().copied()).collect();
    Series { name: name.into(), points, style: SeriesStyle::valid() }
}

fn texts(scene: &Scene) -> Vec<&str> {
    scene.labels.iter().map(|label| label.text.as_str()).collect()
}

#[test]
fn curves_survive_hostile_numbers() {
    let nan = f64::NAN;
    let cases: &[&[f64]] = &[
        &[],
        &[0.5],
        &[nan],
        &[nan, nan, 1.0],
        &[0.0, 0.0, 0.0],
        &[0.5, nan, 0.5, f64::INFINITY, f64::NEG_INFINITY, 0.5],
        &[1e30, -1e30],
        &[f64::MAX, f64::MIN, 1.0],
        &[1e-300, 2e-300],
        &[1e15, 1e15 + 1.0],
        &[-5.0, -4.0],
        &[f64::MIN_POSITIVE],
    ];
    for values in cases {
        let marker = Marker { x: 1.0, y: values.first().copied(), label: "best epoch 1".into() };
        check(&Curves {
            title: "Loss".into(),
            x_label: "epoch".into(),
            y_label: "cross-entropy".into(),
            series: vec![series("train", values), series("validation", values)],
            marker: Some(marker),
            ..Curves::default()
        });
    }
}

#[test]
fn curves_survive_hostile_places() {
    let numbers = [f64::NAN, f64::INFINITY, -1e300, 0.0, 3.5, 1e300];
    for x in numbers {
        for y in numbers {
            check(&Curves {
                series: vec![Series {
                    name: "one".into(),
                    points: vec![(x, y), (1.0, 2.0), (y, x)],
                    style: SeriesStyle::nth(9),
                }],
                phases: vec![PhaseSpan { name: "phase".into(), first: x, last: y }],
                marker: Some(Marker { x: y, y: Some(x), label: "here".into() }),
                y_range: Some((x, y)),
                ..Curves::default()
            });
        }
    }
}

#[test]
fn curves_survive_hostile_names() {
    for name in HOSTILE {
        check(&Curves {
            title: name.repeat(3),
            x_label: name.into(),
            y_label: name.into(),
            series: vec![series(name, &[1.0, 2.0]), series(name, &[1.0, 2.0])],
            phases: [1.0, 2.0].map(|at| PhaseSpan { name: name.into(), first: at, last: at }).to_vec(),
            marker: Some(Marker { x: 1.0, y: Some(1.0), label: name.repeat(2) }),
            ..Curves::default()
        });
    }
}

#[test]
fn no_label_of_many_series_touches_another() {
    for count in [1_u32, 2, 7, 12, 24, 25, 100] {
        for spread in [0.0, 1e-4, 1.0] {
            let one = |index: u32| {
                let end = f64::from(index) * spread;
                series(&format!("run {index}"), &[0.0, 0.3, end])
            };
            let curves = Curves { series: (0..count).map(one).collect(), ..Curves::default() };
            let scene = check(&curves);
            let shown = texts(&scene).iter().filter(|text| text.starts_with("run ")).count();
            let says_how_many_more = texts(&scene).iter().any(|text| text.starts_with("and "));
            assert_eq!(says_how_many_more, shown < count as usize, "{shown} of {count}");
        }
    }
}

#[test]
fn many_phases_and_a_marker_fit_above_the_lines() {
    for phases in [1_u32, 2, 5, 20, 60] {
        for best in [1_u32, 30, 60] {
            let values: Vec<f64> = (1..=60).map(|epoch| 1.0 / f64::from(epoch)).collect();
            let length = 60 / phases;
            let span = |index: u32| PhaseSpan {
                name: format!("phase {index}"),
                first: f64::from(index * length + 1),
                last: f64::from((index + 1) * length),
            };
            check(&Curves {
                title: "Loss".into(),
                series: vec![series("train", &values)],
                phases: (0..phases).map(span).collect(),
                marker: Some(Marker {
                    x: f64::from(best),
                    y: Some(values[best as usize - 1]),
                    label: format!("best epoch {best}: validation accuracy 0.9142"),
                }),
                ..Curves::default()
            });
        }
    }
}

#[test]
fn an_epoch_axis_shows_whole_numbers_only() {
    for epochs in [1_usize, 2, 3, 5, 10, 60, 200, 1000] {
        let scene = check(&Curves { series: vec![series("", &vec![0.5; epochs])], ..Curves::default() });
        let on_x_axis = |label: &&Label| label.at.1 > 690.0;
        let shown: Vec<&str> = scene.labels.iter().filter(on_x_axis).map(|label| label.text.as_str()).collect();
        assert_eq!(shown.first(), Some(&"1"), "{epochs} epochs: {shown:?}");
        assert!(shown.iter().all(|text| text.parse::<u32>().is_ok()), "{shown:?}");
    }
}

#[test]
fn confusion_matrices_of_all_sizes_and_counts_fit() {
    for classes in [0_usize, 1, 2, 3, 10, 20, 30] {
        for count in [0, 1, 999, 48_000, 999_999, u64::MAX] {
            check(&ConfusionMatrix {
                title: "Confusion matrix".into(),
                class_names: (0..classes).map(|class| format!("class {class}")).collect(),
                counts: vec![vec![count; classes]; classes],
            });
        }
    }
}

#[test]
fn confusion_matrices_survive_hostile_names() {
    for classes in [1, 3, 10, 20] {
        for name in HOSTILE {
            check(&ConfusionMatrix {
                title: name.repeat(2),
                class_names: vec![name.into(); classes],
                counts: vec![vec![7; classes]; classes],
            });
        }
    }
}

#[test]
fn a_class_without_samples_has_no_shares() {
    let scene = check(&ConfusionMatrix {
        title: String::new(),
        class_names: vec!["seen".into(), "unseen".into()],
        counts: vec![vec![3, 1], vec![0, 0]],
    });
    let mut shares = texts(&scene);
    shares.retain(|text| text.ends_with(".0%"));
    assert_eq!(shares, ["75.0%", "25.0%"]);
}

#[test]
fn galleries_of_all_shapes_fit() {
    for (count, columns) in [(0, 5), (1, 5), (9, 3), (25, 5), (7, 0), (3, usize::MAX)] {
        for (width, height) in [(28, 28), (1, 1), (32, 20), (300, 10)] {
            for caption in HOSTILE {
                let line = |tone| Line { text: caption.into(), tone };
                let tile = Tile {
                    pixels: vec![128; width * height],
                    width,
                    height,
                    caption: vec![line(Tone::Neutral), line(Tone::Bad)],
                };
                check(&Gallery {
                    title: caption.into(),
                    columns,
                    tiles: vec![tile; count],
                    empty_note: caption.into(),
                    color_bar: if count % 2 == 1 { ColorBar::Bytes } else { ColorBar::None },
                });
            }
        }
    }
}

#[test]
fn pixels_of_gallery_images_are_whole_device_pixels() {
    for (width, height) in [(28, 28), (32, 32), (64, 48), (1, 1), (500, 500)] {
        let tile = Tile { pixels: vec![9; width * height], width, height, caption: vec![] };
        let scene = check(&Gallery { tiles: vec![tile], columns: 1, ..Gallery::default() });
        let rect = &scene.images[0].rect;
        let scale = rect.width() * 2.0 / crate::geometry::real(width);
        assert!(scale >= 1.0 && scale.fract() == 0.0, "{width} x {height}: {scale}");
        assert!((rect.left * 2.0).fract() == 0.0 && (rect.top * 2.0).fract() == 0.0, "{rect:?}");
    }
}

#[test]
fn an_empty_gallery_says_so() {
    let says = |note: &str, expected| {
        let gallery = Gallery { empty_note: note.into(), ..Gallery::default() };
        assert_eq!(texts(&check(&gallery)), [expected]);
    };
    says("", "There are no images to show.");
    says("No mistakes at all!", "No mistakes at all!");
}
