//! Cleanups that run at once, and cleanups that know how long they have.

use std::future::pending;
use std::time::Duration;

use task_manager::{Context, Manager, Outcome, task_fn};
use tokio::time::{Instant, sleep};

use crate::support::{Journal, SECOND};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Invariant 8.
#[tokio::test(start_paused = true)]
async fn cleanups_of_a_set_run_at_once_and_the_next_one_waits_for_all_of_them() {
    let (manager, journal) = (Manager::new(), Journal::default());
    let noting = |name: &'static str, takes: u64| {
        let journal = journal.clone();
        async move |_: Context| {
            journal.note(format!("{name} begins"));
            sleep(millis(takes)).await;
            journal.note(format!("{name} ends"));
            Ok(())
        }
    };
    manager.cleanup_with("pool", noting("pool", 10)).unwrap();
    manager.cleanup_with("traces", noting("traces", 300)).unwrap();
    manager.cleanup_beside("metrics", noting("metrics", 200)).unwrap();
    manager.cleanup_beside("logs", noting("logs", 100)).unwrap();
    let began = Instant::now();
    let report = manager.shutdown().await.unwrap();
    assert_eq!(began.elapsed(), millis(310));
    let expected = [
        "logs begins",
        "metrics begins",
        "traces begins",
        "logs ends",
        "metrics ends",
        "traces ends",
        "pool begins",
        "pool ends",
    ];
    assert_eq!(journal.read(), expected);
    let names: Vec<_> = report.cleanups().iter().map(|cleanup| &*cleanup.name).collect();
    assert_eq!(names, ["logs", "metrics", "traces", "pool"]);
}

/// Invariants 2 and 8.
#[tokio::test(start_paused = true)]
async fn a_set_that_hangs_is_aborted_and_abandoned_together_and_each_is_named() {
    let manager = Manager::builder().cleanup_timeout(5 * SECOND).build().unwrap();
    let journal = Journal::default();
    let noted = journal.clone();
    let pool = async move |ctx: Context| {
        noted.note(format!("{:?}", ctx.remaining().unwrap()));
        Ok(())
    };
    manager.cleanup_with("pool", pool).unwrap();
    manager.cleanup("hangs", async || pending().await).unwrap();
    let held = async |ctx: Context| {
        ctx.set_status("part 7");
        let hold = ctx.hold();
        tokio::spawn(async move {
            sleep(60 * SECOND).await;
            drop(hold);
        });
        // 5 s, of which 1 s is for the pool, and 250 ms are for being dropped.
        assert_eq!(ctx.remaining(), Some(millis(3_750)));
        Ok(())
    };
    manager.cleanup_beside("held", held).unwrap();
    manager.cleanup_beside("ends", async |_| Ok(())).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let failures: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    let expected = [
        "cleanup `hangs` was aborted at its deadline (it had 3.75 s)",
        "cleanup `held` was abandoned with a hold on it still kept (it had 3.75 s; part 7)",
    ];
    assert_eq!(failures, expected, "{report}");
    assert_eq!(journal.read(), ["750ms"]);
    assert_eq!(report.cleanups()[3].outcome, Some(Outcome::Completed));
}

/// Invariant 8. FAILURES 34.
#[tokio::test(start_paused = true)]
async fn a_cleanup_beside_one_that_has_begun_runs_next_alone() {
    let (manager, journal) = (Manager::new(), Journal::default());
    let (handle, noted) = (manager.handle(), journal.clone());
    let noted_first = journal.clone();
    manager
        .cleanup("first", async move || {
            noted_first.note("first");
            Ok(())
        })
        .unwrap();
    manager
        .cleanup("last", async move || {
            let (again, other) = (noted.clone(), noted.clone());
            handle.cleanup_beside("late", async move |_| {
                sleep(SECOND).await;
                again.note("late");
                Ok(())
            })?;
            handle.cleanup_beside("later", async move |_| {
                other.note("later");
                Ok(())
            })?;
            noted.note("last");
            Ok(())
        })
        .unwrap();
    manager.shutdown().await.unwrap();
    assert_eq!(journal.read(), ["last", "later", "late", "first"]);
}

/// FAILURES 22.
#[tokio::test(start_paused = true)]
async fn the_first_of_ten_cleanups_may_take_most_of_the_time_if_the_others_take_none() {
    let manager = Manager::new();
    for index in 0..9 {
        manager.cleanup(format!("{index}"), async || Ok(())).unwrap();
    }
    // 25 s that no task needs, of which 1 s is for each of the others.
    let first = async || {
        sleep(millis(15_700)).await;
        Ok(())
    };
    manager.cleanup("first", first).unwrap();
    let began = Instant::now();
    manager.shutdown().await.unwrap();
    assert_eq!(began.elapsed(), millis(15_700));
}

/// Nothing is kept for it, so it has what the tasks leave.
#[tokio::test(start_paused = true)]
async fn a_cleanup_that_is_first_registered_during_the_stop_has_what_is_left() {
    for (takes, runs) in [(24, true), (26, false)] {
        let (manager, journal) = (Manager::new(), Journal::default());
        let (handle, noted) = (manager.handle(), journal.clone());
        let late = task_fn("late", async move |ctx: Context| {
            ctx.cancelled().await;
            handle.cleanup("close", async move || {
                noted.note("closed");
                Ok(())
            })?;
            let hold = ctx.hold();
            tokio::spawn(async move {
                sleep(takes * SECOND).await;
                drop(hold);
            });
            Ok(())
        });
        manager.run(late).unwrap();
        let result = manager.shutdown().await;
        assert_eq!(journal.read().len(), usize::from(runs));
        assert_eq!(result.is_ok(), runs);
        if let Err(error) = result {
            let failures = error.report().unwrap().failures();
            let last = failures.last().unwrap().to_string();
            assert_eq!(last, "cleanup `close` was not run: no time was left for it");
        }
    }
}
