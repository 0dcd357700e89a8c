//! Services that leave something behind when their group has ended.

use std::{
    fmt, io,
    process::{ExitCode, Stdio},
    thread,
    time::Duration,
};

use anyhow::anyhow;
use task_manager::{ManagerBuilder, Step, task_fn};
use task_service::Service;
use tokio::sync::oneshot;

use super::MANY_SECONDS;

pub(super) fn run(scenario: &str) -> Option<ExitCode> {
    let service = Service::new().manager(|manager: ManagerBuilder| manager.name("example"));
    Some(match scenario {
        "leaves a helper behind" => service.worker_threads(2).run(async |manager| {
            job_with_helper(manager, || DropsSlowly(Duration::from_millis(50)))
        }),
        "leaves a helper behind on the only thread" => {
            service.current_thread().run(async |manager| {
                job_with_helper(manager, || DropsSlowly(Duration::from_millis(50)))
            })
        }
        "drops a helper for a second" => service.drop_timeout(MANY_SECONDS).run(async |manager| {
            job_with_helper(manager, || DropsSlowly(Duration::from_secs(1)))?;
            manager.run(super::worker())?;
            println!("ready");
            Ok(())
        }),
        "is granted no thread any more" => service.worker_threads(1).run(async |manager| {
            super::starting::limit_threads(0);
            assert!(
                thread::Builder::new().spawn(|| {}).is_err(),
                "the system still grants threads"
            );
            job_with_helper(manager, || DropsSlowly(Duration::ZERO))
        }),
        "leaves a child process behind" => {
            service.drop_timeout(MANY_SECONDS).run(async |manager| {
                job_with_helper(manager, || {
                    let mut command = tokio::process::Command::new("sleep");
                    // It must not keep the pipes that the parent reads to their end.
                    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                    let child = command.arg("600").kill_on_drop(true).spawn().unwrap();
                    println!("child {}", child.id().unwrap());
                    // In this order: a service that does not wait has exited before the second.
                    (DropsSlowly(Duration::from_millis(500)), child)
                })
            })
        }
        "leaves a destructor that blocks behind" => service
            .current_thread()
            .run(async |manager| job_with_helper(manager, || BlocksWhenDropped)),
        "fails its setup with an error that panics when shown" => {
            service.run(async |_| Err(Bad { shows: false, drops: true }.into()))
        }
        "fails its setup with an error that panics when dropped" => {
            service.run(async |_| Err(Bad { shows: true, drops: false }.into()))
        }
        "fails its setup late with an error that panics" => service.run(async |manager| {
            println!("ready");
            super::block_until(manager, Step::Stopping);
            Err(Bad { shows: false, drops: false }.into())
        }),
        "fails its setup with an error that blocks when dropped" => {
            service.run(async |_| Err(anyhow::Error::new(BlocksWhenDropped)))
        }
        _ => return run_with_message(scenario.strip_prefix("message: ")?),
    })
}

/// Runs a service that leaves a message in a file.
fn run_with_message(scenario: &str) -> Option<ExitCode> {
    let file = std::env::var_os("MESSAGE_FILE").unwrap_or_default();
    let service = Service::new().termination_log(file).manager(|manager| manager.name("example"));
    let short = |manager: ManagerBuilder| manager.shutdown_timeout(Duration::from_secs(1));
    let fails = async |manager: &task_manager::Manager| {
        manager.run(task_fn("bad", async |_| Err(anyhow!("no broker"))))?;
        Ok(())
    };
    let wedges = async |manager: &task_manager::Manager| {
        manager.run(task_fn("wedge", async |ctx| {
            ctx.set_status("writing part 7");
            println!("ready");
            thread::sleep(MANY_SECONDS);
            Ok(())
        }))?;
        Ok(())
    };
    Some(match scenario {
        "clean" => service.run(async |manager| {
            manager.run(super::worker())?;
            println!("ready");
            Ok(())
        }),
        "fails" => service.run(fails),
        "own code" => service.exit_code_by_report(|_| Some(65)).run(fails),
        "panics" => service.run(async |manager| {
            manager.run(task_fn("bad", async |_| panic!("no broker")))?;
            Ok(())
        }),
        "setup fails" => service.run(async |_| Err(anyhow!("no database"))),
        "start fails" => {
            service.manager(|manager| manager.drain_delay(MANY_SECONDS * 2)).run(async |_| Ok(()))
        }
        "wedged worker" => service.manager(short).worker_threads(2).run(wedges),
        "wedged thread" => service.manager(short).current_thread().run(wedges),
        "slow" => service.run(async |manager| {
            manager.run(task_fn("slow", async |_| {
                println!("ready");
                std::future::pending().await
            }))?;
            Ok(())
        }),
        "many failures" => service.run(async |manager| {
            for number in 0..100 {
                let text = format!("{number}: {}", "大".repeat(100_000));
                manager.run(task_fn(format!("bad {number}"), async |_| Err(anyhow!(text))))?;
            }
            Ok(())
        }),
        _ => return None,
    })
}

/// Runs a job that spawns a helper, which has the value of `make` and never ends by itself.
fn job_with_helper<T: Send + 'static>(
    manager: &task_manager::Manager,
    make: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<()> {
    manager.run_ephemeral(task_fn("job", async move |_| {
        let (has_begun, begun) = oneshot::channel();
        tokio::spawn(async move {
            let _value = make();
            let _ = has_begun.send(());
            tokio::time::sleep(MANY_SECONDS).await;
        });
        begun.await?;
        Ok(())
    }))?;
    Ok(())
}

/// Takes some time to be dropped, and says on stdout when that begins and ends.
struct DropsSlowly(Duration);

impl Drop for DropsSlowly {
    fn drop(&mut self) {
        println!("dropping");
        thread::sleep(self.0);
        println!("helper dropped");
    }
}

/// An error, or any value, whose drop blocks.
#[derive(Debug)]
struct BlocksWhenDropped;

impl Drop for BlocksWhenDropped {
    fn drop(&mut self) {
        thread::sleep(MANY_SECONDS);
    }
}

impl fmt::Display for BlocksWhenDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no database")
    }
}

impl std::error::Error for BlocksWhenDropped {}

/// An error with code that panics, unless it is set not to.
#[derive(Debug)]
struct Bad {
    shows: bool,
    drops: bool,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.shows, "panicked when shown");
        f.write_str("no database")
    }
}

impl std::error::Error for Bad {}

impl Drop for Bad {
    fn drop(&mut self) {
        assert!(self.drops || thread::panicking(), "panicked when dropped");
    }
}

/// A sink that blocks at the first line.
pub(super) fn blocking_sink() -> impl io::Write {
    thread::sleep(3 * MANY_SECONDS + Duration::from_secs(1));
    io::sink()
}
