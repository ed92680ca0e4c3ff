//! Layouts of predictions, feature maps and scatters.

use super::{HOSTILE, check, texts};
use crate::{FeatureMaps, Figure, Prediction, Predictions, Scatter, Scatter3d, Ticks};

fn prediction(classes: usize, truth: usize, name: &str) -> Prediction {
    let mut probabilities = vec![0.0; classes];
    probabilities[0] = 1.0;
    let (width, height) = (28, 28);
    Prediction { pixels: vec![9; 784], width, height, name: name.into(), truth, probabilities }
}

#[test]
fn predictions_of_all_numbers_of_classes_and_names_fit() {
    for name in HOSTILE {
        for classes in [1_usize, 2, 10, 11, 100] {
            for (count, columns) in [(0, 3), (1, 1), (15, 3), (4, 0)] {
                check(&Predictions {
                    title: name.into(),
                    columns,
                    class_names: vec![name.into(); classes],
                    predictions: vec![prediction(classes, classes - 1, name); count],
                });
            }
        }
    }
}

#[test]
fn predictions_of_images_of_all_shapes_fit() {
    for (width, height) in [(1, 1), (32, 20), (300, 10), (10, 300)] {
        for value in [0.1, f64::NAN, 7.0] {
            let pixels = vec![9; width * height];
            let probabilities = vec![value; 10];
            let one = Prediction { pixels, width, height, name: "image".into(), truth: 3, probabilities };
            let class_names = (0..10).map(|class| format!("class {class}")).collect();
            check(&Predictions { title: String::new(), columns: 2, class_names, predictions: vec![one; 3] });
        }
    }
}

#[test]
fn a_prediction_that_contradicts_its_classes_is_an_error() {
    let check = |change: fn(&mut Prediction), expected: &str| {
        let mut one = prediction(10, 0, "");
        change(&mut one);
        let class_names = vec![String::new(); 10];
        let figure = Predictions { class_names, predictions: vec![one], ..Predictions::default() };
        assert_eq!(figure.scene().expect_err("a contradiction").to_string(), expected);
    };
    check(|it| it.truth = 10, "prediction 0: expected a true class below 10, found 10");
    check(
        |it| it.probabilities.truncate(9),
        "prediction 0: expected 10 probabilities, one for each class name, found 9",
    );
    check(|it| it.width = 27, "prediction 0: expected 27 x 28 pixels, at least one, found 784 pixels");
}

#[test]
fn feature_maps_of_all_shapes_fit() {
    for (width, height) in [(1, 1), (3, 3), (26, 26), (11, 40), (150, 150)] {
        for count in [0_usize, 1, 16, 17, 128] {
            for title in HOSTILE {
                check(&FeatureMaps {
                    title: title.into(),
                    subtitle: title.into(),
                    columns: 16,
                    width,
                    height,
                    maps: vec![vec![128; width * height]; count],
                });
            }
        }
    }
}

const NUMBERS: [f64; 6] = [0.0, 1.0, -3.5, f64::NAN, f64::INFINITY, 1e300];

#[test]
fn scatters_survive_hostile_places() {
    for a in NUMBERS {
        for b in NUMBERS {
            for ticks in [Ticks::Shown, Ticks::Hidden] {
                check(&Scatter {
                    x_label: "component 1".into(),
                    y_label: "component 2".into(),
                    ticks,
                    class_names: vec!["one".into(), "two".into()],
                    points: vec![(a, b), (b, a), (1.0, 2.0)],
                    classes: vec![0, 1, 1],
                    ..Scatter::default()
                });
            }
            check(&Scatter3d {
                class_names: vec!["one".into()],
                points: vec![[a, b, 0.0], [b, a, a], [1.0, 2.0, 3.0]],
                classes: vec![0, 0, 0],
                ..Scatter3d::default()
            });
        }
    }
}

#[test]
fn scatters_survive_hostile_names_and_many_classes() {
    for name in HOSTILE {
        for classes in [0_usize, 1, 10, 35, 100] {
            let class_names = vec![name.into(); classes];
            let counts: Vec<usize> = (0..classes).collect();
            let place = |class: &usize| (f64::from(u32::try_from(*class).expect("few")), 1.0);
            let points: Vec<(f64, f64)> = counts.iter().map(place).collect();
            let scene = check(&Scatter {
                title: name.into(),
                subtitle: name.into(),
                x_label: name.into(),
                y_label: name.into(),
                ticks: Ticks::Shown,
                class_names,
                points: points.clone(),
                classes: counts.clone(),
            });
            assert_eq!(texts(&scene).iter().any(|text| text.starts_with("and ")), classes > 31, "{classes}");
            check(&Scatter3d {
                title: name.into(),
                subtitle: name.into(),
                axis_labels: [name; 3].map(String::from),
                class_names: vec![name.into(); classes],
                points: points.iter().map(|&(x, y)| [x, y, x - y]).collect(),
                classes: counts,
            });
        }
    }
}

#[test]
fn a_point_without_a_class_is_an_error() {
    let scatter =
        |classes| Scatter { class_names: vec!["one".into()], points: vec![(0.0, 0.0)], classes, ..Scatter::default() };
    let check = |classes, expected: &str| {
        assert_eq!(scatter(classes).scene().expect_err("a contradiction").to_string(), expected);
    };
    check(vec![], "scatter: expected 1 classes, one for each point, found 0");
    check(vec![1], "scatter: expected classes below 1, the number of names, found 1");
}
