//! The rule about accepted mutants: what a line of `.cargo/mutants.toml` names is in the sources.
//! A line whose function is gone excludes nothing, and one that names a column excludes another
//! mutant after the next change.

use std::collections::BTreeSet;

use super::rust::{Kind, code};
use super::tree::{Finding, Tree};

const FILE: &str = ".cargo/mutants.toml";

pub(crate) fn pinned(tree: &Tree) -> Vec<Finding> {
    let known = definitions(tree);
    let lines = tree.text(FILE).unwrap_or_default().lines().enumerate();
    let excluded = lines.skip_while(|(_, line)| !line.starts_with("exclude_re"));
    let mut findings = Vec::new();
    for (index, line) in excluded {
        let Some(pattern) = line.trim().strip_prefix('"') else { continue };
        if has_column(pattern) {
            findings.push(Finding::at(FILE, index, "names a line or a column, not a function"));
        }
        let gone = named(pattern).into_iter().filter(|name| !known.contains(name));
        findings.extend(
            gone.map(|name| Finding::at(FILE, index, format!("no source defines `{name}`"))),
        );
    }
    findings
}

/// The names of all functions, types and traits of the crates.
fn definitions(tree: &Tree) -> BTreeSet<&str> {
    let sources = tree.ending(".rs");
    let sources = sources.filter(|(path, _)| path.starts_with("crates/") && path.contains("/src/"));
    let mut names = BTreeSet::new();
    for (_, text) in sources {
        for pair in code(text).windows(2) {
            let defines = ["fn", "struct", "enum", "union", "trait"].contains(&pair[0].text);
            if defines && pair[1].kind == Kind::Name {
                names.insert(pair[1].text);
            }
        }
    }
    names
}

fn has_column(pattern: &str) -> bool {
    let mut parts = pattern.split(':').skip(1);
    parts.any(|part| !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit()))
}

/// The names in `… in Type::function`, `replace Type::function …` and `<impl Trait for Type>…`.
fn named(pattern: &str) -> Vec<&str> {
    let pattern = pattern.trim_end_matches(',').trim_end_matches('"');
    let path = match pattern.rsplit_once(" in ") {
        Some((_, path)) => path,
        None => pattern.strip_prefix("replace ").unwrap_or(pattern),
    };
    if let Some((_, implementor)) = path.split_once(" for ") {
        let (implementor, function) = implementor.split_once('>').unwrap_or((implementor, ""));
        return segments(implementor).chain(segments(function)).collect();
    }
    segments(path.split(' ').next().unwrap_or_default()).collect()
}

/// The segments of a path that are plain names: not those with characters of a regex.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let is_name = |segment: &&str| {
        segment.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && segment.chars().all(|character| character.is_alphanumeric() || character == '_')
    };
    path.split("::").filter(is_name)
}
