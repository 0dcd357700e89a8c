//! How to test a task: without a manager, and without waiting.
//!
//! A [`StageCell`] is the smallest scope there is: enough to run a task and to cancel it. On Tokio's paused clock, time
//! passes when everybody waits, so a test of an hour takes no time.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{sync::Arc, time::Duration};

use taskkit::{
    Cancelled, Context, Task,
    core::scope::{Stage, StageCell},
    task_fn,
};
use tokio::time::{Instant, sleep};

/// The task under test: looks at a mailbox once an hour.
fn mailbox() -> impl Task {
    task_fn("mailbox", async |ctx: Context| {
        loop {
            ctx.or_cancelled(sleep(Duration::from_secs(3600))).await?;
            println!("{}: looking for letters", ctx.name());
        }
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let begun = Instant::now();
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());

    let stop = async {
        sleep(Duration::from_secs(2 * 3600 + 1)).await;
        stage.advance(Stage::Cancelled);
    };
    let (result, ()) = tokio::join!(mailbox().run(ctx), stop);

    let Err(error) = result else { unreachable!("it only ends when it is cancelled") };
    assert!(Cancelled::is_outermost_in(&error), "a clean end, once it was cancelled");
    assert_eq!(begun.elapsed(), Duration::from_secs(2 * 3600 + 1), "it ended at once");
    println!("tested {:?} of the task's life", begun.elapsed());
}
