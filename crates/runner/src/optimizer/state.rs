//! An optimizer's state under the names of its parameters.
//!
//! Burn records a state under numbers that it draws anew in every process. Here each tensor and number has the name
//! of its parameter instead, as in `conv1.weight/momentum.moment_1`, so that another process finds them again.

use std::collections::{BTreeMap, HashMap};

use burn::{
    optim::ModuleOptimizer,
    tensor::{Bytes, DType},
};
use burn_pack::{Reader, Scalar, Tensor, Writer};
use models::{Model, Parameter};
use serde::{Deserialize, Serialize};

/// Between the name of a parameter and the name of a part of its state.
const SEPARATOR: char = '/';
/// Burn's name for the rank of a parameter, which is known from the model here.
const RANK: &str = "__rank";

/// Everything that an optimizer remembers from step to step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Moments and velocities.
    pub tensors: BTreeMap<String, StateTensor>,
    /// Step counters and the like.
    pub numbers: BTreeMap<String, Number>,
}

/// A tensor of f32 numbers in little-endian order.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor {
    /// Shape in Burn's layout.
    pub shape: Vec<usize>,
    /// The numbers.
    pub bytes: Vec<u8>,
}

/// A number in the type that the optimizer keeps it in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Number {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A floating-point number, by its bits.
    Float(u64),
    /// A truth value.
    Bool(bool),
}

/// A state that cannot be taken out or put back.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Burn cannot write or read its own record.
    #[error("optimizer: {0}")]
    Record(String),
    /// A part of the state belongs to nothing in this model.
    #[error("optimizer: {name}: belongs to no parameter of this model")]
    Unknown {
        /// Name of the part.
        name: String,
    },
    /// A tensor differs in shape from its parameter.
    #[error("optimizer: {name}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape of the parameter.
        expected: Vec<usize>,
        /// Shape of the tensor.
        found: Vec<usize>,
    },
    /// A tensor does not hold f32 numbers.
    #[error("optimizer: {name}: expected f32 numbers, found {found}")]
    Type {
        /// Name of the tensor.
        name: String,
        /// Type of its numbers.
        found: String,
    },
    /// A number is not a number.
    #[error("optimizer: {name}: holds NaN")]
    Nan {
        /// Name of the tensor.
        name: String,
    },
    /// The state was kept by another kind of optimizer.
    #[error("optimizer: its state was kept by another kind of optimizer: {kept} of {found} tensors fit")]
    Foreign {
        /// Tensors that this optimizer could use.
        kept: usize,
        /// Tensors that there are.
        found: usize,
    },
}

/// Takes the state out of an optimizer that trains `model`.
///
/// # Errors
///
/// [`StateError`]; [`StateError::Nan`] if a tensor holds NaN, which is never worth keeping.
pub fn save(optimizer: &ModuleOptimizer, model: &Model) -> Result<OptimizerState, StateError> {
    let names: HashMap<String, String> =
        model.parameters().into_iter().map(|it| (it.id.val().to_string(), it.name)).collect();
    // `37.momentum.time` to `conv1.weight/momentum.time`.
    let by_parameter = |key: &str| {
        let (id, part) = key.split_once('.').unwrap_or((key, ""));
        let parameter = names.get(id).ok_or_else(|| StateError::Unknown { name: key.to_owned() })?;
        Ok((format!("{parameter}{SEPARATOR}{part}"), part.to_owned()))
    };
    let record = |error: &dyn std::fmt::Display| StateError::Record(error.to_string());
    let bytes = optimizer.into_bytes().map_err(|error| record(&error))?;
    let reader = Reader::from_bytes(bytes).map_err(|error| record(&error))?;
    let mut state = OptimizerState::default();
    for (key, &value) in reader.scalars() {
        let (name, part) = by_parameter(key)?;
        if part != RANK {
            state.numbers.insert(name, value.into());
        }
    }
    for tensor in reader.into_tensors().map_err(|error| record(&error))? {
        let (key, dtype, shape, _, bytes) = tensor.into_parts().map_err(|error| record(&error))?;
        let (name, _) = by_parameter(&key)?;
        if dtype != DType::F32 {
            return Err(StateError::Type { name, found: dtype.name().to_owned() });
        }
        if has_nan(&bytes) {
            return Err(StateError::Nan { name });
        }
        state.tensors.insert(name, StateTensor { shape: shape.to_vec(), bytes: bytes.to_vec() });
    }
    Ok(state)
}

/// Puts a state into an optimizer that will train `model`.
///
/// # Errors
///
/// [`StateError`] if any part of the state does not fit the model or the optimizer.
pub fn restore(
    optimizer: ModuleOptimizer,
    model: &Model,
    state: OptimizerState,
) -> Result<ModuleOptimizer, StateError> {
    if state.tensors.is_empty() && state.numbers.is_empty() {
        return Ok(optimizer);
    }
    let parameters: HashMap<String, Parameter> =
        model.parameters().into_iter().map(|it| (it.name.clone(), it)).collect();
    let parameter = |name: &str| {
        let found = name.split_once(SEPARATOR).and_then(|(it, part)| Some((parameters.get(it)?, part.to_owned())));
        found.ok_or_else(|| StateError::Unknown { name: name.to_owned() })
    };
    let found = state.tensors.len();
    let mut tensors = Vec::with_capacity(found);
    let mut scalars: BTreeMap<String, Scalar> = BTreeMap::new();
    for (name, StateTensor { shape, bytes }) in state.tensors {
        let (Parameter { id, shape: expected, .. }, part) = parameter(&name)?;
        if shape != *expected {
            return Err(StateError::Shape { name, expected: expected.clone(), found: shape });
        }
        if has_nan(&bytes) {
            return Err(StateError::Nan { name });
        }
        let id = id.val();
        scalars.insert(format!("{id}.{RANK}"), Scalar::from(shape.len()));
        let bytes = Bytes::from_bytes_vec(bytes);
        tensors.push(Tensor::new(format!("{id}.{part}"), DType::F32, shape, Some(id), bytes));
    }
    for (name, number) in state.numbers {
        let (Parameter { id, .. }, part) = parameter(&name)?;
        scalars.insert(format!("{}.{part}", id.val()), number.into());
    }
    let writer = scalars.iter().fold(Writer::new(tensors), |writer, (key, &value)| writer.with_scalar(key, value));
    let bytes = writer.into_bytes().map_err(|error| StateError::Record(error.to_string()))?;
    let optimizer = optimizer.from_bytes(bytes).map_err(|error| StateError::Record(error.to_string()))?;
    // Burn leaves out what it cannot use, and would start these parameters anew.
    let kept = optimizer.to_record().len();
    if kept == found { Ok(optimizer) } else { Err(StateError::Foreign { kept, found }) }
}

