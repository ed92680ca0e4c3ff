//! Mutational fuzzing that needs no compiler support: seeded, aware of formats, steered by answers.
//!
//! A fuzzer that is compiled in steers by the branches that an input takes. Here the answer steers: the kind of
//! error, its numbers and quotations taken out. Errors in this suite are specific, so that an input with a new
//! answer has got further than others, and joins the pool that mutations start from.
//!
//! Every try must give an answer, without a panic, within [`MAX_SECONDS`] and [`MAX_BYTES`] of memory. The input
//! being tried is on disk before it is tried, so that one that ends the process can be looked at.

mod gzip;
mod idx;
mod mutate;
mod pth;
mod safetensors;
mod toml;

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{Seek as _, Write as _},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

pub(crate) use self::{
    gzip::EXPERIMENT as GZIP, idx::EXPERIMENT as IDX, pth::EXPERIMENT as PTH, safetensors::EXPERIMENT as SAFETENSORS,
    toml::EXPERIMENT as TOML,
};
use crate::{
    command::{peak_bytes, say},
    experiment::{Figures, Plan, Process},
    random::Random,
};

/// Longest time for one input.
const MAX_SECONDS: u64 = 5;
/// Most memory of the whole process.
const MAX_BYTES: u64 = 256 << 20;
/// No input is longer.
const MAX_INPUT: usize = 64 << 10;
/// Inputs that mutations start from.
const MAX_POOL: usize = 4_096;
/// Tries between two looks at memory and clock.
const BATCH: u64 = 256;
/// A batch that takes longer has an input that never ends.
const HANG: Duration = Duration::from_mins(5);
/// No input kept for the corpus is longer.
const MAX_KEPT: usize = 2 << 10;

/// A parser and what to feed it.
pub(crate) struct Target {
    /// The folder of its corpus.
    pub(crate) name: &'static str,
    /// Contents that mutations start from, besides the corpus.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces that mean something in this format.
    pub(crate) dictionary: &'static [&'static [u8]],
    /// Turns contents into input, with lengths and checksums that hold.
    pub(crate) encode: fn(&[u8], &mut Random) -> Vec<u8>,
    /// Makes the parser, which may work in the given folder.
    pub(crate) parser: fn(&Path) -> Parser,
}

/// Input to the kind of its answer, or what is wrong with the answer.
pub(crate) type Parser = Box<dyn FnMut(&[u8]) -> Result<String, String>>;

/// Something that mutations start from.
#[derive(Clone)]
enum Seed {
    /// Has to be encoded.
    Contents(Vec<u8>),
    /// Is input as it is.
    Input(Vec<u8>),
}

/// Feeds a target: first every file of its corpus as it is, then mutations.
pub(crate) fn run(plan: &Plan, target: &Target) -> Result<Figures, String> {
    let (heart, watch) = watchdog(target.name);
    // Earlier experiments of this process may have needed more (`proc_pid_clear_refs(5)`); elsewhere there is no such file.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let mut parser = (target.parser)(plan.folder());
    let mut current = Current::new(plan.folder(), target.name)?;
    let mut random = Random::new(plan.seed);
    let mut figures = Figures::default();
    let mut kinds = HashSet::new();
    let (mut slowest, mut peak) = (Duration::ZERO, 0);

    let corpus = corpus(target.name)?;
    let mut pool: Vec<Seed> = (target.seeds)().into_iter().map(Seed::Contents).collect();
    let mut replay = corpus.iter().map(|input| Seed::Input(input.clone())).collect::<Vec<_>>().into_iter();
    while figures.tried < plan.tries {
        let (origin, input) = match replay.next() {
            Some(Seed::Input(input) | Seed::Contents(input)) => (Seed::Input(input.clone()), input),
            None => mutated(&pool, target, &mut random),
        };
        current.write(&input)?;
        let (answer, elapsed) = answer(&mut parser, &input);
        slowest = slowest.max(elapsed);
        let answer = answer.and_then(|kind| {
            if elapsed.as_secs() < MAX_SECONDS { Ok(kind) } else { Err(format!("takes {} s", elapsed.as_secs())) }
        });
        match &answer {
            Ok(kind) if kinds.insert(kind.clone()) => {
                keep(plan, target.name, kind, &input)?;
                if pool.len() < MAX_POOL {
                    pool.push(origin);
                }
            }
            Ok(_) => {}
            Err(_) => current.keep(figures.tried)?,
        }
        figures.count(answer.map(drop).map_err(|what| format!("{what}: {}", shown(&input))));
        if figures.tried % BATCH == 0 {
            // Nobody listens once the watchdog has given up, and then the process has ended.
            let _ = heart.send(());
            peak = peak_bytes(process::id()).unwrap_or(0);
            if plan.process == Process::Own && peak > MAX_BYTES {
                return Err(format!("{} MB of memory after {} inputs", peak >> 20, figures.tried));
            }
        }
    }
    drop(heart);
    watch.join().map_err(|_| "the watchdog failed".to_owned())?;
    figures.notes = vec![format!("slowest {} ms", slowest.as_millis())];
    if plan.process == Process::Own {
        figures.notes.push(format!("peak memory {} MB", peak >> 20));
    }
    Ok(figures)
}

