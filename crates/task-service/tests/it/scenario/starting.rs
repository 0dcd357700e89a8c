//! Services that do not get as far as their setup, and options of the runtime.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use task_manager::task_fn;
use task_service::Service;
use tokio::task::spawn_blocking;

pub(super) fn run(scenario: &str) -> Option<ExitCode> {
    let service = Service::new().manager(|manager| manager.name("example"));
    Some(match scenario {
        "runs within a runtime" => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { task_service::main(async |_| Ok(())) })
        }
        "contradicts itself" | "contradicts itself, and the log blocks" => {
            let signals = task_signal::Signal::TERM;
            service.signals(|builder| builder.dump_on(signals)).run(async |_| Ok(()))
        }
        "needs a large stack" => {
            service.worker_threads(1).thread_stack_size(64 << 20).run(async |manager| {
                manager.run_ephemeral(task_fn("deep", async |_| {
                    println!("{}", deep(16 << 10));
                    Ok(())
                }))?;
                Ok(())
            })
        }
        "has one thread for blocking code" => {
            service.max_blocking_threads(1).run(async |manager| {
                static RUNNING: AtomicUsize = AtomicUsize::new(0);
                let job = || {
                    let others = RUNNING.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(50));
                    RUNNING.fetch_sub(1, Ordering::SeqCst);
                    others
                };
                manager.run_ephemeral(task_fn("jobs", async move |_| {
                    let (one, two) = tokio::join!(spawn_blocking(job), spawn_blocking(job));
                    println!("{} at the same time", one? + two?);
                    Ok(())
                }))?;
                Ok(())
            })
        }
        other => {
            let granted = other.strip_prefix("is granted this many threads: ")?;
            limit_threads(granted.parse().unwrap());
            service.worker_threads(2).run(async |manager| {
                manager.run_ephemeral(task_fn("job", async |_| Ok(())))?;
                Ok(())
            })
        }
    })
}

/// Takes about a kilobyte of stack for each level.
fn deep(levels: usize) -> usize {
    let frame = std::hint::black_box([levels; 128]);
    if levels == 0 { frame.len() } else { deep(levels - 1).max(frame[0]) }
}

/// Lets this user have only so many threads beside this one: those of the process, since the parent
/// gave it a user of its own, or none if it could not.
pub(super) fn limit_threads(granted: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let limit = Some(granted + 1);
    setrlimit(Resource::Nproc, Rlimit { current: limit, maximum: limit }).unwrap();
}
