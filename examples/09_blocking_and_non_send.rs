//! Work that blocks its thread, and futures that must not leave theirs.
//!
//! [`blocking_task`] runs a synchronous closure on an OS thread of its own: a runtime waits for its blocking pool
//! without limit, but not for a thread. It cannot be aborted, so it has to look at its context now and then. It is
//! also the place for futures that are not `Send`: a current-thread runtime inside of it can run them.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{cell::Cell, rc::Rc, time::Duration};

use taskkit::{Context, Manager, blocking_task, task_fn};
use tokio::{
    runtime,
    task::{LocalSet, spawn_local},
    time::sleep,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::new();

    manager.run(blocking_task("compactor", |ctx: Context| {
        let mut segments = 0;
        // An interruptible sleep: true once the task is cancelled.
        while !ctx.wait_cancelled(Duration::from_millis(100)) {
            segments += 1; // what blocks: file I/O, a C library, a long computation
            ctx.set_status(format!("{segments} segments compacted"));
        }
        println!("compactor: stopped after {segments} segments");
        Ok(())
    }))?;

    manager.run(blocking_task("script", |ctx: Context| {
        let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
        LocalSet::new().block_on(&runtime, interpret(ctx))
    }))?;

    manager.run(task_fn("timer", async |ctx| {
        sleep(Duration::from_millis(450)).await;
        ctx.request_stop("the example is over");
        Ok(())
    }))?;

    println!("\n{}", manager.wait().await?);
    Ok(())
}

/// Keeps an `Rc` across awaits, and spawns a helper that shares it.
async fn interpret(ctx: Context) -> anyhow::Result<()> {
    let steps = Rc::new(Cell::new(0));
    let helper = spawn_local({
        let steps = Rc::clone(&steps);
        async move {
            loop {
                steps.set(steps.get() + 1);
                sleep(Duration::from_millis(50)).await;
            }
        }
    });
    ctx.cancelled().await;
    helper.abort();
    println!("script: stopped after {} steps", steps.get());
    Ok(())
}
