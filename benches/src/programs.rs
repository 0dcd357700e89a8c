//! Small services with three idle tasks that end on SIGTERM, to be measured by another process:
//! `program NAME RUNTIME`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use task_manager::{Context, Manager, task_fn};
use task_signal::SignalTask;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{child::runtime, gate, scenario::Flavor};

/// The first argument that makes this program one of these.
pub(crate) const COMMAND: &str = "program";
/// The line that each prints when its tasks are idle and it handles signals.
pub(crate) const READY: &str = "ready";

const TASKS: usize = 3;

/// One program: the reference is the first.
pub(crate) const ALL: &[(&str, &str)] = &[
    ("bare", "bare tokio::signal"),
    ("joinset", "JoinSet + token + tokio::signal"),
    ("manager", "task-manager + task-signal"),
    ("service", "task-service"),
];

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words.first() == Some(&"service") {
        return service();
    }
    match words.get(1).copied().and_then(Flavor::parse).context("no such runtime") {
        Ok(flavor) => match program(words[0], flavor) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn program(name: &str, flavor: Flavor) -> Result<()> {
    gate::expect(TASKS);
    let runtime = runtime(flavor)?;
    match name {
        "manager" => runtime.block_on(manager()),
        "joinset" => runtime.block_on(join_set()),
        _ => runtime.block_on(bare()),
    }
}

/// Three detached tasks, which are not stopped.
async fn bare() -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    for _ in 0..TASKS {
        tokio::spawn(async {
            gate::arrive();
            std::future::pending::<()>().await;
        });
    }
    gate::all().await;
    println!("{READY}");
    term.recv().await;
    Ok(())
}

async fn join_set() -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut set = JoinSet::new();
    let token = CancellationToken::new();
    for _ in 0..TASKS {
        let token = token.clone();
        set.spawn(async move {
            gate::arrive();
            token.cancelled().await;
        });
    }
    gate::all().await;
    println!("{READY}");
    term.recv().await;
    token.cancel();
    while let Some(ended) = set.join_next().await {
        ended?;
    }
    Ok(())
}

async fn manager() -> Result<()> {
    let manager = Manager::new();
    manager.run(SignalTask::new()?)?;
    idle(&manager)?;
    gate::all().await;
    println!("{READY}");
    manager.wait().await?;
    Ok(())
}

/// Its own runtime, with as many workers as there are cores.
fn service() -> ExitCode {
    gate::expect(TASKS);
    task_service::main(async |manager| {
        idle(manager)?;
        gate::all().await;
        println!("{READY}");
        Ok(())
    })
}

fn idle(manager: &Manager) -> Result<()> {
    for _ in 0..TASKS {
        manager.run(task_fn("idle", async |ctx: Context| {
            gate::arrive();
            ctx.cancelled().await;
            Ok(())
        }))?;
    }
    Ok(())
}
