//! An experiment together with where each of its values came from.

use std::path::Path;

use models::ModelConfig;

use super::{
    ConfigError, Experiment,
    checks::Invalid,
    document::Document,
    error::Problem,
    node::{KIND, Node, Value},
    origin::Origin,
    paths::absolute,
    phase::Augmentation,
    pretrained::PretrainedWeights,
    ser, write,
};

/// What a file, all that it extends and the command line come to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The experiment.
    pub experiment: Experiment,
    /// Where its values came from.
    pub origins: Origins,
}

/// Dotted key → origin.
#[derive(Clone, Debug)]
pub struct Origins {
    said: Node,
    /// What `--max-epochs` and `--seeds` changed.
    cut: Vec<(String, Origin)>,
}

impl Origins {
    pub(super) fn new(said: Node) -> Self {
        Self { said, cut: Vec::new() }
    }

    /// Notes that a flag has changed the value of a key.
    pub(super) fn cut(&mut self, key: impl Into<String>, flag: Origin) {
        self.cut.push((key.into(), flag));
    }

    /// Where the value of a dotted key came from, as in `phase.0.epochs`.
    #[must_use]
    pub fn of(&self, key: &str) -> Origin {
        if let Some((_, origin)) = self.cut.iter().find(|(cut, _)| is_below(key, cut)) {
            return origin.clone();
        }
        let mut node = &self.said;
        let mut segments = self.segments(key).into_iter().peekable();
        while let Some(segment) = segments.next() {
            match node.child(segment) {
                Some(child) => node = child,
                // `optimizer = "adam"` says `optimizer.kind`, too.
                None if segment == KIND && segments.peek().is_none() && node.as_str().is_some() => break,
                None => return Origin::Default,
            }
        }
        // And the other way round.
        node.child(KIND).unwrap_or(node).origin.clone()
    }

    /// The keys on the way to a value. Those of the varied settings are dotted themselves, where they were quoted.
    fn segments<'key>(&self, key: &'key str) -> Vec<&'key str> {
        let mut segments: Vec<&str> = key.split('.').collect();
        if let Some(dotted) = key.strip_prefix(VARIED)
            && let Some(table) = self.said.child("sweep").and_then(|it| it.child("parameters")).and_then(Node::as_table)
            && let Some(entry) = table.entries().iter().find(|it| it.key.contains('.') && is_below(dotted, &it.key))
        {
            let rest = dotted[entry.key.len()..].split('.').skip(1);
            segments = ["sweep", "parameters", &dotted[..entry.key.len()]].into_iter().chain(rest).collect();
        }
        segments
    }

    /// The place to blame for the value of a key: the value, or if nobody said it, the innermost table
    /// around it that somebody wrote.
    pub(super) fn blame(&self, key: &str) -> Origin {
        let mut node = &self.said;
        let mut origin = &self.said.origin;
        for segment in self.segments(key) {
            let Some(child) = node.child(segment) else { break };
            origin = match node.as_table().and_then(|table| table.entry(segment)) {
                Some(entry) if matches!(child.value, Value::Table(_)) => &entry.key_origin,
                _ => &child.origin,
            };
            node = child;
        }
        origin.clone()
    }
}

impl Resolved {
    /// The resolved experiment as a file that can be run again: every default written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.experiment.to_toml()
    }

    /// The same, each value with a comment that says where it came from: `path:line`, the flag, or
    /// `default`.
    #[must_use]
    pub fn annotated_toml(&self) -> String {
        write::to_text(&ser::to_node(&self.experiment), &|key| Some(self.origins.of(key).to_string()))
    }

    /// A problem with a value that only shows once the data are there, such as a model that does not fit
    /// the images; `key` is dotted, as in `model.hidden_sizes[1]`.
    #[must_use]
    pub fn invalid(&self, key: &str, message: &str) -> ConfigError {
        problem(&self.origins, key, message).into()
    }

    /// The same experiment with one seed; `said` is what asked for it.
    #[must_use]
    pub fn with_seed(&self, seed: u64, said: &str) -> Self {
        let mut resolved = self.clone();
        resolved.experiment.training.seed = seed;
        resolved.experiment.training.seeds = None;
        resolved.origins.cut.push(("training.seed".to_owned(), Origin::flag(said)));
        resolved
    }

    /// Cuts all phases together to `max` epochs, in their order.
    pub(super) fn cap_epochs(&mut self, max: usize) -> Result<(), Problem> {
        let flag = Origin::flag(format!("--max-epochs {max}"));
        if max == 0 {
            return Err(Problem::at(&flag, "must be at least 1, found 0"));
        }
        let Self { experiment, origins } = self;
        let mut left = max;
        for (index, phase) in experiment.phases.iter_mut().enumerate() {
            if phase.epochs > left {
                phase.epochs = left;
                origins.cut.push((format!("phase.{index}.epochs"), flag.clone()));
            }
            left -= phase.epochs;
        }
        experiment.phases.retain(|phase| phase.epochs > 0);
        if let Some(epochs) = &mut experiment.training.epochs
            && *epochs > max
        {
            *epochs = max;
            origins.cut.push(("training.epochs".to_owned(), flag.clone()));
        }
        // Without the phases that were to use it, [augment] would contradict the rest.
        let is_augmented = experiment.phases.iter().any(|phase| phase.augment == Augmentation::On);
        if !is_augmented && !experiment.augment.is_identity() {
            experiment.augment = data::AugmentConfig::default();
            origins.cut.push(("augment".to_owned(), flag));
        }
        Ok(())
    }
}

impl Experiment {
    /// The experiment as a file: every default written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::to_text(&ser::to_node(self), &|_| None)
    }
}

/// The table of settings that a sweep varies.
const VARIED: &str = "sweep.parameters.";

/// Whether a dotted key is `table` or in it.
fn is_below(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Checks a document against its ranges and makes the paths in it absolute.
pub(super) fn experiment(mut document: Document, origins: &Origins, root: &Path) -> Result<Experiment, ConfigError> {
    if let Some(dir) = document.data.dir.take() {
        document.data.dir = Some(absolute("data.dir", "--data-dir", &dir, &origins.of("data.dir"), root)?);
    }
    if let ModelConfig::Transfer(model) = &mut document.model
        && PretrainedWeights::find(&model.weights).is_none()
    {
        const KEY: &str = "model.weights";
        let path = absolute(KEY, "--set model.weights=PATH", Path::new(&model.weights), &origins.of(KEY), root)?;
        // It is made of a file's text or a flag's, and a folder's name that was checked.
        model.weights = path.to_string_lossy().into_owned();
    }
    Experiment::try_from(document).map_err(|found| problems(origins, &found))
}

/// Gives what checks have found its places.
pub(super) fn problems(origins: &Origins, found: &[Invalid]) -> ConfigError {
    ConfigError::new(found.iter().map(|invalid| problem(origins, &invalid.key, &invalid.message)))
}

fn problem(origins: &Origins, key: &str, message: &str) -> Problem {
    let dotted = key.replace('[', ".").replace(']', "");
    Problem::at(&origins.blame(&dotted), format!("{key}: {message}"))
}
