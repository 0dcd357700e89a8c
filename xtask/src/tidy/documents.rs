//! Rules that tie what is written to what is built.

use super::toml;
use super::tree::{Finding, Tree, folder, join};

pub(crate) fn changelog(tree: &Tree) -> Vec<Finding> {
    let manifest = tree.text("Cargo.toml").unwrap_or_default();
    let Some(version) = toml::value(manifest, "workspace.package", "version") else {
        return vec![Finding::new("Cargo.toml", "no workspace.package.version")];
    };
    let named = |line: &str| {
        line.strip_prefix("## ")
            .is_some_and(|heading| heading.split([' ', '[', ']']).any(|word| word == version))
    };
    if tree.text("CHANGELOG.md").unwrap_or_default().lines().any(named) {
        return vec![];
    }
    vec![Finding::new("CHANGELOG.md", format!("no `## {version}`"))]
}

/// An example that nothing compiles is wrong after the next change: some crate has to include the
/// README with `include_str!`.
pub(crate) fn doctests(tree: &Tree) -> Vec<Finding> {
    let included: Vec<String> =
        tree.ending(".rs").flat_map(|(path, text)| inclusions(path, text)).collect();
    let readmes =
        tree.files().filter(|(path, _)| *path == "README.md" || path.ends_with("/README.md"));
    let bare = readmes.filter(|(path, text)| {
        text.lines().any(|line| line.starts_with("```rust"))
            && !included.iter().any(|file| file == path)
    });
    bare.map(|(path, _)| Finding::new(path, "no crate includes it, so its example is not compiled"))
        .collect()
}

/// The files that a source file takes in as text.
fn inclusions(path: &str, text: &str) -> Vec<String> {
    let after = text.split("include_str!(\"").skip(1);
    let relative = after.filter_map(|rest| rest.split('"').next());
    relative.filter_map(|relative| join(folder(path), relative)).collect()
}
