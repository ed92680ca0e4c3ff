//! Data files that are cut off, disagree with each other, or grow without end when they are decompressed.

use std::{fs, path::Path, time::Duration};

use crate::{
    command::{run, runner},
    compressed::{gzip, gzip_bomb},
    experiment::{Experiment, Figures, Plan, Protection},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "data-files",
    row: 10,
    what: "`runner` on folders with IDX files that are truncated, longer, of another kind, of differing counts, with \
           labels beyond the classes, or gzip bombs of 10 GiB",
    pass: "exit 3 with the reason within 60 s; memory below 256 MB; no results folder",
    tries: 2 * CASES.len() as u64,
    quick: CASES.len() as u64,
    protections: &[
        Protection {
            what: "as many labels as images (`data::scan`)",
            test: "data locate::a_folder_of_unknown_data_must_be_consistent",
        },
        Protection {
            what: "labels below the number of classes (`data::scan`)",
            test: "data locate::a_folder_of_unknown_data_must_be_consistent",
        },
        Protection {
            what: "a file is read through once before memory is given for it (`data::folder`)",
            test: "runner reliability::broken_data_files_are_refused",
        },
        Protection {
            what: "only regular files are opened (`data::content`)",
            test: "data locate::pipes_are_not_waited_for",
        },
    ],
    run: try_cases,
};

const MAX_BYTES: u64 = 256 << 20;
const DEADLINE: Duration = Duration::from_mins(1);
/// For the run that nothing is wrong with, which trains and draws.
const WHOLE_DEADLINE: Duration = Duration::from_mins(5);

const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

const EXPERIMENT_FILE: &str = "name = \"broken\"\nmodel = \"dense\"\noptimizer = \"sgd\"\n\
    [data]\ndir = \"data\"\nclass_names = [\"cat\", \"dog\", \"eel\"]\n[training]\nepochs = 1\nbackend = \"flex\"\n";

/// A folder by what is wrong with it.
struct Case {
    name: &'static str,
    /// What `runner` must say.
    said: &'static str,
    spoil: fn(&mut [Vec<u8>; 4]),
}

const CASES: [Case; 18] = [
    Case { name: "is empty", said: "expected a header", spoil: |files| files[0].clear() },
    Case { name: "ends within its header", said: "expected a header", spoil: |files| files[0].truncate(11) },
    Case { name: "ends within its pixels", said: "after the header, found", spoil: |files| files[0].truncate(30) },
    Case { name: "goes on after its pixels", said: "after the header, found more", spoil: |files| files[2].push(0) },
    Case { name: "goes on after its labels", said: "after the header, found more", spoil: |files| files[1].push(0) },
    Case { name: "is a page", said: "expected an IDX file", spoil: |files| files[0] = b"<!DOCTYPE html>".to_vec() },
    Case { name: "has labels for images", said: "expected magic 2051", spoil: |files| files.swap(0, 1) },
    Case { name: "has fewer labels", said: "one for each image", spoil: |files| files[1] = idx(&[3], &[0, 1, 2]) },
    Case { name: "has more test labels", said: "one for each image", spoil: |files| files[3] = idx(&[3], &[0; 3]) },
    Case { name: "has a label beyond the classes", said: "labels below 3", spoil: |files| files[1][9] = 3 },
    Case { name: "has a test label of 255", said: "labels below 3", spoil: |files| files[3][8] = 255 },
    Case {
        name: "has test images of another size",
        said: "like the training images",
        spoil: |files| files[2] = idx(&[2, 3, 2], &[0; 12]),
    },
    Case { name: "promises 2^96 pixels", said: "at most", spoil: |files| files[0][4..].fill(0xFF) },
    Case {
        name: "promises a gigabyte",
        said: "after the header, found",
        spoil: |files| files[0] = idx(&[1 << 20, 32, 32], &[0; 100]),
    },
    Case {
        name: "is compressed and cut off",
        said: "cannot read",
        spoil: |files| {
            files[0] = gzip(&files[0]);
            let half = files[0].len() / 2;
            files[0].truncate(half);
        },
    },
    Case { name: "is a bomb of zeros", said: "expected magic", spoil: |files| files[0] = gzip_bomb(&[]) },
    Case {
        name: "is a bomb behind a gigabyte",
        said: "after the header, found more",
        spoil: |files| files[0] = gzip_bomb(&idx(&[1 << 20, 32, 32], &[])),
    },
    Case {
        name: "is a bomb behind labels",
        said: "after the header, found more",
        spoil: |files| files[1] = gzip_bomb(&idx(&[4], &[])),
    },
];

/// An IDX file of unsigned bytes.
fn idx(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let magic = 0x0800 + u32::try_from(dimensions.len()).expect("few dimensions");
    let words = [&[magic], dimensions].concat();
    [words.into_iter().flat_map(u32::to_be_bytes).collect(), elements.to_vec()].concat()
}

/// Four training and two test images of 2x3 pixels, in three classes.
pub(crate) fn files() -> [Vec<u8>; 4] {
    [
        idx(&[4, 2, 3], &(0..24).collect::<Vec<u8>>()),
        idx(&[4], &[0, 2, 1, 2]),
        idx(&[2, 2, 3], &(100..112).collect::<Vec<u8>>()),
        idx(&[2], &[1, 0]),
    ]
}

fn try_cases(plan: &Plan) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let mut peak = 0;
    // What is wrong must be what was spoilt, not the rest.
    trip(plan, &plan.folder().join("whole"), &files(), WHOLE_DEADLINE)?.expect(0, "")?;
    for index in 0..plan.tries {
        let case = &CASES[usize::try_from(index).unwrap_or(0) % CASES.len()];
        let mut files = files();
        (case.spoil)(&mut files);
        let folder = plan.folder().join(format!("case{index}"));
        figures.count(
            (|| {
                let outcome = trip(plan, &folder, &files, DEADLINE)?;
                outcome.expect(3, case.said)?;
                outcome.expect_peak_below(MAX_BYTES)?;
                peak = peak.max(outcome.peak_bytes.unwrap_or(0));
                if folder.join("results").exists() { Err("left a results folder".to_owned()) } else { Ok(()) }
            })()
            .map_err(|what: String| format!("a file that {}: {what}", case.name)),
        );
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    figures.notes = vec![format!("peak memory {} MB", peak >> 20)];
    Ok(figures)
}

fn trip(plan: &Plan, folder: &Path, files: &[Vec<u8>; 4], deadline: Duration) -> Result<crate::Outcome, String> {
    write(folder, files)?;
    fs::write(folder.join("broken.toml"), EXPERIMENT_FILE).map_err(|error| format!("{}: {error}", folder.display()))?;
    run(&mut runner(plan, folder, &["broken.toml", "--progress=none"]), deadline)
}

/// Writes the files of a data set into `data` within a folder.
pub(crate) fn write(folder: &Path, files: &[Vec<u8>; 4]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder.join("data")).map_err(failed)?;
    NAMES
        .iter()
        .zip(files)
        .try_for_each(|(name, bytes)| fs::write(folder.join("data").join(name), bytes))
        .map_err(failed)
}
