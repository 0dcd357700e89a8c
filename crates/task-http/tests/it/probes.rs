//! `/livez`, `/readyz` and `/startupz`, and the checks.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use task_core::{Blocker, Outcome, Step};
use task_http::Limits;
use tokio::{
    sync::Semaphore,
    time::{Instant, advance},
};

use crate::{
    client::Client,
    group::task,
    service::{Service, value},
};

#[tokio::test]
async fn before_readiness_livez_passes_and_readyz_names_the_blockers() {
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        snapshot.readiness.has_started = false;
        snapshot.readiness.blockers = vec![
            Blocker::SettingUp,
            Blocker::NotReady("consumer".into()),
            Blocker::HasEnded("migrate".into(), Outcome::Failed),
        ];
    });
    assert_eq!(service.get("/livez").await.status, 200);
    let expected = "[-]manager failed: setting up\n\
                    [-]task/consumer failed: not ready\n\
                    [-]task/migrate failed: has ended (failed)\n";
    for (path, end) in
        [("/readyz", "readyz check failed\n"), ("/startupz", "startupz check failed\n")]
    {
        let response = service.get(path).await;
        assert_eq!((response.status, response.text()), (503, format!("{expected}{end}")));
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    service.stop().await;
}

#[tokio::test]
async fn startupz_stays_ok_when_readiness_is_lost() {
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        snapshot.readiness.blockers = vec![Blocker::NotReady("consumer".into())]
    });
    assert_eq!(service.get("/readyz").await.status, 503);
    assert_eq!(service.get("/startupz").await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn during_a_drain_livez_passes_and_readyz_fails() {
    let service = Service::start(|http| http);
    assert_eq!(service.get("/readyz").await.status, 200);
    service.group.drain();
    let response = service.get("/readyz").await;
    let expected = "[-]manager failed: shutting down (draining)\nreadyz check failed\n";
    assert_eq!((response.status, response.text().as_str()), (503, expected));
    assert_eq!(service.get("/livez").await.status, 200);
    assert_eq!(service.get("/startupz").await.status, 200);
    service.group.change(|snapshot| {
        snapshot.readiness.blockers = vec![Blocker::ShuttingDown(Step::Stopping)]
    });
    assert_eq!(service.get("/livez").await.status, 200);
    service.stop().await;
}

/// Requirement 14.
#[tokio::test]
async fn verbose_lists_every_item_in_order() {
    let service = Service::start(|http| http.check("database", || async { Ok(()) }));
    service.group.change(|snapshot| {
        snapshot.tasks = vec![
            task(1, "consumer", |task| (task.gates_readiness, task.is_ready) = (true, true)),
            task(2, "purge", |_| ()),
        ];
    });
    let expected = "[+]database ok\n[+]manager ok\n[+]task/consumer ok\nreadyz check passed\n";
    assert_eq!(service.get("/readyz?verbose").await.text(), expected);
    assert_eq!(service.get("/readyz?verbose=1&x").await.text(), expected);
    assert_eq!(service.get("/livez?verbose").await.text(), "[+]runtime ok\nlivez check passed\n");
    assert_eq!(service.get("/readyz").await.text(), "ok\n");
    service.stop().await;
}

/// Requirement 14.
#[tokio::test]
async fn a_single_check_can_be_selected_or_excluded() {
    let service = Service::start(|http| {
        http.check("up", || async { Ok(()) })
            .check("down", || async { anyhow::bail!("no route to 10.1.2.3") })
            .check("of blanks", || async { Ok(()) })
    });
    service.group.change(|snapshot| {
        snapshot.readiness.blockers = vec![Blocker::NotReady("consumer".into())];
        snapshot.tasks = vec![task(1, "consumer", |task| task.gates_readiness = true)];
    });
    for (target, status) in [
        ("/readyz/up", 200),
        ("/readyz/of%20blanks", 200),
        ("/readyz/down", 503),
        ("/readyz/task/consumer", 503),
        ("/readyz/manager", 200),
        ("/readyz/missing", 404),
        ("/livez/runtime", 200),
        ("/livez/up", 404),
        ("/readyz?exclude=down", 503),
        ("/readyz?exclude=task/consumer", 503),
        ("/readyz?exclude=down&exclude=task%2Fconsumer", 200),
        ("/livez?exclude=down", 200),
    ] {
        assert_eq!(service.get(target).await.status, status, "{target}");
    }
    let text = service.get("/readyz?exclude=missing&verbose").await.text();
    assert!(text.contains("warn: no check `missing` to exclude\n"), "{text}");
    assert!(
        !text.contains("10.1.2.3") && text.contains("[-]down failed: reason withheld\n"),
        "{text}"
    );
    service.stop().await;
}

#[tokio::test]
async fn the_reasons_of_failed_checks_are_shown_if_revealed() {
    let service = Service::start(|http| {
        http.reveal_reasons().check("database", || async { anyhow::bail!("refused\n[+]forged ok") })
    });
    let text = service.get("/readyz").await.text();
    assert_eq!(text, "[-]database failed: refused [+]forged ok\nreadyz check failed\n");
    service.stop().await;
}

#[tokio::test]
async fn a_liveness_check_fails_livez_and_nothing_else() {
    let service = Service::start(|http| {
        http.liveness_check("heartbeat", || async { anyhow::bail!("stuck") })
    });
    assert_eq!(service.get("/livez").await.status, 503);
    assert_eq!(service.get("/readyz").await.status, 200);
    service.stop().await;
}

/// Requirement 14.
#[tokio::test]
async fn a_check_that_panics_fails_and_the_server_goes_on() {
    let service = Service::start(|http| {
        http.check("early", || -> std::future::Ready<anyhow::Result<()>> {
            panic!("before there is a future")
        })
        .check("late", || async { panic!("while it is polled") })
    });
    let expected = "[-]early failed: panicked\n[-]late failed: panicked\nreadyz check failed\n";
    assert_eq!(service.get("/readyz").await.text(), expected);
    assert_eq!(service.get("/livez").await.status, 200);
    service.stop().await;
}

/// Requirement 14.
#[tokio::test(start_paused = true)]
async fn checks_run_concurrently_within_the_check_timeout() {
    let service = Service::start(|mut http| {
        http = http.limits(Limits::default().check_timeout(Duration::from_secs(3)));
        for number in 0..1000 {
            http = http.check(format!("slow-{number}"), pending);
        }
        http.check("quick", || async { Ok(()) })
    });
    let asked = Instant::now();
    let response = service.get("/readyz").await;
    assert_eq!(response.status, 503);
    assert_eq!(asked.elapsed().as_secs(), 3);
    assert_eq!(response.text().matches("failed: timed out\n").count(), 1000);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_is_dropped() {
    let guard = Arc::new(());
    let service = Service::start({
        let guard = Arc::clone(&guard);
        move |http| {
            http.check("slow", move || {
                let guard = Arc::clone(&guard);
                async move {
                    let _guard = guard;
                    pending().await
                }
            })
        }
    });
    assert_eq!(service.get("/readyz").await.status, 503);
    tokio::time::sleep(Duration::from_millis(10)).await;
    // One is here, and one in the closure of the check.
    assert_eq!(Arc::strong_count(&guard), 2);
    service.stop().await;
}

/// Requirement 14.
#[tokio::test(start_paused = true)]
async fn a_result_is_used_again_while_it_is_fresh_also_a_failure() {
    let (runs, is_good) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let service = Service::start({
        let (runs, is_good) = (Arc::clone(&runs), Arc::clone(&is_good));
        move |http| {
            http.check("database", move || {
                runs.fetch_add(1, Ordering::SeqCst);
                let is_good = is_good.load(Ordering::SeqCst);
                async move { if is_good { Ok(()) } else { Err(anyhow::anyhow!("down")) } }
            })
        }
    });
    for _ in 0..10 {
        assert_eq!(service.get("/readyz").await.status, 503);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    is_good.store(true, Ordering::SeqCst);
    assert_eq!(service.get("/readyz").await.status, 503);
    advance(Duration::from_millis(1001)).await;
    assert_eq!(service.get("/readyz").await.status, 200);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn concurrent_probes_share_one_run_of_a_check() {
    let runs = Arc::new(AtomicU32::new(0));
    let service = Service::start({
        let runs = Arc::clone(&runs);
        move |http| {
            http.check("slow", move || {
                runs.fetch_add(1, Ordering::SeqCst);
                async {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    Ok(())
                }
            })
        }
    });
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(service.address).await;
        client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.response(true).await.status, 200);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    service.stop().await;
}

#[tokio::test]
async fn checks_with_equal_or_reserved_names_stay_distinct() {
    let service = Service::start(|http| {
        http.check("a", || async { Ok(()) })
            .check("a", || async { anyhow::bail!("second") })
            .check("manager", || async { Ok(()) })
            .check("task/a", || async { Ok(()) })
            .check("task/a", || async { Ok(()) })
    });
    let expected = "[+]a ok\n[-]a#2 failed: reason withheld\n[+]check/manager ok\n[+]check/task/a ok\n\
                    [+]check/task/a#2 ok\n[+]manager ok\nreadyz check failed\n";
    assert_eq!(service.get("/readyz?verbose").await.text(), expected);
    service.stop().await;
}

#[tokio::test]
async fn the_last_result_of_each_check_is_a_metric() {
    let service = Service::start(|http| {
        http.check("good", || async { Ok(()) })
            .check("bad", || async { anyhow::bail!("no") })
            .liveness_check("never run", || async { Ok(()) })
    });
    service.get("/readyz").await;
    let scrape = service.get("/metrics").await.text();
    assert_eq!(
        value(&scrape, "task_health_check_status{probe=\"readyz\",check=\"good\"}"),
        Some(1.0)
    );
    assert_eq!(
        value(&scrape, "task_health_check_status{probe=\"readyz\",check=\"bad\"}"),
        Some(0.0)
    );
    assert!(!scrape.contains("never run"));
    service.stop().await;
}

/// Requirement 14.
#[tokio::test]
async fn while_a_check_runs_its_metric_has_the_result_of_the_run_before() {
    let (runs, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
    let service = Service::start({
        let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
        let limits = Limits::default().check_age(Duration::ZERO);
        move |http| {
            http.limits(limits.check_timeout(Duration::from_secs(60))).check(
                "database",
                move || {
                    let (run, gate) = (runs.fetch_add(1, Ordering::SeqCst), Arc::clone(&gate));
                    async move {
                        if run > 0 {
                            drop(gate.acquire().await);
                            anyhow::bail!("down");
                        }
                        Ok(())
                    }
                },
            )
        }
    });
    let series = "task_health_check_status{probe=\"readyz\",check=\"database\"}";
    assert_eq!(service.get("/readyz").await.status, 200);
    let mut client = Client::connect(service.address).await;
    client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    while runs.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(value(&service.get("/metrics").await.text(), series), Some(1.0));
    gate.add_permits(1);
    assert_eq!(client.response(true).await.status, 503);
    assert_eq!(value(&service.get("/metrics").await.text(), series), Some(0.0));
    service.stop().await;
}
