//! A small experiment that uses everything that a resumed run must restore, and what is left of its runs.
//!
//! Dropout, batch norm, augmentation in a second phase, a schedule, Adam, clipping by the joint norm, label
//! smoothing, early stopping and the choice of the best epoch; on images of 8 × 8 made up from a seed.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    command::{self, Outcome, say},
    experiment::{Figures, Plan},
    random::Random,
    tiny::idx,
};

/// Workers of [`Lab::try_all`].
const TOGETHER: usize = 2;
/// Longer than any of these runs takes on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_mins(2);
/// Height and width of the images.
const SIDE: usize = 8;
const CLASSES: usize = 4;
/// What clocks measure, in every file that is compared.
const TIMES: [&str; 4] = ["train_seconds", "valid_seconds", "images_per_second", "seconds"];

const EXPERIMENT: &str = r#"
name = "lab"

[data]
dir = "data"
split = { kind = "fraction", valid = 0.25, seed = 3 }

[model]
kind = "dense"
hidden_sizes = [24, 16]
dropout = 0.2
batch_norm = "after_activation"

[optimizer]
kind = "adam"
learning_rate = 0.01

[schedule]
kind = "cosine"

[augment]
rotation_degrees = 8
shift = 0.1

[training]
batch_size = 16
seed = 11
backend = "flex"
label_smoothing = 0.1
select = "best"
metric = "valid_loss"
gradient_clipping = { kind = "global_norm", max = 1.0 }
early_stopping = { metric = "valid_loss", patience = 50 }
checkpoint = { steps = 3 }

[[phase]]
name = "plain"
epochs = 1

[[phase]]
name = "augmented"
epochs = 2
augment = true
"#;

/// A folder with the experiment, its images and its results.
#[derive(Debug)]
pub(super) struct Lab {
    runner: PathBuf,
    folder: PathBuf,
}

impl Lab {
    /// Makes a lab with so many training images.
    pub(super) fn new(plan: &Plan, samples: usize) -> Result<Self, String> {
        let lab = Self { runner: plan.runner.clone(), folder: plan.folder().to_owned() };
        let data = lab.folder.join("data");
        fs::create_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        write(&lab.folder.join("lab.toml"), EXPERIMENT.as_bytes())?;
        for (part, count, seed) in [("train", samples, 1), ("t10k", 40, 2)] {
            let (images, labels) = made_up(count, seed);
            let (count, side) = (length(count), length(SIDE));
            write(&data.join(format!("{part}-images-idx3-ubyte")), &idx(&[count, side, side], &images))?;
            write(&data.join(format!("{part}-labels-idx1-ubyte")), &idx(&[count], &labels))?;
        }
        Ok(lab)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the run of this name is.
    pub(super) fn run(&self, name: &str) -> PathBuf {
        self.folder.join("results/lab").join(name)
    }

    /// The command that starts a run of this name.
    pub(super) fn start(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(&["lab.toml", "--progress=none", "--offline", "--run-name", name]);
        command.args(arguments);
        command
    }

    /// The command that goes on with it.
    pub(super) fn resume(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(&["resume", "--progress=none", "--offline"]);
        command.arg(Path::new("results/lab").join(name)).args(arguments);
        command
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.runner);
        command.args(arguments).current_dir(&self.folder).env("NO_COLOR", "1").env_remove("RUST_LOG");
        command
    }

    /// Runs a command that must succeed.
    pub(super) fn succeed(command: &mut Command) -> Result<Outcome, String> {
        let outcome = command::run(command, DEADLINE)?;
        outcome.expect(0, "")?;
        Ok(outcome)
    }

