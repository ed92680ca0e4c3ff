//! Experiment files that are wrong, huge or deep, as a person would run them.

use std::{fs, time::Duration};

use crate::{
    command::{run, runner},
    experiment::{Experiment, Figures, Plan, Protection},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "configs",
    row: 11,
    what: "`runner` on experiment files with unknown keys, numbers out of range, paths that lead elsewhere, or a \
           megabyte of nesting, keys, items or text",
    pass: "exit 2 with file, line and reason within 10 s; memory below 256 MB; nothing written or fetched",
    tries: 2 * CASES.len() as u64,
    quick: CASES.len() as u64,
    protections: &[
        Protection {
            what: "most bytes and most files of one experiment (`runner::experiment::extends`)",
            test: "runner experiment::tests::bad_input::too_many_or_too_long_files_are_refused",
        },
        Protection {
            what: "most values of a file, and most levels (`runner::experiment::parse`)",
            test: "runner experiment::tests::bad_input::huge_files_are_refused_at_once",
        },
        Protection {
            what: "most text and most problems in a message (`runner::experiment::error`)",
            test: "runner experiment::tests::bad_input::messages_stay_short",
        },
        Protection {
            what: "names are plain (`runner::experiment::document`)",
            test: "runner experiment::tests::bad_input::values_out_of_range_say_the_range",
        },
    ],
    run: try_cases,
};

const MAX_BYTES: u64 = 256 << 20;
const DEADLINE: Duration = Duration::from_secs(10);
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

fn try_cases(plan: &Plan) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let (mut peak, mut slowest) = (0, Duration::ZERO);
    for index in 0..plan.tries {
        let case = &CASES[usize::try_from(index).unwrap_or(0) % CASES.len()];
        let folder = plan.folder().join(format!("case{index}"));
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir(&folder).map_err(failed)?;
        fs::write(folder.join("a.toml"), (case.text)()).map_err(failed)?;
        for level in 0..80 {
            let (next, twice) = (level + 1, "tree");
            fs::write(folder.join(format!("chain{level}.toml")), format!("extends = \"chain{next}.toml\"\n"))
                .map_err(failed)?;
            let text = format!("extends = [\"{twice}{next}.toml\", \"{twice}{next}.toml\"]\n");
            fs::write(folder.join(format!("tree{level}.toml")), text).map_err(failed)?;
        }
        for end in ["chain80.toml", "tree80.toml"] {
            fs::write(folder.join(end), "").map_err(failed)?;
        }
        let before = files(&folder);
        figures.count(
            (|| {
                let outcome = run(&mut runner(plan, &folder, &["a.toml"]), DEADLINE)?;
                outcome.expect(2, case.said).map_err(|what| what.chars().take(2_000).collect::<String>())?;
                outcome.expect_peak_below(MAX_BYTES)?;
                peak = peak.max(outcome.peak_bytes.unwrap_or(0));
                slowest = slowest.max(outcome.elapsed);
                if outcome.stderr.len() > 64 << 10 {
                    return Err(format!("a message of {} bytes", outcome.stderr.len()));
                }
                if files(&folder) == before { Ok(()) } else { Err("left files".to_owned()) }
            })()
            .map_err(|what: String| format!("{}: {what}", case.name)),
        );
    }
    figures.notes = vec![format!("slowest {} ms", slowest.as_millis()), format!("peak memory {} MB", peak >> 20)];
    Ok(figures)
}

/// The names in a folder: `runner` has no other place to write in.
fn files(folder: &std::path::Path) -> Vec<String> {
    crate::published::names(folder)
}
