//! The foreign crates whose types and traits a public API names, against the list in its manifest.
//!
//! A new major version of such a crate is a breaking change of the API, so each is listed in
//! `[package.metadata.task]`. The source is rustdoc's JSON, which is not stable: an unknown shape
//! is an error.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::tool;
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

/// The standard library.
const STANDARD: &[&str] = &["alloc", "core", "std"];
/// Crates that are re-exported by another, which is the one that manifests name.
const WITHIN: &[(&str, &str)] = &[("serde-core", "serde")];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    // Members are released together: they may be listed, and need not be.
    let is_member = |name: &String| workspace.packages.iter().any(|own| own.name == *name);
    let mut wrong = Vec::new();
    for package in workspace.published() {
        let name = &package.name;
        let mut found = named(workspace, package)?;
        found.retain(|foreign| !is_member(foreign));
        println!("{name}: {found:?}");
        let listed =
            package.public_api.iter().filter(|foreign| !is_member(foreign)).cloned().collect();
        wrong.extend(found.difference(&listed).map(|it| format!("{name} does not list {it}")));
        wrong.extend(listed.difference(&found).map(|it| format!("{name} does not name {it}")));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join(", "));
    }
    Ok(Ending::Passed)
}

/// Returns the crates that the public API of a package names.
fn named(workspace: &Workspace, package: &Package) -> Result<BTreeSet<String>> {
    let folder = workspace.target.join("public-api");
    tool::cargo(workspace)
        .arguments([
            "rustdoc",
            "--quiet",
            "--locked",
            "-p",
            &package.name,
            "--lib",
            "--all-features",
        ])
        .arguments(["--", "-Zunstable-options", "--output-format", "json"])
        .environment("RUSTC_BOOTSTRAP", "1")
        .environment("CARGO_TARGET_DIR", &folder)
        .run()?;
    let file = folder.join("doc").join(format!("{}.json", package.name.replace('-', "_")));
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    foreign(&serde_json::from_str(&text)?).context("rustdoc's JSON has another shape than expected")
}

/// Returns the crates, in Cargo's spelling, of everything that the items of a rustdoc JSON refer
/// to.
fn foreign(documentation: &Value) -> Option<BTreeSet<String>> {
    let paths = documentation["paths"].as_object()?;
    let crates = documentation["external_crates"].as_object()?;
    let items = documentation["index"].as_object()?;
    // Impls that rustdoc adds, with their items: `Send`, `Unpin`, `impl<T> From<T> for T`.
    let implementations = items.iter().map(|(id, item)| (id, &item["inner"]["impl"]));
    let added = implementations
        .filter(|(_, added)| added["is_synthetic"] == true || added["blanket_impl"].is_object())
        .flat_map(|(id, added)| {
            let held = added["items"].as_array().into_iter().flatten();
            held.map(Value::to_string).chain([id.clone()])
        });
    let added: BTreeSet<String> = added.collect();
    let mut references = BTreeSet::new();
    for (_, item) in items.iter().filter(|(id, _)| !added.contains(*id)) {
        collect(&item["inner"], &mut references);
    }
    let mut names = BTreeSet::new();
    for reference in references {
        // A reference without a path is private or a type parameter, and not foreign.
        let Some(path) = paths.get(&reference.to_string()) else { continue };
        let number = path["crate_id"].as_u64()?;
        if number != 0 {
            let name = crates.get(&number.to_string())?["name"].as_str()?;
            names.extend((!STANDARD.contains(&name)).then(|| manifest_name(name)));
        }
    }
    Some(names)
}

/// Returns the name of a crate in a manifest.
fn manifest_name(name: &str) -> String {
    let name = name.replace('_', "-");
    let outer = WITHIN.iter().find(|(inner, _)| *inner == name);
    outer.map_or(name, |(_, outer)| (*outer).to_owned())
}

/// Collects the ids of the items that a type, a bound or a re-export refers to.
fn collect(value: &Value, references: &mut BTreeSet<u64>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("path") || fields.contains_key("source") {
                references.extend(fields.get("id").and_then(Value::as_u64));
            }
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::foreign;

    fn documentation(inner: Value) -> Value {
        json!({
            "index": { "1": { "inner": inner } },
            "paths": { "7": { "crate_id": 3 }, "8": { "crate_id": 0 }, "9": { "crate_id": 4 } },
            "external_crates": { "3": { "name": "tokio_util" }, "4": { "name": "core" } },
        })
    }

    fn names(inner: Value) -> Vec<String> {
        foreign(&documentation(inner)).unwrap().into_iter().collect()
    }

    #[test]
    fn a_foreign_type_is_found_wherever_it_stands() {
        let output = json!({ "function": { "sig": { "output": { "resolved_path": { "path": "T", "id": 7 } } } } });
        assert_eq!(names(output), ["tokio-util"]);
        assert_eq!(names(json!({ "use": { "source": "tokio_util::T", "id": 7 } })), ["tokio-util"]);
    }

    #[test]
    fn own_and_standard_types_are_not_found() {
        assert!(names(json!([{ "path": "A", "id": 8 }, { "path": "B", "id": 9 }])).is_empty());
    }

    #[test]
    fn what_rustdoc_adds_is_not_found() {
        let implementation = |blanket: Value| {
            json!({ "impl": {
                "is_synthetic": false, "blanket_impl": blanket, "trait": { "path": "B", "id": 7 },
                "items": [2],
            } })
        };
        assert!(names(implementation(json!({ "generic": "T" }))).is_empty());
        assert_eq!(names(implementation(Value::Null)), ["tokio-util"]);
        let mut documentation = documentation(implementation(json!({ "generic": "T" })));
        documentation["index"]["2"] = json!({ "inner": { "path": "B", "id": 7 } });
        assert_eq!(foreign(&documentation), Some([].into()));
    }

    #[test]
    fn an_unknown_shape_is_not_an_empty_api() {
        assert_eq!(foreign(&json!({})), None);
    }
}
