//! A fan-out with results: eight requests at the same time, their values in order, and one that
//! fails takes the others along.
//!
//! - `run` returns a future of the child's value, or of the reason why there is none.
//! - When the function returns early, `Children` is dropped, which aborts what is left. That is no
//!   failure of the service.
//! - The requests belong to the task that waits for them: a stop reaches them, too.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{Children, Context, Manager, task_fn};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::new();
    manager.run_ephemeral(task_fn("search", async |ctx| {
        println!("{:?}", search(&ctx, 1..=20).await?);
        if let Err(error) = search(&ctx, 90..=120).await {
            println!("{error:#}"); // shard 99 is away; the others were dropped
        }
        Ok(())
    }))?;
    manager.wait().await?;
    Ok(())
}

async fn search(ctx: &Context, shards: impl Iterator<Item = u32>) -> anyhow::Result<Vec<u32>> {
    let requests = Children::new(ctx, 8)?;
    let mut running = Vec::new();
    for shard in shards {
        // Waits for a free place.
        let request = requests.run(format!("shard {shard}"), async move |_| ask(shard).await);
        running.push(request.await?);
    }
    let mut hits = Vec::new();
    for request in running {
        hits.push(request.await??);
    }
    Ok(hits)
}

async fn ask(shard: u32) -> anyhow::Result<u32> {
    sleep(Duration::from_millis(u64::from(shard % 7) * 10)).await;
    anyhow::ensure!(shard != 99, "shard {shard} is away");
    Ok(shard * shard)
}
