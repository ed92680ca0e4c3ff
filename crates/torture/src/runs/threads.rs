//! The same run with any number of threads, alone or beside others.

use super::lab::Lab;
use crate::{
    command::{cannot_wait, start},
    experiment::{Experiment, Figures, Plan},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "threads",
    row: 14,
    what: "the same run with 1, 2 and 16 computing threads and 0, 1 and 4 loader workers, several times over, every \
           second one beside two others",
    pass: "the same weights, metrics, predictions and scores every time",
    tries: 45,
    quick: 3,
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 400)?;
    let mut figures = Figures::default();
    // Workers are a setting of the run, but change no result: the summary does not tell them.
    let (expected, _) = lab.reference("whole", &[])?;
    for index in 0..plan.tries {
        let name = format!("same-{index}");
        let threads = ["1", "2", "16"][usize::try_from(index % 3).expect("below 3")];
        let workers = ["0", "1", "4"][usize::try_from(index / 3 % 3).expect("below 3")];
        let tried = one(&lab, &name, threads, workers, index % 2 == 1);
        figures.count(tried.and_then(|()| lab.expect_result(&name, &expected)));
        lab.remove(&name);
    }
    Ok(figures)
}

fn one(lab: &Lab, name: &str, threads: &str, workers: &str, is_beside_others: bool) -> Result<(), String> {
    let mut others = Vec::new();
    if is_beside_others {
        for other in ["other-1", "other-2"] {
            lab.remove(other);
            others.push(start(&mut lab.start(other, &["--seed=5"]))?);
        }
    }
    let mut command = lab.start(name, &[&format!("--set=data.workers={workers}")]);
    let done = Lab::succeed(command.env("RAYON_NUM_THREADS", threads));
    for mut other in others {
        other.wait().map_err(cannot_wait)?;
    }
    lab.remove("other-1");
    lab.remove("other-2");
    done.map(drop).map_err(|error| format!("{threads} threads, {workers} workers: {error}"))
}
