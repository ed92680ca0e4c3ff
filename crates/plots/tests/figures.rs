//! Figures as files: PNG that decodes, SVG that parses, the same bytes every time.

use plots::{
    ConfusionMatrix, Curves, Figure, Gallery, Heatmap, Line, PIXEL_RATIO, PlotError, Series, SeriesStyle, Tile, Tone,
};

const EVIL: &str = "<script>&\"'</script>";

fn curves() -> Curves {
    Curves {
        title: EVIL.into(),
        x_label: "epoch".into(),
        y_label: "loss".into(),
        series: vec![Series {
            name: EVIL.into(),
            points: (1..=20).map(|epoch| (f64::from(epoch), 1.0 / f64::from(epoch))).collect(),
            style: SeriesStyle::valid(),
        }],
        ..Curves::default()
    }
}

fn matrix() -> ConfusionMatrix {
    ConfusionMatrix {
        title: "Confusion matrix".into(),
        class_names: vec!["cat".into(), EVIL.into()],
        counts: vec![vec![8, 2], vec![0, 10]],
    }
}

fn gallery() -> Gallery {
    let caption = vec![Line { text: EVIL.into(), tone: Tone::Good }];
    let pixels = (0..=255).collect();
    let tile = Tile { pixels, width: 16, height: 16, caption };
    Gallery { title: "Samples".into(), columns: 2, tiles: vec![tile; 3], ..Gallery::default() }
}

/// Width, height and RGB pixels.
fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    let mut reader = decoder.read_info().expect("a PNG header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("whole image data");
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width, info.height, pixels)
}

fn check(figure: &impl Figure) {
    let (width, height) = figure.scene().expect("a consistent figure").size();
    let bytes = plots::png(figure).expect("a picture");
    let (pixel_width, pixel_height, pixels) = decode(&bytes);
    assert_eq!((pixel_width, pixel_height), (width * PIXEL_RATIO, height * PIXEL_RATIO));
    let dark = pixels.chunks(3).filter(|pixel| pixel.iter().all(|&channel| channel < 100)).count();
    assert!(dark > 500, "only {dark} dark pixels: is it blank?");

    let text = plots::svg(figure).expect("a drawing");
    let document = roxmltree::Document::parse(&text).expect("well-formed XML");
    let svg = document.root_element();
    assert_eq!(svg.attribute("width"), Some(width.to_string().as_str()));
    assert!(document.descendants().all(|node| node.tag_name().name() != "script"));
    let says_it = |node: roxmltree::Node| node.text().is_some_and(|text| text.trim() == EVIL);
    assert!(document.descendants().any(says_it), "the name is lost");

    assert!(bytes == plots::png(figure).expect("a picture"), "another PNG the second time");
    assert!(text == plots::svg(figure).expect("a drawing"), "another SVG the second time");
}

#[test]
fn curves_become_files() {
    check(&curves());
}

#[test]
fn confusion_matrices_become_files() {
    check(&matrix());
}

#[test]
fn heat_maps_become_files() {
    check(&Heatmap {
        title: "Trials".into(),
        rows: vec![EVIL.into(), "[40, 20], 256".into()],
        columns: vec!["relu".into(), "sigmoid".into(), "softmax".into()],
        cells: vec![vec![Some(0.9), None, Some(0.1)], vec![Some(0.91), Some(0.5), Some(f64::NAN)]],
        ..Heatmap::default()
    });
}

#[test]
fn galleries_become_files() {
    check(&gallery());
}

#[test]
fn gallery_images_keep_their_exact_grays() {
    let (width, _, pixels) = decode(&plots::png(&gallery()).expect("a picture"));
    let row_with_all = |gray: u8| {
        let row = pixels.chunks(width as usize * 3);
        row.into_iter().any(|row| row.chunks(3).any(|pixel| pixel == [gray; 3]))
    };
    assert!((0..=255).all(row_with_all));
}

#[test]
fn gallery_images_are_embedded_in_svg() {
    let text = plots::svg(&gallery()).expect("a drawing");
    assert_eq!(text.matches("href=\"data:image/png;base64,iVBORw0KGgo").count(), 3);
}

#[test]
fn pictures_can_be_drawn_from_many_threads_at_once() {
    let expected = plots::png(&matrix()).expect("a picture");
    std::thread::scope(|scope| {
        let drawn: Vec<_> = (0..4).map(|_| scope.spawn(|| plots::png(&matrix()))).collect();
        for picture in drawn {
            assert!(picture.join().expect("no panic").expect("a picture") == expected);
        }
    });
}

#[test]
fn contradictions_are_errors_that_name_what_is_wrong() {
    let check = |result: Result<Vec<u8>, PlotError>, expected: &str| {
        assert_eq!(result.expect_err("an error").to_string(), expected);
    };
    let matrix = |counts: Vec<Vec<u64>>| ConfusionMatrix { counts, ..matrix() };
    check(plots::png(&matrix(vec![vec![1, 2]])), "confusion matrix: expected 2 rows, one for each class name, found 1");
    check(
        plots::png(&matrix(vec![vec![1, 2], vec![3]])),
        "confusion matrix, row 1: expected 2 columns, one for each class name, found 1",
    );
    let tile = Tile { pixels: vec![0; 5], width: 2, height: 3, caption: vec![] };
    check(
        plots::png(&Gallery { tiles: vec![tile], ..Gallery::default() }),
        "tile 0: expected 2 x 3 pixels, at least one, found 5 pixels",
    );
}

#[test]
fn refuses_pictures_that_would_exhaust_memory() {
    let tile = Tile { pixels: vec![0; 784], width: 28, height: 28, caption: vec![] };
    let huge = Gallery { tiles: vec![tile; 5000], columns: 50, ..Gallery::default() };
    let error = plots::png(&huge).expect_err("too large");
    assert!(matches!(error, PlotError::TooLarge { .. }), "{error}");

    let classes = 300;
    let huge = ConfusionMatrix {
        title: String::new(),
        class_names: vec!["class".into(); classes],
        counts: vec![vec![0; classes]; classes],
    };
    let error = plots::png(&huge).expect_err("too large");
    assert!(matches!(error, PlotError::TooLarge { .. }), "{error}");
}
