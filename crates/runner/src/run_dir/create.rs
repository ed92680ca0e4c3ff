//! How a run directory comes into being: exclusively, and never over another run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{RunDir, State, files, lock::Lock};
use crate::error::Error;

/// How a run directory gets its name.
#[derive(Clone, Debug)]
pub enum RunName {
    /// A name that the user chose.
    Given(String),
    /// A stem that is unique but for runs started in the same second; these get `-2`, `-3`, ….
    Generated(String),
}

/// What happens to a run that has the chosen name already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and there is no other.
    #[default]
    Keep,
    /// It gets another name, with all that is in it.
    MoveAside,
}

impl RunDir {
    /// Creates `results/<experiment>/<name>/`, owns it, and points `results/<experiment>/latest` to it.
    ///
    /// A directory whose owner died before it wrote the first file is no run yet, and is taken over.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if a run of the given name is going on, [`Error::Usage`] if there is one that shall stay,
    /// [`Error::Io`] if the directory cannot be made.
    pub fn create(results: &Path, experiment: &str, name: &RunName, existing: Existing) -> Result<Self, Error> {
        let parent = results.join(experiment);
        fs::create_dir_all(&parent).map_err(Error::io("cannot create the results folder", &parent))?;
        let run = match name {
            RunName::Given(name) => given(parent.join(name), existing)?,
            RunName::Generated(stem) => generated(&parent, stem)?,
        };
        let plots = run.path.join(files::PLOTS);
        fs::create_dir_all(&plots).map_err(Error::io("cannot create the folder", &plots))?;
        run.point_latest(&parent)?;
        Ok(run)
    }

    /// Whether a run of this name can be made; says so before anything that takes long is done.
    ///
    /// # Errors
    ///
    /// As [`RunDir::create`].
    pub fn check_name(results: &Path, experiment: &str, name: &RunName, existing: Existing) -> Result<(), Error> {
        let RunName::Given(name) = name else { return Ok(()) };
        let path = results.join(experiment).join(name);
        if !path.exists() {
            return Ok(());
        }
        let lock = Lock::acquire(&path)?;
        drop(lock);
        if existing == Existing::MoveAside || !is_run(&path) { Ok(()) } else { Err(taken(&path)) }
    }

    /// Points `latest` to this run; a relative link, so that the results folder can be moved.
    fn point_latest(&self, parent: &Path) -> Result<(), Error> {
        let latest = parent.join("latest");
        let name = self.path.file_name().expect("a run directory has a name");
        files::replace_link(Path::new(name), &latest).map_err(Error::io("cannot point to the run", latest))
    }
}

fn given(path: PathBuf, existing: Existing) -> Result<RunDir, Error> {
    create_new(&path)?;
    // Whoever gets the lock has the name, whoever made the directory.
    let mut lock = Lock::acquire(&path)?;
    if is_run(&path) {
        if existing == Existing::Keep {
            return Err(taken(&path));
        }
        let aside = aside(&path);
        fs::rename(&path, &aside).map_err(Error::io("cannot move the old run to", &aside))?;
        lock.moved_to(&aside);
        drop(lock);
        // Nobody can have the old directory any more, but somebody may be faster with the new one.
        create_new(&path)?;
        lock = Lock::acquire(&path)?;
        if is_run(&path) {
            return Err(taken(&path));
        }
    }
    Ok(RunDir { path, lock: Some(Arc::new(lock)) })
}

fn generated(parent: &Path, stem: &str) -> Result<RunDir, Error> {
    let mut path = parent.join(stem);
    let mut copy = 1;
    while !create_new(&path)? {
        copy += 1;
        path = parent.join(format!("{stem}-{copy}"));
    }
    let lock = Lock::acquire(&path)?;
    Ok(RunDir { path, lock: Some(Arc::new(lock)) })
}

/// A name for an old run that nothing has yet.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let mut aside = path.with_file_name(format!("{name}.until-{time}"));
    let mut copy = 1;
    while aside.exists() {
        copy += 1;
        aside = path.with_file_name(format!("{name}.until-{time}-{copy}"));
    }
    aside
}

/// Makes a directory; false if something is there already.
fn create_new(path: &Path) -> Result<bool, Error> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("cannot create the run directory", path)(error)),
    }
}

/// Whether a run has begun here: its configuration is the first file to be written.
fn is_run(path: &Path) -> bool {
    path.join(files::CONFIG).exists()
}

fn taken(path: &Path) -> Error {
    let shown = path.display();
    let way_on = match RunDir::at(path).status() {
        Ok(status) if status.state == State::Done => "--force, which moves it aside".to_owned(),
        _ => format!("`runner resume {shown}`, which goes on with it, or --force, which moves it aside"),
    };
    Error::Usage(format!(
        "{shown}: a run of this name is there already and is never overwritten; use another --run-name, or {way_on}"
    ))
}
