//! The pipeline, ended in each way, and what the kubelet shows then.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::stage::{End, Pod, Stage};

/// A kind of end, and what the kubelet shows then.
struct Kind {
    /// That of the pod.
    name: &'static str,
    arguments: &'static [&'static str],
    memory: &'static str,
    /// The signal that ends it, once its log has a text.
    signal: Option<(&'static str, &'static str)>,
    code: i64,
    reason: &'static str,
    /// A part of the message.
    message: &'static str,
}

const KIND: Kind = Kind {
    name: "",
    arguments: &[],
    memory: "512Mi",
    signal: None,
    code: 1,
    reason: "Error",
    message: "",
};
/// What the log has when the service runs.
const RUNS: &str = "metrics and probes at";

const KINDS: &[Kind] = &[
    Kind { name: "clean", arguments: &["--run-for=2s"], code: 0, reason: "Completed", ..KIND },
    Kind {
        name: "stopped",
        signal: Some(("TERM", RUNS)),
        code: 0,
        reason: "Completed",
        message: "signal SIGTERM",
        ..KIND
    },
    Kind {
        name: "failed",
        arguments: &["--fault=error"],
        message: "the fault that was asked for",
        ..KIND
    },
    Kind {
        name: "panicked",
        arguments: &["--fault=panic"],
        message: "the fault that was asked for",
        ..KIND
    },
    Kind { name: "usage", arguments: &["--no-such-flag"], code: 2, ..KIND },
    Kind {
        name: "setup",
        arguments: &["--database-url=sqlite:///nowhere/a.db"],
        code: 3,
        message: "database",
        ..KIND
    },
    Kind {
        name: "overrun",
        arguments: &["--fault=wedge-setup", "--shutdown-budget=2s"],
        signal: Some(("TERM", RUNS)),
        code: 4,
        message: "setup",
        ..KIND
    },
    Kind { name: "killed", signal: Some(("KILL", RUNS)), code: 137, ..KIND },
    Kind { name: "memory", memory: "16Mi", code: 137, reason: "OOMKilled", ..KIND },
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
    ensure!(end.code == 1, "{end:?}");
    ensure!(end.message.contains("`fault#"), "{end:?}");
    ensure!(events.contains("failed liveness probe, will be restarted"), "no event of the probe");
    Ok(format!("{restarts} restart; {}", shown(&end)))
}

pub(crate) fn codes(stage: &Stage<'_>) -> Result<String> {
    for Kind { name, arguments, memory, .. } in KINDS {
        stage.pipeline(&Pod { memory, ..Pod::once(name, arguments) })?;
    }
    let mut wrong = Vec::new();
    for Kind { name, signal, code, reason, message, .. } in KINDS {
        if let Some((signal, since)) = signal {
            stage.signal(name, signal, since)?;
        }
        let end = stage.ended(name)?;
        println!("        {name:<10} {}", shown(&end));
        if end.code != *code || end.reason != *reason || !end.message.contains(message) {
            wrong.push(format!("{name}: {end:?}"));
        }
        stage.kill(name)?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(format!("{} kinds of ends", KINDS.len()))
}

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
