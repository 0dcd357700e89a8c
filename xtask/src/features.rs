//! Chooses the selections of features that a package is built with: each that differs, once.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::Package;

/// The features that `-p PACKAGE` is built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    All,
    None,
    Default,
    Only(String),
}

impl Selection {
    /// Returns the arguments of Cargo that select it.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        match self {
            Self::All => vec!["--all-features"],
            Self::None => vec!["--no-default-features"],
            Self::Default => vec![],
            Self::Only(feature) => vec!["--no-default-features", "--features", feature],
        }
    }
}

/// Returns all features, none, the default ones, and each alone. Of selections that turn on the
/// same features, only the first is returned.
pub(crate) fn selections(package: &Package) -> Vec<Selection> {
    let features = &package.features;
    let alone = features.keys().filter(|name| *name != "default").cloned().map(Selection::Only);
    let mut seen = BTreeSet::new();
    let candidates = [Selection::All, Selection::None, Selection::Default].into_iter().chain(alone);
    candidates.filter(|selection| seen.insert(turned_on(features, selection))).collect()
}

/// Returns everything that the selection turns on: features, optional dependencies and their
/// features. A feature that only stands for others (`full`) is left out.
fn turned_on(features: &BTreeMap<String, Vec<String>>, selection: &Selection) -> BTreeSet<String> {
    let mut waiting: Vec<&str> = match selection {
        Selection::All => features.keys().map(String::as_str).collect(),
        Selection::None => vec![],
        Selection::Default => vec!["default"],
        Selection::Only(feature) => vec![feature],
    };
    let mut visited = BTreeSet::new();
    let mut on = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !visited.insert(name) {
            continue;
        }
        match features.get(name) {
            Some(parts)
                if !parts.is_empty() && parts.iter().all(|part| features.contains_key(part)) =>
            {
                waiting.extend(parts.iter().map(String::as_str));
            }
            Some(parts) => {
                waiting.extend(parts.iter().map(String::as_str));
                on.extend((name != "default").then(|| name.to_owned()));
            }
            // `dep:x`, `x/y`, `x?/y`: a leaf.
            None => {
                on.insert(name.to_owned());
            }
        }
    }
    on.remove("default");
    on
}

#[cfg(test)]
mod tests {
    use super::{Selection, selections};
    use crate::workspace::Package;

    fn package(features: &[(&str, &[&str])]) -> Package {
        let own = |(name, parts): &(&str, &[&str])| {
            ((*name).to_owned(), parts.iter().map(|part| (*part).to_owned()).collect())
        };
        Package {
            name: "sample".to_owned(),
            folder: "sample".into(),
            dependencies: vec![],
            published: true,
            features: features.iter().map(own).collect(),
            targets: vec![],
            public_api: vec![],
            compiles_c: false,
            newer_rust: vec![],
        }
    }

    fn only(feature: &str) -> Selection {
        Selection::Only(feature.to_owned())
    }

    #[test]
    fn a_package_without_features_is_built_once() {
        assert_eq!(selections(&package(&[])), [Selection::All]);
        assert_eq!(selections(&package(&[("default", &[])])), [Selection::All]);
    }

    #[test]
    fn one_feature_makes_two_selections() {
        assert_eq!(
            selections(&package(&[("token", &["dep:tokio-util"])])),
            [Selection::All, Selection::None]
        );
    }

    #[test]
    fn defaults_that_are_a_proper_part_are_a_selection() {
        let package = package(&[("a", &[]), ("b", &[]), ("c", &[]), ("default", &["a", "b"])]);
        let expected =
            [Selection::All, Selection::None, Selection::Default, only("a"), only("b"), only("c")];
        assert_eq!(selections(&package), expected);
    }

    #[test]
    fn a_feature_that_only_gathers_others_is_not_built_again() {
        let package = package(&[("a", &["dep:x"]), ("b", &["dep:y"]), ("full", &["a", "b"])]);
        assert_eq!(selections(&package), [Selection::All, Selection::None, only("a"), only("b")]);
    }

    #[test]
    fn two_names_for_the_same_features_are_built_once() {
        let package = package(&[
            ("a", &[]),
            ("b", &[]),
            ("c", &[]),
            ("ab", &["a", "b"]),
            ("default", &["a", "b"]),
        ]);
        assert!(!selections(&package).contains(&only("ab")));
    }

    #[test]
    fn a_weak_feature_of_a_dependency_makes_a_difference() {
        let package = package(&[("a", &["dep:x"]), ("b", &["x?/y"])]);
        assert_eq!(selections(&package), [Selection::All, Selection::None, only("a"), only("b")]);
    }

    #[test]
    fn cargo_is_asked_for_one_feature_without_the_defaults() {
        assert_eq!(only("a").arguments(), ["--no-default-features", "--features", "a"]);
    }
}
