//! What is wrong with an experiment file or a flag, and where.
//!
//! Every message starts with `path:line:column:` or with the flag, in plain text, so that editors and
//! people find the place; [`ConfigError::report`] adds the source line.

use std::{fmt, ops::Range, path::Path, sync::Arc};

use miette::{Diagnostic, GraphicalReportHandler, LabeledSpan, SourceCode};

use super::origin::{Origin, Source};

/// All problems that were found; never empty.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct ConfigError {
    problems: Vec<Problem>,
}

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
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "an error says what is wrong");
        Self { problems }
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
        report
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl Problem {
    /// A problem at a value, a key or a flag.
    pub(super) fn at(origin: &Origin, message: impl Into<String>) -> Self {
        let snippet = match origin {
            Origin::File { source, span } => Some((Arc::clone(source), span.clone())),
            Origin::CommandLine(_) | Origin::Default => None,
        };
        Self { place: origin.place(), message: message.into(), help: None, snippet }
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

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
