//! Weights made to do harm.

use std::time::{Duration, Instant};

use models::{BatchNormPlacement, DenseConfig, InputShape, Model, ModelConfig, from_safetensors, to_safetensors};

use crate::experiment::{Experiment, Figures, Plan};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "weights",
    row: 12,
    what: "`models::from_safetensors` on files with huge or deep headers, a million tensors, tensors that overlap, \
           leave gaps or lie outside, other shapes and types, NaN, negative variances",
    pass: "a typed error within 5 s; the network that was there keeps its weights",
    tries: CASES.len() as u64,
    quick: CASES.len() as u64,
    run: try_cases,
};

const DEADLINE: Duration = Duration::from_secs(5);

/// A file by what is wrong with it; `said` is a part of the error.
struct Case {
    name: &'static str,
    said: &'static str,
    file: fn(&str, &[u8]) -> Vec<u8>,
}

const CASES: [Case; 14] = [
    Case {
        name: "a header of 2^64 - 1 bytes",
        said: "header",
        file: |header, numbers| sized(u64::MAX, header, numbers),
    },
    Case {
        name: "a header of a gigabyte that is not there",
        said: "header",
        file: |header, numbers| sized(1 << 30, header, numbers),
    },
    Case {
        name: "a header of 90 megabytes of space",
        said: "header",
        file: |header, numbers| whole(&format!("{header}{}", " ".repeat(90 << 20)), numbers),
    },
    Case {
        name: "a million tensors",
        said: "header",
        file: |_, numbers| {
            whole(
                &format!(
                    "{{{}}}",
                    (0..1_000_000)
                        .map(|i| format!("\"{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"))
                        .collect::<Vec<_>>()
                        .join(",")
                ),
                numbers,
            )
        },
    },
    Case {
        name: "a header a hundred thousand levels deep",
        said: "header",
        file: |_, numbers| whole(&"{\"a\":".repeat(100_000), numbers),
    },
    Case {
        name: "a shape a hundred thousand levels deep",
        said: "header",
        file: |_, numbers| whole(&format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{}", "[".repeat(100_000)), numbers),
    },
    Case {
        name: "a shape that overflows",
        said: "safetensors",
        file: |header, numbers| whole(&header.replace("\"shape\":[3,2]", "\"shape\":[4294967296,4294967296]"), numbers),
    },
    Case { name: "tensors that overlap", said: "offset", file: |header, numbers| whole(&moved(header, -4), numbers) },
    Case { name: "tensors with a gap", said: "offset", file: |header, numbers| whole(&moved(header, 4), numbers) },
    Case { name: "a tensor beyond the end", said: "safetensors", file: |header, numbers| whole(header, &numbers[4..]) },
    Case {
        name: "bytes that no tensor has",
        said: "safetensors",
        file: |header, numbers| whole(header, &[numbers, &[0; 4]].concat()),
    },
    Case {
        name: "another shape",
        said: "expected shape",
        file: |header, numbers| whole(&header.replace("\"shape\":[3,2]", "\"shape\":[2,3]"), numbers),
    },
    Case {
        name: "whole numbers",
        said: "expected f32",
        file: |header, numbers| whole(&header.replace("\"F32\"", "\"I32\""), numbers),
    },
    Case {
        name: "NaN throughout",
        said: "expected finite",
        file: |header, numbers| whole(header, &f32::NAN.to_le_bytes().repeat(numbers.len() / 4)),
    },
];

fn sized(length: u64, header: &str, numbers: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], header.as_bytes(), numbers].concat()
}

fn whole(header: &str, numbers: &[u8]) -> Vec<u8> {
    sized(header.len() as u64, header, numbers)
}

/// Moves the second tensor of a header.
fn moved(header: &str, by: i64) -> String {
    let offsets = "\"data_offsets\":[";
    let mut places: Vec<(i64, usize)> = header
        .match_indices(offsets)
        .map(|(at, _)| {
            let number = &header[at + offsets.len()..];
            let number = &number[..number.find(',').expect("two offsets")];
            (number.parse().expect("a number"), at + offsets.len())
        })
        .collect();
    places.sort_unstable();
    let (start, at) = places[1];
    format!("{}{}{}", &header[..at], start + by, &header[at + start.to_string().len()..])
}

fn fresh() -> Model {
    let batch_norm = BatchNormPlacement::AfterActivation;
    let config = DenseConfig { hidden_sizes: vec![2], batch_norm, ..DenseConfig::default() };
    ModelConfig::Dense(config).init_seeded(InputShape { channels: 1, height: 2, width: 2 }, 3, 1)
}

fn try_cases(plan: &Plan) -> Result<Figures, String> {
    let model = fresh();
    let bytes = to_safetensors(&model).map_err(|error| error.to_string())?;
    let length = bytes.first_chunk().map_or(0, |&it| u64::from_le_bytes(it));
    let (header, numbers) = bytes[8..].split_at(usize::try_from(length).map_err(|error| error.to_string())?);
    let header = String::from_utf8_lossy(header).into_owned();
    from_safetensors(model.clone(), &whole(&header, numbers)).map_err(|error| format!("unspoilt: {error}"))?;

    let mut figures = Figures::default();
    let mut slowest = Duration::ZERO;
    for index in 0..plan.tries {
        let case = &CASES[usize::try_from(index).unwrap_or(0) % CASES.len()];
        let file = (case.file)(&header, numbers);
        let start = Instant::now();
        let answer = from_safetensors(model.clone(), &file);
        let elapsed = start.elapsed();
        slowest = slowest.max(elapsed);
        figures.count(
            match answer {
                Ok(_) => Err("loaded".to_owned()),
                Err(error) if !error.to_string().contains(case.said) => {
                    Err(format!("expected {:?}: {error}", case.said))
                }
                Err(_) if elapsed > DEADLINE => Err(format!("takes {} s", elapsed.as_secs())),
                Err(_) if to_safetensors(&model).ok().as_ref() != Some(&bytes) => Err("half loaded".to_owned()),
                Err(_) => Ok(()),
            }
            .map_err(|what| format!("{}: {what}", case.name)),
        );
    }
    figures.notes = vec![format!("slowest {} ms", slowest.as_millis())];
    Ok(figures)
}
