//! What README says about platforms, shown: checks and suites for each target, and one table.

use anyhow::{Result, bail};

use crate::platform::{Record, Scope, TARGETS, Target, Toolchain, Verdict, check, left_out, test};
use crate::section::Ending;
use crate::workspace::Workspace;

/// The variable that selects one target.
const ONLY: &str = "TASK_PLATFORM";
/// What the table says of a crate whose C dependency is taken for built.
const TYPES: &str = "types; no librdkafka";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let toolchain = match Toolchain::with_source(workspace) {
        Ok(toolchain) => toolchain,
        Err(refusal) => return Ok(Ending::Skipped(format!("{refusal:#}"))),
    };
    let only = std::env::var(ONLY).ok();
    let is_chosen = |target: &&Target| only.as_ref().is_none_or(|only| only == target.triple);
    let targets: Vec<&Target> = TARGETS.iter().filter(is_chosen).collect();
    if targets.is_empty() {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
        bail!("{ONLY} names none of {}", known.join(", "));
    }
    let mut record = Record::default();
    let mut broken = Vec::new();
    let mut refused = Vec::new();
    for target in &targets {
        println!("\n-- {}", target.triple);
        if let Err(refusal) = target.prepare(workspace) {
            refused.push(format!("{}: {refusal:#}", target.triple));
            continue;
        }
        match one(workspace, &toolchain, target, &mut record) {
            Ok(None) => {}
            Ok(Some(refusal)) => refused.push(format!("tests of {}: {refusal}", target.triple)),
            Err(error) => {
                println!("FAILED: {error:#}");
                broken.push(format!("{}: {error:#}", target.triple));
            }
        }
    }
    println!("\n{record}");
    let runners = targets.iter().filter_map(|target| target.runner);
    runners.flat_map(left_out).for_each(|line| println!("{line}"));
    refused.iter().for_each(|refusal| println!("not done here: {refusal}"));
    broken.extend(record.failures());
    if !broken.is_empty() {
        bail!("{}", broken.join("; "));
    }
    if !refused.is_empty() {
        return Ok(Ending::Skipped(format!("in part: {}", refused.join("; "))));
    }
    Ok(Ending::Passed)
}

/// Checks and tests one target. Returns the reason if this machine refuses the tests.
fn one(
    workspace: &Workspace,
    toolchain: &Toolchain,
    target: &Target,
    record: &mut Record,
) -> Result<Option<String>> {
    for (package, wrong) in check(workspace, toolchain, target, Scope::Whole)? {
        print!("{wrong}");
        let compiles_c = workspace.package(&package)?.compiles_c;
        let verdict = match (wrong.is_empty(), compiles_c) {
            (true, true) => Verdict::Passed(TYPES),
            (true, false) => Verdict::Passed("yes"),
            (false, _) => Verdict::Failed("see above".to_owned()),
        };
        let why = match target.runner {
            None => "nothing here runs it",
            Some(_) if compiles_c => "librdkafka is not built",
            Some(_) => "it has no suite",
        };
        record.checked(target.triple, &package, verdict, why);
    }
    match target.runner {
        Some(runner) => test(workspace, toolchain, target, runner, record),
        None => Ok(None),
    }
}