    /// Starts a run and waits until it has so many checkpoints, or has ended.
    pub(super) fn start_until(&self, name: &str, checkpoints: usize) -> Result<Child, String> {
        let mut child = command::start(&mut self.start(name, &[]))?;
        let start = Instant::now();
        while self.checkpoints(name).len() < checkpoints && start.elapsed() < DEADLINE {
            if child.try_wait().map_err(command::cannot_wait)?.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(child)
    }

    /// Starts a run and kills it once it has so many checkpoints.
    pub(super) fn leave(&self, name: &str, checkpoints: usize) -> Result<(), String> {
        let mut child = self.start_until(name, checkpoints)?;
        child.kill().and_then(|()| child.wait()).map_err(|error| format!("cannot kill: {error}"))?;
        match self.checkpoints(name).len() {
            left if left < checkpoints => Err(format!("{name}: was left with {left} checkpoints")),
            _ => Ok(()),
        }
    }

    /// Goes on with a run to its end, whatever is left of it: a run that died before its configuration was written
    /// is started again.
    pub(super) fn finish(&self, name: &str, arguments: &[&str]) -> Result<Outcome, String> {
        let has_begun = self.run(name).join("config.toml").exists();
        let mut command = if has_begun { self.resume(name, &[]) } else { self.start(name, arguments) };
        Self::succeed(&mut command)
    }

    /// Starts a run, lets it end, and returns what its results come to and how long it took.
    pub(super) fn reference(&self, name: &str, arguments: &[&str]) -> Result<(String, Duration), String> {
        let outcome = Self::succeed(&mut self.start(name, arguments))?;
        Ok((self.digest(name)?, outcome.elapsed))
    }

    /// Checks that a run came to the same results as another, and left nothing lying about.
    pub(super) fn expect_result(&self, name: &str, expected: &str) -> Result<(), String> {
        let found = self.digest(name)?;
        if found != expected {
            return Err(format!("{name}: expected the results {expected}, found {found}"));
        }
        let link = self.run("latest.tmp");
        if link.is_symlink() {
            return Err(format!("{}: is left behind", link.display()));
        }
        expect_tidy(&self.run(name))
    }

    /// SHA-256 over weights, metrics, predictions and scores of a run that is done, times left out.
    pub(super) fn digest(&self, name: &str) -> Result<String, String> {
        let run = self.run(name);
        let mut sum = Sha256::new();
        for file in ["model.safetensors", "predictions.csv", "confusion_matrix.csv"] {
            sum.update(read(&run.join(file))?);
        }
        sum.update(timeless_rows(&run)?);
        let path = run.join("summary.json");
        let mut summary: Value = json(&read(&path)?, &path)?;
        forget_times(&mut summary);
        sum.update(summary.to_string());
        let path = run.join("status.json");
        let status: Value = json(&read(&path)?, &path)?;
        if status["state"] != "done" {
            return Err(format!("{}: expected a run that is done, found {}", path.display(), status["state"]));
        }
        Ok(sum.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("text has room");
            text
        }))
    }

    /// Copies a run to another name.
    pub(super) fn copy(&self, name: &str, to: &str) -> Result<(), String> {
        copy_folder(&self.run(name), &self.run(to))
    }

    /// Goes through all tries, several at a time, each worker in a copy of this lab. For tries that clocks are no part
    /// of.
    pub(super) fn try_all(
        &self,
        tries: u64,
        one: impl Fn(&Self, u64) -> Result<(), String> + Sync,
    ) -> Result<Figures, String> {
        let labs = (0..TOGETHER).map(|worker| self.twin(worker)).collect::<Result<Vec<_>, _>>()?;
        let (next, outcomes) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for lab in &labs {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= tries {
                            break;
                        }
                        let outcome = one(lab, index);
                        outcomes.lock().expect("no worker panics").push(outcome);
                        if (index + 1).is_multiple_of(50) {
                            say(&format!("  {} of {tries}", index + 1));
                        }
                    }
                });
            }
        });
        let mut figures = Figures::default();
        outcomes.into_inner().expect("no worker panics").into_iter().for_each(|outcome| figures.count(outcome));
        Ok(figures)
    }

    /// A copy of this lab, runs included.
    fn twin(&self, worker: usize) -> Result<Self, String> {
        let folder = self.folder.join(format!("worker-{worker}"));
        for part in ["data", "results"] {
            copy_folder(&self.folder.join(part), &folder.join(part))?;
        }
        write(&folder.join("lab.toml"), EXPERIMENT.as_bytes())?;
        Ok(Self { runner: self.runner.clone(), folder })
    }

    /// Takes a run away.
    pub(super) fn remove(&self, name: &str) {
        // It may never have been there.
        let _ = fs::remove_dir_all(self.run(name));
    }

    /// The numbers of a run's checkpoints, newest first.
    pub(super) fn checkpoints(&self, name: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.run(name).join("checkpoints")).into_iter().flatten().flatten();
        let is_number = |path: &PathBuf| {
            path.file_name().and_then(|it| it.to_str()).is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
        };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_number).collect();
        paths.sort_by(|a, b| b.cmp(a));
        paths
    }
}

/// Rows of both metrics files without what a clock measured.
pub(super) fn timeless_rows(run: &Path) -> Result<String, String> {
    let mut rows = String::new();
    let path = run.join("metrics.jsonl");
    let text = String::from_utf8_lossy(&read(&path)?).into_owned();
    for line in text.lines() {
        let mut row: Value = json(line.as_bytes(), &path)?;
        forget_times(&mut row);
        rows.extend([row.to_string().as_str(), "\n"]);
    }
    let csv = String::from_utf8_lossy(&read(&run.join("metrics.csv"))?).into_owned();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap_or_default();
    let kept: Vec<usize> = (0..header.len()).filter(|&column| !TIMES.contains(&header[column])).collect();
    for line in std::iter::once(header).chain(lines) {
        rows += &kept.iter().map(|&column| line.get(column).copied().unwrap_or("?")).collect::<Vec<_>>().join(",");
        rows.push('\n');
    }
    Ok(rows)
}

fn forget_times(record: &mut Value) {
    if let Some(fields) = record.as_object_mut() {
        fields.retain(|name, _| !TIMES.contains(&name.as_str()));
    }
}

/// Checks that the folder of a run that is done holds no temporary, no lock and no checkpoint.
pub(super) fn expect_tidy(folder: &Path) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|it| it == "tmp")
            || name.starts_with('.')
            || ["lock", "checkpoints"].contains(&name.as_str())
        {
            return Err(format!("{}: is left behind", path.display()));
        }
        if path.is_dir() && !path.is_symlink() {
            expect_tidy(&path)?;
        }
    }
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: cannot read: {error}", path.display()))
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: cannot write: {error}", path.display()))
}

fn json(bytes: &[u8], path: &Path) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error| format!("{}: cannot copy: {error}", from.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_symlink() {
            // `latest`, which the next run makes again.
        } else if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(failed)?;
        }
    }
    Ok(())
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("small")
}

/// Images whose class is the quarter that is brightest, and some noise.
fn made_up(count: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random::new(seed);
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let class = random.below(CLASSES);
        for pixel in 0..SIDE * SIDE {
            let quarter = pixel / (SIDE * SIDE / 2) * 2 + pixel % SIDE / (SIDE / 2);
            let bright = if quarter == class { 40 } else { 0 };
            images.push(u8::try_from(bright + random.below(200)).expect("below 256"));
        }
        labels.push(u8::try_from(class).expect("a few classes"));
    }
    (images, labels)
}
