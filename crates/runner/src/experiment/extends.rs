//! Reads an experiment file and everything that it extends, and merges them.
//!
//! A file can only say what other configuration files it is based on; it cannot run commands or read the
//! environment, and `extends` stays inside one folder tree (see [`read`]), because an error message shows
//! lines of the file it complains about.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    de::nearest,
    error::Problem,
    node::{Node, Table, Value},
    origin::{Origin, Source},
    parse,
    paths::{root, tidy},
};

/// The key that names the files to build on.
pub(super) const EXTENDS: &str = "extends";

/// No configuration is longer; a device file or a data set given by mistake is.
const MAX_BYTES: u64 = 1 << 20;

/// No experiment builds on more files; two files that each extend the next level twice would.
const MAX_FILES: usize = 64;

/// Reads `path` and what it extends.
///
/// `extends` is a path or a list of paths, relative to the file that says so. Later ones win over earlier
/// ones, and the file itself wins over what it extends. Every extended file must lie within the folder that
/// holds `configs/` above the experiment, or else beside or below the experiment itself; symbolic links
/// are followed before that is decided.
///
/// # Errors
///
/// A file that is missing, unreadable, longer than 1 MiB, not UTF-8 or not TOML; an `extends` that is of
/// the wrong type, circular, or leaves the tree.
pub(super) fn read(path: &Path) -> Result<Merged, Problem> {
    let real = path.canonicalize().map_err(|error| unreadable(path, &error))?;
    let mut reader = Reader { root: root(&real), open: Vec::new(), files: 0 };
    let node = reader.file(&real, path, None)?;
    Ok(Merged { node, root: reader.root })
}

/// A file with everything that it extends.
pub(super) struct Merged {
    pub(super) node: Node,
    /// The folder that its relative paths may not leave.
    pub(super) root: PathBuf,
}

struct Reader {
    root: PathBuf,
    /// The files being read, from the experiment inwards: what each is really, and how messages name it.
    open: Vec<(PathBuf, String)>,
    files: usize,
}

impl Reader {
    fn file(&mut self, real: &Path, shown: &Path, extended_by: Option<&Origin>) -> Result<Node, Problem> {
        let blame = |error: &io::Error| match extended_by {
            None => unreadable(shown, error),
            Some(origin) => Problem::at(origin, format!("cannot read {}: {error}", shown.display())),
        };
        let bytes = read_bytes(real).map_err(|error| blame(&error))?;
        let source = source(shown, bytes)?;
        let mut own = parse::document(&source)?;
        let Value::Table(table) = &mut own.value else { return Ok(own) };
        let Some(extends) = table.remove(EXTENDS) else { return Ok(own) };

        self.open.push((real.to_path_buf(), source.name.clone()));
        let mut merged = Node::new(own.origin.clone(), Value::Table(Table::default()));
        for entry in entries(&extends.node)? {
            merged.merge(self.extended(&source, entry)?);
        }
        self.open.pop();
        merged.merge(own);
        Ok(merged)
    }

    fn extended(&mut self, source: &Source, entry: &Node) -> Result<Node, Problem> {
        let Some(relative) = entry.as_str() else {
            return Err(Problem::at(&entry.origin, format!("{EXTENDS}: expected a path, found {}", entry.describe())));
        };
        let at = |message: String| Problem::at(&entry.origin, message);
        let shown = tidy(&Path::new(&source.name).parent().unwrap_or(Path::new("")).join(relative));
        let real = source
            .dir
            .join(relative)
            .canonicalize()
            .map_err(|error| at(format!("cannot read {}: {error}", shown.display())))?;
        if !real.starts_with(&self.root) {
            let message = format!("{EXTENDS}: {} is outside of {}", shown.display(), self.root.display());
            return Err(at(message).help(
                "extended files lie within the folder that holds `configs`, or else beside or below the experiment",
            ));
        }
        if let Some(first) = self.open.iter().position(|(open, _)| *open == real) {
            let circle: Vec<&str> = self.open[first..].iter().map(|(_, name)| name.as_str()).collect();
            let message = format!("circular {EXTENDS}: {} → {}", circle.join(" → "), self.open[first].1);
            return Err(at(message));
        }
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(at(format!("{EXTENDS}: more than {MAX_FILES} files")));
        }
        self.file(&real, &shown, Some(&entry.origin))
    }
}

fn entries(extends: &Node) -> Result<&[Node], Problem> {
    match &extends.value {
        Value::String(_) => Ok(std::slice::from_ref(extends)),
        Value::Array(items) => Ok(items),
        _ => {
            let message = format!("{EXTENDS}: expected a path or a list of paths, found {}", extends.describe());
            Err(Problem::at(&extends.origin, message))
        }
    }
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if length as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB, so no experiment file"));
    }
    Ok(bytes)
}

fn source(shown: &Path, bytes: Vec<u8>) -> Result<Arc<Source>, Problem> {
    let name = shown.display().to_string();
    let dir = std::path::absolute(shown.parent().unwrap_or(Path::new("")).join("."))
        .map_err(|error| Problem::with_file(shown, format!("cannot find its folder: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(Source { name, text, dir })),
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let origin = Origin::File { source: Arc::new(Source { name, text, dir }), span: start..start };
            Err(Problem::at(&origin, "the file is not UTF-8 text"))
        }
    }
}

/// A missing experiment, with the name that may have been meant.
fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::with_file(path, format!("cannot read the experiment file: {error}"));
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(wanted), Ok(entries)) = (path.file_name().and_then(|it| it.to_str()), dir.read_dir()) else {
        return problem;
    };
    let mut names: Vec<String> = entries.filter_map(|it| it.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| name != wanted && Path::new(name).extension().is_some_and(|it| it == "toml"));
    names.sort();
    let with_extension = format!("{wanted}.toml");
    let wanted = if names.contains(&with_extension) { &with_extension } else { wanted };
    match nearest(wanted, names.iter().map(String::as_str)) {
        Some(name) => problem.help(format!("did you mean {}?", path.with_file_name(name).display())),
        None => problem,
    }
}