/// The kind of an error: its text without numbers and quotations.
pub(crate) fn kind(error: &impl ToString) -> String {
    let mut kind = String::new();
    let mut quote = None;
    for c in error.to_string().chars().take(400) {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '`' | '\'') => {
                quote = Some(c);
                kind.push('_');
            }
            None if c.is_ascii_digit() => {
                if !kind.ends_with('#') {
                    kind.push('#');
                }
            }
            None => kind.push(c),
        }
    }
    kind
}

/// A mutated input, and what it was made of.
fn mutated(pool: &[Seed], target: &Target, random: &mut Random) -> (Seed, Vec<u8>) {
    let other = match random.pick(pool) {
        Seed::Contents(bytes) | Seed::Input(bytes) => bytes,
    };
    match random.pick(pool).clone() {
        Seed::Contents(mut contents) => {
            if !random.one_in(3) {
                mutate::mutate(&mut contents, other, target.dictionary, random);
                contents.truncate(MAX_INPUT);
            }
            let mut input = (target.encode)(&contents, random);
            let origin = if random.one_in(4) {
                mutate::mutate(&mut input, other, target.dictionary, random);
                Seed::Input(input.clone())
            } else {
                Seed::Contents(contents)
            };
            input.truncate(MAX_INPUT);
            (origin, input)
        }
        Seed::Input(mut input) => {
            mutate::mutate(&mut input, other, target.dictionary, random);
            input.truncate(MAX_INPUT);
            (Seed::Input(input.clone()), input)
        }
    }
}

/// Runs the parser on one input; a panic is what is wrong with the answer.
fn answer(parser: &mut Parser, input: &[u8]) -> (Result<String, String>, Duration) {
    let start = Instant::now();
    let answer = panic::catch_unwind(AssertUnwindSafe(|| parser(input)));
    let elapsed = start.elapsed();
    let answer = answer.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(format!("panics: {text}"))
    });
    (answer, elapsed)
}

/// The start of an input, for people.
fn shown(input: &[u8]) -> String {
    let start = String::from_utf8_lossy(&input[..input.len().min(200)]);
    format!("{} bytes, {start:?}", input.len())
}

/// The inputs of the repository's corpus for a target, in the order of their names.
fn corpus(name: &str) -> Result<Vec<Vec<u8>>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>, _>>().map_err(failed)?;
    paths.sort();
    paths.iter().map(|path| fs::read(path).map_err(failed)).collect()
}

/// Writes the first input of each kind of answer for the corpus, if the plan wants them.
fn keep(plan: &Plan, target: &str, kind: &str, input: &[u8]) -> Result<(), String> {
    let Some(folder) = plan.corpus.as_ref().filter(|_| input.len() <= MAX_KEPT) else { return Ok(()) };
    let folder = folder.join(target);
    let path = folder.join(format!("{:016x}", fingerprint(kind)));
    let failed = |error| format!("{}: cannot write: {error}", path.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    if path.exists() { Ok(()) } else { fs::write(&path, input).map_err(failed) }
}

/// 64-bit FNV-1a: a short name for a kind of answer.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The input being tried, in a file that outlives this process.
struct Current {
    file: File,
    folder: PathBuf,
    name: &'static str,
}

impl Current {
    fn new(folder: &Path, name: &'static str) -> Result<Self, String> {
        let path = folder.join(format!("{name}.current"));
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file, folder: folder.to_owned(), name })
    }

    fn write(&mut self, input: &[u8]) -> Result<(), String> {
        let mut write = || {
            self.file.rewind()?;
            self.file.write_all(input)?;
            self.file.set_len(input.len() as u64)
        };
        write().map_err(|error| format!("{}: cannot write: {error}", self.folder.display()))
    }

    /// Keeps an input that failed beside the working folder, which goes away.
    fn keep(&self, index: u64) -> Result<(), String> {
        let from = self.folder.join(format!("{}.current", self.name));
        let to = std::env::temp_dir().join(format!("runner-torture-{}-{index}", self.name));
        fs::copy(&from, &to).map_err(|error| format!("{}: cannot write: {error}", to.display()))?;
        say(&format!("  failing input kept in {}", to.display()));
        Ok(())
    }
}

/// Ends the process if no batch is done for long: an input that never ends must not look like a slow machine.
fn watchdog(name: &'static str) -> (Sender<()>, thread::JoinHandle<()>) {
    let (heart, beats) = mpsc::channel();
    let watch = thread::spawn(move || {
        loop {
            match beats.recv_timeout(HANG) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    say(&format!("{name}: no answer for {} s; its input is in {name}.current", HANG.as_secs()));
                    process::exit(1);
                }
            }
        }
    });
    (heart, watch)
}
