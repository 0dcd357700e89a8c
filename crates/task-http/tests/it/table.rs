//! `/tasks` as JSON and as a page.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use task_core::{
    CleanupInfo, Exits, Outcome, Phase, ShutdownInfo, SignalCount, Step, TaskId, TaskReport,
    TaskState,
};

use crate::{
    client::get_with,
    group::{TestGroup, task},
    service::Service,
};

/// Shows a group in its shutdown, with markup in its names.
fn shutting_down(group: &TestGroup) {
    group.change(|snapshot| {
        snapshot.step = Step::Stopping;
        snapshot.cause = Some("signal TERM <script>".into());
        snapshot.in_step = Duration::from_millis(1500);
        snapshot.remaining = Some(Duration::from_millis(18_250));
        snapshot.uptime = Duration::from_secs(100);
        let mut shutdown = ShutdownInfo::new(UNIX_EPOCH + Duration::from_millis(1_800_000_000_250));
        shutdown.began_at = Duration::from_secs(98);
        shutdown.took = Duration::from_secs(2);
        shutdown.budget = Some(Duration::from_millis(20_250));
        let mut ended = TaskReport::new(TaskId::new(2), "<b>producer", Outcome::Failed);
        ended.ended_at = Duration::from_secs(99);
        ended.stop_took = Some(Duration::from_millis(500));
        shutdown.ended = vec![ended];
        snapshot.shutdown = Some(shutdown);
        let mut exits = Exits::new(Some("<b>producer".into()));
        exits.count(Outcome::Failed);
        snapshot.exits = vec![exits];
        snapshot.cleanups = vec![CleanupInfo::new("database")];
        snapshot.signals = vec![SignalCount::new("SIGTERM", 1)];
        snapshot.totals.started = 4;
        snapshot.totals.completed = 1;
        snapshot.tasks = vec![
            task(1, "con\"sumer<script>alert(1)</script>", |task| {
                task.state = TaskState::Stopping;
                task.in_state = Duration::from_millis(1500);
                task.remaining = Some(Duration::from_millis(4500));
                task.uptime = Duration::from_secs(93_784);
                task.gates_readiness = true;
                task.is_ready = true;
                task.status = Some("flushing 120\nmessages & more".into());
                task.restarts = 3;
                task.failures = 2;
            }),
            task(3, "http", |task| {
                task.phase = Phase::SUPPORT;
                task.waiting = Some(Duration::from_millis(7500));
            }),
            task(4, "custom", |task| (task.phase, task.is_ephemeral) = (Phase::new(150), true)),
        ];
    });
}

#[tokio::test]
async fn the_json_has_every_field() {
    let service = Service::start(|http| http);
    shutting_down(&service.group);
    let response = service.get("/tasks?format=json").await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    let mut value: Value = serde_json::from_slice(&response.body).unwrap();
    let tasks = value["tasks"].take();
    assert_eq!(
        value,
        json!({
            "name": "orders", "uptime_seconds": 100.0, "step": "stopping", "in_step_seconds": 1.5, "cause": "signal TERM <script>",
            "remaining_seconds": 18.25, "ready": true, "started": true, "blockers": [], "tasks": null,
            "totals": {"started": 4, "completed": 1, "cancelled": 0, "failed": 0, "panicked": 0, "aborted": 0,
                "abandoned": 0},
            "exits": [{"name": "<b>producer", "completed": 0, "cancelled": 0, "failed": 1, "panicked": 0,
                "aborted": 0, "abandoned": 0}],
            "signals": {"SIGTERM": 1},
            "cleanups": [{"name": "database", "state": "waiting", "began_at_seconds": null, "took_seconds": 0.0}],
            "shutdown": {"began_unix_seconds": 1_800_000_000.25, "began_at_seconds": 98.0, "took_seconds": 2.0,
                "budget_seconds": 20.25, "omitted": 0, "ended": [{"id": 2, "name": "<b>producer", "phase": 100,
                "outcome": "failed", "ended_at_seconds": 99.0, "ran_seconds": 0.0, "stop_took_seconds": 0.5,
                "status": null}]},
        })
    );
    assert_eq!(tasks.as_array().unwrap().len(), 3);
    assert_eq!(
        tasks[0],
        json!({
            "id": 1, "name": "con\"sumer<script>alert(1)</script>", "phase": 100, "ephemeral": false,
            "state": "stopping", "in_state_seconds": 1.5, "uptime_seconds": 93784.0, "remaining_seconds": 4.5, "gates_readiness": true,
            "ready": true, "status": "flushing 120\nmessages & more", "restarts": 3, "failures": 2,
            "waiting_seconds": null,
        })
    );
    assert_eq!((&tasks[1]["status"], &tasks[2]["phase"]), (&Value::Null, &json!(150)));
    assert_eq!(tasks[1]["waiting_seconds"], 7.5);
    let page = service.get("/tasks?format=html").await.text();
    assert_eq!(page.matches("works again in 7.5s").count(), 1, "{page}");
    service.stop().await;
}

