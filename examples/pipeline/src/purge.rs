//! The purge: deletes old rows.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::Context as _;
use taskkit::Context;

use crate::{clock::now_ms, database::Database, totals::Totals};

/// Deletes rows older than `retention`, in statements of at most `batch` rows. A stop ends it
/// between two statements.
///
/// # Errors
///
/// Returns an error if a statement failed. Earlier statements are committed, and the next run
/// continues.
pub async fn purge(
    ctx: &Context,
    database: &Database,
    totals: &Totals,
    retention: Duration,
    batch: u32,
) -> anyhow::Result<()> {
    let age_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    let before_ms = now_ms().saturating_sub(age_ms);
    let mut purged = 0;
    while !ctx.is_cancelled() {
        let deleted = database.delete_oldest(before_ms, batch).await.context("failed to purge")?;
        purged += deleted;
        totals.purged.fetch_add(deleted, Relaxed);
        if deleted < u64::from(batch) {
            break;
        }
    }
    if purged > 0 {
        tracing::debug!(purged, "old rows deleted");
    }
    Ok(())
}
