//! A test of a task, without a manager and without waiting.
//!
//! A [`StageCell`] is the smallest scope that can run and cancel a task. On Tokio's paused clock,
//! time advances whenever every future waits, so a test of two hours takes no time.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{sync::Arc, time::Duration};

use taskkit::{
    Cancelled, Context, Task,
    core::scope::{Stage, StageCell},
    task_fn,
};
use tokio::time::{Instant, sleep};

/// The task under test: checks a mailbox once an hour.
fn mailbox() -> impl Task {
    task_fn("mailbox", async |ctx: Context| {
        loop {
            ctx.or_cancelled(sleep(Duration::from_secs(3600))).await?;
            println!("{}: checked", ctx.name());
        }
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());

    let stop = async {
        sleep(Duration::from_secs(2 * 3600 + 1)).await;
        stage.advance(Stage::Cancelled);
    };
    let (result, ()) = tokio::join!(mailbox().run(ctx), stop);

    let Err(error) = result else { unreachable!("the task ends only when it is cancelled") };
    assert!(Cancelled::is_outermost_in(&error), "`Cancelled` is a clean end");
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(2 * 3600 + 1),
        "the task ended when it was cancelled"
    );
    println!("tested {:?} of the task in virtual time", start.elapsed());
}
