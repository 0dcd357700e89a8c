//! How checks are run: together, with a timeout, once for all who ask; and their metric.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use task_http::Limits;
use tokio::{
    sync::Semaphore,
    time::{Instant, advance},
};

use crate::{
    client::Client,
    service::{Service, value},
};

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

/// Scrapes leave half of the connections to probes, also while a check hangs.
#[tokio::test(start_paused = true)]
async fn a_scrape_that_waits_for_a_check_counts_as_one() {
    let has_begun = Arc::new(AtomicBool::new(false));
    let service = Service::start(|http| {
        let has_begun = Arc::clone(&has_begun);
        http.limits(Limits::default().scrapes(1)).check("hangs", move || {
            has_begun.store(true, Ordering::SeqCst);
            pending()
        })
    });
    let mut waits = Client::connect(service.address).await;
    waits.send("GET /tasks?still HTTP/1.1\r\nHost: x\r\n\r\n").await;
    while !has_begun.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    assert_eq!(service.get("/metrics").await.status, 503);
    assert!(begun.elapsed() < Duration::from_millis(750), "it has waited for the check");
    assert_eq!(waits.response(true).await.status, 200);
    service.stop().await;
}

/// One verdict: what `/readyz` says is what the table and the metrics say.
#[tokio::test]
async fn a_failing_check_shows_in_the_table_and_in_the_metrics_as_well() {
    let passes = Arc::new(AtomicBool::new(false));
    let service = Service::start(|http| {
        let passes = Arc::clone(&passes);
        http.limits(Limits::default().check_age(Duration::ZERO)).check("database", move || {
            let passes = passes.load(Ordering::SeqCst);
            async move { if passes { Ok(()) } else { anyhow::bail!("refused") } }
        })
    });
    // In this order: none of them relies on a probe having run the check before.
    for (is_ready, status) in [(false, 503), (true, 200), (false, 503)] {
        passes.store(is_ready, Ordering::SeqCst);
        let scrape = service.get("/metrics").await.text();
        assert_eq!(value(&scrape, "task_manager_ready"), Some(f64::from(u8::from(is_ready))));
        passes.store(!is_ready, Ordering::SeqCst);
        service.get("/readyz").await;
        passes.store(is_ready, Ordering::SeqCst);
        let json: serde_json::Value =
            serde_json::from_str(&service.get("/tasks?format=json").await.text()).unwrap();
        let blockers: &[&str] = if is_ready { &[] } else { &["check `database` failed"] };
        assert_eq!((&json["ready"], &json["blockers"]), (&is_ready.into(), &blockers.into()));
        let page = service.get("/tasks").await.text();
        let fails = "Readiness check <b>database</b> fails: reason withheld";
        assert_eq!(page.contains(fails), !is_ready, "{page}");
        assert_eq!(service.get("/readyz").await.status, status);
    }
    service.stop().await;
}
