//! The child's side: the services that the scenarios run.

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use task_manager::{Context, Manager, ManagerBuilder, Step, task_fn};
use task_service::{ExitCodes, ReportTo, Service};

use crate::child::SCENARIO;

mod coding;
mod ending;
mod platforms;
mod starting;

const SECOND: Duration = Duration::from_secs(1);
const MANY_SECONDS: Duration = Duration::from_secs(20);

#[test]
fn an_unknown_scenario_is_refused() {
    let Ok(scenario) = std::env::var(SCENARIO) else {
        assert!(run("no such thing").is_none());
        return;
    };
    // On stdout, since tests compare what the service itself writes to stderr.
    let log = tracing_subscriber::fmt().with_ansi(false);
    if scenario.contains("log blocks") {
        log.with_writer(ending::blocking_sink).init();
    } else {
        log.with_writer(std::io::stdout).init();
    }
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
            let _pool = SaysWhenDropped("setup dropped");
            println!("ready");
            tokio::time::sleep(MANY_SECONDS).await;
            println!("set up");
            Ok(())
        }),
        "blocks its setup past its deadline" => service.manager(short).run(async |manager| {
            cleanup(manager)?;
            manager.run(worker())?;
            println!("ready");
            block_until(manager, Step::Ended);
            manager.run(worker())?;
            Ok(())
        }),
        "blocks its setup past its stop timeout" => {
            service.setup_stop_timeout(SECOND / 2).run(async |manager| {
                cleanup(manager)?;
                println!("ready");
                block_until(manager, Step::Ended);
                Ok(())
            })
        }
        "blocks the setup of the only thread" => {
            let service = service.manager(|manager| short(manager).shutdown_timeout(2 * SECOND));
            service.current_thread().run(async |_| {
                println!("ready");
                thread::sleep(MANY_SECONDS);
                Ok(())
            })
        }
        "adds to the group while it is stopped" => service.run(async |manager| {
            println!("ready");
            block_until(manager, Step::Stopping);
            cleanup(manager)?;
            manager.run(worker())?;
            println!("set up");
            Ok(())
        }),
        "fails its setup late" => service.run(async |manager| {
            println!("ready");
            block_until(manager, Step::Stopping);
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
            thread::sleep(MANY_SECONDS);
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
        "panics late in its setup" => service.run(async |manager| {
            println!("ready");
            block_until(manager, Step::Stopping);
            panic!("no configuration");
        }),
        "panics when its setup is dropped" => service.run(async |_| {
            let _bomb = Bomb;
            println!("ready");
            tokio::time::sleep(MANY_SECONDS).await;
            Ok(())
        }),
        "has no work" => service.run(async |_| {
            println!("ready");
            Ok(())
        }),
        "reports to the log" => service.report_to(ReportTo::Log).run(unasked),
        "reports a failure to the log" => service.report_to(ReportTo::Log).run(async |manager| {
            manager.run(task_fn("bad", async |_| Err(anyhow!("no broker"))))?;
            Ok(())
        }),
        "writes its metrics" => service
            .shutdown_metrics(std::env::var_os("METRICS_FILE").unwrap_or_default())
            .run(unasked),
        "blocks every worker" => service.manager(short).worker_threads(2).run(blocked),
        "blocks the only thread" => service.manager(short).current_thread().run(blocked),
        _ => {
            let others = [starting::run, ending::run, coding::run, platforms::run];
            return others.into_iter().find_map(|run| run(scenario));
        }
    })
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("no way back");
    }
}

/// Says on stdout when it is dropped.
struct SaysWhenDropped(&'static str);

impl Drop for SaysWhenDropped {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn cleanup(manager: &Manager) -> anyhow::Result<()> {
    manager.cleanup("database", async || {
        println!("cleaned up");
        Ok(())
    })?;
    Ok(())
}

/// Blocks until the group has reached a step, for at most 4 s: the setup has no await at which it
/// could be dropped.
fn block_until(manager: &Manager, step: Step) {
    let began = Instant::now();
    while manager.group().step() < step && began.elapsed() < 4 * SECOND {
        thread::sleep(Duration::from_millis(5));
    }
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
            thread::sleep(MANY_SECONDS);
            Ok(())
        }))?;
    }
    Ok(())
}
