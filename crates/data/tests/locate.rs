//! Files are found in the promised order, and none is used without being verified.

mod support;

use std::{fs, path::Path};

use data::{DataError, LocateOptions, Network, Origin, Outline, Part, Progress, Source, locate, outline, status};
use support::{NAMES, files, gzip, info, tiny::idx};
use tempfile::TempDir;

/// Writes the tiny data set, one file of it changed.
fn write(folder: &Path, change: impl FnOnce(&mut [Vec<u8>; 4])) {
    let mut contents = files();
    change(&mut contents);
    fs::create_dir_all(folder).expect("writable");
    for (name, bytes) in NAMES.iter().zip(contents) {
        fs::write(folder.join(name), bytes).expect("writable");
    }
}

/// Options that look nowhere but under `folder` and fetch from nowhere.
fn offline(folder: &TempDir) -> LocateOptions {
    LocateOptions {
        cache_dir: Some(folder.path().join("cache")),
        network: Network::Forbidden,
        progress: Progress::Silent,
        ..LocateOptions::default()
    }
}

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The complaint about the tiny data set with a change, as a folder of unknown data.
fn check_folder(change: impl FnOnce(&mut [Vec<u8>; 4]), expected: &str) {
    let folder = temporary();
    write(folder.path(), change);
    let source = Source::Folder(folder.path().to_owned());
    let error = locate(&source, &offline(&folder)).expect_err(expected).to_string();
    assert!(error.contains(expected), "{error}\ndoes not say: {expected}");
    assert!(error.contains(&*folder.path().to_string_lossy()), "{error}\nnames no path");
}

#[test]
fn a_folder_of_unknown_data_is_read_and_hashed() {
    let folder = temporary();
    write(folder.path(), |_| ());
    let source = Source::Folder(folder.path().to_owned());
    let found = locate(&source, &offline(&folder)).expect("the folder is sound");
    assert_eq!(found.class_names, ["0", "1", "2"]);
    let hashes = found.files().iter().map(|it| it.sha256.as_str());
    assert!(hashes.eq(info().files.iter().map(|it| it.sha256)));

    let train = found.load(Part::Train).expect("the folder is sound");
    assert_eq!((train.len(), train.height(), train.width()), (4, 2, 3));
    assert_eq!((train.image(1), train.labels()), (&[6, 7, 8, 9, 10, 11][..], &[0, 2, 1, 2][..]));
    let test = found.load(Part::Test).expect("the folder is sound");
    assert_eq!((test.len(), test.label(0), test.num_classes()), (2, 1, 3));
}

#[test]
fn compression_is_recognised_by_content() {
    for (suffix, encode) in [(".gz", gzip as fn(&[u8]) -> _), (".gz", <[u8]>::to_vec), ("", gzip)] {
        let folder = temporary();
        for (name, bytes) in NAMES.iter().zip(files()) {
            fs::write(folder.path().join(format!("{name}{suffix}")), encode(&bytes)).expect("writable");
        }
        let source = Source::Folder(folder.path().to_owned());
        let found = locate(&source, &offline(&folder)).expect("the folder is sound");
        assert_eq!(found.load(Part::Test).expect("the folder is sound").labels(), [1, 0]);
    }
}

#[test]
fn a_folder_is_outlined_by_its_training_labels_and_the_header_of_its_training_images() {
    for encode in [gzip as fn(&[u8]) -> _, <[u8]>::to_vec] {
        let folder = temporary();
        // Nothing of the pixels is read, and nothing of the test part.
        for (name, bytes) in NAMES.iter().zip([&files()[0][..16], &files()[1]]) {
            fs::write(folder.path().join(name), encode(bytes)).expect("writable");
        }
        let found = outline(folder.path(), None).expect("the folder is sound");
        assert_eq!(found, Outline { height: 2, width: 3, num_classes: 3 });
        let names = ["a", "b", "c", "d"].map(String::from);
        assert_eq!(outline(folder.path(), Some(&names)).expect("the folder is sound").num_classes, 4);
        let error = outline(folder.path(), Some(&names[..2])).expect_err("a label 2").to_string();
        assert!(error.contains("expected labels below 2, found 2 at index 1"), "{error}");
    }
}

