//! The chores by name, and the help, which prints the same table.

use anyhow::{Result, bail};

use crate::section::Section;
use crate::workspace::Workspace;
use crate::{bench, churn, ci, deep, kubernetes, rollout, section, systemd, tidy};

/// A command of `cargo xtask`: its sections in order, all of them or those named.
struct Chore {
    name: &'static str,
    about: &'static str,
    sections: fn() -> Vec<&'static Section>,
}

/// A new chore is one entry here.
const CHORES: &[Chore] = &[
    Chore {
        name: ci::NAME,
        about: "everything that has to pass before a change lands",
        sections: ci::sections,
    },
    Chore {
        name: "deep",
        about: "slow verification, lane by lane (not part of ci)",
        sections: || deep::LANES.iter().collect(),
    },
];

/// Runs the chore that the arguments name.
pub(crate) fn dispatch(arguments: &[String]) -> Result<()> {
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", arguments),
    };
    if matches!(name, "help" | "--help" | "-h") {
        return help(rest.first().map(String::as_str));
    }
    if name == bench::NAME {
        return bench::run(&Workspace::load()?, rest);
    }
    if name == churn::NAME {
        return churn::run(&Workspace::load()?, rest);
    }
    if name == kubernetes::NAME {
        return kubernetes::run(&Workspace::load()?, rest);
    }
    if name == churn::KAFKA {
        return churn::kafka(&Workspace::load()?, rest);
    }
    if name == rollout::NAME {
        return rollout::run(&Workspace::load()?, rest);
    }
    if name == systemd::NAME {
        return systemd::run(&Workspace::load()?, rest);
    }
    if name == tidy::NAME {
        return tidy::run(&Workspace::load()?, rest);
    }
    let chore = find(name)?;
    if rest.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h")) {
        return help(Some(name));
    }
    let sections = match rest {
        [] if chore.name == ci::NAME => ci::affected(&Workspace::load()?)?,
        [all] if chore.name == ci::NAME && all == ci::ALL => ci::sections(),
        names => chosen(chore, names)?,
    };
    section::run_all(chore.name, &sections, &Workspace::load()?)
}

fn find(name: &str) -> Result<&'static Chore> {
    match CHORES.iter().find(|chore| chore.name == name) {
        Some(chore) => Ok(chore),
        None => bail!("no chore named `{name}`; `cargo xtask help` lists them"),
    }
}

/// The sections named, in the chore's own order; all of them if none is named.
fn chosen(chore: &Chore, names: &[String]) -> Result<Vec<&'static Section>> {
    let mut sections = (chore.sections)();
    for name in names {
        if !sections.iter().any(|section| section.name == name) {
            bail!(
                "`{}` has no section `{name}`; `cargo xtask help {}` lists them",
                chore.name,
                chore.name
            );
        }
    }
    if !names.is_empty() {
        sections.retain(|section| names.iter().any(|name| name == section.name));
    }
    Ok(sections)
}

fn help(name: Option<&str>) -> Result<()> {
    let chores = match name {
        Some(name) => std::slice::from_ref(find(name)?),
        None => CHORES,
    };
    println!("usage: cargo xtask CHORE [SECTION...]\n           all sections, or only those named");
    println!(
        "       cargo xtask {} [{}]\n           those that the change can affect, or all",
        ci::NAME,
        ci::ALL
    );
    println!("       cargo xtask help [CHORE]");
    if name.is_none() {
        for (usage, about) in [
            &[tidy::USAGE],
            bench::USAGE,
            &[churn::USAGE, churn::KAFKA_USAGE, kubernetes::USAGE, rollout::USAGE],
            &[systemd::USAGE],
        ]
        .concat()
        {
            println!("       cargo xtask {usage}\n           {about}");
        }
    }
    for chore in chores {
        println!("\n{}: {}", chore.name, chore.about);
        for section in (chore.sections)() {
            let mut lines = section.about.lines();
            println!("  {:<10} {}", section.name, lines.next().unwrap_or_default());
            lines.for_each(|line| println!("  {:<10} {line}", ""));
        }
        if chore.name == ci::NAME {
            println!("\n{}", ci::CHOICE);
        }
    }
    Ok(())
}
