//! How much images vary, and the ranges that make sense.

use serde::{Deserialize, Serialize};

use crate::error::FieldError;

/// Ranges of random variation. The default varies nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Rotation: uniform over ± this angle, in degrees.
    pub rotation_degrees: f32,
    /// Shift: uniform over ± this fraction of the size, for each axis on its own.
    pub shift: f32,
    /// Shear: uniform over ± this angle, in degrees.
    pub shear_degrees: f32,
    /// Zoom: uniform over 1 ± this, for each axis on its own.
    pub zoom: f32,
    /// Share of images that are mirrored left to right.
    pub flip_probability: f32,
    /// Zero pixels added on each side, before an area of the original size is cut out at random.
    pub crop_padding: usize,
    /// Random erasing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erase: Option<EraseConfig>,
    /// Whether validation images vary too. Test images never do.
    pub valid: bool,
}

/// Random erasing (Zhong et al., "Random erasing data augmentation", 2017), with that paper's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EraseConfig {
    /// Share of images that lose a rectangle.
    pub probability: f32,
    /// Least area of the rectangle, as a fraction of the image's.
    pub min_area: f32,
    /// Largest area of the rectangle, as a fraction of the image's.
    pub max_area: f32,
    /// Least ratio of height to width.
    pub min_aspect: f32,
    /// Largest ratio of height to width.
    pub max_aspect: f32,
    /// What fills the rectangle.
    pub fill: EraseFill,
}

/// What fills an erased rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EraseFill {
    /// Each pixel uniform over 0–255.
    #[default]
    Noise,
    /// Zero, the background.
    Zero,
}

impl Default for EraseConfig {
    fn default() -> Self {
        Self {
            probability: 0.5,
            min_area: 0.02,
            max_area: 0.4,
            min_aspect: 0.3,
            max_aspect: 1.0 / 0.3,
            fill: EraseFill::Noise,
        }
    }
}

impl AugmentConfig {
    /// Checks every range.
    ///
    /// # Errors
    ///
    /// The first field out of its range, as in `erase.min_area`.
    pub fn validate(&self) -> Result<(), FieldError> {
        within("rotation_degrees", self.rotation_degrees, 0.0, 180.0)?;
        within("shift", self.shift, 0.0, 1.0)?;
        within("shear_degrees", self.shear_degrees, 0.0, 89.0)?;
        within("zoom", self.zoom, 0.0, 0.99)?;
        within("flip_probability", self.flip_probability, 0.0, 1.0)?;
        if self.crop_padding > MAX_PADDING {
            let message = format!("must be at most {MAX_PADDING}, found {}", self.crop_padding);
            return Err(FieldError::new("crop_padding", message));
        }
        self.erase.as_ref().map_or(Ok(()), EraseConfig::validate)
    }

    /// Whether every image stays as it is.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        !self.is_affine()
            && self.flip_probability == 0.0
            && self.crop_padding == 0
            && self.erase.as_ref().is_none_or(|it| it.probability == 0.0)
    }

    pub(super) fn is_affine(&self) -> bool {
        [self.rotation_degrees, self.shift, self.shear_degrees, self.zoom].iter().any(|&range| range != 0.0)
    }
}

/// More would only ever show a background.
const MAX_PADDING: usize = 1024;

impl EraseConfig {
    fn validate(&self) -> Result<(), FieldError> {
        within("erase.probability", self.probability, 0.0, 1.0)?;
        within("erase.min_area", self.min_area, 0.0, 1.0)?;
        within("erase.max_area", self.max_area, self.min_area, 1.0)?;
        within("erase.min_aspect", self.min_aspect, 0.01, 100.0)?;
        within("erase.max_aspect", self.max_aspect, self.min_aspect, 100.0)
    }
}

fn within(field: &str, found: f32, least: f32, most: f32) -> Result<(), FieldError> {
    // Also fails for NaN, which is in no range.
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(FieldError::new(field, format!("must be between {least} and {most}, found {found}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, change: impl Fn(&mut AugmentConfig, &mut EraseConfig)) {
        let (mut config, mut erase) = (AugmentConfig::default(), EraseConfig::default());
        change(&mut config, &mut erase);
        config.erase = Some(erase);
        match config.validate() {
            Ok(()) => assert_eq!(field, "", "{config:?} should be rejected"),
            Err(error) => assert_eq!(error.field, field, "{error}"),
        }
    }

    #[test]
    fn the_defaults_are_valid_and_change_nothing() {
        check("", |_, _| ());
        assert!(AugmentConfig::default().is_identity());
    }

    #[test]
    fn fields_out_of_range_are_named() {
        check("rotation_degrees", |config, _| config.rotation_degrees = f32::NAN);
        check("shift", |config, _| config.shift = -0.1);
        check("shear_degrees", |config, _| config.shear_degrees = 90.0);
        check("zoom", |config, _| config.zoom = 1.0);
        check("flip_probability", |config, _| config.flip_probability = 1.5);
        check("crop_padding", |config, _| config.crop_padding = 5_000);
        check("erase.probability", |_, erase| erase.probability = 2.0);
        check("erase.min_area", |_, erase| erase.min_area = f32::INFINITY);
        check("erase.max_area", |_, erase| erase.max_area = 0.01);
        check("erase.min_aspect", |_, erase| erase.min_aspect = 0.0);
        check("erase.max_aspect", |_, erase| erase.max_aspect = 0.1);
    }

    #[test]
    fn any_variation_is_no_identity() {
        let identity = AugmentConfig::default;
        for config in [
            AugmentConfig { rotation_degrees: 1.0, ..identity() },
            AugmentConfig { shift: 0.1, ..identity() },
            AugmentConfig { shear_degrees: 1.0, ..identity() },
            AugmentConfig { zoom: 0.1, ..identity() },
            AugmentConfig { flip_probability: 0.1, ..identity() },
            AugmentConfig { crop_padding: 1, ..identity() },
            AugmentConfig { erase: Some(EraseConfig::default()), ..identity() },
        ] {
            assert!(!config.is_identity(), "{config:?}");
        }
        let never = EraseConfig { probability: 0.0, ..EraseConfig::default() };
        assert!(AugmentConfig { erase: Some(never), valid: true, ..identity() }.is_identity());
    }
}
