//! Timed sections, which every chore consists of, and their output.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// One part of a chore, with the text that `cargo xtask help` prints for it.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Workspace) -> Result<Ending>,
}

/// The result of a section that did not fail.
pub(crate) enum Ending {
    Passed,
    /// It cannot run on this machine, for this reason. Lanes of `deep` skip, and of the sections of
    /// CI `apache`, `platforms` and `systemd` alone.
    Skipped(String),
}

/// Runs the sections in order, also after a failure, so that one run shows every failure. Prints a
/// table of their times at the end.
///
/// # Errors
///
/// A section failed; the message names all that did.
pub(crate) fn run_all(chore: &str, sections: &[&Section], workspace: &Workspace) -> Result<()> {
    let begun = Instant::now();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for section in sections {
        println!("\n==== {chore} {} ====", section.name);
        let since = Instant::now();
        let verdict = match (section.run)(workspace) {
            Ok(Ending::Passed) => "ok".to_owned(),
            Ok(Ending::Skipped(why)) => format!("SKIPPED: {why}"),
            Err(error) => {
                failed.push(section.name);
                format!("FAILED: {error:#}")
            }
        };
        println!("---- {chore} {} ({}): {verdict}", section.name, seconds(since.elapsed()));
        rows.push((section.name, since.elapsed(), verdict));
    }
    println!("\n==== {chore}: {} in {} ====", verdict_of(&failed), seconds(begun.elapsed()));
    for (name, took, verdict) in rows {
        println!("{name:<12} {:>9}  {verdict}", seconds(took));
    }
    if !failed.is_empty() {
        bail!("{chore} failed: {}", failed.join(", "));
    }
    Ok(())
}

fn verdict_of(failed: &[&str]) -> &'static str {
    if failed.is_empty() { "passed" } else { "FAILED" }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
