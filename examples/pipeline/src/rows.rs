//! The sink: writes rows, and has patience with a database that is away.

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

/// How long a batch is tried again before the service fails.
const PATIENCE: Duration = Duration::from_secs(15);

/// Writes rows to the database, again and again until it takes them, for 15 s at most.
#[derive(Debug)]
pub struct Rows {
    database: Database,
    totals: Arc<Totals>,
}

impl Rows {
    /// Makes a sink that counts what it wrote.
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
                Err(error) if start.elapsed() < PATIENCE => {
                    tracing::warn!(%error, "failed to write rows: trying again in {pause:?}");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
