//! The schema of an experiment file, and what makes a file that fits it an [`Experiment`].

use data::{AugmentConfig, Split};
use models::{HeadKind, ModelConfig};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    Experiment,
    checks::{Checks, Invalid},
    data_config::{DataConfig, NormalizeFit, TestPart},
    loss::Loss,
    optimizer::Optimizer,
    phase::{Augmentation, Phase},
    reported::Reported,
    schedule::Schedule,
    sweep::Sweep,
    training::{Select, Training},
};

/// The tables of a file, as written: each well formed, but perhaps out of range or at odds with another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Only here to be among the known keys: it is resolved before a file is read as a `Document`.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "serde names it in errors")]
    extends: Option<IgnoredAny>,
    pub(super) data: DataConfig,
    pub(super) model: ModelConfig,
    #[serde(default)]
    loss: Loss,
    optimizer: Optimizer,
    #[serde(default)]
    schedule: Schedule,
    #[serde(default)]
    pub(super) training: Training,
    #[serde(default)]
    augment: AugmentConfig,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    phase: Vec<Phase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweep: Option<Sweep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported: Option<Reported>,
}

/// The only phase of a file that says `training.epochs`.
const ONLY_PHASE: &str = "train";

impl TryFrom<Document> for Experiment {
    type Error = Vec<Invalid>;

    fn try_from(document: Document) -> Result<Self, Vec<Invalid>> {
        let mut checks = Checks::default();
        document.check(&mut checks);
        let found = checks.into_found();
        if !found.is_empty() {
            return Err(found);
        }
        let phases = document.phases();
        let Document { name, description, data, model, loss, optimizer, schedule, training, augment, .. } = document;
        let (sweep, reported) = (document.sweep, document.reported);
        Ok(Self {
            name,
            description,
            data,
            model,
            loss,
            optimizer,
            schedule,
            training,
            augment,
            phases,
            sweep,
            reported,
        })
    }
}

impl From<Experiment> for Document {
    fn from(experiment: Experiment) -> Self {
        let phase = if experiment.training.epochs.is_some() { Vec::new() } else { experiment.phases };
        Self {
            name: experiment.name,
            description: experiment.description,
            extends: None,
            data: experiment.data,
            model: experiment.model,
            loss: experiment.loss,
            optimizer: experiment.optimizer,
            schedule: experiment.schedule,
            training: experiment.training,
            augment: experiment.augment,
            phase,
            sweep: experiment.sweep,
            reported: experiment.reported,
        }
    }
}

impl Document {
    fn phases(&self) -> Vec<Phase> {
        let Some(epochs) = self.training.epochs else { return self.phase.clone() };
        let augment = if self.augment.is_identity() { Augmentation::Off } else { Augmentation::On };
        vec![Phase { name: ONLY_PHASE.to_owned(), epochs, augment, steps_per_epoch: None }]
    }

    /// Notes everything that is out of range or contradictory, in the order of the tables.
    fn check(&self, checks: &mut Checks) {
        check_name(&self.name, checks);
        self.data.check(checks);
        if let Some((input, num_classes)) = self.data.known_shape()
            && let Err(error) = self.model.validate(input, num_classes)
        {
            checks.fail(format!("model.{}", error.field), error.message);
        }
        self.check_loss(checks);
        self.optimizer.check(checks);
        self.schedule.check(checks);
        self.training.check(checks);
        self.check_validation(checks);
        if let Err(error) = self.augment.validate() {
            checks.fail(format!("augment.{}", error.field), error.message);
        }
        self.check_phases(checks);
        self.check_transfer(checks);
        if let Some(sweep) = &self.sweep {
            sweep.check(&self.training, &self.data.split, checks);
            if self.data.test != TestPart::Test {
                checks.fail("data.test", "a sweep chooses by validation images and tests the best on the test files");
            }
        }
        if let Some(reported) = &self.reported {
            reported.check(checks);
        }
    }

