//! `[schedule]`: the learning rate as a pure function of the step.
//!
//! Knows no optimizer and keeps no state, so that a run resumed at any step goes on with the same rates.

use std::{f64::consts::PI, ops::Bound};

use serde::{Deserialize, Serialize};

use super::checks::Checks;

/// How the learning rate goes over the run, all phases together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The base rate throughout.
    #[default]
    Constant,
    /// The base rate times γ once per so many epochs.
    Step(Step),
    /// Half a cosine from the base rate down (Loshchilov & Hutter 2017, arXiv 1608.03983, eq. 5).
    Cosine(Cosine),
    /// Up to the base rate and far down again (Smith & Topin 2018, arXiv 1708.07120).
    OneCycle(OneCycle),
    /// A linear rise to the base rate, then another schedule (Goyal et al. 2017, arXiv 1706.02677, §2.2).
    Warmup(Warmup),
}

/// Settings of [`Schedule::Step`]. Rate at the first step: base. At the last: base · γ^(drops so far).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Epochs between drops.
    pub step_epochs: usize,
    /// What the rate is multiplied by at each drop, in (0, 1]. Default 0.1.
    #[serde(default = "default_gamma")]
    pub gamma: f64,
}

fn default_gamma() -> f64 {
    0.1
}

/// Settings of [`Schedule::Cosine`]. Rate at the first step: base. At the last of T steps: one T-th of
/// the way short of base · `final_fraction`, so that no step is spent at a rate of zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cosine {
    /// The end of the curve as a share of the base rate, in [0, 1]. Default 0.
    pub final_fraction: f64,
}

/// Settings of [`Schedule::OneCycle`]: two cosine pieces, with the defaults and the closed form of
/// <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html>; momentum
/// is not cycled.
///
/// Rate at the first step: base / `initial_divisor`. At the last: base / `initial_divisor` /
/// `final_divisor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneCycle {
    /// Share of the steps that rise, in (0, 1). Default 0.3.
    pub warmup_fraction: f64,
    /// The first rate is the base rate divided by this. Default 25.
    pub initial_divisor: f64,
    /// The last rate is the first rate divided by this. Default 10,000.
    pub final_divisor: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self { warmup_fraction: 0.3, initial_divisor: 25.0, final_divisor: 1e4 }
    }
}

/// Settings of [`Schedule::Warmup`]. Rate at the first of W warm-up steps: base / W. At the last step: as
/// `then` says over the steps after the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warmup {
    /// Epochs of the rise.
    pub warmup_epochs: usize,
    /// What follows. Default constant.
    #[serde(default)]
    pub then: AfterWarmup,
}

/// What follows a warm-up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterWarmup {
    /// The base rate.
    #[default]
    Constant,
    /// Half a cosine from the base rate down, over the steps that are left.
    Cosine(Cosine),
}

impl Schedule {
    /// The learning rate of a step.
    ///
    /// `step` counts from 0 over all phases; `clock` has the number of steps of every planned epoch, in
    /// order. Beyond the plan, the rate of the last step stays.
    #[must_use]
    pub fn learning_rate(&self, base: f64, step: usize, clock: &[usize]) -> f64 {
        let total: usize = clock.iter().sum();
        let step = step.min(total.saturating_sub(1));
        match self {
            Self::Constant => base,
            Self::Step(schedule) => {
                let drops = epoch_of(step, clock) / schedule.step_epochs.max(1);
                base * schedule.gamma.powf(float(drops))
            }
            Self::Cosine(cosine) => base * cosine.factor(step, total),
            Self::OneCycle(cycle) => base * cycle.factor(step, total),
            Self::Warmup(warmup) => {
                let rise: usize = clock.iter().take(warmup.warmup_epochs).sum();
                match &warmup.then {
                    _ if step < rise => base * float(step + 1) / float(rise),
                    AfterWarmup::Constant => base,
                    AfterWarmup::Cosine(cosine) => base * cosine.factor(step - rise, total - rise),
                }
            }
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let at_least_one_epoch = 1..;
        match self {
            Self::Constant => {}
            Self::Step(Step { step_epochs, gamma }) => {
                checks.within("schedule.step_epochs", *step_epochs, at_least_one_epoch);
                checks.within("schedule.gamma", *gamma, (Bound::Excluded(0.0), Bound::Included(1.0)));
            }
            Self::Cosine(cosine) => checks.within("schedule.final_fraction", cosine.final_fraction, 0.0..=1.0),
            Self::OneCycle(cycle) => {
                let inside = (Bound::Excluded(0.0), Bound::Excluded(1.0));
                checks.within("schedule.warmup_fraction", cycle.warmup_fraction, inside);
                checks.within("schedule.initial_divisor", cycle.initial_divisor, 1.0..);
                checks.within("schedule.final_divisor", cycle.final_divisor, 1.0..);
            }
            Self::Warmup(Warmup { warmup_epochs, then }) => {
                checks.within("schedule.warmup_epochs", *warmup_epochs, at_least_one_epoch);
                if let AfterWarmup::Cosine(cosine) = then {
                    checks.within("schedule.then.final_fraction", cosine.final_fraction, 0.0..=1.0);
                }
            }
        }
    }
}

impl Cosine {
    /// f + (1 − f) · (1 + cos(π·t/T)) / 2 at step t of T.
    fn factor(&self, step: usize, total: usize) -> f64 {
        anneal(1.0, self.final_fraction, float(step) / float(total.max(1)))
    }
}

impl OneCycle {
    fn factor(&self, step: usize, total: usize) -> f64 {
        let initial = 1.0 / self.initial_divisor;
        // PyTorch counts the peak as the last step of the rise. A run too short to rise starts at the peak.
        let peak = (self.warmup_fraction * float(total) - 1.0).max(0.0);
        let last = float(total.saturating_sub(1));
        let step = float(step);
        if step < peak {
            anneal(initial, 1.0, step / peak)
        } else if last > peak {
            anneal(1.0, initial / self.final_divisor, (step - peak) / (last - peak))
        } else {
            1.0
        }
    }
}

/// Half a cosine from `from` (progress 0) to `to` (progress 1).
fn anneal(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * progress).cos()) / 2.0
}

