//! How a run directory comes into being: claimed before anything that takes long, and never over another run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{RunDir, State, files, lock::Lock};
use crate::error::Error;

/// How often a folder is made that somebody else has just taken away.
const ATTEMPTS: usize = 20;

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

/// The right to a run directory, before there is a run.
///
/// A given name is held from now on: its directory is there and locked. Whatever was made for that goes away with a
/// claim that comes to nothing, and nothing else has been touched.
#[derive(Debug)]
pub struct Claim {
    /// `results/<experiment>/<name>`, or the stem of it.
    path: PathBuf,
    /// The directory of a given name.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    lock: Lock,
    /// Folders that were not there before, outermost first.
    made: Vec<PathBuf>,
}

impl Claim {
    /// Claims `results/<experiment>/<name>/`.
    ///
    /// A directory whose owner died before it wrote the configuration is no run yet, and is taken over.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if somebody else has claimed the given name or runs under it, [`Error::Usage`] if there is a run
    /// that shall stay, [`Error::Io`] if the directory cannot be made.
    pub fn take(results: &Path, experiment: &str, name: &RunName, existing: Existing) -> Result<Self, Error> {
        let (RunName::Given(text) | RunName::Generated(text)) = name;
        let mut claim = Self { path: results.join(experiment).join(text), held: None };
        if let RunName::Given(_) = name {
            claim.held = Some(hold(&claim.path)?);
            if is_run(&claim.path) && existing == Existing::Keep {
                return Err(taken(&claim.path));
            }
        }
        Ok(claim)
    }

    /// Makes the directory that a run is about to fill, moves an old run aside, and points
    /// `results/<experiment>/latest` to the new one.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if somebody else was faster with the place of the old run, [`Error::Io`].
    pub fn begin(mut self) -> Result<RunDir, Error> {
        let (path, lock) = match self.held.take() {
            Some(Held { lock, .. }) => (self.path.clone(), given(&self.path, lock)?),
            None => generated(&self.path)?,
        };
        let plots = path.join(files::PLOTS);
        fs::create_dir_all(&plots).map_err(Error::io("cannot create the folder", &plots))?;
        let run = RunDir { path, lock: Some(Arc::new(lock)) };
        run.point_latest()?;
        Ok(run)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(Held { lock, made }) = self.held.take() else { return };
        drop(lock);
        for folder in made.iter().rev() {
            // One that somebody else uses by now is not empty, and stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl RunDir {
    /// Points `latest` to this run; a relative link, so that the results folder can be moved.
    fn point_latest(&self) -> Result<(), Error> {
        let latest = self.path.with_file_name("latest");
        let name = self.path.file_name().expect("a run directory has a name");
        files::replace_link(Path::new(name), &latest).map_err(Error::io("cannot point to the run", latest))
    }
}

/// Makes and locks the directory of a given name: whoever gets the lock has the name, whoever made the directory.
fn hold(path: &Path) -> Result<Held, Error> {
    persist(|| {
        let made = create_missing(path)?;
        Ok(Held { lock: Lock::acquire(path)?, made })
    })
}

/// The directory of a given name, without an old run.
fn given(path: &Path, mut lock: Lock) -> Result<Lock, Error> {
    if !is_run(path) {
        return Ok(lock);
    }
    let aside = aside(path);
    fs::rename(path, &aside).map_err(Error::io("cannot move the old run to", &aside))?;
    lock.moved_to(&aside);
    drop(lock);
    // Nobody can have the old directory any more, but somebody may be faster with the new one.
    let Held { lock, .. } = hold(path)?;
    if is_run(path) { Err(taken(path)) } else { Ok(lock) }
}

/// A directory with a new name.
fn generated(stem: &Path) -> Result<(PathBuf, Lock), Error> {
    let mut path = stem.to_owned();
    let mut copy = 1;
    while !persist(|| create_missing(&path))?.contains(&path) {
        copy += 1;
        let name = stem.file_name().unwrap_or_default().to_string_lossy();
        path = stem.with_file_name(format!("{name}-{copy}"));
    }
    let lock = Lock::acquire(&path)?;
    Ok((path, lock))
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

/// Makes a run directory and the folders above it, as far as they are missing; what was made, outermost first.
fn create_missing(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let parent = path.parent().expect("a run directory lies in a folder");
    let missing = parent.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists());
    let mut made: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    made.reverse();
    fs::create_dir_all(parent).map_err(Error::io("cannot create the results folder", parent))?;
    match fs::create_dir(path) {
        Ok(()) => made.push(path.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("cannot create the run directory", path)(error)),
    }
    Ok(made)
}

/// Tries again while a claim that comes to nothing takes folders away.
fn persist<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let is_gone = |outcome: &Result<T, Error>| matches!(outcome, Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound);
    let mut outcome = attempt();
    for _ in 1..ATTEMPTS {
        if !is_gone(&outcome) {
            break;
        }
        outcome = attempt();
    }
    outcome
}

/// Whether a run has begun here: its configuration is the first file to be written that a run cannot do without.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn take(results: &Path, name: &str) -> Result<Claim, Error> {
        Claim::take(results, "lab", &RunName::Given(name.to_owned()), Existing::Keep)
    }

    #[test]
    fn a_claim_that_comes_to_nothing_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let results = folder.path().join("some/results");
        drop(take(&results, "mine").expect("nobody has it"));
        assert!(!folder.path().join("some").exists());

        let (one, two) = (take(&results, "one").expect("nobody has it"), take(&results, "two").expect("nor this"));
        drop(one);
        assert!(results.join("lab/two").exists() && !results.join("lab/one").exists());
        two.begin().expect("it is held");
        assert!(results.join("lab/two/plots").exists());
    }

    #[test]
    fn a_name_has_one_holder_from_the_claim_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let claim = take(folder.path(), "mine").expect("nobody has it");
        assert!(matches!(take(folder.path(), "mine"), Err(Error::Busy { .. })));
        let run = claim.begin().expect("it is held");
        assert!(matches!(take(folder.path(), "mine"), Err(Error::Busy { .. })));
        drop(run);
        // It has no configuration: no run yet.
        take(folder.path(), "mine").expect("its owner is gone");
    }

    #[test]
    fn claims_that_come_and_go_are_in_nobodys_way() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let results = folder.path().join("results");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        match take(&results, "mine") {
                            Ok(claim) => drop(claim),
                            Err(error) => assert!(matches!(error, Error::Busy { .. }), "{error}"),
                        }
                    }
                });
            }
        });
        take(&results, "mine").expect("everybody is gone");
    }

    #[test]
    fn an_old_run_stays_where_it_is_until_the_new_one_begins() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let old = take(folder.path(), "mine").and_then(Claim::begin).expect("nobody has it");
        old.write_config("old").expect("writable");
        drop(old);
        assert!(matches!(take(folder.path(), "mine"), Err(Error::Usage(_))));
        let name = RunName::Given("mine".to_owned());
        let claim = || Claim::take(folder.path(), "lab", &name, Existing::MoveAside).expect("it may be moved");
        drop(claim());
        assert_eq!(RunDir::at(&folder.path().join("lab/mine")).config().expect("it is there"), "old");
        let new = claim().begin().expect("it is held");
        assert!(!new.config_path().exists());
        let names = fs::read_dir(folder.path().join("lab")).expect("listable").count();
        assert_eq!(names, 3, "the new run, the old one and the link");
    }
}
