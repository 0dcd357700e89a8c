//! The child's side: the services that the scenarios run.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, anyhow};
use task_manager::{Context, Manager, ManagerBuilder, task_fn};
use task_service::{ExitCodes, ReportTo, Service};

use crate::child::SCENARIO;

const MANY_SECONDS: Duration = Duration::from_secs(20);

#[test]
fn an_unknown_scenario_is_refused() {
    let Ok(scenario) = std::env::var(SCENARIO) else {
        assert!(run("no such thing").is_none());
        return;
    };
    // On stdout, since tests compare what the service itself writes to stderr.
    tracing_subscriber::fmt().with_writer(std::io::stdout).with_ansi(false).init();
    // The exit code is the scenario's, not the test harness's.
    let code = run(&scenario).unwrap();
    std::process::exit(number(code));
}

/// Returns the number of an exit code, which only its `Debug` shows.
fn number(code: ExitCode) -> i32 {
    let text = format!("{code:?}");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn run(scenario: &str) -> Option<ExitCode> {
    let service = Service::new().manager(|manager| manager.name("example"));
    let short = |manager: ManagerBuilder| {
        manager
            .name("example")
            .shutdown_timeout(Duration::from_secs(1))
            .cleanup_timeout(Duration::from_millis(200))
    };
    Some(match scenario {
        "completes" => task_service::main(async |manager| {
            manager.run_ephemeral(task_fn("job", async |_| Ok(())))?;
            Ok(())
        }),
        "a task fails" => service.run(async |manager| {
            cleanup(manager)?;
            manager.run(task_fn("bad", async |_| Err(anyhow!("no broker"))))?;
            Ok(())
        }),
        "the setup fails" => service.run(async |manager| {
            cleanup(manager)?;
            manager.run(worker())?;
            Err(anyhow!("no database").context("connecting"))
        }),
        "the setup panics" => service.run(async |manager| {
            cleanup(manager)?;
            panic!("no configuration");
        }),
        "serves" => service.run(async |manager| {
            cleanup(manager)?;
            manager.run(worker())?;
            println!("ready");
            Ok(())
        }),
        "sets up for long" => service.run(async |manager| {
            cleanup(manager)?;
            println!("ready");
            tokio::time::sleep(MANY_SECONDS).await;
            println!("set up");
            Ok(())
        }),
        "runs a task too late" => service.run(async |manager| {
            println!("ready");
            stopping(manager).await;
            manager.run(worker())?;
            Ok(())
        }),
        "runs a task too late, with context" => service.run(async |manager| {
            println!("ready");
            stopping(manager).await;
            manager.run(worker()).context("starting the worker").map(drop)
        }),
        "runs a task too late, in an error of its own" => service.run(async |manager| {
            println!("ready");
            stopping(manager).await;
            manager.run(worker()).map_err(std::io::Error::other)?;
            Ok(())
        }),
        "registers a cleanup too late" => service.run(async |manager| {
            println!("ready");
            while manager.group().step() < task_core::Step::Ended {
                std::thread::sleep(Duration::from_millis(5)); // an await could be the setup's last
            }
            cleanup(manager)
        }),
        "fails its setup late" => service.run(async |manager| {
            println!("ready");
            stopping(manager).await;
            Err(anyhow!("no database").context("connecting"))
        }),
        "is refused by another manager" => service.run(async |_| {
            let other = Manager::new();
            other.shutdown().await?;
            other.run(worker())?;
            Ok(())
        }),
        "blocks its setup" => service.manager(short).run(async |_| {
            println!("ready");
            std::thread::sleep(MANY_SECONDS);
            Ok(())
        }),
        "cannot even begin its setup" => service.run(async |manager| {
            cleanup(manager)?;
            let begin: fn() -> std::future::Ready<()> = || panic!("nothing to begin with");
            begin().await;
            Ok(())
        }),
        "ends unasked" => service.run(unasked),
        "ends unasked and that fails" => service.unasked_end_fails().run(unasked),
        "fails with a code of its own" => {
            let codes = ExitCodes::new().setup_failed(78);
            service.exit_codes(codes).run(async |_| Err(anyhow!("no database")))
        }
        "another hard exit of the manager" => {
            service.manager(|manager| short(manager).hard_exit(9)).current_thread().run(blocked)
        }
        "runs within a runtime" => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { task_service::main(async |_| Ok(())) })
        }
        "panics late in its setup" => service.run(async |manager| {
            manager.run(task_fn("slow", async |ctx: Context| {
                ctx.cancelled().await;
                // The report is made after the panic.
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(())
            }))?;
            println!("ready");
            stopping(manager).await;
            panic!("no configuration");
        }),
        "has no work" => service.run(async |_| {
            println!("ready");
            Ok(())
        }),
        "contradicts itself" => {
            let signals = task_signal::Signal::TERM;
            service.signals(|builder| builder.dump_on(signals)).run(async |_| Ok(()))
        }
        "reports to the log" => service.report_to(ReportTo::Log).run(unasked),
        "reports a failure to the log" => service.report_to(ReportTo::Log).run(async |manager| {
            manager.run(task_fn("bad", async |_| Err(anyhow!("no broker"))))?;
            Ok(())
        }),
        "reports nowhere" => service.report_to(ReportTo::Nowhere).run(unasked),
        "blocks every worker" => service.manager(short).worker_threads(2).run(blocked),
        "blocks the only thread" => service.manager(short).current_thread().run(blocked),
        _ => return None,
    })
}

fn cleanup(manager: &Manager) -> anyhow::Result<()> {
    manager.cleanup("database", async || {
        println!("cleaned up");
        Ok(())
    })?;
    Ok(())
}

/// Returns when the group has been stopped, with no await in between at which the setup could be
/// dropped.
async fn stopping(manager: &Manager) {
    let mut group = manager.group();
    while group.step() < task_core::Step::Draining {
        group.changed().await;
    }
    std::thread::sleep(Duration::from_millis(200)); // the group is stopped meanwhile
}

fn worker() -> impl task_core::Task {
    task_fn("worker", async |ctx: Context| {
        ctx.cancelled().await;
        Ok(())
    })
}

async fn unasked(manager: &Manager) -> anyhow::Result<()> {
    manager.run(task_fn("main loop", async |_| Ok(())))?;
    Ok(())
}

async fn blocked(manager: &Manager) -> anyhow::Result<()> {
    for name in ["wedge-a", "wedge-b"] {
        manager.run(task_fn(name, async |_| {
            println!("ready");
            std::thread::sleep(MANY_SECONDS);
            Ok(())
        }))?;
    }
    Ok(())
}
