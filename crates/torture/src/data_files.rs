//! Data files that are cut off, disagree with each other, or grow without end when they are decompressed.

use std::{fs, path::Path, time::Duration};

use crate::{
    command::{run, runner},
    compressed::{gzip, gzip_bomb},
    experiment::{Experiment, Figures, Plan},
    refused::{self, Limits, Refused},
    tiny::{NAMES, files, idx},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "data-files",
    row: 10,
    what: "`runner` on folders with IDX files that are truncated, longer, of another kind, of differing counts, with \
           labels beyond the classes, or gzip bombs of 10 GiB",
    pass: "exit 3 with the reason within 60 s of computing; memory below 256 MB; no results folder",
    tries: 2 * CASES.len() as u64,
    quick: CASES.len() as u64,
    run: try_cases,
};

/// For the run that nothing is wrong with, which trains and draws.
const WHOLE_DEADLINE: Duration = Duration::from_mins(5);

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

impl Refused for Case {
    fn name(&self) -> &'static str {
        self.name
    }

    fn said(&self) -> &'static str {
        self.said
    }

    fn prepare(&self, folder: &Path) -> Result<(), String> {
        let mut files = files();
        (self.spoil)(&mut files);
        write_all(folder, &files)
    }
}

fn try_cases(plan: &Plan) -> Result<Figures, String> {
    // What is wrong must be what was spoilt, not the rest.
    let whole = plan.folder().join("whole");
    write_all(&whole, &files())?;
    run(&mut runner(plan, &whole, &["broken.toml", "--progress=none"]), WHOLE_DEADLINE)?.expect(0, "")?;
    refused::try_cases(plan, &CASES, "broken.toml", &Limits { code: 3, seconds: 60 })
}

/// Writes the experiment and its data set.
fn write_all(folder: &Path, files: &[Vec<u8>; 4]) -> Result<(), String> {
    write(folder, files)?;
    fs::write(folder.join("broken.toml"), EXPERIMENT_FILE).map_err(|error| format!("{}: {error}", folder.display()))
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
