//! What figures read of a run directory and write into it, and folders of figures elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    RunDir,
    files::{self, Durability},
};
use crate::error::Error;

/// A folder that figures are written to, whole or not at all.
#[derive(Clone, Debug)]
pub struct FigureFolder {
    path: PathBuf,
}

/// One line of `predictions.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionRow {
    /// Index of the true class.
    pub truth: usize,
    /// Index of the predicted class.
    pub predicted: usize,
    /// Probability of each class.
    pub probabilities: Vec<f64>,
}

impl FigureFolder {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn create(path: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&path).map_err(Error::io("cannot create the folder", &path))?;
        Ok(Self { path })
    }

    /// Writes a file, in place of an older one, and returns its path. A name may lead through folders, which are made.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(Error::io("cannot create the folder", folder))?;
        // Can be drawn again: a power failure may take it.
        files::write_whole(&path, bytes, Durability::Renamed).map_err(Error::io("cannot write", &path))?;
        Ok(path)
    }
}

impl RunDir {
    /// The run directory as a folder of figures.
    #[must_use]
    pub fn figures(&self) -> FigureFolder {
        FigureFolder { path: self.path.clone() }
    }

    /// Reads the weights.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn weights(&self) -> Result<Vec<u8>, Error> {
        read(&self.path.join(files::WEIGHTS))
    }

    /// Reads every prediction, in the order of the test images; `class_names` are those of the data set.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Malformed`], also if the classes are others.
    pub fn predictions(&self, class_names: &[String]) -> Result<Vec<PredictionRow>, Error> {
        let bytes = read(&self.path.join(files::PREDICTIONS))?;
        parse(&bytes, class_names).map_err(|message| self.malformed_predictions(message))
    }

    /// An error about `predictions.csv`.
    #[must_use]
    pub fn malformed_predictions(&self, message: String) -> Error {
        Error::Malformed { path: self.path.join(files::PREDICTIONS), message }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::io("cannot read", path))
}

fn parse(bytes: &[u8], class_names: &[String]) -> Result<Vec<PredictionRow>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    if !header.iter().skip(3).eq(class_names.iter().map(String::as_str)) {
        let found: Vec<&str> = header.iter().skip(3).collect();
        return Err(format!("expected the classes {}, found {}", class_names.join(", "), found.join(", ")));
    }
    let class = |name: &str| class_names.iter().position(|known| known == name).ok_or(format!("no class {name:?}"));
    let row = |record: csv::StringRecord| -> Result<PredictionRow, String> {
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let probability = |cell: &str| cell.parse::<f64>().map_err(|error| format!("{cell:?}: {error}"));
        Ok(PredictionRow {
            truth: class(cell(1))?,
            predicted: class(cell(2))?,
            probabilities: record.iter().skip(3).map(probability).collect::<Result<_, _>>()?,
        })
    };
    let records = reader.records().enumerate();
    records
        .map(|(index, record)| {
            let parsed = record.map_err(|error| error.to_string()).and_then(row);
            parsed.map_err(|message| format!("line {}: {message}", index + 2))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [String; 2] {
        ["cat", "dog"].map(String::from)
    }

    #[test]
    fn predictions_are_read_as_they_were_written() {
        let rows = [(0, 1, vec![0.25, 0.75]), (1, 1, vec![0.0, 1.0])];
        let bytes = files::predictions_csv(&names(), rows.into_iter());
        let found = parse(&bytes, &names()).expect("well formed");
        let expected = PredictionRow { truth: 0, predicted: 1, probabilities: vec![0.25, 0.75] };
        assert_eq!((found.len(), &found[0]), (2, &expected));
    }

    #[test]
    fn rejects_predictions_of_other_classes_and_broken_lines() {
        let check = |text: &str, expected: &str| {
            let error = parse(text.as_bytes(), &names()).expect_err("malformed");
            assert!(error.starts_with(expected), "{error}");
        };
        check("index,true,predicted,cat,cow\n", "expected the classes cat, dog, found cat, cow");
        check("index,true,predicted,cat,dog\n0,cat,cow,1,0\n", "line 2: no class \"cow\"");
        check("index,true,predicted,cat,dog\n0,cat,dog,1,x\n", "line 2: \"x\": invalid float literal");
        check("index,true,predicted,cat,dog\n0,cat\n", "line 2: CSV error");
    }
}
