//! Weights that an experiment may name instead of a file.

use data::PublishedFile;

/// A network's weights that are published on the web.
#[derive(Debug)]
pub struct PretrainedWeights {
    /// The name in experiment files.
    pub name: &'static str,
    /// Where they are published.
    pub file: PublishedFile,
}

/// Where torchvision publishes its weights; a file's name ends with the beginning of its SHA-256.
const TORCHVISION: &str = "https://download.pytorch.org/models/";

/// Bytes beyond the numbers: far more than the index of any of these networks takes.
const INDEX_BYTES: u64 = 1 << 20;

/// torchvision's `IMAGENET1K_V1` weights.
static PRETRAINED: [PretrainedWeights; 2] = [
    PretrainedWeights {
        name: "vgg16",
        file: PublishedFile {
            name: "vgg16-397923af.pth",
            url: TORCHVISION,
            sha256_start: "397923af",
            limit: 4 * 138_357_544 + INDEX_BYTES,
        },
    },
    PretrainedWeights {
        name: "vgg19",
        file: PublishedFile {
            name: "vgg19-dcbb9e9d.pth",
            url: TORCHVISION,
            sha256_start: "dcbb9e9d",
            limit: 4 * 143_667_240 + INDEX_BYTES,
        },
    },
];

impl PretrainedWeights {
    /// The weights with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        PRETRAINED.iter().find(|weights| weights.name == name)
    }

    /// All names.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        PRETRAINED.iter().map(|weights| weights.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_named_by_its_hash() {
        for PretrainedWeights { name, file } in &PRETRAINED {
            assert_eq!(file.name, format!("{name}-{}.pth", file.sha256_start));
            assert!(file.url.starts_with("https://") && file.url.ends_with('/'));
        }
    }
}
