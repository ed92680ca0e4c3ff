//! Files of weights made to do harm, given to the command as those of a frozen base.

use std::{fs, path::Path};

use crate::{
    data_files,
    experiment::Experiment,
    pytorch::{Format, STORAGES, archive, file, pickle, text},
    refused::{Limits, Refused, try_cases},
    tiny,
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "weight-files",
    row: 12,
    what: "`runner` with a frozen base from `.pth` files that call the system, bomb the memo, nest, lie about lengths or \
           are compressed, and from safetensors files with huge headers, overlaps and NaN",
    pass: "exit 3 with the reason within 5 s of computing; memory below 256 MB; nothing executed, written or half loaded",
    tries: 2 * CASES.len() as u64,
    quick: CASES.len() as u64,
    run: |plan| try_cases(plan, &CASES, "hostile.toml", &Limits { code: 3, seconds: 5 }),
};

/// What a pickle that is executed would leave.
const MARK: &str = "executed";

const EXPERIMENT_FILE: &str = "name = \"hostile\"\noptimizer = \"sgd\"\n\
    [data]\ndir = \"data\"\nclass_names = [\"cat\", \"dog\", \"eel\"]\nresize = [32, 32]\n\
    normalize = { kind = \"imagenet\" }\n\
    [model]\nkind = \"transfer\"\nbase = \"vgg11\"\nweights = \"weights\"\n\
    [training]\nepochs = 1\nbackend = \"flex\"\n";

/// A file by what is wrong with it; `said` is a part of the message.
struct Case {
    name: &'static str,
    said: &'static str,
    file: fn() -> Vec<u8>,
}

const CASES: [Case; 16] = [
    Case { name: "calls the system", said: "PyTorch file", file: || zip(&call(b"cos\nsystem\n")) },
    Case {
        name: "calls the system, in the older format",
        said: "PyTorch file",
        file: || stream(&call(b"cos\nsystem\n")),
    },
    Case { name: "calls eval", said: "PyTorch file", file: || zip(&call(b"cbuiltins\neval\n")) },
    Case { name: "calls the system instead of a number", said: "PyTorch file", file: || call(b"cos\nsystem\n") },
    Case { name: "doubles a list of the memo a hundred times", said: "PyTorch file", file: || zip(&memo_bomb()) },
    Case {
        name: "opens a million lists",
        said: "PyTorch file",
        file: || zip(&[&b"\x80\x02"[..], &vec![b']'; 1_000_000]].concat()),
    },
    Case {
        name: "nests a hundred thousand tuples",
        said: "PyTorch file",
        file: || zip(&[&b"\x80\x02)"[..], &vec![0x85; 100_000], b"."].concat()),
    },
    Case { name: "has a text of four gigabytes", said: "PyTorch file", file: || zip(b"\x80\x02X\xff\xff\xff\xffa.") },
    Case { name: "has a pickle of two megabytes", said: "PyTorch file", file: || zip(&vec![b'N'; 2 << 20]) },
    Case {
        name: "has tensors of another network",
        said: "missing",
        file: || file(Format::Zip, &pickle(Format::Zip), STORAGES),
    },
    Case {
        name: "has NaN",
        said: "weights",
        file: || file(Format::Zip, &pickle(Format::Zip), [&[f32::NAN; 4], &[f32::NAN; 2]]),
    },
    Case {
        name: "is an archive without a pickle",
        said: "PyTorch file",
        file: || archive(&[("archive/data/0", &[0; 16])]),
    },
    Case { name: "is cut off", said: "PyTorch file", file: || cut(file(Format::Zip, &pickle(Format::Zip), STORAGES)) },
    Case {
        name: "has a safetensors header of a terabyte",
        said: "header",
        file: || [&(1_u64 << 40).to_le_bytes()[..], b"{}"].concat(),
    },
    Case { name: "has a safetensors header of 15 megabytes", said: "bytes of header", file: || safetensors(&many()) },
    Case { name: "has safetensors that share bytes", said: "header", file: || safetensors(&shared()) },
];

fn zip(pickle: &[u8]) -> Vec<u8> {
    file(Format::Zip, pickle, STORAGES)
}

fn stream(pickle: &[u8]) -> Vec<u8> {
    file(Format::Stream, pickle, STORAGES)
}

/// A pickle that calls a function with a command.
fn call(function: &[u8]) -> Vec<u8> {
    [&b"\x80\x02"[..], function, &text(format!("touch {MARK}").as_bytes()), b"\x85R."].concat()
}

/// A list that holds itself twice, over and over, as the memo gives it back.
fn memo_bomb() -> Vec<u8> {
    let mut pickle = b"\x80\x02]q\x00".to_vec();
    for level in 0..100_u8 {
        pickle.extend([b']', b'(', b'h', level, b'h', level, b'e', b'q', level + 1]);
    }
    pickle.push(b'.');
    pickle
}

fn cut(mut file: Vec<u8>) -> Vec<u8> {
    file.truncate(file.len() / 2);
    file
}

/// A safetensors file with this header and 64 bytes of numbers.
fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 64]].concat()
}

/// Two hundred thousand empty tensors.
fn many() -> String {
    let tensors: Vec<String> = (0..200_000)
        .map(|index| format!("\"tensor{index:07}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"))
        .collect();
    format!("{{{}}}", tensors.join(","))
}

/// Two tensors over the same bytes.
fn shared() -> String {
    let tensor = |name: &str| format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[0,64]}}");
    format!("{{{},{}}}", tensor("a"), tensor("b"))
}

impl Refused for Case {
    fn name(&self) -> &'static str {
        self.name
    }

    fn said(&self) -> &'static str {
        self.said
    }

    fn prepare(&self, folder: &Path) -> Result<(), String> {
        data_files::write(folder, &tiny::files())?;
        let failed = |error| format!("{}: {error}", folder.display());
        fs::write(folder.join("hostile.toml"), EXPERIMENT_FILE).map_err(failed)?;
        fs::write(folder.join("weights"), (self.file)()).map_err(failed)
    }
}
