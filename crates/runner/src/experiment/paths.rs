//! The folders and files that an experiment file may name.

use std::path::{Component, Path, PathBuf};

use super::{error::Problem, origin::Origin};

/// The folder tree that a file's relative paths may not leave: the nearest folder above it that holds
/// `configs/`, or else its own folder. `file` has no symbolic links left.
pub(super) fn root(file: &Path) -> PathBuf {
    let dir = file.parent().unwrap_or(file);
    let repository = dir.ancestors().find(|ancestor| ancestor.join("configs").is_dir());
    repository.unwrap_or(dir).to_path_buf()
}

/// The absolute path of what the value of `key` names; `flag` is how to name it on the command line.
///
/// A flag's path starts from the working directory. A file's relative path starts from the file and stays
/// within `root`, so that a file that is moved does not read from wherever its `..` then lead; a folder
/// elsewhere is named by its absolute path, which says plainly where it is.
///
/// # Errors
///
/// A relative path that leaves `root`; a path that is not UTF-8, which TOML could not repeat.
pub(super) fn absolute(key: &str, flag: &str, path: &Path, origin: &Origin, root: &Path) -> Result<PathBuf, Problem> {
    let at = |message: String| Problem::at(origin, format!("{key}: {message}"));
    let base = match origin {
        Origin::File { source, .. } => source.dir.canonicalize(),
        Origin::CommandLine(_) | Origin::Default => std::env::current_dir(),
    };
    let base = base.map_err(|error| at(format!("cannot find the folder that it starts from: {error}")))?;
    let absolute = tidy(&base.join(path));
    if matches!(origin, Origin::File { .. }) && path.is_relative() && !absolute.starts_with(root) {
        let message = format!("{} is outside of {}", path.display(), root.display());
        return Err(at(message).help(format!("name what lies elsewhere by its absolute path, or with {flag}")));
    }
    if absolute.to_str().is_none() {
        return Err(at(format!("{} is not UTF-8", absolute.display())));
    }
    Ok(absolute)
}

/// Drops `a/..` and `.`: `experiments/../configs/x.toml` is `configs/x.toml` to people.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match (component, tidy.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                tidy.pop();
            }
            (other, _) => tidy.push(other),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(tidy(Path::new(path)), Path::new(expected), "{path}");
    }

    #[test]
    fn tidied_paths_lead_to_the_same_place() {
        check("experiments/../configs/a.toml", "configs/a.toml");
        check("./a/./b", "a/b");
        check("../a", "../a");
        check("../../a/../b", "../../b");
        check("/../a", "/a");
    }
}
