//! What is wrong with an experiment file or a flag, and where.
//!
//! Every message starts with `path:line:column:` or with the flag, in plain text, so that editors and
//! people find the place; [`ConfigError::report`] adds the source line.

use std::{fmt, ops::Range, path::Path, sync::Arc};

use miette::{Diagnostic, GraphicalReportHandler, LabeledSpan, SourceCode};

use super::origin::{Origin, Source};

/// The problems that were found, as many as a person reads; never empty.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(problems, *more))]
pub struct ConfigError {
    problems: Vec<Problem>,
    /// How many more there are.
    more: usize,
}

/// The most problems that are told.
const MAX_PROBLEMS: usize = 20;
/// The most characters of a message: it may quote what the file says.
const MAX_MESSAGE: usize = 400;
/// The most bytes of the source lines around a problem.
const MAX_SNIPPET: usize = 2_000;

/// One problem: the place, what is wrong there, and what might help.
#[derive(Clone, Debug)]
pub struct Problem {
    place: String,
    message: String,
    help: Option<String>,
    snippet: Option<(Arc<Source>, Range<usize>)>,
}

impl ConfigError {
    /// Joins problems. There must be at least one.
    pub(super) fn new(problems: impl ExactSizeIterator<Item = Problem>) -> Self {
        debug_assert!(problems.len() > 0, "an error says what is wrong");
        let more = problems.len().saturating_sub(MAX_PROBLEMS);
        // Finding a problem's line takes time, so it is only done for those that are told.
        Self { problems: problems.take(MAX_PROBLEMS).collect(), more }
    }

    /// The problems, in the order of the file's tables.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The problems with their source lines, for a terminal. The first line of each holds
    /// `path:line:column` and the message.
    ///
    /// Colours appear only on a terminal and not under `NO_COLOR`.
    #[must_use]
    pub fn report(&self) -> String {
        // A wrapped path cannot be clicked or searched for.
        let handler = GraphicalReportHandler::new().with_links(false).with_wrap_lines(false);
        let mut report = String::new();
        for problem in &self.problems {
            // Only a snippet that cannot be shown fails; the message alone then has to do.
            if handler.render_report(&mut report, problem).is_err() {
                report += &problem.to_string();
            }
        }
        if self.more > 0 {
            report += &and_more(self.more);
            report.push('\n');
        }
        report
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem], more: 0 }
    }
}

impl Problem {
    /// A problem at a value, a key or a flag.
    pub(super) fn at(origin: &Origin, message: impl Into<String>) -> Self {
        let snippet = match origin {
            Origin::File { source, span } => snippet(&source.text, span).map(|span| (Arc::clone(source), span)),
            Origin::CommandLine(_) | Origin::Default => None,
        };
        Self { place: origin.place(), message: shortened(message.into()), help: None, snippet }
    }

    /// A problem with a whole file.
    pub(super) fn with_file(path: &Path, message: impl Into<String>) -> Self {
        Self { place: path.display().to_string(), message: message.into(), help: None, snippet: None }
    }

    /// Adds what might help.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// `path:line:column`, the path alone, or the flag.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The first problem, with the others related to it. [`ConfigError::report`] keeps long paths in one line.
impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problems.first()?.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.problems.first()?.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.problems.first()?.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().skip(1).map(|problem| problem as &dyn Diagnostic)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.as_ref().map(|(source, _)| source.as_ref() as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.snippet.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, span.clone()))))
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let contents = self.text.read_span(span, context_lines_before, context_lines_after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.clone(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}

fn lines(problems: &[Problem], more: usize) -> String {
    let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    if more > 0 {
        lines.push(and_more(more));
    }
    lines.join("\n")
}

fn and_more(more: usize) -> String {
    format!("and {more} more")
}

/// The start of a message that is too long.
fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        None => message,
        Some((end, _)) => format!("{}… ({} bytes)", &message[..end], message.len()),
    }
}

/// What to point at: the first line of `span`; nothing if the lines around it are too long to be shown.
fn snippet(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let (start, end) = (span.start.min(text.len()), span.end.min(text.len()));
    let bytes = text.as_bytes();
    let line_end = |from: usize| bytes[from..].iter().position(|&it| it == b'\n').map_or(text.len(), |it| from + it);
    let line_start = |to: usize| bytes[..to].iter().rposition(|&it| it == b'\n').map_or(0, |it| it + 1);
    let first_line_end = line_end(start);
    let shown_start = line_start(line_start(start).saturating_sub(1));
    let shown_end = line_end((first_line_end + 1).min(text.len()));
    (shown_end - shown_start <= MAX_SNIPPET).then(|| start..end.clamp(start, first_line_end))
}
