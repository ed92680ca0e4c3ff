//! Mutated experiment files: whatever the bytes, an experiment or a located error, never a panic.

use std::fs;

use super::{
    super::{Overrides, load},
    Project, VALID, repository,
};

/// `SplitMix64` (Steele et al. 2014): enough chance for a test, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n as u64).expect("below a usize")
    }
}

const PIECES: [&str; 24] = [
    "=",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "\"",
    "'",
    "\n",
    ".",
    ",",
    "#",
    "nan",
    "-inf",
    "1e999",
    "-1",
    "kind = 1\n",
    "0x7fffffffffffffff",
    "99999999999999999999",
    "extends = 'a.toml'\n",
    "\u{feff}",
    "\0",
    "[[phase]]\n",
];

fn mutate(text: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(12)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            2 => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].bytes())),
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, copy));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

#[test]
fn mutated_files_never_panic_and_errors_have_a_place() {
    let aug = fs::read_to_string(repository().join("configs/recipes/plain_then_augmented.toml")).expect("a recipe");
    let seeds = [VALID.to_owned(), format!("{}{aug}\n[augment]\nzoom = 0.1\n", VALID.replace("epochs = 3\n", ""))];
    let project = Project::new(&[]);
    let path = project.path("a.toml");
    let mut random = Random(1);
    let (mut good, mut bad) = (0, 0);
    for round in 0..2_000 {
        let bytes = mutate(&seeds[round % seeds.len()], &mut random);
        fs::write(&path, &bytes).expect("a file in the project");
        match load(&path, &Overrides::default()) {
            Ok(resolved) => {
                good += 1;
                fs::write(&path, resolved.to_toml()).expect("a file in the project");
                let again = load(&path, &Overrides::default()).expect("what was written is valid");
                assert_eq!(again.experiment, resolved.experiment);
            }
            Err(error) => {
                bad += 1;
                let report = error.report();
                for problem in error.problems() {
                    assert!(problem.place().contains("a.toml:"), "{problem}\n{}", String::from_utf8_lossy(&bytes));
                    assert!(report.contains(problem.place()), "{report}");
                }
            }
        }
    }
    assert!(good > 100 && bad > 100, "the mutations are too tame or too wild: {good} good, {bad} bad");
}
