//! What is wrong with a configuration, and where.

/// A setting outside its range.
///
/// The field is a path inside the model's configuration, such as `hidden_sizes[1]`, so that a reader
/// of experiment files can point at the line that holds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// Path of the field at fault.
    pub field: String,
    /// What the field must be and what it is, as a lowercase fragment.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
