//! The pipeline, ended in each way, and what the kubelet shows then.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::stage::{End, Pod, Stage};

/// A kind of end: the name of the pod, the arguments, and what is expected: the code, the reason,
/// and a part of the message.
type Kind = (&'static str, &'static [&'static str], &'static str, i64, &'static str, &'static str);

const KINDS: &[Kind] = &[
    ("clean", &["--run-for=2s"], "512Mi", 0, "Completed", ""),
    ("failed", &["--fault=error"], "512Mi", 1, "Error", "the fault that was asked for"),
    ("panicked", &["--fault=panic"], "512Mi", 1, "Error", "the fault that was asked for"),
    ("usage", &["--no-such-flag"], "512Mi", 2, "Error", ""),
    ("setup", &["--database-url=sqlite:///nowhere/a.db"], "512Mi", 3, "Error", "database"),
    (
        "overrun",
        &["--fault=wedge-at-stop", "--run-for=2s", "--shutdown-budget=2s"],
        "512Mi",
        4,
        "Error",
        "fault",
    ),
    ("memory", &[], "8Mi", 137, "OOMKilled", ""),
];

pub(crate) fn wedge(stage: &Stage<'_>) -> Result<String> {
    let arguments = ["--fault=wedge", "--shutdown-budget=5s"];
    let pod = Pod { restart: "Always", grace: 15, ..Pod::once(&stage.name, &arguments) };
    stage.pipeline(&pod)?;
    let end = stage.ended(&stage.name)?;
    // That the container runs again comes after its end.
    let restarts = stage
        .until(&stage.name, |status| status["restartCount"].as_i64().filter(|count| *count > 0))?;
    let events = stage.node.get(&["events"])?.to_string();
    stage.kill(&stage.name)?;
    ensure!(end.code == 4, "{end:?}");
    ensure!(end.message.contains("`fault`"), "{end:?}");
    ensure!(events.contains("failed liveness probe, will be restarted"), "no event of the probe");
    Ok(format!("{restarts} restart; {}", shown(&end)))
}

pub(crate) fn codes(stage: &Stage<'_>) -> Result<String> {
    for (name, arguments, memory, ..) in KINDS {
        stage.pipeline(&Pod { memory, ..Pod::once(name, arguments) })?;
    }
    let mut wrong = Vec::new();
    for (name, _, _, code, reason, part) in KINDS {
        let end = stage.ended(name)?;
        println!("        {name:<10} {}", shown(&end));
        if end.code != *code || end.reason != *reason || !end.message.contains(part) {
            wrong.push(format!("{name}: {end:?}"));
        }
        stage.kill(name)?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(format!("{} kinds of ends", KINDS.len()))
}

/// The time of the grace, in which the pipeline would not be ready.
pub(crate) fn grace(stage: &Stage<'_>) -> Result<String> {
    const GRACE: u32 = 4;
    let arguments = ["--fault=slow", "--shutdown-budget=20s"];
    stage.pipeline(&Pod { grace: GRACE, ..Pod::once(&stage.name, &arguments) })?;
    stage.until(&stage.name, |status| status["state"]["running"].is_object().then_some(()))?;
    // So that it has its signal handlers by then.
    sleep(Duration::from_secs(3));
    let begun = Instant::now();
    stage.node.kubectl(&["delete", "pod", &stage.name])?;
    let took = begun.elapsed();
    let bounds = Duration::from_secs(GRACE.into())..Duration::from_secs(u64::from(GRACE) + 10);
    ensure!(bounds.contains(&took), "killed after {took:?}");
    Ok(format!("killed, and gone, {:.1} s after the deletion", took.as_secs_f64()))
}

fn shown(end: &End) -> String {
    let End { code, reason, message, .. } = end;
    format!("code {code}, {reason}, {:?}", message.lines().next().unwrap_or_default())
}
