//! The manifests with which the checker of `task-service` is tested. A bad one that Kubernetes
//! refuses itself needs no checker.

use std::path::Path;

use anyhow::{Result, ensure};

use self::goldens::Golden;
use crate::stage::Stage;

#[path = "../../../../crates/task-service/tests/it/goldens.rs"]
mod goldens;

pub(crate) fn accepted(stage: &Stage<'_>) -> Result<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
    let goldens = goldens::read(&crates.join("task-service/tests/manifests"))?;
    // Some of them are in it.
    stage.node.apply("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n")?;
    let mut refused = Vec::new();
    for Golden { name, service, text, .. } in &goldens {
        if let Err(error) = stage.node.ask(text) {
            refused.push(format!("{name}, for `{service}`: {error:#}"));
        }
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    let bad = goldens.iter().filter(|golden| golden.finding.is_some()).count();
    // What an API server would not say of any text shows nothing.
    ensure!(stage.node.ask("apiVersion: v1\nkind: Service\n").is_err(), "nothing is refused");
    Ok(format!("{} good and {bad} bad manifests are taken", goldens.len() - bad))
}
