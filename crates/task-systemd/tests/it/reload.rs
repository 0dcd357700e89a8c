//! Reloads: announced with the clock's value, and ended whatever happens.

use anyhow::bail;
use task_manager::Manager;
use task_systemd::Notifier;

use crate::fake::{Fake, secs, worker};

const LIMIT: std::time::Duration = secs(30);

/// Runs a group that is ready, and returns what was said from then on.
async fn while_ready(play: impl AsyncFnOnce(&Notifier)) -> Vec<String> {
    let fake = Fake::at_path();
    let systemd = fake.task();
    let notifier = systemd.notifier();
    let manager = Manager::new();
    manager.run(systemd).unwrap();
    manager.run(worker(secs(1), secs(1))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        fake.until("readiness", |said| said.starts_with("READY=1")).await;
        play(&notifier).await;
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
    fake.received().into_iter().filter(|said| !said.starts_with("STATUS=")).collect()
}

fn micros(message: &str) -> u64 {
    let (first, second) = message.split_once('\n').unwrap();
    assert_eq!(first, "RELOADING=1");
    second.strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_reload_has_the_clock_at_its_beginning_and_readiness_at_its_end() {
    let said = while_ready(async |notifier| {
        for _ in 0..2 {
            notifier.reload(LIMIT, async { Ok(()) }).await.unwrap();
        }
    })
    .await;
    assert_eq!(said.len(), 5, "{said:#?}");
    assert!(0 < micros(&said[0]) && micros(&said[0]) <= micros(&said[2]), "{said:#?}");
    assert_eq!(said[1], "READY=1\nSTATUS=ready, 2 tasks");
    assert_eq!(said[3], said[1]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_reload_ends_and_its_error_is_shown_until_one_succeeds() {
    let said = while_ready(async |notifier| {
        let failed = notifier.reload(LIMIT, async { bail!("line 3:\nno broker") }).await;
        assert_eq!(failed.unwrap_err().to_string(), "line 3:\nno broker");
        notifier.reload(LIMIT, async { Ok(()) }).await.unwrap();
    })
    .await;
    let failed = "READY=1\nSTATUS=ready, 2 tasks; the last reload failed: line 3:\\nno broker";
    assert_eq!(said[1], failed);
    assert_eq!(said[3], "READY=1\nSTATUS=ready, 2 tasks");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_hangs_ends_at_its_limit_and_has_failed() {
    let said = while_ready(async |notifier| {
        let error = notifier.reload(LIMIT, std::future::pending()).await.unwrap_err();
        assert_eq!(error.to_string(), "the reload did not end within 30s");
    })
    .await;
    assert!(said[0].starts_with("RELOADING=1"));
    let failed = "; the last reload failed: the reload did not end within 30s";
    assert!(said[1].starts_with("READY=1") && said[1].ends_with(failed), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_is_dropped_or_panics_has_ended_and_has_failed() {
    let said = while_ready(async |notifier| {
        let reload = notifier.reload(LIMIT, std::future::pending());
        assert!(tokio::time::timeout(secs(3), reload).await.is_err());
        let notifier = notifier.clone();
        let panics = async move { notifier.reload(LIMIT, async { panic!("line 3") }).await };
        assert!(tokio::spawn(panics).await.unwrap_err().is_panic());
    })
    .await;
    let failed =
        "READY=1\nSTATUS=ready, 2 tasks; the last reload failed: it was dropped unfinished";
    assert!(said[0].starts_with("RELOADING=1"));
    assert_eq!(said[1], failed);
    assert!(said[2].starts_with("RELOADING=1"));
    assert_eq!(said[3], failed);
}

#[tokio::test(start_paused = true)]
async fn outside_of_the_time_between_readiness_and_stop_no_reload_is_reported() {
    let fake = Fake::at_path();
    let systemd = fake.task();
    let notifier = systemd.notifier();
    let early = notifier.reloading();
    let manager = Manager::new();
    manager.run(systemd).unwrap();
    manager.run(worker(secs(1), secs(5))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        fake.until("readiness", |said| said.starts_with("READY=1")).await;
        drop(early);
        let open = notifier.reloading();
        manager.stop();
        fake.until("stop", |said| said.starts_with("STOPPING=1")).await;
        drop(open);
        notifier.reload(LIMIT, async { Ok(()) }).await.unwrap();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
    let after: Vec<_> =
        fake.received().into_iter().filter(|said| !said.starts_with("STATUS=")).collect();
    assert_eq!(after, [""; 0]);
}
