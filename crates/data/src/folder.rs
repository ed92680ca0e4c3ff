//! What a folder has of a data set.
//!
//! A file may be there under its name or as `<name>.gz`, compressed or not whatever its name says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    content,
    error::DataError,
    files::{DataFiles, Origin, VerifiedFile},
    idx::image_sizes,
    registry::{DatasetInfo, FILE_NAMES, FileInfo},
    scan::{LabelScan, PartScan},
    status::FileStatus,
};

/// Looks at each file of a known data set.
pub(crate) fn inspect(info: &DatasetInfo, folder: &Path) -> [FileStatus; 4] {
    info.files.each_ref().map(|file| inspect_file(file, folder))
}

fn inspect_file(file: &FileInfo, folder: &Path) -> FileStatus {
    let Some(path) = find(folder, file.name) else { return FileStatus::Missing };
    let reader = match content::open(&path) {
        Ok(reader) => reader,
        Err(source) => {
            return FileStatus::Wrong(DataError::Io { action: "cannot open", path, source });
        }
    };
    match content::verify(reader, file) {
        Ok(()) => {
            let (sha256, bytes) = (file.sha256.to_owned(), file.bytes);
            FileStatus::Verified(VerifiedFile { path, sha256, bytes })
        }
        Err(source) => FileStatus::Wrong(DataError::Content { path, source }),
    }
}

/// The files of a known data set, all verified; none if the folder has none of them.
///
/// # Errors
///
/// The first file that is wrong or, if others are there, missing.
pub(crate) fn known(info: &DatasetInfo, folder: &Path) -> Result<Option<[VerifiedFile; 4]>, DataError> {
    let files = inspect(info, folder);
    if files.iter().all(|file| matches!(file, FileStatus::Missing)) {
        return Ok(None);
    }
    let mut verified = Vec::with_capacity(files.len());
    for (status, file) in files.into_iter().zip(&info.files) {
        match status {
            FileStatus::Verified(file) => verified.push(file),
            FileStatus::Wrong(error) => return Err(error),
            FileStatus::Missing => return Err(missing(folder, file.name)),
        }
    }
    Ok(Some(verified.try_into().expect("one for each of the four files")))
}

/// The files of a data set that is known only by its folder: their structure is verified, and the
/// hashes say what was found.
///
/// Without `class_names`, classes are called by their label, as many as the training labels need.
///
/// # Errors
///
/// [`DataError`] for the first file that is missing, is no IDX file or disagrees with the others.
pub(crate) fn unknown(folder: &Path, class_names: Option<&[String]>) -> Result<DataFiles, DataError> {
    fs::read_dir(folder).map_err(DataError::io("cannot open", folder))?;
    let paths = [required(folder, 0)?, required(folder, 1)?, required(folder, 2)?, required(folder, 3)?];

    let train = PartScan::read(&paths[0], &paths[1])?;
    let class_names = class_names.map_or_else(|| numbered(train.labels.num_classes()), <[_]>::to_vec);
    train.labels.check_range(class_names.len())?;
    let test = PartScan::read(&paths[2], &paths[3])?;
    let [expected, found] = [train.sizes, test.sizes].map(|sizes| (sizes.height, sizes.width));
    if found != expected {
        return Err(DataError::SizeMismatch { path: paths[2].clone(), expected, found });
    }
    test.labels.check_range(class_names.len())?;
    let files = [train.images, train.labels.file, test.images, test.labels.file];

    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
    Ok(DataFiles { name, class_names, files, origin: Origin::Given(folder.to_owned()) })
}

/// What a folder of IDX files holds, as far as a model depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Classes that the labels are of.
    pub num_classes: usize,
}

/// Looks into a folder of IDX files: at the header of its training images and at its training labels, and at nothing
/// else. [`locate`](crate::locate) reads and verifies all of it.
///
/// Without `class_names` there are as many classes as the training labels need.
///
/// # Errors
///
/// [`DataError`] if one of the two files is missing or is no IDX file, or if they disagree.
pub fn outline(folder: &Path, class_names: Option<&[String]>) -> Result<Outline, DataError> {
    fs::read_dir(folder).map_err(DataError::io("cannot open", folder))?;
    let [images, labels] = [required(folder, 0)?, required(folder, 1)?];
    let reader = content::open(&images).map_err(DataError::io("cannot open", &images))?;
    let sizes = image_sizes(reader).map_err(|source| DataError::Idx { path: images.clone(), source })?;
    let labels = LabelScan::read(&labels)?;
    labels.check_count(sizes.count, &images)?;
    let num_classes = class_names.map_or_else(|| labels.num_classes(), <[_]>::len);
    labels.check_range(num_classes)?;
    Ok(Outline { height: sizes.height, width: sizes.width, num_classes })
}

/// Names of classes that have none.
fn numbered(num_classes: usize) -> Vec<String> {
    (0..num_classes).map(|it| it.to_string()).collect()
}

/// The file at a place in the registry's order.
fn required(folder: &Path, index: usize) -> Result<PathBuf, DataError> {
    find(folder, FILE_NAMES[index]).ok_or_else(|| missing(folder, FILE_NAMES[index]))
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.exists())
}

fn missing(folder: &Path, file: &'static str) -> DataError {
    DataError::MissingFile { folder: folder.to_owned(), file }
}