#[tokio::test]
async fn the_client_chooses_between_json_and_the_page() {
    let service = Service::start(|http| http);
    for (target, accept, is_json) in [
        ("/tasks", "application/json", true),
        ("/tasks", "application/json, text/html;q=0.5", true),
        ("/tasks", "application/*", true),
        ("/tasks?format=json", "text/html", true),
        ("/tasks?format=html", "application/json", false),
        ("/tasks?format=other", "application/json", true),
        ("/tasks", "text/html,application/xhtml+xml,*/*;q=0.8", false),
        ("/tasks", "text/html, application/json", false),
        ("/tasks", "*/*", false),
        ("/tasks", "", false),
    ] {
        let response = get_with(service.address, target, &[("Accept", accept)]).await;
        let expected = if is_json { "application/json" } else { "text/html; charset=utf-8" };
        assert_eq!(response.header("content-type"), Some(expected), "{target} {accept}");
        assert_eq!(response.header("vary"), Some("Accept, Accept-Encoding"));
    }
    service.stop().await;
}

#[tokio::test]
async fn the_page_shows_the_shutdown_and_escapes_markup() {
    let service = Service::start(|http| http);
    shutting_down(&service.group);
    let response = service.get("/tasks").await;
    let page = response.text();
    assert!(!page.contains("<script"), "{page}");
    for part in [
        "con&quot;sumer&lt;script&gt;alert(1)&lt;/script&gt;",
        "signal TERM &lt;script&gt;",
        "messages &amp; more",
        ">18s</span> left to shut down",
        ">1d 2h<",
        ">stopping</span>",
        ">150 <span",
        "1 of 3 living tasks asked to stop, 1 ended",
        "<span class=\"past\">draining</span><span class=\"now\">stopping</span>",
        "<span class=\"dim\">, 4.5s left</span>",
        // The timeline: from half a second to a second after the trigger, of 20.25 s.
        "&lt;b&gt;producer <span class=\"dim\">work</span>",
        "<i class=\"unclean\" style=\"left:2.47%;width:2.47%\">",
        "<i class=\"alive\" style=\"left:2.47%;width:7.41%\">",
        "0.5s <span class=\"dim\">failed",
        "4 tasks started · 1 completed",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // The page loads nothing, and its policy forbids it.
    assert!(
        !page.contains("src=")
            && !page.contains("url(")
            && !page.contains("http://")
            && !page.contains("https://")
    );
    assert!(response.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    service.stop().await;
}

#[tokio::test]
async fn the_page_refreshes_itself_unless_it_is_paused() {
    let service = Service::start(|http| http);
    assert!(service.get("/tasks").await.text().contains("http-equiv=\"refresh\""));
    assert!(!service.get("/tasks?still").await.text().contains("http-equiv=\"refresh\""));
    service.stop().await;
}

#[tokio::test]
async fn the_page_of_ten_thousand_tasks_is_bounded_and_json_has_them_all() {
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        snapshot.tasks = (1..=10_000).map(|id| task(id, &format!("job-{id}"), |_| ())).collect();
    });
    let page = service.get("/tasks").await.text();
    assert_eq!(page.matches("<tr>").count(), 501);
    assert!(page.contains("and 9500 more"));
    let value: Value =
        serde_json::from_slice(&service.get("/tasks?format=json").await.body).unwrap();
    assert_eq!(value["tasks"].as_array().unwrap().len(), 10_000);
    service.stop().await;
}

#[tokio::test]
async fn the_timeline_shows_the_longest_bars_and_counts_the_others() {
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        snapshot.step = Step::CleaningUp;
        let mut shutdown = ShutdownInfo::new(UNIX_EPOCH);
        shutdown.took = Duration::from_secs(1);
        shutdown.omitted = 7;
        for id in 1..=100 {
            let name = format!("job-{id}");
            let mut ended = TaskReport::new(TaskId::new(id), name, Outcome::Completed);
            ended.ended_at = Duration::from_millis(id);
            ended.stop_took = Some(Duration::from_millis(id));
            shutdown.ended.push(ended);
        }
        snapshot.shutdown = Some(shutdown);
    });
    let page = service.get("/tasks").await.text();
    assert_eq!(page.matches("<div class=\"time\">").count(), 60);
    assert!(!page.contains("job-40 ") && page.contains("job-41 "), "{page}");
    assert!(page.contains("and 47 more, which took less"), "{page}");
    service.stop().await;
}
