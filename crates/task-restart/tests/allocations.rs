//! What a restart allocates, beside what a spawn and a clean end do. A binary of its own, since it
//! counts with an allocator of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use allocation_counter::measure;
use task_core::Backoff;
use task_manager::{Context, Manager, task_fn};
use task_restart::{FailureLimit, Restart, restarting};
use tokio::runtime::Builder;

/// Runs `body` for some and for more rounds, and returns how many allocations a round takes.
fn per_round(body: impl AsyncFn(u64)) -> f64 {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let count = |rounds| {
        let errors = ERRORS.load(Ordering::SeqCst);
        let total = measure(|| runtime.block_on(body(rounds))).count_total;
        (total - (ERRORS.load(Ordering::SeqCst) - errors)) as f64
    };
    let (few, many) = (100, 2_100);
    count(few); // what is made once
    let (before, after) = (count(few), count(many));
    (after - before) / (many - few) as f64
}

async fn spawn_and_end(rounds: u64) {
    let manager = Manager::new();
    for _ in 0..rounds {
        let job = task_fn("job", async |_: Context| Ok(()));
        manager.run_ephemeral(job).unwrap().ended().await;
    }
    manager.shutdown().await.unwrap();
}

/// What the errors of the runs took, which is not ours. A backtrace takes many.
static ERRORS: AtomicU64 = AtomicU64::new(0);

fn error() -> anyhow::Error {
    let mut error = None;
    let taken = measure(|| error = Some(anyhow::Error::msg("no broker")));
    ERRORS.fetch_add(taken.count_total, Ordering::SeqCst);
    error.unwrap()
}

async fn restart(rounds: u64, fails: bool) {
    let manager = Manager::new();
    let mut left = rounds;
    let factory = move || {
        left -= 1;
        let left = left;
        Ok(task_fn("job", async move |ctx: Context| {
            if left == 0 {
                ctx.request_stop("done");
            }
            if fails { Err(error()) } else { Ok(()) }
        }))
    };
    let task = restarting(factory).unwrap().on(Restart::Always).limit(FailureLimit::NONE);
    let short = Backoff::new(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    manager.run(task.backoff(short)).unwrap();
    let report = match manager.wait().await {
        Ok(report) => report,
        Err(error) => error.report().unwrap().clone(),
    };
    assert_eq!(u64::from(report.tasks()[0].restarts), rounds - 1);
}

#[test]
fn a_restart_takes_at_most_one_allocation_more_than_a_spawn_and_a_clean_end() {
    let spawned = per_round(spawn_and_end);
    let completed = per_round(async |rounds| restart(rounds, false).await);
    let failed = per_round(async |rounds| restart(rounds, true).await);
    println!("spawn and end: {spawned:.2}, restart: {completed:.2}, after an error: {failed:.2}");
    // A list that grows now and then is no cost of a round.
    let most = spawned + 1.0 + 0.01;
    assert!(completed <= most, "{completed} against {spawned}");
    assert!(failed <= most, "{failed} against {spawned}");
}
