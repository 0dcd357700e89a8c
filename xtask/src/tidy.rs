//! The tree's own test: rules about files that no compiler checks.
//!
//! Every rule is a function from a [`Tree`] to its findings, so that a bad tree of three lines can
//! show that the rule finds what it is there for.

mod citations;
mod dependencies;
mod documents;
mod links;
mod modules;
mod mutants;
mod packages;
mod rooms;
mod rust;
mod sources;
#[cfg(test)]
mod tests;
mod text;
mod toml;
mod tree;
mod width;
mod words;

use anyhow::{Result, bail};

use crate::section::{Ending, Section};
use crate::workspace::Workspace;
use tree::{Finding, Tree};

/// One thing that holds of the whole tree.
struct Rule {
    /// What selects it: `cargo xtask tidy rooms`.
    name: &'static str,
    says: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

/// A new rule is one line here.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule { name: "headers", says: "every Rust file opens by saying what lives there", check: sources::headers },
    Rule { name: "libraries", says: "lib.rs holds docs, modules and flat re-exports", check: sources::libraries },
    Rule { name: "names", says: "a module's name says what is in it", check: modules::names },
    Rule { name: "orphans", says: "every module file is compiled", check: modules::orphans },
    Rule { name: "rooms", says: "a room refers to itself and to rooms below it", check: rooms::downward },
    Rule { name: "width", says: "docs, comments and Markdown wrap at 100 columns", check: width::wrapped },
    Rule { name: "words", says: "one word for each concept, and that of the field", check: words::plain },
    Rule { name: "unfinished", says: "what is unfinished has an issue", check: text::unfinished },
    Rule { name: "paths", says: "no path of somebody's machine", check: text::machine_paths },
    Rule { name: "citations", says: "a test cites what it holds, and only what there is", check: citations::held },
    Rule { name: "mutants", says: "an accepted mutant is in a function that exists", check: mutants::pinned },
    Rule { name: "changelog", says: "the CHANGELOG names the version", check: documents::changelog },
    Rule { name: "doctests", says: "a README's Rust example is a doctest", check: documents::doctests },
    Rule { name: "outside", says: "a crate takes in no file from outside", check: documents::self_contained },
    Rule { name: "links", says: "relative links lead somewhere", check: links::resolve },
    Rule { name: "described", says: "a published crate says what it is", check: packages::described },
    Rule { name: "listed", says: "a published crate is found from ARCHITECTURE and the facade", check: packages::listed },
    Rule { name: "members", says: "a member inherits from the workspace", check: packages::inherited },
    Rule { name: "versions", says: "a dependency's version stands in one place", check: dependencies::inherited },
    Rule { name: "public-api", says: "public-api names dependencies", check: dependencies::public },
];

/// Rules that ask for a second look and fail nothing.
#[rustfmt::skip]
const WARNINGS: &[Rule] = &[
    Rule { name: "sizes", says: "over 300 lines of code, ask what belongs elsewhere", check: sources::sizes },
];

pub(crate) const NAME: &str = "tidy";
pub(crate) const USAGE: (&str, &str) =
    ("tidy [RULE...]", "the rules about the tree, or those named; `tidy --help`");

/// The part of ci.
pub(crate) const SECTION: Section = Section {
    name: NAME,
    about: "The rules that no compiler checks, each with a name (`cargo xtask tidy RULE...`);\n\
            also a test: `cargo test -p xtask`.",
    run: |workspace| run(workspace, &[]).map(|()| Ending::Passed),
};

/// Checks the rules that the arguments name, or all of them.
pub(crate) fn run(workspace: &Workspace, names: &[String]) -> Result<()> {
    let all = RULES.iter().chain(WARNINGS);
    if names.iter().any(|name| matches!(name.as_str(), "--help" | "-h")) {
        println!("usage: cargo xtask {}\n", USAGE.0);
        all.clone().for_each(|rule| println!("  {:<12} {}", rule.name, rule.says));
        return Ok(());
    }
    if let Some(name) = names.iter().find(|name| !all.clone().any(|rule| rule.name == **name)) {
        bail!("no rule named `{name}`; `cargo xtask tidy --help` lists them");
    }
    let tree = Tree::read(&workspace.root)?;
    let chosen = |rule: &&Rule| names.is_empty() || names.iter().any(|name| name == rule.name);
    for warning in check(&tree, WARNINGS.iter().filter(chosen)) {
        println!("warning: {warning}");
    }
    let findings = check(&tree, RULES.iter().filter(chosen));
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("{} rules hold", all.filter(chosen).count());
    Ok(())
}

/// What is wrong, rule by rule, a line each.
fn check<'a>(tree: &Tree, rules: impl Iterator<Item = &'a Rule>) -> Vec<String> {
    let lines = |rule: &Rule| {
        let found = (rule.check)(tree);
        let line = |finding| format!("{finding} ({})", rule.says);
        found.into_iter().map(line).collect::<Vec<_>>()
    };
    rules.flat_map(lines).collect()
}
