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
    /// The first line of the message; if it is empty, there is no message.
    message: &'static str,
    /// The row of the docs.
    end: &'static str,
}

const KIND: Kind = Kind {
    name: "",
    arguments: &[],
    memory: "512Mi",
    signal: None,
    code: 1,
    reason: "Error",
    message: "",
    end: "",
};
/// What the log has when the service runs.
const RUNS: &str = "metrics and probes at";

const KINDS: &[Kind] = &[
    Kind {
        name: "clean",
        end: "by itself",
        arguments: &["--run-for=2s"],
        code: 0,
        reason: "Completed",
        message: "exit code 0, cause: it has run for 2s (task `run-for`)",
        ..KIND
    },
    Kind {
        name: "stopped",
        end: "`SIGTERM`",
        signal: Some(("TERM", RUNS)),
        code: 0,
        reason: "Completed",
        message: "exit code 0, cause: signal SIGTERM (task `signals`)",
        ..KIND
    },
    Kind {
        name: "failed",
        end: "a task fails",
        arguments: &["--fault=error"],
        message: "exit code 1, cause: task `fault` failed",
        ..KIND
    },
    Kind {
        name: "panicked",
        end: "a task panics",
        arguments: &["--fault=panic"],
        message: "exit code 1, cause: task `fault` panicked",
        ..KIND
    },
    Kind { name: "usage", end: "bad arguments", arguments: &["--no-such-flag"], code: 2, ..KIND },
    Kind {
        name: "setup",
        end: "the setup fails",
        arguments: &["--database-url=sqlite:///nowhere/a.db"],
        code: 3,
        message: "exit code 3, cause: the setup failed",
        ..KIND
    },
    Kind {
        name: "overrun",
        end: "`SIGTERM` while the setup blocks the main thread",
        arguments: &["--fault=wedge-setup", "--shutdown-budget=2s"],
        signal: Some(("TERM", RUNS)),
        code: 4,
        message: "exit code 4, cause: signal SIGTERM (task `signals`)",
        ..KIND
    },
    Kind { name: "killed", end: "`SIGKILL`", signal: Some(("KILL", RUNS)), code: 137, ..KIND },
    Kind {
        name: "memory",
        end: "the memory's limit",
        memory: "16Mi",
        code: 137,
        reason: "OOMKilled",
        ..KIND
    },
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
    for Kind { name, signal, code, reason, message, end: kind, .. } in KINDS {
        if let Some((signal, since)) = signal {
            stage.signal(name, "pipeline", signal, since)?;
        }
        let end = stage.ended(name)?;
        println!("        {kind}: {}", shown(&end));
        let is_message = end.message.lines().next().unwrap_or_default() == *message;
        if end.code != *code || end.reason != *reason || !is_message {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{KINDS, Kind};

    const DOCS: &str = include_str!("../../../../crates/task-service/src/platform.rs");
    const HEAD: &str = "    /// | end | code | reason | the message begins with |";

    #[test]
    fn the_table_of_the_docs_has_each_end_as_it_is_played() {
        let rows = DOCS.lines().skip_while(|line| *line != HEAD).skip(2);
        let rows = rows.take_while(|line| line.starts_with("    /// |"));
        let documented: BTreeSet<_> = rows
            .map(|row| {
                let cells: Vec<_> = row.split('|').map(str::trim).skip(1).collect();
                let code: i64 = cells[1].parse().unwrap();
                let plain = |cell: &str| {
                    let fence = if cell.starts_with("``") { "``" } else { "`" };
                    cell.trim_start_matches(fence)
                        .strip_suffix(fence)
                        .unwrap_or_default()
                        .to_owned()
                };
                (cells[0].to_owned(), code, plain(cells[2]), plain(cells[3]))
            })
            .collect();
        let played = KINDS.iter().map(|Kind { end, code, reason, message, .. }| {
            ((*end).to_owned(), *code, (*reason).to_owned(), (*message).to_owned())
        });
        assert_eq!(documented, played.collect());
    }
}
