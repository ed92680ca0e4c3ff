//! Experiment files that are wrong, huge or deep, as a person would run them.

use std::{fs, path::Path};

use crate::{
    experiment::Experiment,
    refused::{Limits, Refused, try_cases},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "configs",
    row: 11,
    what: "`runner` on experiment files with unknown keys, numbers out of range, paths that lead elsewhere, or a \
           megabyte of nesting, keys, items or text",
    pass: "exit 2 with file, line and reason within 10 s of computing; memory below 256 MB; nothing written or fetched",
    tries: 2 * CASES.len() as u64,
    quick: CASES.len() as u64,
    run: |plan| try_cases(plan, &CASES, "a.toml", &Limits { code: 2, seconds: 10 }),
};

/// A file that is any longer is not even read.
const MEGABYTE: usize = 1_000_000;

const VALID: &str = "name = \"tiny\"\nmodel = \"dense\"\noptimizer = { kind = \"sgd\", learning_rate = 0.1 }\n\
    [data]\nname = \"fashion-mnist\"\n[training]\nbatch_size = 64\nepochs = 3\n";

/// A file by what is wrong with it.
struct Case {
    name: &'static str,
    /// What `runner` must say, with the line.
    said: &'static str,
    text: fn() -> String,
}

const CASES: [Case; 30] = [
    Case {
        name: "an unknown key",
        said: "a.toml:7:1: unknown key `batchsize`",
        text: || with("batch_size", "batchsize"),
    },
    Case { name: "an unknown table", said: "unknown key `trainig`", text: || with("[training]", "[trainig]") },
    Case { name: "a NaN learning rate", said: "a.toml:3:45: nan is not a finite", text: || with("0.1", "nan") },
    Case { name: "an infinite learning rate", said: "a.toml:3:45: inf is not", text: || with("0.1", "inf") },
    Case { name: "a negative learning rate", said: "a.toml:3:45: optimizer.lea", text: || with("0.1", "-0.1") },
    Case { name: "batches of none", said: "a.toml:7:14: training.batch_size: must be", text: || with("64", "0") },
    Case { name: "batches of 2^63 - 1", said: "a.toml:7:14: training.bat", text: || with("64", "9223372036854775807") },
    Case {
        name: "batches of 10^100",
        said: "does not fit a 64-bit",
        text: || with("64", &format!("1{}", "0".repeat(100))),
    },
    Case { name: "no epochs", said: "a.toml:8:10: training.epochs: must be", text: || with("= 3", "= 0") },
    Case {
        name: "a name that leads elsewhere",
        said: "a.toml:1:8: name: must be",
        text: || with("\"tiny\"", "\"../../x\""),
    },
    Case { name: "an absolute name", said: "a.toml:1:8: name: must be", text: || with("\"tiny\"", "\"/etc/x\"") },
    Case {
        name: "a data folder that leads elsewhere",
        said: "a.toml:5:7: data.dir: ../../etc is outside",
        text: || with("name = \"fashion-mnist\"", "dir = \"../../etc\""),
    },
    Case {
        name: "extends that leads elsewhere",
        said: "outside of",
        text: || format!("extends = \"../../../../../../../../etc/passwd\"\n{VALID}"),
    },
    Case { name: "extends of a device", said: "outside of", text: || format!("extends = \"/dev/zero\"\n{VALID}") },
    Case { name: "extends of itself", said: "circular extends", text: || format!("extends = \"a.toml\"\n{VALID}") },
    Case {
        name: "a chain of 80 files",
        said: "more than 64 files",
        text: || format!("extends = \"chain0.toml\"\n{VALID}"),
    },
    Case {
        name: "a tree of 2^40 files",
        said: "more than 64 files",
        text: || format!("extends = \"tree0.toml\"\n{VALID}"),
    },
    Case { name: "nested arrays", said: "a.toml:9:", text: || format!("{VALID}x = {}", "[".repeat(MEGABYTE)) },
    Case { name: "nested tables", said: "a.toml:9:", text: || format!("{VALID}x = {}", "{a=".repeat(MEGABYTE / 3)) },
    Case {
        name: "a key of a million parts",
        said: "a.toml:1:1: recursion limit",
        text: || format!("{VALID}{} = 1", vec!["a"; MEGABYTE / 2].join(".")),
    },
    Case {
        name: "a header of a million parts",
        said: "a.toml:1:1: recursion limit",
        text: || format!("{VALID}[{}]", vec!["a"; MEGABYTE / 2].join(".")),
    },
    Case { name: "nested tables of dotted keys", said: "a.toml:9:", text: || deep_dotted() },
    Case {
        name: "a hundred thousand keys",
        said: "a.toml:",
        text: || format!("extends = []\n{VALID}{}", numbered(MEGABYTE / 9, |i| format!("a{i}=1\n"))),
    },
    Case {
        name: "a hundred thousand tables",
        said: "a.toml:",
        text: || format!("extends = []\n{VALID}{}", numbered(MEGABYTE / 10, |i| format!("[a{i}]\n"))),
    },
    Case {
        name: "a hundred thousand phases",
        said: "a.toml:",
        text: || with("epochs = 3\n", &"[[phase]]\n".repeat(MEGABYTE / 11)),
    },
    Case {
        name: "ten thousand phases of one name",
        said: "a.toml:",
        text: || with("epochs = 3\n", &"[[phase]]\nname='p'\nepochs=0\n".repeat(MEGABYTE / 29)),
    },
    Case {
        name: "two hundred thousand class names",
        said: "a.toml:",
        text: || {
            with(
                "name = \"fashion-mnist\"",
                &format!("dir = \"d\"\nclass_names = [{}]", numbered(MEGABYTE / 10, |i| format!("'{i}',"))),
            )
        },
    },
    Case {
        name: "two hundred thousand layers",
        said: "a.toml:",
        text: || with("\"dense\"", &format!("{{ kind = \"dense\", hidden_sizes = [{}0] }}", "9,".repeat(MEGABYTE / 2))),
    },
    Case {
        name: "a megabyte in a word",
        said: "a.toml:5:8: data.name: no data set",
        text: || with("fashion-mnist", &"x".repeat(MEGABYTE)),
    },
    Case {
        name: "a megabyte in a key",
        said: "a.toml:9:1: unknown key",
        text: || format!("{VALID}{} = 1", "x".repeat(MEGABYTE)),
    },
];

