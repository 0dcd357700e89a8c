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
    let sources = tree.ending(".rs");
    let included: Vec<String> =
        sources.flat_map(|(path, text)| inclusions(path, text)).map(|(_, file)| file).collect();
    let included = |path: &str| included.iter().any(|file| tree.real(file) == tree.real(path));
    let readmes =
        tree.files().filter(|(path, _)| *path == "README.md" || path.ends_with("/README.md"));
    let bare = readmes.filter(|(path, text)| {
        text.lines().any(|line| line.starts_with("```rust")) && !included(path)
    });
    bare.map(|(path, _)| Finding::new(path, "no crate includes it, so its example is not compiled"))
        .collect()
}

/// What lies outside of a crate's folder is not in the package that is published.
pub(crate) fn self_contained(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| path.starts_with("crates/")) {
        let Some((own, _)) = path.split_once("/src/") else { continue };
        let lines: Vec<&str> = text.lines().collect();
        for (index, file) in inclusions(path, text) {
            // Only for doctests, which nobody runs from the package: on this line or the one
            // before.
            let tested =
                lines[index.saturating_sub(1)..=index].iter().any(|line| line.contains("doctest"));
            if !tested && !file.starts_with(&format!("{own}/")) {
                findings.push(Finding::at(
                    path,
                    index,
                    format!("`{file}` is not in the crate's package"),
                ));
            }
        }
    }
    findings
}

/// The files that a source file takes in as text, and the lines, from 0, on which it does.
fn inclusions(path: &str, text: &str) -> Vec<(usize, String)> {
    let mut files = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let relative =
            line.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        files.extend(relative.filter_map(|relative| Some((index, join(folder(path), relative)?))));
    }
    files
}