#[test]
fn what_cannot_be_outlined_is_named_by_its_path() {
    let check = |change: fn(&mut [Vec<u8>; 4]), expected: &str| {
        let folder = temporary();
        write(folder.path(), change);
        let error = outline(folder.path(), None).expect_err(expected).to_string();
        assert!(error.contains(expected) && error.contains(&*folder.path().to_string_lossy()), "{error}: {expected}");
    };
    check(|files| files[0].truncate(15), "expected a header of 16 bytes, found 15");
    check(|files| files[0][4] = 0xFF, "expected at most 1073741824 elements");
    check(|files| files[1] = idx(&[3], &[0, 1, 2]), "expected 4 labels, one for each image of");
    check(|files| files.swap(0, 1), "expected magic 2051");
    let folder = temporary();
    let error = outline(folder.path(), None).expect_err("an empty folder").to_string();
    assert!(error.contains("expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz, found neither"), "{error}");
    let error = outline(&folder.path().join("none"), None).expect_err("no folder").to_string();
    assert!(error.contains("none: cannot open"), "{error}");
}

#[test]
fn a_folder_of_unknown_data_must_be_consistent() {
    check_folder(|files| files[0].truncate(20), "expected 24 bytes after the header, found 4");
    check_folder(|files| files[1] = idx(&[3], &[0, 1, 2]), "expected 4 labels, one for each image of");
    check_folder(|files| files[2] = idx(&[2, 3, 2], &[0; 12]), "found 3x2");
    check_folder(|files| files[3] = idx(&[2], &[0, 3]), "expected labels below 3, found 3 at index 1");
    check_folder(|files| files.swap(0, 1), "expected magic 2051");
    check_folder(
        |files| {
            files[0] = gzip(&files[0]);
            let length = files[0].len();
            files[0][length - 6] ^= 1;
        },
        "cannot read: corrupt gzip stream",
    );
    check_folder(
        |files| {
            files[0] = gzip(&files[0]);
            files[0].truncate(30);
        },
        "cannot read: ",
    );
}

#[test]
fn a_gzip_bomb_is_cut_at_the_size_that_its_header_promises() {
    check_folder(
        |files| files[0] = gzip(&idx(&[4, 2, 3], &vec![0; 100 << 20])),
        "expected 24 bytes after the header, found more",
    );
}

#[cfg(unix)]
#[test]
fn pipes_are_not_waited_for() {
    let folder = temporary();
    write(folder.path(), |_| ());
    let pipe = folder.path().join(NAMES[0]);
    fs::remove_file(&pipe).expect("it was there");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is everywhere");
    assert!(made.success());
    let error = locate(&Source::Folder(folder.path().to_owned()), &offline(&folder)).expect_err("it is a pipe");
    assert!(error.to_string().contains("expected a regular file"), "{error}");
}

#[test]
fn no_flipped_bit_of_a_compressed_file_goes_unnoticed() {
    let folder = temporary();
    let given = folder.path().join("given");
    write(&given, |_| ());
    let options = LocateOptions { data_dir: Some(given.clone()), ..offline(&folder) };
    let bytes = gzip(&files()[1]);
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(given.join(NAMES[1]), flipped).expect("writable");
        // Some bits, as the time in the header, say nothing about the contents.
        if let Ok(found) = locate(&Source::Named(info()), &options) {
            assert_eq!(found.load(Part::Train).expect("it is verified").labels(), [0, 2, 1, 2]);
        }
    }
}

#[test]
fn given_class_names_must_cover_every_label() {
    let folder = temporary();
    write(folder.path(), |_| ());
    let names = ["cat", "dog"].map(String::from).to_vec();
    let options = LocateOptions { class_names: Some(names), ..offline(&folder) };
    let source = Source::Folder(folder.path().to_owned());
    let error = locate(&source, &options).expect_err("there are three classes");
    assert!(matches!(error, DataError::LabelRange { num_classes: 2, found: 2, index: 1, .. }));
    let error = locate(&Source::Named(info()), &options).expect_err("there are three classes");
    assert!(matches!(error, DataError::ClassNames { expected: 3, found: 2, .. }));
}

