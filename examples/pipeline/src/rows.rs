//! The sink: writes rows, and retries while the database is unavailable.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use taskkit::kafka::Sink;
use tokio::time::sleep;

use crate::{
    database::{Database, Row},
    totals::Totals,
};

/// How long a batch is retried before the service fails.
const RETRY_TIMEOUT: Duration = Duration::from_secs(15);

/// Writes rows to the database, and retries for at most 15 s.
#[derive(Debug)]
pub struct Rows {
    database: Database,
    totals: Arc<Totals>,
}

impl Rows {
    /// Creates a sink that counts the inserted rows.
    pub fn new(database: Database, totals: Arc<Totals>) -> Self {
        Self { database, totals }
    }
}

impl Sink<Row> for Rows {
    async fn write(&mut self, rows: Vec<Row>) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            match self.database.insert(&rows).await {
                Ok(inserted) => {
                    self.totals.rows.fetch_add(inserted, Relaxed);
                    return Ok(());
                }
                Err(error) if start.elapsed() < RETRY_TIMEOUT => {
                    tracing::warn!(%error, "failed to write rows, retrying in {pause:?}");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(error) => return Err(error),
            }
        }
    }
}
