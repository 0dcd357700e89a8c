//! Rules about the manifests of packages, and about where published crates have to be named.

use super::text::has_word;
use super::toml::{self, Entry};
use super::tree::{Finding, Tree, folder, join};

/// The facade: what users depend on when they want everything from one place.
const FACADE: &str = "taskkit";
/// What is the same for every member.
const SHARED: &[&str] = &["version", "edition", "license"];
/// The fewest letters that describe anything.
const DESCRIPTION: usize = 20;

/// The manifests of members: path and text.
pub(crate) fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.ending("/Cargo.toml")
}

pub(crate) fn described(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in published(tree) {
        let mut missing = |what: &str| findings.push(Finding::new(path, what));
        let description = toml::value(text, "package", "description").unwrap_or_default();
        if description.len() < DESCRIPTION {
            missing("no description that says something");
        }
        let readme = toml::value(text, "package", "readme").unwrap_or_default();
        let readme = join(folder(path), readme).and_then(|readme| tree.text(&readme));
        if readme.is_none_or(|readme| readme.trim().is_empty()) {
            missing("no readme with something in it");
        }
        for key in ["keywords.workspace", "categories.workspace", "rust-version.workspace"] {
            if toml::value(text, "package", key).is_none() {
                missing(&format!("no {key}"));
            }
        }
        if toml::value(text, "package.metadata.task", "public-api").is_none() {
            missing("no public-api in [package.metadata.task]");
        }
        // What needs more than a C compiler says by itself what docs.rs is to build.
        let is_light = toml::value(text, "package.metadata.task", "compiles-c").is_none();
        let has_features = toml::entries(text).iter().any(|entry| entry.table == "features");
        let all = toml::value(text, "package.metadata.docs.rs", "all-features");
        if is_light && has_features && all != Some("true") {
            missing("features, and no `all-features = true` in [package.metadata.docs.rs]");
        }
    }
    findings
}

pub(crate) fn listed(tree: &Tree) -> Vec<Finding> {
    let architecture = tree.text("ARCHITECTURE.md").unwrap_or_default();
    let facade = tree.text(&format!("crates/{FACADE}/Cargo.toml")).unwrap_or_default();
    let depends =
        |name: &str| toml::entries(facade).iter().any(|entry| entry.dependency() == Some(name));
    let mut findings = Vec::new();
    for (_, text) in published(tree) {
        let name = toml::value(text, "package", "name").unwrap_or_default();
        if !has_word(architecture, name) {
            findings.push(Finding::new("ARCHITECTURE.md", format!("does not name `{name}`")));
        }
        if name != FACADE && !depends(name) {
            findings.push(Finding::new(
                format!("crates/{FACADE}/Cargo.toml"),
                format!("does not offer `{name}`"),
            ));
        }
    }
    findings
}

pub(crate) fn inherited(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in manifests(tree) {
        let entries = toml::entries(text);
        let has = |table: &str, key: &str| {
            entries.iter().any(|entry| entry.table == table && entry.key == key)
        };
        let missing = SHARED.iter().filter(|key| !has("package", &format!("{key}.workspace")));
        findings.extend(
            missing.map(|key| Finding::new(path, format!("`{key}.workspace = true` is missing"))),
        );
        let lints = |entry: &Entry<'_>| entry.table == "lints" && entry.key == "workspace";
        if !entries.iter().any(lints) {
            findings.push(Finding::new(path, "`[lints] workspace = true` is missing"));
        }
    }
    findings
}

fn published(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    manifests(tree).filter(|(_, text)| toml::value(text, "package", "publish") != Some("false"))
}