fn has_nan(bytes: &[u8]) -> bool {
    bytes.as_chunks::<4>().0.iter().any(|&word| f32::from_le_bytes(word).is_nan())
}

impl From<Scalar> for Number {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Int(value) => Self::Int(value),
            Scalar::UInt(value) => Self::Uint(value),
            Scalar::Float(value) => Self::Float(value.to_bits()),
            Scalar::Bool(value) => Self::Bool(value),
        }
    }
}

impl From<Number> for Scalar {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(value) => Self::Int(value),
            Number::Uint(value) => Self::UInt(value),
            Number::Float(bits) => Self::Float(f64::from_bits(bits)),
            Number::Bool(value) => Self::Bool(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::{
        module::Module,
        optim::GradientsParams,
        tensor::{Device, Tensor},
    };
    use models::{DenseConfig, InputShape, ModelConfig};

    use super::*;
    use crate::{
        experiment::{Adam, AdamW, Optimizer, Sgd},
        optimizer::{Update, init},
    };

    fn model() -> Model {
        let config = ModelConfig::Dense(DenseConfig { hidden_sizes: vec![4], ..DenseConfig::default() });
        let images = InputShape { channels: 1, height: 3, width: 3 };
        config.init_seeded(images, 10, 1).train()
    }

    fn optimizer(config: &Optimizer) -> ModuleOptimizer {
        init(config, None, &Device::flex(), Update::Composed)
    }

    fn step(optimizer: &mut ModuleOptimizer, model: Model) -> Model {
        let device = Device::flex().autodiff();
        let gradients = model.forward(Tensor::ones([2, 1, 3, 3], &device)).square().sum().backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        optimizer.step(0.1, model, gradients)
    }

    /// A step after the state went into another process's model and optimizer is the step that would have been.
    fn check(config: &Optimizer) {
        for update in [Update::Fused, Update::Composed] {
            check_update(config, || init(config, None, &Device::flex(), update));
        }
    }

    fn check_update(config: &Optimizer, optimizer: impl Fn() -> ModuleOptimizer) {
        let mut first = optimizer();
        let mut trained = model();
        for _ in 0..3 {
            trained = step(&mut first, trained);
        }
        let state = save(&first, &trained).expect("it was just used");
        let bytes = models::to_safetensors(&trained).expect("finite weights");
        let copy = models::from_safetensors(model().valid(), &bytes).expect("the same model").train();
        let mut second = restore(optimizer(), &copy, state.clone()).expect("the same optimizer");
        assert_eq!(save(&second, &copy).expect("restored just now"), state);
        let (went_on, resumed) = (step(&mut first, trained), step(&mut second, copy));
        let bytes = |model| models::to_safetensors(model).expect("finite weights");
        assert!(bytes(&went_on) == bytes(&resumed), "{config:?}");
    }

    #[test]
    fn every_optimizer_goes_on_with_the_same_bytes() {
        check(&Optimizer::Adam(Adam::default()));
        check(&Optimizer::AdamW(AdamW { weight_decay: 0.1, ..AdamW::default() }));
        check(&Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() }));
        check(&Optimizer::Sgd(Sgd::default()));
    }

    #[test]
    fn a_state_that_does_not_fit_is_refused() {
        let mut adam = optimizer(&Optimizer::Adam(Adam::default()));
        let trained = step(&mut adam, model());
        let state = save(&adam, &trained).expect("it was just used");
        let refused = |change: &dyn Fn(&mut OptimizerState)| {
            let mut state = state.clone();
            change(&mut state);
            restore(optimizer(&Optimizer::Adam(Adam::default())), &trained, state).err().map(|it| it.to_string())
        };
        let name = "dense1.weight/momentum.moment_1";
        let tensor = |state: &mut OptimizerState| state.tensors.remove(name).expect("Adam has moments");
        let said = refused(&|state| drop(tensor(state))).expect("a moment is missing");
        assert!(said.contains("another kind of optimizer"), "{said}");
        let said = refused(&|state| {
            let moved = tensor(state);
            state.tensors.insert("dense9.weight/momentum.moment_1".into(), moved);
        });
        assert!(said.expect("no such layer").contains("dense9.weight"));
        let said = refused(&|state| state.tensors.get_mut(name).expect("there").shape = vec![2, 18]);
        assert!(said.expect("reshaped").contains("[2, 18]"));
        let said = refused(&|state| {
            let bytes = &mut state.tensors.get_mut(name).expect("there").bytes;
            bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        });
        assert!(said.expect("NaN").contains("NaN"));
        assert_eq!(refused(&|_| ()), None);
    }
}
