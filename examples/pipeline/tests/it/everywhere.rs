//! The service, stopped at any time: while it starts its broker, migrates and joins its group, and
//! while it works.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::ensure;
use pipeline::{config, service, totals::Totals};
use task_testkit::stop_everywhere;
use taskkit::{Manager, kafka::Counts};
use tokio::time::sleep;

use crate::database::TestFile;

/// Starts a service with a new database. What it loses fails the last of its cleanups.
async fn start(manager: &Manager) -> anyhow::Result<Arc<Totals>> {
    static LIVES: AtomicUsize = AtomicUsize::new(0);
    let file = TestFile::new(&format!("everywhere-{}", LIVES.fetch_add(1, Relaxed)));
    let url = file.url();
    let arguments = ["pipeline", "--http-address=127.0.0.1:0", "--database-url", &url];
    let purge = ["--retention=1s", "--purge-interval=500ms"];
    let config = config::parse(arguments.iter().chain(&purge).map(Into::into))?;
    let totals = Arc::new(Totals::default());
    manager.cleanup("totals", {
        let totals = totals.clone();
        async move || {
            // The database is closed.
            drop(file);
            let Counts { consumed, produced, dead_lettered, settled, in_flight, .. } =
                totals.counts();
            ensure!(in_flight == 0 && settled == consumed, "not settled: {totals}");
            ensure!(consumed == produced + dead_lettered, "without a record: {totals}");
            ensure!(totals.rows.load(Relaxed) == produced, "without a row: {totals}");
            Ok(())
        }
    })?;
    service::start(manager, &config, &totals).await?;
    Ok(totals)
}

#[test]
fn a_stop_at_any_time_of_the_start_is_clean() {
    stop_everywhere(async |manager: &Manager| start(manager).await.map(drop))
        .in_real_time(5, Duration::from_secs(5))
        .within(Duration::from_secs(15))
        .check();
}

#[test]
fn a_stop_at_any_time_of_its_work_is_clean_and_loses_nothing() {
    let sweep = stop_everywhere(async |manager: &Manager| {
        let totals = start(manager).await?;
        while totals.counts().consumed < 500 {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    })
    .in_real_time(3, Duration::from_secs(3))
    .once_ready_within(Duration::from_secs(45))
    .within(Duration::from_secs(15))
    .check();
    assert!(sweep.is_deterministic(), "{sweep}");
}
