//! A pool of workers that a channel feeds: at most four jobs at the same time, and none is lost.
//!
//! - `spawn` waits for a free place, so the channel fills up and its senders wait: back-pressure.
//! - A job that fails, or panics, is in the report by its name. The others go on.
//! - At the stop no further job is taken. Those that run are finished, since nothing in them looks
//!   at the stop; `scope` waits for them.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{Children, Context, Manager, task_fn};
use tokio::{
    sync::mpsc::{Receiver, channel},
    time::sleep,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (jobs, queue) = channel(8);
    let manager = Manager::new();
    manager.run_ephemeral(task_fn("pool", async |ctx| work(ctx, queue).await))?;
    for number in 0..20 {
        jobs.send(number).await?;
    }
    drop(jobs); // the pool ends when the queue is empty and the last job done
    if let Err(error) = manager.wait().await {
        println!("{error:#}"); // job 13 panicked
    }
    Ok(())
}

async fn work(ctx: Context, mut queue: Receiver<u32>) -> anyhow::Result<()> {
    let take_jobs = async |workers: &Children| {
        while let Some(job) = ctx.or_cancelled(queue.recv()).await? {
            workers.spawn(format!("job {job}"), async move |_| handle(job).await).await?;
        }
        Ok(())
    };
    Children::new(&ctx, 4)?.scope(take_jobs).await
}

async fn handle(job: u32) -> anyhow::Result<()> {
    assert_ne!(job, 13, "an unlucky number");
    sleep(Duration::from_millis(20)).await;
    println!("job {job} done");
    Ok(())
}
