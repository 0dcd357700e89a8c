//! Rules about words that may stand in no file at all.

use super::tree::{Finding, Tree};

/// Split, so that this file does not contain what it forbids.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Such a word is fine with the number of its issue on the same line, as in `#12`.
pub(crate) fn unfinished(tree: &Tree) -> Vec<Finding> {
    lines(tree, |line| {
        let word = UNFINISHED.iter().find(|word| has_word(line, word))?;
        (!names_an_issue(line)).then(|| format!("{word} without the number of an issue"))
    })
}

pub(crate) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    lines(tree, |line| {
        let starts = |(index, _): (usize, &str)| !line[..index].ends_with(in_path);
        let path = MACHINE_PATHS.iter().find(|path| line.match_indices(**path).any(starts))?;
        Some(format!("a path that begins with {path}"))
    })
}

fn lines(tree: &Tree, look: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| *path != "Cargo.lock") {
        for (index, line) in text.lines().enumerate() {
            findings.extend(look(line).map(|what| Finding::at(path, index, what)));
        }
    }
    findings
}

/// Whether the word stands there and is no part of a longer one; `-` may be in a word.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let alone = |(index, _): (usize, &str)| {
        let (before, after) = (&line[..index], &line[index + word.len()..]);
        !before.ends_with(in_name) && !after.starts_with(in_name)
    };
    line.match_indices(word).any(alone)
}

fn names_an_issue(line: &str) -> bool {
    line.match_indices('#')
        .any(|(index, _)| line[index + 1..].starts_with(|next: char| next.is_ascii_digit()))
}

fn in_name(character: char) -> bool {
    in_word(character) || character == '-'
}

fn in_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What comes before the slash in the middle of a longer path or of an address.
fn in_path(character: char) -> bool {
    in_name(character) || character == '.'
}
