//! What people see while files are fetched.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is shown while fetching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// A bar with bytes and speed, on stderr if that is a terminal.
    #[default]
    Bar,
    /// Nothing.
    Silent,
}

impl Progress {
    /// A bar for one file of `bytes` bytes, if that is known.
    pub(super) fn download(self, file: &'static str, bytes: Option<u64>) -> ProgressBar {
        let template = match bytes {
            Some(_) => "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        self.bar(bytes, template).with_message(file)
    }

    /// A bar for a program that fetches something of unknown size.
    pub(super) fn program(self, program: &str, package: &str) -> ProgressBar {
        let bar = self.bar(None, "{msg} {spinner} {bytes} {elapsed}");
        bar.set_message(format!("{package} with {program}"));
        bar
    }

    fn bar(self, length: Option<u64>, template: &str) -> ProgressBar {
        let target = match self {
            Self::Bar => ProgressDrawTarget::stderr(),
            Self::Silent => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        let bar = ProgressBar::with_draw_target(length, target).with_style(style);
        if self == Self::Bar {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar
    }
}
