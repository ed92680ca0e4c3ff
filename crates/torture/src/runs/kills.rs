//! `kill -9` at any moment.

use std::time::Duration;

use super::lab::Lab;
use crate::{
    command::killed,
    experiment::{Experiment, Figures, Plan},
    random::Random,
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "kills",
    row: 1,
    what: "`kill -9` at a random moment of a run of 3 epochs, then resumed; every second one killed and resumed again",
    pass: "weights, metrics, predictions and scores are those of a run that was never touched; nothing is left behind",
    tries: 50,
    quick: 2,
    run,
};

fn run(plan: &Plan) -> Result<Figures, String> {
    let lab = Lab::new(plan, 1200)?;
    let (expected, whole) = lab.reference("whole", &[])?;
    let mut random = Random::new(plan.seed);
    let mut figures = Figures::default();
    let mut kills = 0;
    for index in 0..plan.tries {
        let name = format!("killed-{index}");
        let tried = one(&lab, &name, whole, index % 2 == 1, &mut random, &mut kills);
        figures.count(tried.and_then(|()| lab.expect_result(&name, &expected)));
        lab.remove(&name);
    }
    figures.notes = vec![format!("{kills} processes were killed before their end")];
    Ok(figures)
}

fn one(
    lab: &Lab,
    name: &str,
    whole: Duration,
    twice: bool,
    random: &mut Random,
    kills: &mut u64,
) -> Result<(), String> {
    *kills += u64::from(killed(&mut lab.start(name, &[]), random.moment(whole))?);
    if twice && lab.run(name).join("config.toml").exists() {
        *kills += u64::from(killed(&mut lab.resume(name, &[]), random.moment(whole))?);
    }
    lab.finish(name, &[]).map(drop)
}
