//! Names and formats of a run directory's files, and writing one of them whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

pub(super) const CONFIG: &str = "config.toml";
pub(super) const ENVIRONMENT: &str = "environment.json";
pub(super) const STATUS: &str = "status.json";
pub(super) const METRICS_JSONL: &str = "metrics.jsonl";
pub(super) const METRICS_CSV: &str = "metrics.csv";
pub(super) const SUMMARY: &str = "summary.json";
pub(super) const CONFUSION: &str = "confusion_matrix.csv";
pub(super) const PREDICTIONS: &str = "predictions.csv";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const PLOTS: &str = "plots";
pub(super) const LEARNT: &str = "xor.json";
pub(super) const TILES: &str = "tiles.json";
pub(super) const BEST_WEIGHTS: &str = "best.safetensors";
pub(super) const RESUMES: &str = "resumes.jsonl";

/// Ends the names of files that are being written.
const TEMPORARY: &str = ".tmp";

/// What a file that was written survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The end of this process, but perhaps not a power failure: for what is written often and matters little.
    Renamed,
    /// A power failure, too.
    Synced,
}

/// Writes a temporary beside `path` and renames it, so that `path` is always old or new, never torn.
pub(super) fn write_whole(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY);
    let temporary = Path::new(&temporary);
    let written = File::create(temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        if durability == Durability::Synced {
            file.sync_all()?;
        }
        fs::rename(temporary, path)?;
        if durability == Durability::Synced { path.parent().map_or(Ok(()), sync_folder) } else { Ok(()) }
    });
    if written.is_err() {
        // The write has failed already; a leftover that cannot be removed either changes nothing about that.
        let _ = fs::remove_file(temporary);
    }
    written
}

/// Removes the temporaries of a process that died while it was writing into `folder`.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.as_os_str().as_encoded_bytes().ends_with(TEMPORARY.as_bytes()) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Makes what was renamed into a folder survive a power failure.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Folders cannot be synced here.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes `link` point to `target`, whatever it pointed to before.
#[cfg(unix)]
pub(super) fn replace_link(target: &Path, link: &Path) -> io::Result<()> {
    // One name for everybody, so that what a process leaves behind when it dies here is used up by the next. Two at
    // once take it from each other, and try again.
    const ATTEMPTS: usize = 20;
    let mut temporary = link.as_os_str().to_owned();
    temporary.push(TEMPORARY);
    let temporary = Path::new(&temporary);
    let mut last = Ok(());
    for _ in 0..ATTEMPTS {
        let _ = fs::remove_file(temporary);
        last = std::os::unix::fs::symlink(target, temporary).and_then(|()| fs::rename(temporary, link));
        match &last {
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {}
            _ => break,
        }
    }
    last
}

/// Writes the name of `target` into `link`, as links need privileges here.
#[cfg(not(unix))]
pub(super) fn replace_link(target: &Path, link: &Path) -> io::Result<()> {
    write_whole(link, target.as_os_str().as_encoded_bytes(), Durability::Renamed)
}

/// Class names as header and first column, counts between them.
pub(super) fn confusion_csv(class_names: &[String], counts: &[Vec<u64>]) -> Vec<u8> {
    let header = std::iter::once("true \\ predicted".to_owned()).chain(class_names.iter().cloned());
    let rows = class_names
        .iter()
        .zip(counts)
        .map(|(name, row)| std::iter::once(name.clone()).chain(row.iter().map(u64::to_string)).collect());
    csv_bytes(std::iter::once(header.collect()).chain(rows))
}

/// The inverse of [`confusion_csv`].
pub(super) fn parse_confusion(text: &str) -> Result<(Vec<String>, Vec<Vec<u64>>), String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?;
    let class_names: Vec<String> = header.iter().skip(1).map(str::to_owned).collect();
    let mut counts: Vec<Vec<u64>> = Vec::with_capacity(class_names.len());
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let row: Result<_, _> = record.iter().skip(1).map(str::parse).collect();
        counts.push(row.map_err(|error| format!("line {}: {error}", index + 2))?);
    }
    if counts.len() != class_names.len() {
        return Err(format!("expected {} rows, found {}", class_names.len(), counts.len()));
    }
    Ok((class_names, counts))
}

/// One row per sample: index, names of the true and predicted class, one probability per class.
pub(super) fn predictions_csv(class_names: &[String], rows: impl Iterator<Item = (usize, usize, Vec<f64>)>) -> Vec<u8> {
    let header = ["index", "true", "predicted"].into_iter().map(str::to_owned).chain(class_names.iter().cloned());
    let rows = rows.enumerate().map(|(index, (target, predicted, probabilities))| {
        [index.to_string(), class_names[target].clone(), class_names[predicted].clone()]
            .into_iter()
            .chain(probabilities.iter().map(|p| format!("{p:.6}")))
            .collect()
    });
    csv_bytes(std::iter::once(header.collect()).chain(rows))
}

fn csv_bytes(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("rows of equal length into memory");
    }
    writer.into_inner().expect("memory does not fail to flush")
}

/// Bytes as hexadecimal text.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// Bytes as hexadecimal text, for serde.
pub(super) mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hexadecimal(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        match digits {
            Some(digits) if digits.len() % 2 == 0 => {
                Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
            }
            _ => Err(D::Error::custom("expected pairs of hexadecimal digits")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confusion_matrix_survives_its_file() {
        let names = ["a, with comma".to_owned(), "b".to_owned()];
        let counts = vec![vec![3, 1], vec![0, 7]];
        let text = String::from_utf8(confusion_csv(&names, &counts)).expect("utf-8");
        assert_eq!(parse_confusion(&text), Ok((names.to_vec(), counts)));
    }

    #[test]
    fn a_confusion_matrix_without_a_row_is_refused() {
        let message = parse_confusion("t,a,b\na,1,2\n").expect_err("one row of two");
        assert_eq!(message, "expected 2 rows, found 1");
    }

    #[test]
    fn writing_replaces_a_file_and_leaves_no_temporary() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.json");
        write_whole(&path, b"old", Durability::Synced).expect("first");
        write_whole(&path, b"new", Durability::Renamed).expect("second");
        assert_eq!(fs::read(&path).expect("readable"), b"new");
        assert_eq!(fs::read_dir(folder.path()).expect("listable").count(), 1);
    }
}
