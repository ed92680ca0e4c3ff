//! Experiment files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use runner::experiment::{Overrides, load};

use super::{Parser, Target, kind};
use crate::{experiment::Experiment, random::Random};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "fuzz-toml",
    row: 11,
    what: "mutated experiment files through `runner::experiment::load`",
    pass: "an experiment that is the same when written and read again, or an error with file and line; no panic; \
           memory below 256 MB",
    tries: 1_000_000,
    quick: 3_000,
    run: |plan| super::run(plan, &TARGET),
};

const TARGET: Target = Target { name: "toml", seeds, dictionary: DICTIONARY, encode, parser };

const DICTIONARY: &[&[u8]] = &[
    b"=",
    b"[",
    b"]",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"\"",
    b"'''",
    b"\"\"\"",
    b"\n",
    b".",
    b",",
    b"#",
    b"nan",
    b"-inf",
    b"1e999",
    b"-1",
    b"1e-320",
    b"true",
    b"1979-05-27",
    b"kind = 1\n",
    b"0x7fffffffffffffff",
    b"99999999999999999999",
    b"extends = 'a.toml'\n",
    b"extends = []\n",
    b"dir = '..'\n",
    b"'../../x'",
    b"\xEF\xBB\xBF",
    b"\0",
    b"\\u0000",
    b"[[phase]]\n",
    b"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=",
    b"[[[[[[[[[[[[[[[[",
    b"{a={a={a={a={a={a=",
];

/// The repository's experiments, each as one file with every value written out.
fn seeds() -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments"))
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    paths.sort();
    let resolved = paths.iter().filter_map(|path| load(path, &Overrides::default()).ok());
    let mut seeds: Vec<Vec<u8>> = resolved.map(|resolved| resolved.to_toml().into_bytes()).collect();
    seeds.push(
        b"name = \"a\"\nmodel = \"dense\"\noptimizer = \"sgd\"\n[data]\nname = \"mnist\"\n[training]\nepochs = 1\n"
            .to_vec(),
    );
    seeds
}

/// Moves, repeats, drops or re-values whole lines.
fn encode(contents: &[u8], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = contents.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..random.below(3) {
        let (at, to) = (random.below(lines.len()), random.below(lines.len()));
        match random.below(5) {
            0 => lines.swap(at, to),
            1 => lines.insert(to, lines[at].clone()),
            2 if lines.len() > 1 => drop(lines.remove(at)),
            3 => {
                if let Some(equals) = lines[at].iter().position(|&byte| byte == b'=') {
                    let value = random.pick(DICTIONARY).to_vec();
                    lines[at].truncate(equals + 1);
                    lines[at].extend(value);
                }
            }
            _ => {
                // A value of another key.
                let from = lines[to].iter().position(|&byte| byte == b'=').map(|it| lines[to][it..].to_vec());
                if let (Some(equals), Some(value)) = (lines[at].iter().position(|&byte| byte == b'='), from) {
                    lines[at].truncate(equals);
                    lines[at].extend(value);
                }
            }
        }
    }
    lines.join(&b'\n')
}

fn parser(folder: &Path) -> Parser {
    let path = folder.join("a.toml");
    Box::new(move |input| {
        let write = |bytes: &[u8]| fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()));
        write(input)?;
        match load(&path, &Overrides::default()) {
            Ok(resolved) => {
                write(resolved.to_toml().as_bytes())?;
                let again = load(&path, &Overrides::default()).map_err(|error| format!("written, then {error}"))?;
                if again.experiment != resolved.experiment {
                    return Err("another experiment when written and read again".to_owned());
                }
                Ok(format!("a {} network", resolved.experiment.model.name()))
            }
            Err(error) => {
                let report = error.report();
                for problem in error.problems() {
                    if !problem.place().contains("a.toml:") || !report.contains(problem.place()) {
                        return Err(format!("no place: {problem}"));
                    }
                }
                Ok(error.problems().first().map_or_else(String::new, |problem| kind(&problem.message())))
            }
        }
    })
}
