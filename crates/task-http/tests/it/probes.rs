//! `/livez`, `/readyz` and `/startupz`: what they respond. How checks are run is in `checks`.

use task_core::{Blocker, Outcome, Step};

use crate::{client::Client, group::task, service::Service};

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
    assert_eq!(text, "[-]database failed: refused\\n[+]forged ok\nreadyz check failed\n");
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

/// The default check of HAProxy is an `OPTIONS` request.
#[tokio::test]
async fn an_options_request_to_a_probe_gets_the_state_as_a_get_does() {
    let service = Service::start(|http| http);
    let ask = async || {
        let mut client = Client::connect(service.address).await;
        client.request("OPTIONS", "/readyz", &[]).await
    };
    let response = ask().await;
    assert_eq!((response.status, &*response.text()), (200, "ok\n"));
    assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
    service.group.drain();
    assert_eq!(ask().await.status, 503);
    service.stop().await;
}
