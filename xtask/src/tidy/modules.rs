//! Rules about how files are modules of one another.

use super::tree::{Finding, Tree, folder};

/// Names that say where code was put, not what it is.
const EMPTY_NAMES: &[&str] =
    &["common", "core", "helper", "helpers", "misc", "prelude", "util", "utils"];

pub(crate) fn names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree.ending(".rs") {
        let stem = path.trim_end_matches(".rs");
        let below =
            ["/src/", "/tests/", "/examples/"].iter().find_map(|place| stem.split_once(place));
        for part in below.map_or("", |(_, below)| below).split('/') {
            if part == "mod" {
                findings.push(Finding::new(path, "the style here is `name.rs` beside `name/`"));
            } else if EMPTY_NAMES.contains(&part) {
                findings.push(Finding::new(path, format!("`{part}` says nothing")));
            }
        }
    }
    findings
}

/// Cargo takes no notice of a file that nothing declares, and its tests pass by never running.
pub(crate) fn orphans(tree: &Tree) -> Vec<Finding> {
    let orphan = |(path, _): &(&str, &str)| is_orphan(tree, path);
    let orphans = tree.ending(".rs").filter(orphan);
    orphans.map(|(path, _)| Finding::new(path, "no `mod` declares it")).collect()
}

fn is_orphan(tree: &Tree, path: &str) -> bool {
    let folder = folder(path);
    let name = path[folder.len()..].trim_start_matches('/').trim_end_matches(".rs");
    if matches!(name, "main" | "lib" | "build") {
        return false;
    }
    let parents = [format!("{folder}/main.rs"), format!("{folder}/lib.rs"), format!("{folder}.rs")];
    let mut texts = parents.iter().filter_map(|parent| tree.text(parent)).peekable();
    if texts.peek().is_none() {
        // The files of `tests/`, `examples/` and `benches/` are crates of their own.
        return path.contains("/src/") && !folder.ends_with("/bin");
    }
    // A stand-in may live with the tests that it is for, and be declared with its path.
    let leaf = folder.rsplit('/').next().unwrap_or_default();
    let elsewhere = format!("/{leaf}/{name}.rs\"]");
    let is_path = |text: &str| {
        text.lines().any(|line| line.starts_with("#[path") && line.contains(&elsewhere))
    };
    !texts.any(|text| declares(text, name)) && !tree.ending(".rs").any(|(_, text)| is_path(text))
}

fn declares(text: &str, name: &str) -> bool {
    let declaration = format!("mod {name};");
    let file = format!("\"{name}.rs\"");
    text.lines().map(str::trim).any(|line| {
        let declared = line == declaration || line.ends_with(&format!(" {declaration}"));
        (declared || (line.starts_with("#[path") && line.contains(&file)))
            && !line.starts_with("//")
    })
}