#[test]
fn a_missing_folder_or_file_is_named() {
    let folder = temporary();
    let missing = folder.path().join("nowhere");
    let error = locate(&Source::Folder(missing), &offline(&folder)).expect_err("it is not there");
    assert!(matches!(error, DataError::Io { .. }), "{error}");
    write(folder.path(), |_| ());
    fs::remove_file(folder.path().join(NAMES[3])).expect("it was there");
    let source = Source::Folder(folder.path().to_owned());
    let error = locate(&source, &offline(&folder)).expect_err("one file is missing");
    assert!(matches!(error, DataError::MissingFile { file: "t10k-labels-idx1-ubyte", .. }));
}

#[test]
fn the_named_folder_comes_before_the_cache() {
    let folder = temporary();
    let given = folder.path().join("given");
    write(&folder.path().join("cache/tiny"), |_| ());
    let options = LocateOptions { data_dir: Some(given.clone()), ..offline(&folder) };
    let origin = || locate(&Source::Named(info()), &options).expect("it is there").origin().clone();
    assert_eq!(origin(), Origin::Cache(folder.path().join("cache/tiny")));
    write(&given, |_| ());
    assert_eq!(origin(), Origin::Given(given.clone()));
    write(&given.join("tiny"), |_| ());
    assert_eq!(origin(), Origin::Given(given.join("tiny")));
}

#[test]
fn a_wrong_file_in_the_named_folder_is_an_error_with_both_hashes() {
    let folder = temporary();
    write(&folder.path().join("cache/tiny"), |_| ());
    let given = folder.path().join("given");
    write(&given, |files| files[2][20] ^= 1);
    let options = LocateOptions { data_dir: Some(given.clone()), ..offline(&folder) };
    let error = locate(&Source::Named(info()), &options).expect_err("a bit is wrong").to_string();
    let path = given.join(NAMES[2]).display().to_string();
    assert!(error.starts_with(&format!("{path}: expected SHA-256 {}", info().files[2].sha256)));
    assert!(error.contains(", found "), "{error}");
}

#[test]
fn without_network_nothing_is_fetched_and_every_place_is_named() {
    let folder = temporary();
    let error = locate(&Source::Named(info()), &offline(&folder)).expect_err("it is nowhere");
    assert!(matches!(error, DataError::NotFound { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("/usr/share/datasets/tiny") && text.contains("cache/tiny"), "{text}");
    assert!(!folder.path().join("cache").exists());
}

#[test]
fn a_file_that_changes_after_it_was_verified_is_not_used() {
    let folder = temporary();
    let cache = folder.path().join("cache/tiny");
    write(&cache, |_| ());
    let found = locate(&Source::Named(info()), &offline(&folder)).expect("it is there");
    write(&cache, |files| files[2][20] ^= 1);
    assert!(found.load(Part::Train).is_ok(), "the training part is as it was");
    let error = found.load(Part::Test).expect_err("a bit has changed");
    assert!(matches!(error, DataError::Content { .. }), "{error}");
}

#[test]
fn the_test_part_is_not_opened_for_training() {
    let folder = temporary();
    write(&folder.path().join("cache/tiny"), |_| ());
    let found = locate(&Source::Named(info()), &offline(&folder)).expect("it is there");
    fs::remove_file(folder.path().join("cache/tiny").join(NAMES[2])).expect("it was there");
    assert!(found.load(Part::Train).is_ok());
}

#[test]
fn status_tells_right_from_wrong_and_missing() {
    let folder = temporary();
    let options = offline(&folder);
    write(&folder.path().join("cache/tiny"), |files| files[1][9] = 0);
    let places = status(info(), &options);
    let cache = places.last().expect("the cache is always looked into");
    assert!(!cache.is_complete() && !cache.is_empty());
    assert!(places[0].is_empty(), "nothing is installed");
    write(&folder.path().join("cache/tiny"), |_| ());
    assert!(status(info(), &options).last().expect("the cache").is_complete());
}
