//! The tree's own test: rules about files that no compiler checks.
//!
//! Every rule is a function from a [`Tree`] to its findings, so that a bad tree of three lines can
//! show that the rule finds what it is there for.

mod dependencies;
mod documents;
mod links;
mod modules;
mod packages;
mod sources;
#[cfg(test)]
mod tests;
mod text;
mod toml;
mod tree;

use anyhow::{Result, bail};

use crate::section::{Ending, Section};
use crate::workspace::Workspace;
use tree::{Finding, Tree};

/// One thing that holds of the whole tree.
struct Rule {
    says: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

/// A new rule is one line here.
const RULES: &[Rule] = &[
    Rule { says: "every Rust file opens by saying what lives there", check: sources::headers },
    Rule { says: "a source file has 300 lines at most", check: sources::sizes },
    Rule { says: "lib.rs holds docs, modules and flat re-exports", check: sources::libraries },
    Rule { says: "a module's name says what is in it", check: modules::names },
    Rule { says: "every module file is compiled", check: modules::orphans },
    Rule { says: "what is unfinished has an issue", check: text::unfinished },
    Rule { says: "no path of somebody's machine", check: text::machine_paths },
    Rule { says: "the CHANGELOG names the version", check: documents::changelog },
    Rule { says: "a README's Rust example is a doctest", check: documents::doctests },
    Rule { says: "a crate takes in no file from outside", check: documents::self_contained },
    Rule { says: "relative links lead somewhere", check: links::resolve },
    Rule { says: "a published crate says what it is", check: packages::described },
    Rule {
        says: "a published crate is found from ARCHITECTURE and the facade",
        check: packages::listed,
    },
    Rule { says: "a member inherits from the workspace", check: packages::inherited },
    Rule { says: "a dependency's version stands in one place", check: dependencies::inherited },
    Rule { says: "public-api names dependencies", check: dependencies::public },
];

pub(crate) const SECTIONS: &[Section] = &[SECTION];

pub(crate) const SECTION: Section = Section {
    name: "tidy",
    about: "The rules that no compiler checks: headers, file sizes, names, links, READMEs,\n\
            manifests (also a test: `cargo test -p xtask`).",
    run,
};

fn run(workspace: &Workspace) -> Result<Ending> {
    let findings = check(&Tree::read(&workspace.root)?);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("{} rules hold", RULES.len());
    Ok(Ending::Passed)
}

/// What is wrong, rule by rule, a line each.
fn check(tree: &Tree) -> Vec<String> {
    let lines = |rule: &Rule| {
        let found = (rule.check)(tree);
        found.into_iter().map(|finding| format!("{finding} ({})", rule.says)).collect::<Vec<_>>()
    };
    RULES.iter().flat_map(lines).collect()
}
