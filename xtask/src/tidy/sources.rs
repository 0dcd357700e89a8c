//! Rules about one Rust file at a time.

use std::collections::BTreeSet;

use super::rust::{Token, code};
use super::tree::{Finding, Tree};

/// The most lines of code that a file below `src/` has without a warning.
const LINES: usize = 300;

/// A shebang or inner attributes may come first.
pub(crate) fn headers(tree: &Tree) -> Vec<Finding> {
    let opens = |text: &str| {
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
        first.is_some_and(|line| line.starts_with("//!"))
    };
    let bad = tree.ending(".rs").filter(|(_, text)| !opens(text));
    bad.map(|(path, _)| Finding::at(path, 0, "does not open with `//!`")).collect()
}

/// Comments, docs, blank lines and what only tests see are no code.
pub(crate) fn sizes(tree: &Tree) -> Vec<Finding> {
    let sources = tree
        .ending(".rs")
        .filter(|(path, _)| path.contains("/src/") && !path.contains("/tests/"))
        .filter(|(path, _)| !path.ends_with("/tests.rs"));
    let counted = sources.map(|(path, text)| {
        let lines: BTreeSet<_> = code(text).iter().flat_map(Token::lines).collect();
        (path, lines.len())
    });
    let large = counted.filter(|(_, lines)| *lines > LINES);
    large.map(|(path, lines)| Finding::new(path, format!("{lines} lines of code"))).collect()
}

pub(crate) fn libraries(tree: &Tree) -> Vec<Finding> {
    let libraries = tree.ending("/src/lib.rs").filter(|(path, _)| path.starts_with("crates/"));
    let odd = libraries.flat_map(|(path, text)| {
        let foreign = items(text).into_iter().filter(|item| !belongs_in_library(item));
        foreign
            .map(move |item| Finding::new(path, format!("`{item}` is neither `mod` nor `pub use`")))
    });
    odd.collect()
}

fn belongs_in_library(item: &str) -> bool {
    // What a README's doctests hang on; it exists for rustdoc's tests only.
    if item == "struct Readme" {
        return true;
    }
    let (public, item) = match item.strip_prefix("pub") {
        Some(rest) if rest.starts_with([' ', '(']) => {
            let rest = rest.trim_start();
            (
                true,
                rest.strip_prefix('(')
                    .and_then(|rest| rest.split_once(") "))
                    .map_or(rest, |(_, rest)| rest),
            )
        }
        _ => (false, item),
    };
    let module =
        item.strip_prefix("mod ").is_some_and(|rest| !rest.contains('{') || rest.ends_with("{}"));
    module || (public && item.starts_with("use "))
}

/// The items at the top of a file without their comments and attributes, each as one line.
fn items(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let code =
        lines.map(|line| line.split(" //").next().unwrap_or(line)).collect::<Vec<_>>().join(" ");
    let mut items = Vec::new();
    let mut item = String::new();
    let mut depth = 0_usize;
    let mut rest = code.as_str();
    while let Some(character) = rest.chars().next() {
        if depth == 0
            && item.trim().is_empty()
            && (rest.starts_with("#[") || rest.starts_with("#!["))
        {
            rest = after_attribute(rest);
            continue;
        }
        rest = &rest[character.len_utf8()..];
        item.push(character);
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        // The braces of `pub use a::{b, c};` end no item, those of a function do.
        let use_tree = item.contains("use ") && character == '}';
        if depth == 0 && (character == ';' || (character == '}' && !use_tree)) {
            items.push(std::mem::take(&mut item).trim().trim_end_matches(';').trim().to_owned());
        }
    }
    items.extend((!item.trim().is_empty()).then(|| item.trim().to_owned()));
    items
}

/// What follows the bracket that closes the attribute at the beginning.
fn after_attribute(text: &str) -> &str {
    let mut depth = 0_usize;
    for (index, character) in text.char_indices() {
        match character {
            '[' => depth += 1,
            ']' if depth == 1 => return &text[index + 1..],
            ']' => depth -= 1,
            _ => {}
        }
    }
    ""
}