/// The epoch, from 0, that a step lies in.
fn epoch_of(step: usize, clock: &[usize]) -> usize {
    let ends = clock.iter().scan(0, |end, steps| {
        *end += steps;
        Some(*end)
    });
    ends.take_while(|end| *end <= step).count()
}

#[expect(clippy::cast_precision_loss, reason = "step counts stay far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the whole curve of a run with base rate 1 with values worked out by hand.
    fn check(schedule: &Schedule, clock: &[usize], expected: &[f64]) {
        for (step, expected) in expected.iter().enumerate() {
            let found = schedule.learning_rate(1.0, step, clock);
            assert!((found - expected).abs() < 1e-12, "{schedule:?} at step {step}: {found}, expected {expected}");
        }
    }

    #[test]
    fn constant_is_the_base_rate() {
        check(&Schedule::Constant, &[2, 2], &[1.0; 5]);
    }

    #[test]
    fn step_drops_at_epoch_ends_of_any_length() {
        let schedule = Schedule::Step(Step { step_epochs: 2, gamma: 0.5 });
        check(&schedule, &[2, 1, 2, 1, 1], &[1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
    }

    #[test]
    fn cosine_starts_at_the_base_and_stops_short_of_its_end() {
        let half = f64::midpoint(1.0, 0.5_f64.sqrt());
        check(&Schedule::Cosine(Cosine::default()), &[4], &[1.0, half, 0.5, 1.0 - half]);
        check(&Schedule::Cosine(Cosine { final_fraction: 0.2 }), &[1, 1], &[1.0, 0.6, 0.6]);
    }

    #[test]
    fn one_cycle_rises_to_the_base_and_falls_to_its_last_rate() {
        // Peak at step 0.4·10 − 1 = 3; then six steps down: cos(π/6·k).
        let schedule = OneCycle { warmup_fraction: 0.4, initial_divisor: 4.0, final_divisor: 10.0 };
        let up = |cos: f64| 1.0 + (0.25 - 1.0) * (1.0 + cos) / 2.0;
        let down = |cos: f64| 0.025 + (1.0 - 0.025) * (1.0 + cos) / 2.0;
        let root = 3.0_f64.sqrt() / 2.0;
        let expected =
            [0.25, up(0.5), up(-0.5), 1.0, down(root), down(0.5), down(0.0), down(-0.5), down(-root), 0.025, 0.025];
        check(&Schedule::OneCycle(schedule), &[5, 5], &expected);
    }

    #[test]
    fn one_cycle_of_very_few_steps_stays_finite() {
        let last = 1.0 / 25.0 / 1e4;
        check(&Schedule::OneCycle(OneCycle::default()), &[1], &[1.0, 1.0]);
        check(&Schedule::OneCycle(OneCycle::default()), &[2], &[1.0, last]);
        check(&Schedule::OneCycle(OneCycle::default()), &[], &[1.0]);
    }

    #[test]
    fn warmup_rises_linearly_and_hands_over() {
        let constant = Schedule::Warmup(Warmup { warmup_epochs: 2, then: AfterWarmup::Constant });
        check(&constant, &[2, 2, 2], &[0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        let cosine = AfterWarmup::Cosine(Cosine::default());
        let cosine = Schedule::Warmup(Warmup { warmup_epochs: 1, then: cosine });
        check(&cosine, &[2, 1, 1], &[0.5, 1.0, 1.0, 0.5]);
    }

    #[test]
    fn warmup_longer_than_the_run_only_rises() {
        let schedule = Schedule::Warmup(Warmup { warmup_epochs: 9, then: AfterWarmup::Cosine(Cosine::default()) });
        check(&schedule, &[2, 2], &[0.25, 0.5, 0.75, 1.0, 1.0]);
    }
}
