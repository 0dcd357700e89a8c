//! Type checks of the published crates for a target, warnings denied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Result;
use serde_json::Value;

use super::target::Target;
use super::toolchain::Toolchain;
use crate::command::Run;
use crate::workspace::{Package, Workspace};

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The crates and features that compile no C: no C compiler of the target is needed.
    Quick,
    /// Every published crate, with all features that a target can have and with none.
    Whole,
}

/// The features that compile C.
const COMPILES_C: &[&str] = &["sender", "tls"];
/// The feature that takes a library of the target, which is not there: OpenSSL.
const OPENSSL: &str = "task-kafka/tls";

/// Checks the crates, and returns of each what is wrong with it: nothing if the text is empty.
///
/// # Errors
///
/// Cargo could not be run, or did not end.
pub(crate) fn check(
    workspace: &Workspace,
    toolchain: &Toolchain,
    target: &Target,
    scope: Scope,
) -> Result<BTreeMap<String, String>> {
    let packages: Vec<&Package> = match scope {
        // The facade, which is left out as well, has no code of its own.
        Scope::Quick => workspace.without_kafka().collect(),
        Scope::Whole => workspace.published().collect(),
    };
    let cargo = || {
        let run = toolchain
            .cargo(workspace, "check", target.triple)
            .arguments(["--lib", "--keep-going", "--message-format", "json"])
            .limit(crate::deep::LIMIT)
            .arguments(packages.iter().flat_map(|package| ["-p", &package.name]));
        match scope {
            Scope::Quick => run,
            Scope::Whole => target.with_compiler(workspace, run).arguments(without_rdkafka(target)),
        }
    };
    let mut found = BTreeMap::new();
    let mut add = |selection: &str, run: Run| -> Result<()> {
        let log = workspace
            .target
            .join("platforms")
            .join(format!("check-{}-{selection}.log", target.triple));
        run.log_to(&log)?;
        let log = fs::read_to_string(&log)?;
        for package in &packages {
            let wrong: &mut String = found.entry(package.name.clone()).or_default();
            wrong.push_str(&judged(&log, &package.name));
        }
        Ok(())
    };
    match scope {
        Scope::Quick => {
            let without_c = features(&packages, |feature| {
                !COMPILES_C.iter().any(|name| feature.ends_with(&format!("/{name}")))
            });
            add("quick", cargo().arguments(["--features", &without_c]))?;
        }
        Scope::Whole => {
            let possible = features(&packages, |feature| feature != OPENSSL);
            add("all", cargo().arguments(["--features", &possible]))?;
            add("none", cargo().arguments(["--no-default-features"]))?;
        }
    }
    Ok(found)
}

/// The features of the packages that `is_taken` accepts, in Cargo's spelling: `package/feature`.
fn features(packages: &[&Package], is_taken: impl Fn(&str) -> bool) -> String {
    let all = packages.iter().flat_map(|package| {
        package.features.keys().map(|feature| format!("{}/{feature}", package.name))
    });
    all.filter(|feature| is_taken(feature)).collect::<Vec<_>>().join(",")
}

/// Has Cargo take librdkafka for built: a type check needs none, and its build takes minutes and a
/// C++ compiler of the target.
fn without_rdkafka(target: &Target) -> [String; 2] {
    ["--config".to_owned(), format!("target.{}.rdkafka.rustc-link-lib=['rdkafka']", target.triple)]
}

/// Returns what Cargo's messages have against a package; nothing if that is nothing.
fn judged(log: &str, package: &str) -> String {
    let mut texts = BTreeSet::new();
    let mut others = String::new();
    let mut is_checked = false;
    for line in log.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let is_own = own(&message).is_some_and(|name| name == package);
        match message["reason"].as_str() {
            Some("compiler-artifact") => is_checked |= is_own,
            Some("compiler-message") => {
                let text = message["message"]["rendered"].as_str().unwrap_or("a message");
                if is_own {
                    texts.insert(text.to_owned());
                } else if message["message"]["level"] == "error" {
                    others.push_str(text);
                }
            }
            _ => {}
        }
    }
    if !is_checked && texts.is_empty() {
        let said = log.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>();
        texts.insert(format!("it was not checked:\n{others}{}\n", said.join("\n")));
    }
    texts.into_iter().collect()
}

/// Returns the name of the published crate that a message is about.
pub(super) fn own(message: &Value) -> Option<String> {
    let manifest = message["manifest_path"].as_str()?;
    let folder = manifest.strip_suffix("/Cargo.toml")?;
    let (parent, name) = folder.rsplit_once('/')?;
    parent.ends_with("/crates").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::judged;

    fn message(package: &str, level: &str) -> String {
        format!(
            r#"{{"reason":"compiler-message","manifest_path":"/w/crates/{package}/Cargo.toml","message":{{"level":"{level}","rendered":"{level} in {package}\n"}}}}"#
        )
    }

    fn artifact(package: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","manifest_path":"/w/crates/{package}/Cargo.toml"}}"#
        )
    }

    #[test]
    fn a_package_that_was_checked_without_a_message_is_good() {
        let log = [artifact("a"), artifact("b"), message("b", "warning")].join("\n");
        assert_eq!(judged(&log, "a"), "");
        assert_eq!(judged(&log, "b"), "warning in b\n");
    }

    #[test]
    fn a_package_that_was_not_checked_is_not_good() {
        let outside = r#"{"reason":"compiler-message","manifest_path":"/registry/x/Cargo.toml","message":{"level":"error","rendered":"error in x\n"}}"#;
        let log = [outside, "error: could not compile `x`"].join("\n");
        let text = judged(&log, "a");
        assert!(text.contains("not checked"), "{text}");
        assert!(text.contains("error in x"), "{text}");
        assert!(text.contains("could not compile"), "{text}");
    }
}
