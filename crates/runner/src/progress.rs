//! What a person sees on stderr while a run goes on.

use std::{
    cell::Cell,
    io::IsTerminal,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use data::Part;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    metrics::EpochRow,
    train::{Event, Rank, Step},
    transfer::Extraction,
};

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// A live bar on a terminal, else plain lines.
    #[default]
    Auto,
    /// A live bar.
    Bar,
    /// One line per epoch.
    Plain,
    /// Nothing but warnings and errors.
    None,
}

impl ProgressMode {
    /// Settles `Auto` by what stderr is.
    #[must_use]
    pub fn settled(self) -> Self {
        match self {
            Self::Auto if std::io::stderr().is_terminal() => Self::Bar,
            Self::Auto => Self::Plain,
            other => other,
        }
    }
}

/// The display of one run.
#[derive(Debug)]
pub struct Display {
    mode: ProgressMode,
    bar: ProgressBar,
    /// Images whose features were computed when that was last shown.
    extracted: Cell<usize>,
    pace: Cell<Option<Pace>>,
}

/// When the first step, or the first image with features, was seen that this process has made, and which one it was.
#[derive(Clone, Copy, Debug)]
struct Pace {
    start: Instant,
    first: usize,
}

impl Pace {
    /// The time that is left after so many of all are done; none before a second one.
    fn left(self, now: Instant, done: usize, all: usize) -> Option<Duration> {
        let made = u32::try_from(done.checked_sub(self.first)?).ok().filter(|&made| made > 0)?;
        let left = u32::try_from(all.saturating_sub(done)).ok()?;
        Some((now - self.start) / made * left)
    }
}

impl Display {
    /// Starts with an empty display.
    ///
    /// # Panics
    ///
    /// Never: the template of the bar is fixed.
    #[must_use]
    pub fn new(mode: ProgressMode) -> Self {
        let mode = mode.settled();
        let target =
            if mode == ProgressMode::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(
            ProgressStyle::with_template("{prefix} [{wide_bar}] {pos}/{len}  {msg}")
                .expect("a fixed template")
                .progress_chars("=> "),
        );
        Self { mode, bar, extracted: Cell::new(0), pace: Cell::new(None) }
    }

    /// A line about the run as a whole.
    pub fn say(&self, line: &str) {
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Bar if !self.bar.is_hidden() => self.bar.suspend(|| eprintln!("{line}")),
            _ => eprintln!("{line}"),
        }
    }

    /// Shows what training tells.
    pub fn show(&self, event: &Event<'_>, epochs: usize) {
        match event {
            Event::Step(step) => self.step(step),
            Event::Epoch { row, rank, .. } => {
                self.bar.reset();
                self.say(&epoch_line(row, *rank, epochs));
            }
            Event::Validating(_) => self.bar.set_message("validating"),
            Event::Diverged(_) => {}
        }
    }

    /// Shows how far the computation of features has come.
    pub fn extraction(&self, extraction: Extraction) {
        let Extraction { part, done, total, .. } = extraction;
        let part = match part {
            Part::Train => "training",
            Part::Test => "test",
        };
        if self.bar.length() != Some(total as u64) || done <= 1 {
            self.bar.reset();
            self.bar.set_length(total as u64);
            self.bar.set_prefix(format!("features of {part} images"));
            self.pace.set(None);
        }
        self.bar.set_position(done as u64);
        self.bar.set_message(self.left(done, total));
        // A line for every tenth, where there is no bar.
        let tenth = |done: usize| 10 * done / total.max(1);
        let before = self.extracted.replace(done);
        if self.mode == ProgressMode::Plain && (before > done || tenth(before) < tenth(done)) {
            self.say(&format!("features of {part} images: {done} of {total}"));
        }
        if done >= total {
            self.extracted.set(0);
            self.pace.set(None);
            self.bar.set_length(0);
            self.bar.reset();
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn step(&self, step: &Step<'_>) {
        if step.step == 1 || self.bar.length() != Some(step.steps as u64) {
            self.bar.set_length(step.steps as u64);
            self.bar.set_prefix(format!("epoch {}/{} {}", step.epoch, step.epochs, step.phase));
        }
        self.bar.set_position(step.step as u64);
        // Of the whole run: an epoch is over before anyone has read how long it takes.
        let left = self.left((step.epoch - 1) * step.steps + step.step, step.epochs * step.steps);
        self.bar.set_message(format!("loss {:.4}  accuracy {:.4}  {left}", step.loss, step.accuracy));
    }

    /// The time that is left when so many of all are done, as text; empty where nothing tells.
    fn left(&self, done: usize, all: usize) -> String {
        let now = Instant::now();
        let pace = self.pace.get().unwrap_or(Pace { start: now, first: done });
        self.pace.set(Some(pace));
        let left = pace.left(now, done, all);
        left.map_or_else(String::new, |left| format!("{:#} left", HumanDuration(left)))
    }
}

/// One epoch in one line of columns that stay aligned.
fn epoch_line(row: &EpochRow, rank: Rank, epochs: usize) -> String {
    let width = epochs.to_string().len();
    let valid = match (row.valid_loss, row.valid_accuracy) {
        (Some(loss), Some(accuracy)) => format!("  valid loss {loss:.4} accuracy {accuracy:.4}"),
        _ => String::new(),
    };
    let mark = if rank == Rank::Best { "  best" } else { "" };
    format!(
        "epoch {:>width$}/{epochs} {}  train loss {:.4} accuracy {:.4}{valid}  lr {:.2e}  {:.1} s  {:.0} images/s{mark}",
        row.epoch,
        row.phase,
        row.train_loss,
        row.train_accuracy,
        row.learning_rate,
        row.train_seconds + row.valid_seconds,
        row.images_per_second,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> EpochRow {
        EpochRow {
            epoch: 3,
            phase: "plain".into(),
            train_loss: 0.5,
            train_accuracy: 0.8,
            valid_loss: Some(0.4),
            valid_accuracy: Some(0.9),
            learning_rate: 1e-3,
            train_seconds: 2.0,
            valid_seconds: 0.5,
            images_per_second: 1234.5,
            train_error: None,
        }
    }

    #[test]
    fn an_epoch_is_one_line_with_everything_measured() {
        assert_eq!(
            epoch_line(&row(), Rank::Best, 60),
            "epoch  3/60 plain  train loss 0.5000 accuracy 0.8000  valid loss 0.4000 accuracy 0.9000  lr 1.00e-3  \
             2.5 s  1234 images/s  best"
        );
    }

    #[test]
    fn the_time_left_is_that_of_the_run_at_the_pace_of_this_process() {
        let start = Instant::now();
        // The twentieth step of the run was the first one since it went on.
        let pace = Pace { start, first: 20 };
        let seconds = Duration::from_secs;
        assert_eq!(pace.left(start, 20, 100), None);
        assert_eq!(pace.left(start + seconds(10), 30, 100), Some(seconds(70)));
        assert_eq!(pace.left(start + seconds(80), 100, 100), Some(seconds(0)));
    }

    #[test]
    fn an_epoch_without_validation_says_nothing_of_it() {
        let row = EpochRow { valid_loss: None, valid_accuracy: None, ..row() };
        assert!(!epoch_line(&row, Rank::Other, 60).contains("valid"));
    }
}
