//! `runner figures`: what it draws, where, and what it refuses.

use std::path::Path;

use crate::suite::{SMALL, Suite};

/// Files printed on stdout, relative to a folder.
fn drawn(suite: &Suite, arguments: &[&str], folder: &Path) -> Vec<String> {
    let output = suite.output(&[&["figures"], arguments].concat());
    let said = String::from_utf8(output.stderr).expect("utf-8");
    assert!(output.status.success(), "{arguments:?}: {said}");
    let stdout = String::from_utf8(output.stdout).expect("utf-8");
    let relative = |line: &str| {
        let path = Path::new(line);
        assert!(path.metadata().expect("the file is there").len() > 0, "{line} is empty");
        path.strip_prefix(folder).unwrap_or_else(|_| panic!("{line} is not in {}", folder.display())).to_owned()
    };
    stdout.lines().map(|line| relative(line).to_str().expect("utf-8").to_owned()).collect()
}

#[test]
fn a_run_with_convolutions_has_every_figure() {
    let suite = Suite::new();
    let run = suite.run("cnn3", SMALL);
    let path = run.dir.to_str().expect("utf-8");
    let arguments = [path, "--offline", "--images=60", "--index=0", "--index=7", "--axis", "shirt", "0"];
    let files = drawn(&suite, &arguments, &run.dir);
    for expected in [
        "plots/loss.png",
        "plots/history.png",
        "plots/class_report.png",
        "plots/confusion_matrix.png",
        "plots/correct.png",
        "plots/model.txt",
        "plots/model.png",
        "plots/predictions.png",
        "plots/prediction_0.png",
        "plots/prediction_7.png",
        "plots/channels_7_conv1.png",
        "plots/activations_0_conv1.png",
        "plots/activations_0_conv2.png",
        "plots/activations_7_conv3.png",
        "plots/embedding_pixels_pca_1_2.png",
        "plots/embedding_pixels_pca_1_2_3.png",
        "plots/embedding_pixels_tsne_2d.png",
        "plots/embedding_pixels_tsne_3d.png",
        "plots/embedding_pixels_axis.png",
        "plots/embedding_dense1_pca_1_2.png",
        "plots/embedding_dense1_axis.png",
        "projector/vectors_pixels.tsv",
        "projector/vectors_dense1.tsv",
        "projector/metadata.tsv",
        "projector/sprite.png",
        "projector/projector_config.pbtxt",
        "projector/projector_config.json",
    ] {
        assert!(files.iter().any(|file| file == expected), "{expected} is not among {files:?}");
    }
    assert!(run.text("plots/model.txt").contains("241,546 parameters"));
    let vectors = run.text("projector/vectors_dense1.tsv");
    assert_eq!((vectors.lines().count(), vectors.lines().next().map(|line| line.split('\t').count())), (60, Some(128)));
    assert_eq!(run.text("projector/metadata.tsv").lines().count(), 61);
}

#[test]
fn the_same_embedding_is_drawn_again_to_the_byte() {
    let suite = Suite::new();
    let run = suite.run("dense_128", SMALL);
    let path = run.dir.to_str().expect("utf-8");
    let draw = |more: &[&str]| {
        let arguments = [&[path, "--offline", "--only=embeddings", "--images=80", "--layer=dense1"], more].concat();
        drawn(&suite, &arguments, &run.dir);
        run.read("plots/embedding_dense1_tsne_2d.png")
    };
    let first = draw(&[]);
    assert!(first == draw(&[]), "another picture the second time");
    assert!(first != draw(&["--seed=1"]), "the seed changes nothing");
}

#[test]
fn a_layer_or_image_that_is_not_there_ends_with_2_and_says_what_is() {
    let suite = Suite::new();
    let run = suite.run("cnn3", SMALL);
    let path = run.dir.to_str().expect("utf-8");
    let check = |arguments: &[&str], expected: &str| {
        let said = suite.fails(2, &[&["figures", path, "--offline"], arguments].concat());
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    check(&["--only=embeddings", "--layer=conv9"], "known are conv1, pool1, dropout1, conv2");
    check(&["--only=activations", "--channel=32"], "a channel below 32, the number of conv1's");
    check(&["--only=predictions", "--index=200"], "an index below 200, the number of images that were tested");
    check(&["--only=embeddings", "--axis", "Shirt", "Hat"], "no class is called \"Hat\"; known are T-shirt/top");
    check(&["--components=1"], "two or three numbers");
}

#[test]
fn an_unfinished_run_has_its_records_and_its_model_only() {
    let suite = Suite::new();
    let run = suite.run("dense_128", SMALL);
    for file in ["summary.json", "predictions.csv"] {
        std::fs::remove_file(run.dir.join(file)).expect("it was there");
    }
    let files = drawn(&suite, &[run.dir.to_str().expect("utf-8"), "--offline"], &run.dir);
    assert!(files.iter().any(|file| file == "plots/model.png"), "{files:?}");
    assert!(!files.iter().any(|file| file.contains("prediction") || file.contains("embedding")), "{files:?}");
}

#[test]
fn an_experiment_stands_for_its_latest_run() {
    let suite = Suite::new();
    let said = suite.fails(2, &["figures", "experiments/dense_128.toml", "--offline"]);
    assert!(said.contains("dense_128/latest"), "{said}");
    suite.run("dense_128", SMALL);
    let folder = suite.results().join("dense_128/latest");
    let files = drawn(&suite, &["experiments/dense_128.toml", "--offline", "--only=model"], &folder);
    assert_eq!(files, ["plots/model.txt", "plots/model.png"]);
}

#[test]
fn a_data_set_has_figures_of_its_own() {
    let suite = Suite::new();
    let folder = suite.results().join("datasets/fashion-mnist");
    let files = drawn(&suite, &["fashion-mnist", "--images=50", "--index=3"], &folder);
    let expected = [
        "samples_25.png",
        "samples_15.png",
        "samples_3.png",
        "pixels_3.png",
        "pixels_3_summer.png",
        "image_3.png",
        "label_counts.png",
        "one_hot_labels.png",
        "sigmoid.png",
        "sprite.png",
        "embedding_pixels_pca.csv",
        "embedding_pixels_pca_variance.csv",
        "embedding_pixels_pca_1_2.png",
        "embedding_pixels_pca_1_2_3.png",
        "embedding_pixels_tsne_2d.csv",
        "embedding_pixels_tsne_2d.png",
        "embedding_pixels_tsne_3d.csv",
        "embedding_pixels_tsne_3d.png",
        "embedding_pixels_axis.csv",
        "embedding_pixels_axis.png",
        "projector/vectors_pixels.tsv",
        "projector/metadata.tsv",
        "projector/projector_config.pbtxt",
        "projector/projector_config.json",
        "projector/sprite.png",
    ];
    assert_eq!(files, expected);
    let rows = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("written");
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect::<Vec<Vec<String>>>()
    };
    let components = rows("embedding_pixels_pca.csv");
    assert_eq!((components.len(), components[0].len()), (51, 12));
    assert_eq!((components[0][2].as_str(), components[4][0].as_str()), ("component_1", "3"));
    let shares: Vec<f64> =
        rows("embedding_pixels_pca_variance.csv")[1..].iter().map(|row| row[1].parse().expect("a number")).collect();
    assert!(shares.is_sorted_by(|one, next| one >= next) && shares.iter().sum::<f64>() <= 1.0, "{shares:?}");
    let said = suite.fails(2, &["figures", "fashion-mnits"]);
    assert!(said.contains("data sets are fashion-mnist, mnist"), "{said}");
}
