//! The checker of manifests, by its goldens.

use std::{collections::BTreeSet, path::Path, time::Duration};

use task_service::{Manifest, ManifestFinding, Platform, Service};

use crate::goldens::{self, Golden};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn goldens() -> Vec<Golden> {
    goldens::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests")).unwrap()
}

/// The services that the goldens are for: the shutdown takes 25 s, and the end 2 s.
fn service(name: &str) -> Manifest {
    let draining = || Service::new().manager(|manager| manager.drain_delay(secs(5)));
    let service = match name {
        "orders" => draining(),
        "worker" => Service::new(),
        "logging" => draining().termination_log("/run/orders/end"),
        "hooked" => {
            Service::new().platform(Platform::kubernetes().grace(secs(60)).pre_stop(secs(5)))
        }
        "detecting" => Service::new().platform(None),
        "detecting-without-drain" => {
            Service::new().platform(None).manager(|manager| manager.drain_delay(Duration::ZERO))
        }
        other => panic!("no service {other}"),
    };
    let manifest = service.manifest("orders", "registry.example/orders:1", "/orders");
    match name {
        "worker" => manifest,
        _ => manifest.port("http", 8080),
    }
}

fn kinds(findings: &[ManifestFinding]) -> Vec<String> {
    let kind = |finding: &ManifestFinding| if finding.is_error() { "error" } else { "advice" };
    findings.iter().map(|finding| format!("{} {}", kind(finding), finding.rule())).collect()
}

#[test]
fn each_bad_manifest_has_the_one_finding_that_it_names_and_each_good_one_none() {
    let goldens = goldens();
    let mut wrong = String::new();
    for Golden { name, service: of, finding, text } in &goldens {
        let findings = match service(of).check(text) {
            Ok(findings) => findings,
            Err(error) => {
                wrong += &format!("{name}: {error}\n");
                continue;
            }
        };
        let expected: Vec<String> = finding.iter().cloned().collect();
        if kinds(&findings) != expected {
            wrong += &format!("{name}: not {expected:?}\n");
            for finding in &findings {
                wrong += &format!("    {finding}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    for kind in ["good/", "bad/"] {
        let count = goldens.iter().filter(|golden| golden.name.starts_with(kind)).count();
        assert!(count >= 30, "{count} of {kind}");
    }
}

#[test]
fn the_table_of_the_docs_has_the_rules_of_the_goldens_as_errors_or_advice() {
    let docs = include_str!("../../src/manifest.rs");
    let table = docs.lines().skip_while(|line| *line != "    /// | rule | error | advice |");
    let rows = table.skip(2).take_while(|line| line.starts_with("    /// |"));
    let mut documented = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        for (cell, kind) in [(cells[2], "error"), (cells[3], "advice")] {
            if !cell.is_empty() {
                documented.insert(format!("{kind} {}", cells[1].trim_matches('`')));
            }
        }
    }
    let shown: BTreeSet<_> = goldens().into_iter().filter_map(|golden| golden.finding).collect();
    assert_eq!(documented, shown);
}

#[test]
fn what_is_printed_has_no_findings() {
    for name in ["orders", "worker", "logging", "hooked", "detecting"] {
        let manifest = service(name);
        let text = manifest.print().unwrap();
        assert_eq!(manifest.check(&text).unwrap(), [], "{name}: {text}");
    }
}

#[test]
fn a_finding_says_where_it_is() {
    let text = "# orders\n---\n---\n".to_owned() + &service("orders").print().unwrap();
    let text = text.replace("Seconds: 27", "Seconds: 26");
    let findings = service("orders").check(&text).unwrap();
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    let line = text.lines().position(|line| line.contains("Seconds: 26")).unwrap() + 1;
    assert_eq!((finding.document(), finding.line()), (1, line));
    assert_eq!(finding.path(), "spec.template.spec.terminationGracePeriodSeconds");
    let expected = format!(
        "{line}: error: spec.template.spec.terminationGracePeriodSeconds: the pod is killed after \
         26 s, and its stop takes up to 27 s: 25 s of the shutdown, 2 s for the end [grace]"
    );
    assert_eq!(finding.to_string(), expected);
}

#[test]
fn a_service_of_no_workload_is_judged_alone() {
    let text = "kind: Service\nspec:\n  selector: { app: orders }\n";
    let findings = service("orders").check(text).unwrap();
    assert_eq!(kinds(&findings), ["error container"]);
    for text in ["", "# nothing\n", "---\n---\n"] {
        let error = service("orders").check(text).unwrap_err();
        assert_eq!(error.to_string(), "there is no object", "{text:?}");
    }
}

#[test]
fn a_text_that_is_no_yaml_is_an_error_with_its_line() {
    for text in [
        "a: [1\n",
        "a: 1\n b: 2\n",
        "{{ .Values.name }}: {{\n",
        "a: *b\n",
        "a: &a [*a]\n",
        "a: 1\na: 2\n",
    ] {
        let error = service("orders").check(text).unwrap_err();
        assert!(error.is_no_yaml() && !error.is_platform(), "{text:?}: {error}");
        assert!(error.to_string().starts_with("line "), "{error}");
    }
}

#[test]
fn a_text_that_its_aliases_make_too_large_is_an_error() {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..60 {
        let before = level - 1;
        text += &format!("a{level}: &a{level} [*a{before}, *a{before}]\n");
    }
    assert!(service("orders").check(&text).unwrap_err().is_no_yaml());
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    assert!(service("orders").check(&deep).unwrap_err().is_no_yaml());
}