    fn check_transfer(&self, checks: &mut Checks) {
        if !matches!(self.model, ModelConfig::Transfer(_)) {
            return;
        }
        if self.sweep.is_some() {
            checks.fail("sweep", "cannot be made of a transfer: its fits would need the features of its images");
        }
        if !self.augment.is_identity() {
            let message = "a transfer computes the features of each image once, so that its images cannot vary";
            checks.fail("augment", message);
        }
        if self.data.test != TestPart::Test {
            checks.fail("data.test", "a transfer is tested on the test files");
        }
        if self.data.normalize_fit != NormalizeFit::Train {
            checks.fail("data.normalize_fit", "a transfer scales all parts alike");
        }
    }

    /// The head returns what the loss takes.
    fn check_loss(&self, checks: &mut Checks) {
        self.loss.check(checks);
        match (&self.loss, self.model.head()) {
            (Loss::CrossEntropy(_), HeadKind::SigmoidSoftmax) => checks.fail(
                "model.head",
                "sigmoid_softmax returns outputs for a sigmoid each; set loss.kind to binary_cross_entropy",
            ),
            (Loss::BinaryCrossEntropy(_), HeadKind::Sigmoid) => checks.fail(
                "loss.kind",
                "binary_cross_entropy applies the sigmoids itself; set model.head to sigmoid_softmax or softmax",
            ),
            _ => {}
        }
        if matches!(self.loss, Loss::BinaryCrossEntropy(_)) && self.training.label_smoothing > 0.0 {
            checks.fail("training.label_smoothing", "is for loss.kind = \"cross_entropy\" alone");
        }
    }

    fn check_validation(&self, checks: &mut Checks) {
        if self.data.split != Split::None {
            self.check_held_out_test(checks);
            return;
        }
        let nothing_held_out = "but data.split is none, so that there are no validation images";
        if self.training.select == Select::Best {
            checks.fail("training.select", format!("the best epoch is chosen by validation, {nothing_held_out}"));
        }
        if self.training.early_stopping.is_some() {
            checks.fail("training.early_stopping", format!("stopping needs a validation metric, {nothing_held_out}"));
        }
        if self.data.test == TestPart::Valid {
            checks.fail("data.test", format!("asks for the validation images, {nothing_held_out}"));
        }
        if self.augment.valid {
            checks.fail("augment.valid", format!("asks for augmented validation images, {nothing_held_out}"));
        }
    }

    /// Images that choose the weights cannot judge them.
    fn check_held_out_test(&self, checks: &mut Checks) {
        let tested = "but data.test is valid, so that the same images would choose and judge";
        if self.data.test == TestPart::Valid && self.training.select == Select::Best {
            checks.fail("training.select", format!("the best epoch is chosen by validation, {tested}"));
        }
        if self.data.test == TestPart::Valid && self.training.early_stopping.is_some() {
            checks.fail("training.early_stopping", format!("stopping is decided by validation, {tested}"));
        }
    }

    fn check_phases(&self, checks: &mut Checks) {
        match (self.training.epochs, self.phase.as_slice()) {
            (None, []) => {
                checks.fail("training.epochs", "missing: say how long to train, here or in [[phase]] tables");
            }
            (Some(_), [_, ..]) => {
                checks.fail("training.epochs", "[[phase]] tables say how long to train, too; keep one of the two");
            }
            _ => {}
        }
        for (index, phase) in self.phase.iter().enumerate() {
            phase.check(index, checks);
            if self.phase[..index].iter().any(|other| other.name == phase.name) {
                checks.fail(format!("phase.{index}.name"), format!("two phases are called {:?}", phase.name));
            }
            if phase.augment == Augmentation::On && self.augment.is_identity() {
                checks.fail(format!("phase.{index}.augment"), "is true, but [augment] changes nothing");
            }
        }
        if !self.phase.is_empty()
            && !self.augment.is_identity()
            && self.phase.iter().all(|phase| phase.augment == Augmentation::Off)
        {
            checks.fail("augment", "no [[phase]] says `augment = true`, so that this would change nothing");
        }
    }
}

/// A name becomes a folder's, so it must not lead elsewhere.
pub(super) fn check_name(name: &str, checks: &mut Checks) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain) {
        checks.fail("name", format!("must be 1 to 64 letters, digits, `_` or `-`, found {name:?}"));
    }
}
