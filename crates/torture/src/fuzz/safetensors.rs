//! Weights in the safetensors format.

use std::path::Path;

use models::{BatchNormPlacement, DenseConfig, InputShape, ModelConfig, from_safetensors, to_safetensors};

use super::{Parser, Target, kind, mutate::mutate};
use crate::{experiment::Experiment, random::Random};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "fuzz-safetensors",
    row: 12,
    what: "mutated safetensors files, under headers of the right length, through `models::from_safetensors`",
    pass: "a typed error, or a network of finite numbers that gives the same bytes again; the network that was \
           there keeps its weights; no panic; memory below 256 MB",
    tries: 1_000_000,
    quick: 3_000,
    run: |plan| super::run(plan, &TARGET),
};

const TARGET: Target = Target { name: "safetensors", seeds, dictionary: DICTIONARY, encode, parser };

const DICTIONARY: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\"dtype\":\"F32\"",
    b"\"dtype\":\"F64\"",
    b"\"dtype\":\"I64\"",
    b"\"dtype\":\"F4\"",
    b"\"shape\":[]",
    b"\"shape\":[0]",
    b"\"shape\":[4294967296,4294967296]",
    b"\"data_offsets\":[0,0]",
    b"\"data_offsets\":[0,18446744073709551615]",
    b"\"data_offsets\":[8,4]",
    b"\"__metadata__\":{\"model\":\"dense/1\"},",
    b"\"__metadata__\":null,",
    b"head.weight",
    b"dense1.bias",
    b"bn1.running_var",
    b"18446744073709551616",
    b"-1",
    b"1e300",
    b"[[[[[[[[[[[[[[[[",
    &[0, 0, 0xC0, 0x7F],
    &[0, 0, 0x80, 0xFF],
    &[0, 0, 0x80, 0xBF],
];

/// Four pixels, two hidden units with batch norm, three classes.
fn config() -> (ModelConfig, InputShape) {
    let batch_norm = BatchNormPlacement::AfterActivation;
    let config = DenseConfig { hidden_sizes: vec![2], batch_norm, ..DenseConfig::default() };
    (ModelConfig::Dense(config), InputShape { channels: 1, height: 2, width: 2 })
}

fn seeds() -> Vec<Vec<u8>> {
    let (config, input) = config();
    [1, 2].map(|seed| to_safetensors(&config.init_seeded(input, 3, seed)).expect("fresh weights are finite")).to_vec()
}

/// Changes the header or the numbers, and gives the header its length.
fn encode(contents: &[u8], random: &mut Random) -> Vec<u8> {
    let length = contents.first_chunk().map_or(0, |&bytes| u64::from_le_bytes(bytes));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some((_, rest)) = contents.split_at_checked(8) else { return contents.to_vec() };
    let Some((header, numbers)) = rest.split_at_checked(length) else { return contents.to_vec() };
    let (mut header, mut numbers) = (header.to_vec(), numbers.to_vec());
    match random.below(3) {
        0 => mutate(&mut header, rest, DICTIONARY, random),
        1 => {
            // Any four bytes are a number; its place does not matter.
            let at = 4 * random.below(numbers.len() / 4 + 1);
            let word = u32::try_from(random.number() >> 32).expect("32 bits are left");
            if let Some(place) = numbers.get_mut(at..at + 4) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
        _ => {}
    }
    [&(header.len() as u64).to_le_bytes()[..], &header, &numbers].concat()
}

fn parser(_: &Path) -> Parser {
    let (config, input) = config();
    let model = config.init_seeded(input, 3, 7);
    let before = to_safetensors(&model).expect("fresh weights are finite");
    let mut tried = 0_u64;
    Box::new(move |bytes| {
        tried += 1;
        let answer = match from_safetensors(model.clone(), bytes) {
            Ok(loaded) => {
                let written = to_safetensors(&loaded).map_err(|error| format!("loaded, then {error}"))?;
                let again = from_safetensors(model.clone(), &written).map_err(|error| format!("written, {error}"))?;
                if to_safetensors(&again).ok() != Some(written) {
                    return Err("other weights when written and read again".to_owned());
                }
                "weights".to_owned()
            }
            Err(error) => kind(&error),
        };
        // Now and then is enough: a network that has been touched stays touched.
        if tried.is_multiple_of(64) && to_safetensors(&model).ok().as_ref() != Some(&before) {
            return Err("the network that was there has other weights".to_owned());
        }
        Ok(answer)
    })
}