fn with(old: &str, new: &str) -> String {
    assert!(VALID.contains(old), "{old:?} is no part of the valid file");
    VALID.replacen(old, new, 1)
}

fn numbered(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect()
}

/// Seventy inline tables within each other, each behind a key of seventy parts: every limit is kept but the product.
fn deep_dotted() -> String {
    let key = vec!["a"; 70].join(".");
    format!("{VALID}x = {}1{}", format!("{{{key}=").repeat(70), "}".repeat(70))
}

impl Refused for Case {
    fn name(&self) -> &'static str {
        self.name
    }

    fn said(&self) -> &'static str {
        self.said
    }

    /// The file, and beside it a chain and a tree of files that extend each other.
    fn prepare(&self, folder: &Path) -> Result<(), String> {
        let write = |name: &str, text: &str| {
            fs::write(folder.join(name), text).map_err(|error| format!("{}: {error}", folder.display()))
        };
        write("a.toml", &(self.text)())?;
        for level in 0..80 {
            let next = level + 1;
            write(&format!("chain{level}.toml"), &format!("extends = \"chain{next}.toml\"\n"))?;
            let twice = format!("extends = [\"tree{next}.toml\", \"tree{next}.toml\"]\n");
            write(&format!("tree{level}.toml"), &twice)?;
        }
        write("chain80.toml", "")?;
        write("tree80.toml", "")
    }
}
