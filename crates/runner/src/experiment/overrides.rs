//! What the command line changes in an experiment.

use std::path::PathBuf;

use super::{
    error::Problem,
    extends::EXTENDS,
    node::{Entry, KIND, Node, Table, Value},
    origin::Origin,
    parse,
    training::BackendName,
};

/// Changes from the command line. Dedicated flags win over `--set`; a later `--set` wins over an earlier.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--set key.path=value`, each. The value is TOML, or else a plain string; an array's items have
    /// numbers, as in `phase.0.epochs=3`.
    pub set: Vec<String>,
    /// `--backend`: `training.backend`.
    pub backend: Option<BackendName>,
    /// `--seed`: `training.seed`.
    pub seed: Option<u64>,
    /// `--max-epochs`: the most epochs of all phases together; phases are cut in their order.
    pub max_epochs: Option<usize>,
    /// `--train-samples`: `data.train_samples`.
    pub train_samples: Option<usize>,
    /// `--test-samples`: `data.test_samples`.
    pub test_samples: Option<usize>,
    /// `--data-dir`: `data.dir`, relative to the working directory.
    pub data_dir: Option<PathBuf>,
}

/// One value to set, with the flag it came from.
struct Assignment {
    path: Vec<String>,
    value: Node,
}

impl Overrides {
    /// Applies everything but `max_epochs`, which counts epochs that are only known once phases are read.
    ///
    /// # Errors
    ///
    /// A `--set` without `=`, with a malformed key or value, or with an index beyond its array. Unknown
    /// keys come to light when the tree is read.
    pub(super) fn apply(&self, root: &mut Node) -> Result<(), Problem> {
        let mut set = self.set.iter().map(|text| assignment(text)).collect::<Result<Vec<_>, _>>()?;
        // Kinds first: a new kind drops the old one's settings, not those set beside it.
        set.sort_by_key(|it| it.path.len() - usize::from(it.path.last().is_some_and(|key| key == KIND)));
        for Assignment { path, value } in set.into_iter().chain(self.flags()?) {
            let origin = value.origin.clone();
            assign(root, &path, &path, value, &origin)?;
        }
        Ok(())
    }

    fn flags(&self) -> Result<Vec<Assignment>, Problem> {
        let mut flags = Vec::new();
        let mut flag = |flag: &str, path: [&str; 2], value: Value, text: &str| {
            let value = Node::new(Origin::flag(format!("{flag} {text}")), value);
            flags.push(Assignment { path: path.map(str::to_owned).to_vec(), value });
        };
        if let Some(backend) = self.backend {
            let name = backend.to_string();
            flag("--backend", ["training", "backend"], Value::String(name.clone()), &name);
        }
        let numbers = [
            ("--seed", ["training", "seed"], self.seed),
            ("--train-samples", ["data", "train_samples"], self.train_samples.map(|it| it as u64)),
            ("--test-samples", ["data", "test_samples"], self.test_samples.map(|it| it as u64)),
        ];
        for (name, path, number) in numbers {
            let Some(number) = number else { continue };
            let text = number.to_string();
            // TOML's integers are signed, and config.toml must be able to repeat the number.
            let number = i64::try_from(number)
                .map_err(|_| Problem::at(&Origin::flag(format!("{name} {text}")), "does not fit a 64-bit integer"))?;
            flag(name, path, Value::Integer(number), &text);
        }
        if let Some(dir) = &self.data_dir {
            let shown = dir.display().to_string();
            let Some(text) = dir.to_str() else {
                return Err(Problem::at(&Origin::flag(format!("--data-dir {shown}")), "the path is not UTF-8"));
            };
            flag("--data-dir", ["data", "dir"], Value::String(text.to_owned()), &shown);
        }
        Ok(flags)
    }
}

fn assignment(text: &str) -> Result<Assignment, Problem> {
    let origin = Origin::flag(format!("--set {text}"));
    let malformed = |message: String| {
        Problem::at(&origin, message).help("write it as key.path=value, as in --set training.batch_size=64")
    };
    let (key, value) = text.split_once('=').ok_or_else(|| malformed("expected key.path=value".to_owned()))?;
    let path: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
    let is_bare = |key: &String| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if !path.iter().all(is_bare) {
        return Err(malformed(format!("`{}` is no dotted key", key.trim())));
    }
    if path[0] == EXTENDS {
        return Err(Problem::at(&origin, format!("`{EXTENDS}` can only be said in a file")));
    }
    Ok(Assignment { value: parse::set_value(value.trim(), &origin)?, path })
}

/// Sets `rest` below `node`; `path` is the whole key, for messages.
fn assign(node: &mut Node, rest: &[String], path: &[String], value: Node, origin: &Origin) -> Result<(), Problem> {
    let Some((key, rest)) = rest.split_first() else {
        node.merge(value);
        return Ok(());
    };
    if let Value::Array(items) = &mut node.value {
        let count = items.len();
        let array = path[..path.len() - rest.len() - 1].join(".");
        let item = key.parse::<usize>().ok().and_then(|index| items.get_mut(index));
        let item = item.ok_or_else(|| {
            Problem::at(origin, format!("no item `{key}` in {array}: it has {count}, counted from 0"))
        })?;
        return assign(item, rest, path, value, origin);
    }
    node.expand_kind();
    if node.as_table().is_none() {
        *node = Node::new(origin.clone(), Value::Table(Table::default()));
    }
    let Value::Table(table) = &mut node.value else { unreachable!("it has just been made a table") };
    let is_new_kind = |old: &Node| old.as_str() != value.as_str();
    if key == KIND && rest.is_empty() && table.get(KIND).is_some_and(is_new_kind) {
        table.clear_settings();
    }
    if let Some(child) = table.get_mut(key) {
        return assign(child, rest, path, value, origin);
    }
    let mut child = Node::new(origin.clone(), Value::Table(Table::default()));
    if rest.is_empty() {
        child = value;
    } else {
        assign(&mut child, rest, path, value, origin)?;
    }
    table.insert(Entry { key: key.clone(), key_origin: origin.clone(), node: child });
    Ok(())
}
