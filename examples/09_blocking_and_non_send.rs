//! Work that blocks its thread, and futures that are not `Send`.
//!
//! [`blocking_task`] runs a synchronous closure on its own OS thread, not on the runtime's blocking
//! pool: a runtime that shuts down waits for that pool without limit. Such a task cannot be
//! aborted, so it has to check its context. It can also run a current-thread runtime, for futures
//! that are not `Send`.
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
        // Sleeps, and returns early with `true` when the task is cancelled.
        while !ctx.wait_cancelled(Duration::from_millis(100)) {
            segments += 1; // blocking work: file I/O, a C library, a computation
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

/// Holds an `Rc` across awaits, and shares it with a spawned future.
async fn interpret(ctx: Context) -> anyhow::Result<()> {
    let steps = Rc::new(Cell::new(0));
    let stepper = spawn_local({
        let steps = Rc::clone(&steps);
        async move {
            loop {
                steps.set(steps.get() + 1);
                sleep(Duration::from_millis(50)).await;
            }
        }
    });
    ctx.cancelled().await;
    stepper.abort();
    println!("script: stopped after {} steps", steps.get());
    Ok(())
}
