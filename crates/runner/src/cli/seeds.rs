//! `--seeds`: an experiment with several seeds, one run each, and what they come to together.

use std::{num::NonZeroU64, path::Path, str::FromStr};

use super::{args::RunArguments, run};
use crate::{
    error::Error,
    experiment::{Experiment, Resolved},
    progress::Display,
    seeds::Seeds,
};

/// What `--seeds` says: how many, or which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SeedList {
    /// So many, counted from the experiment's seed.
    Count(NonZeroU64),
    /// These.
    These(Vec<u64>),
}

impl FromStr for SeedList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = |_| format!("expected a number of seeds, as in 3, or seeds, as in 0,1,2, found {text:?}");
        if !text.contains(',') {
            return text.trim().parse().map(Self::Count).map_err(malformed);
        }
        let seeds: Vec<u64> =
            text.split(',').map(|seed| seed.trim().parse()).collect::<Result<_, _>>().map_err(malformed)?;
        match (1..seeds.len()).find(|&index| seeds[..index].contains(&seeds[index])) {
            Some(index) => Err(format!("seed {} is named twice", seeds[index])),
            None => Ok(Self::These(seeds)),
        }
    }
}

/// The seeds that were asked for, by the flag or else by the file, and what asked for them; none for the one seed of
/// a plain run.
pub(super) fn wanted(arguments: &RunArguments, experiment: &Experiment) -> Result<Option<(Vec<u64>, String)>, Error> {
    match &arguments.seeds {
        Some(SeedList::These(seeds)) if arguments.seed.is_none() => {
            let list: Vec<String> = seeds.iter().map(u64::to_string).collect();
            Ok(Some((seeds.clone(), format!("--seeds {}", list.join(",")))))
        }
        Some(SeedList::These(_)) => Err(Error::Usage("--seeds names every seed; leave out --seed".to_owned())),
        Some(SeedList::Count(count)) => {
            let first = experiment.training.seed;
            // TOML's integers are signed, and config.toml must be able to repeat the number.
            let end = first.checked_add(count.get()).filter(|&end| i64::try_from(end).is_ok());
            let end = end.ok_or_else(|| Error::Usage(format!("--seeds {count}: too many, counted from {first}")))?;
            Ok(Some(((first..end).collect(), format!("--seeds {count}"))))
        }
        None if arguments.seed.is_some() => Ok(None),
        None => Ok(experiment.training.seeds.clone().map(|seeds| (seeds, "training.seeds".to_owned()))),
    }
}

/// Runs every seed, goes on after one that fails, and says what they come to.
pub(super) fn all(
    path: &Path,
    resolved: &Resolved,
    (seeds, said): &(Vec<u64>, String),
    arguments: &RunArguments,
) -> Result<(), Error> {
    let name = &resolved.experiment.name;
    let display = Display::new(arguments.fetching.progress);
    let mut record = Seeds::new(name);
    for &seed in seeds {
        let run_name = arguments.run_name.as_ref().map(|name| format!("{name}-s{seed}"));
        let outcome = run::trained(path, &resolved.with_seed(seed, said), run_name.as_deref(), arguments);
        record.add(seed, &outcome);
        match outcome {
            Ok(_) => {}
            // Whoever stops one means all.
            Err(error @ Error::Interrupted { .. }) => return Err(error),
            Err(error) => super::complain(error),
        }
    }
    let (failed, total) = (record.failed.len(), seeds.len());
    if let (Some(accuracy), Some(loss)) = (&record.test_accuracy, &record.test_loss) {
        let file = record.write(&arguments.results_dir)?;
        display.say(&format!(
            "{name}: test accuracy {accuracy}, loss {loss} (mean ± standard deviation of {} seeds)\nin {}",
            accuracy.n,
            file.display()
        ));
        if arguments.json {
            let mut object = serde_json::to_value(&record).expect("records have string keys and finite depth");
            object["file"] = file.display().to_string().into();
            super::answer(&object)?;
        }
    }
    if failed > 0 { Err(Error::Several { failed, total, what: "runs" }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_a_count_and_several_are_seeds() {
        let parsed = |text: &str| text.parse::<SeedList>();
        assert_eq!(parsed("3"), Ok(SeedList::Count(NonZeroU64::new(3).expect("not zero"))));
        assert_eq!(parsed("0, 7,2"), Ok(SeedList::These(vec![0, 7, 2])));
        for text in ["0", "-1", "", "1,", "1,x", "1.5"] {
            assert!(parsed(text).is_err(), "{text:?}");
        }
        assert!(parsed("1,2,1").expect_err("twice").contains("seed 1 is named twice"));
    }
}
