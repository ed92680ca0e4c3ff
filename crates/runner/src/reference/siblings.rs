//! Experiments that keep a mistake of their source, and those that mend it.

use super::listed::Listed;

/// Endings of the names of siblings.
const AS_PUBLISHED: &str = "_as_published";
const CORRECTED: &str = "_corrected";

/// What an experiment is to its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    AsPublished,
    Corrected,
    Alone,
}

impl Standing {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::AsPublished => "as published",
            Self::Corrected => "corrected",
            Self::Alone => "",
        }
    }
}

/// Whether an experiment keeps a mistake.
pub(super) fn is_as_published(listed: &Listed) -> bool {
    listed.name.ends_with(AS_PUBLISHED) || listed.reported.as_ref().is_some_and(|it| it.as_published)
}

/// The experiments that mend another one's mistake.
pub(super) fn mended<'a>(published: &Listed, all: &[&'a Listed]) -> Vec<&'a Listed> {
    all.iter().copied().filter(|it| is_as_published(published) && mends(it, published)).collect()
}

pub(super) fn standing(listed: &Listed, all: &[&Listed]) -> Standing {
    if is_as_published(listed) {
        Standing::AsPublished
    } else if all.iter().any(|it| is_as_published(it) && mends(listed, it)) {
        Standing::Corrected
    } else {
        Standing::Alone
    }
}

/// Siblings together, as published first.
pub(super) fn order(listed: &Listed) -> (String, bool, String) {
    (stem(&listed.name).to_owned(), !is_as_published(listed), listed.name.clone())
}

/// Of the same name but for the ending, or named by the other one.
fn mends(listed: &Listed, published: &Listed) -> bool {
    let named = published.reported.as_ref().and_then(|it| it.mended_by.as_ref());
    !is_as_published(listed) && named.map_or(stem(&listed.name) == stem(&published.name), |name| *name == listed.name)
}

/// The name without the ending that tells siblings apart.
fn stem(name: &str) -> &str {
    [AS_PUBLISHED, CORRECTED].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{
        Standing::{Alone, AsPublished, Corrected},
        *,
    };
    use crate::experiment::Reported;

    fn listed(name: &str, reported: Option<(bool, Option<&str>)>) -> Listed {
        let reported = reported.map(|(as_published, mended_by)| {
            let mut reported: Reported =
                toml::from_str("source = 'A0'\ndata = 'some'").expect("nothing else is needed");
            (reported.as_published, reported.mended_by) = (as_published, mended_by.map(str::to_owned));
            reported
        });
        let link = format!("{name}.toml");
        Listed { path: link.clone().into(), link, name: name.to_owned(), reported, experiment: None, xor: None }
    }

    #[test]
    fn siblings_share_a_stem() {
        assert_eq!(stem("ann_digits_corrected"), stem("ann_digits"));
        assert_eq!(stem("vgg19_transfer_as_published"), stem("vgg19_transfer"));
        assert_ne!(stem("cnn1_aug"), stem("cnn1"));
    }

    #[test]
    fn a_mistake_is_mended_by_the_sibling_or_by_whoever_is_named() {
        let all = [
            listed("raw", Some((true, Some("standard")))),
            listed("standard", Some((false, None))),
            listed("standard_as_published", Some((true, None))),
            listed("own_as_published", None),
            listed("own", None),
            listed("raw_corrected", Some((false, None))),
        ];
        let all: Vec<&Listed> = all.iter().collect();
        let mended = |index: usize| mended(all[index], &all).iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
        // The name that is given comes before the one that would fit.
        assert_eq!(mended(0), ["standard"]);
        assert_eq!(mended(1), Vec::<&str>::new());
        assert_eq!(mended(2), ["standard"]);
        assert_eq!(mended(3), ["own"]);
        let standings: Vec<Standing> = all.iter().map(|it| standing(it, &all)).collect();
        assert_eq!(standings, [AsPublished, Corrected, AsPublished, AsPublished, Corrected, Alone]);
    }
}
