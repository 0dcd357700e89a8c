//! The rule about citations: a comment at a test names the invariant, the failure mode or the
//! requirement that the test holds, as in "Invariant 4", "FAILURES 38" or "Requirement 7".
//!
//! The invariants are the numbered list in that section of ARCHITECTURE.md, and names such as `L1`
//! there. Failure modes and requirements are the rows of the sections "Failures" and
//! "Requirements" in the READMEs of the crates' tests; one that no test can show says "no test:"
//! and why.

use std::collections::BTreeMap;

use super::rust::{Kind, tokens};
use super::tree::{Finding, Tree};

/// One list of numbers, and where each stands: file and line, from 0.
#[derive(Default)]
struct List<'a> {
    numbers: BTreeMap<String, (&'a str, usize)>,
    /// Those of which no test is expected.
    untested: Vec<String>,
    /// Those that a comment in a test cites.
    cited: Vec<String>,
}

pub(crate) fn held(tree: &Tree) -> Vec<Finding> {
    let mut invariants = invariants(tree);
    let mut failures = rows(tree, "## Failures");
    let mut requirements = rows(tree, "## Requirements");
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| path.starts_with("crates/")) {
        let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
        for token in tokens(text).iter().filter(|it| it.kind != Kind::Name) {
            // A file's header is about the file, and a message is not at a test.
            let counts = is_test && token.kind == Kind::Comment && !token.text.starts_with("//!");
            let lower = token.text.replace("nvariants ", "nvariant ").replace('I', "i");
            let singular = token.text.replace("Requirements ", "Requirement ");
            for (list, word, text) in [
                (&mut invariants, "invariant ", lower.as_str()),
                (&mut failures, "FAILURES ", token.text),
                (&mut requirements, "Requirement ", singular.as_str()),
            ] {
                for number in numbers(text, word) {
                    if !list.numbers.contains_key(&number) {
                        let what = format!("there is no {word}{number}");
                        findings.push(Finding::at(path, token.line, what));
                    } else if counts {
                        list.cited.push(number);
                    }
                }
            }
        }
    }
    findings.extend(invariants.uncited("invariant"));
    findings.extend(failures.uncited("FAILURES"));
    findings.extend(requirements.uncited("Requirement"));
    findings
}

impl List<'_> {
    fn uncited(&self, word: &str) -> Vec<Finding> {
        let missing = self
            .numbers
            .iter()
            .filter(|(number, _)| !self.cited.contains(number) && !self.untested.contains(number));
        let say = |(number, (path, line)): (&String, &(&str, usize))| {
            Finding::at(*path, *line, format!("no comment at a test cites {word} {number}"))
        };
        missing.map(say).collect()
    }
}

fn invariants(tree: &Tree) -> List<'_> {
    let mut list = List::default();
    let path = "ARCHITECTURE.md";
    for (index, line) in section(tree.text(path).unwrap_or_default(), "## Invariants") {
        let numbered = line.split_once(". ").map(|(number, _)| number).filter(|it| is_number(it));
        let words = line.split(|next: char| !next.is_alphanumeric());
        let lettered = words.filter(|word| word.strip_prefix('L').is_some_and(is_number));
        for number in numbered.into_iter().chain(lettered) {
            list.numbers.insert(number.to_owned(), (path, index));
        }
    }
    list
}

/// The numbered rows of a section in the READMEs of tests.
fn rows<'a>(tree: &'a Tree, heading: &'static str) -> List<'a> {
    let mut list = List::default();
    for (path, text) in tree.ending("/tests/README.md") {
        for (index, line) in section(text, heading) {
            let mut cells = line.trim_start_matches('|').split('|').map(str::trim);
            let Some(number) = cells.next().filter(|number| is_number(number)) else { continue };
            list.numbers.insert(number.to_owned(), (path, index));
            list.untested.extend(line.contains("no test:").then(|| number.to_owned()));
        }
    }
    list
}

/// The lines below a heading up to the next of its level.
fn section<'a>(text: &'a str, heading: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let lines = text.lines().enumerate();
    let after = lines.skip_while(move |(_, line)| *line != heading).skip(1);
    after.take_while(|(_, line)| !line.starts_with("## "))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit())
}

/// What follows a word: `4`, `L1`, `3 and 7`, `3, 4, 7 and 8`.
fn numbers(text: &str, word: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    for mut rest in text.split(word).skip(1) {
        loop {
            let end = rest.find(|next: char| !next.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            if !is_number(number.strip_prefix('L').unwrap_or(number)) {
                break;
            }
            numbers.push(number.to_owned());
            let after = after.strip_prefix(',').unwrap_or(after);
            rest = after.strip_prefix(" and ").or(after.strip_prefix(' ')).unwrap_or_default();
        }
    }
    numbers
}
