//! The rule about the width of docs, comments and Markdown; rustfmt sees to that of code.

use super::rust::{Kind, tokens};
use super::tree::{Finding, Tree};

#[cfg(test)]
mod tests;

/// As rustfmt's `max_width`.
const COLUMNS: usize = 100;

pub(crate) fn wrapped(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The lines of an alias are those of the file it stands for.
    for (path, text) in tree.files().filter(|(path, _)| tree.real(path) == *path) {
        let wide = match path.rsplit_once('.') {
            Some((_, "rs")) => wide_comments(text),
            Some((_, "md")) => wide_prose(text.lines().map(|line| ("", line)).enumerate()),
            Some((_, "toml" | "sh" | "yml" | "yaml")) => wide_hashes(text),
            _ if text.starts_with("#!") => wide_hashes(text),
            _ => vec![],
        };
        findings.extend(wide.into_iter().map(|(index, columns)| {
            Finding::at(path, index, format!("{columns} columns, {COLUMNS} at most"))
        }));
    }
    findings
}

/// The comments of a Rust file, each line with the code before it.
fn wide_comments(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut comments = Vec::new();
    for comment in tokens(text).iter().filter(|token| token.kind == Kind::Comment) {
        for index in comment.lines() {
            let line = lines.get(index).copied().unwrap_or_default();
            let marker = line.find("//").map_or(0, |at| at + 2);
            let marker = marker + usize::from(line[marker..].starts_with(['/', '!']));
            comments.push((index, line.split_at(marker)));
        }
    }
    wide_prose(comments.into_iter())
}

/// The comments of a file whose comments begin with `#`.
fn wide_hashes(text: &str) -> Vec<(usize, usize)> {
    let lines = text.lines().enumerate();
    wide_prose(lines.filter_map(|(index, line)| Some((index, line.split_at(line.find('#')?)))))
}

/// The lines, as what stands before the prose and the prose, that are too wide; with their widths.
/// Tables and fenced code are as wide as they have to be, and so are the targets of links.
fn wide_prose<'a>(lines: impl Iterator<Item = (usize, (&'a str, &'a str))>) -> Vec<(usize, usize)> {
    let mut wide = Vec::new();
    let mut is_fenced = false;
    for (index, (before, prose)) in lines {
        if prose.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        let columns = before.chars().count() + width(prose);
        if columns > COLUMNS && !is_fenced && !prose.trim_start().starts_with('|') {
            wide.push((index, columns));
        }
    }
    wide
}

/// The columns of a line without the targets of its links: `(target)` after `]`, and addresses.
fn width(prose: &str) -> usize {
    let content = prose.trim();
    if content.starts_with('[') && content.contains("]: ") {
        return 0;
    }
    let mut parts = prose.split("](");
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once(')').map_or(part, |(_, after)| after));
    let mut columns = 0;
    for part in std::iter::once(first).chain(rest) {
        let words =
            part.split(' ').map(|word| if word.contains("://") { 0 } else { word.chars().count() });
        columns += words.sum::<usize>() + part.matches(' ').count();
    }
    columns
}
