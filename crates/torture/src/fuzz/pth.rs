//! Weights in PyTorch's own formats.

use std::path::Path;

use models::{NamedTensor, read_tensors};

use super::{Parser, Target, kind};
use crate::{
    experiment::Experiment,
    pytorch::{Format, STORAGES, file, pickle},
    random::Random,
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "fuzz-pth",
    row: 12,
    what: "mutated pickles, in zip archives and streams with lengths and checksums that hold, through \
           `models::read_tensors`",
    pass: "a typed error, or tensors of finite numbers that lie in the file; no panic; memory below 256 MB",
    tries: 1_000_000,
    quick: 10_000,
    run: |plan| super::run(plan, &TARGET),
};

const TARGET: Target = Target { name: "pth", seeds, dictionary: DICTIONARY, encode, parser };

const DICTIONARY: &[&[u8]] = &[
    b"\x80\x02",
    b"cos\nsystem\n",
    b"cbuiltins\neval\n",
    b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch.nn.parameter\nParameter\n",
    b"ctorch\nFloatStorage\n",
    b"ctorch\nDoubleStorage\n",
    b"K\x02",
    b"M\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8a\xff",
    b"(",
    b")",
    b"]",
    b"}",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b"R",
    b"Q",
    b"u",
    b"s",
    b"e",
    b"b",
    b"0",
    b"2",
    b"q\x00",
    b"h\x00",
    b"r\xff\xff\xff\x7f",
    b"j\xff\xff\xff\x7f",
    b"X\xff\xff\xff\x7f",
    b".",
];

fn seeds() -> Vec<Vec<u8>> {
    vec![pickle(Format::Zip), pickle(Format::Stream)]
}

/// Puts the pickle into a file of either format.
fn encode(contents: &[u8], random: &mut Random) -> Vec<u8> {
    file(*random.pick(&[Format::Zip, Format::Stream]), contents, STORAGES)
}

fn parser(_: &Path) -> Parser {
    Box::new(|input| match read_tensors(input) {
        Ok(tensors) => {
            let mut bytes = 0;
            for NamedTensor { name, shape, values } in &tensors {
                if shape.iter().product::<usize>() != values.len() || values.iter().any(|it| !it.is_finite()) {
                    return Err(format!("{name} is of another size, or not finite"));
                }
                bytes += 4 * values.len();
            }
            if bytes > input.len() { Err("more numbers than bytes".to_owned()) } else { Ok("tensors".to_owned()) }
        }
        Err(error) => Ok(kind(&error)),
    })
}
