//! The packer: takes orders from the queue and packs them.
//!
//! Every order in the queue is in the database too. So a stop waits for none of them: the next run
//! begins with what earlier runs have left.

use std::time::Duration;

use taskkit::{Cancelled, Context};
use tokio::{sync::mpsc::Receiver, time::sleep};

use crate::{order::State, shop::Shop};

/// Orders that are read at once of those that earlier runs have left.
const PAGE: u32 = 100;
/// The pause after the database failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Packs orders until it is stopped. It is ready as long as the database works.
///
/// # Errors
///
/// Returns [`Cancelled`] at the stop.
pub async fn run(
    ctx: Context,
    mut queue: Receiver<String>,
    shop: Shop,
    packing_time: Duration,
) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let left = || shop.database.page(&after, PAGE, Some(State::Placed));
        let left = until_ok(&ctx, left).await?;
        let Some(last) = left.last() else { break };
        last.id.clone_into(&mut after);
        for order in left {
            pack(&ctx, &shop, &order.id, packing_time).await?;
        }
    }
    while let Some(id) = ctx.or_cancelled(queue.recv()).await? {
        pack(&ctx, &shop, &id, packing_time).await?;
    }
    Ok(())
}

async fn pack(ctx: &Context, shop: &Shop, id: &str, time: Duration) -> Result<(), Cancelled> {
    ctx.or_cancelled(sleep(time)).await?;
    if let Some(order) = until_ok(ctx, || shop.database.pack(id)).await? {
        shop.counts.packed.inc();
        // Fails if there is no stream.
        let _ = shop.changes.send(order);
    }
    Ok(())
}

/// Tries until the database works, or the stop.
async fn until_ok<T, F: Future<Output = sqlx::Result<T>>>(
    ctx: &Context,
    statement: impl Fn() -> F,
) -> Result<T, Cancelled> {
    loop {
        match statement().await {
            Ok(value) => {
                ctx.set_ready(true);
                return Ok(value);
            }
            Err(error) => {
                ctx.set_ready(false);
                ctx.set_status("waiting for the database");
                tracing::warn!("the packer tries again: {error}");
                ctx.or_cancelled(sleep(PAUSE)).await?;
                ctx.set_status("");
            }
        }
    }
}
