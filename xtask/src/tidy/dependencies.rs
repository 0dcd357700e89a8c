//! Rules about the dependencies that manifests ask for.

use super::packages::manifests;
use super::toml;
use super::tree::{Finding, Tree};

/// Versions and reasons stand in the workspace's manifest; members name what they use of it.
pub(crate) fn inherited(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in manifests(tree) {
        for entry in toml::entries(text) {
            if let Some(name) = entry.dependency().filter(|_| !entry.inherits()) {
                findings.push(Finding::at(path, entry.line, format!("`{name}` does not inherit")));
            }
        }
    }
    findings
}

/// A foreign crate whose types are in the public API is one that users compile too.
pub(crate) fn public(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in manifests(tree) {
        let entries = toml::entries(text);
        let used: Vec<&str> = entries
            .iter()
            .filter(|entry| !entry.table.ends_with("dev-dependencies"))
            .filter_map(|entry| entry.dependency())
            .collect();
        let listed = toml::value(text, "package.metadata.task", "public-api").unwrap_or_default();
        let names = listed.split('"').skip(1).step_by(2).filter(|name| !used.contains(name));
        let foreign = names.filter(|name| !name.starts_with("task"));
        findings
            .extend(foreign.map(|name| Finding::new(path, format!("`{name}` is no dependency"))));
    }
    findings
}
