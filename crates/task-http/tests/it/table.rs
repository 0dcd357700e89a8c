//! `/tasks` as JSON and as a page.

use std::time::{Duration, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use task_core::{
    Blocker, CleanupInfo, CleanupState, Exits, GroupEvent, Outcome, Phase, ShutdownInfo,
    SignalCount, Step, StopDeadline, TaskId, TaskReport, TaskState,
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
                task.deadline = Some(StopDeadline::Phase);
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
            task(4, "custom", |task| {
                (task.phase, task.is_ephemeral) = (Phase::new(150), true);
                task.children = 12;
            }),
        ];
    });
}

#[tokio::test]
async fn the_json_has_every_field() {
    let service = Service::start(|http| {
        let database = async || anyhow::bail!("refused");
        http.version("2.4.1").check("database", database).reveal_reasons()
    });
    shutting_down(&service.group);
    let mut failed = GroupEvent::new(Duration::from_secs(98), "task <b> failed");
    failed.is_failure = true;
    service.group.set_events(vec![failed]);
    let response = service.get("/tasks?format=json").await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    let mut value: Value = serde_json::from_slice(&response.body).unwrap();
    let tasks = value["tasks"].take();
    let started = value["instance"]["started_unix_seconds"].take();
    assert!(started.as_f64().unwrap() > 1.6e9, "{started}");
    let host = value["instance"]["host"].take();
    assert!(host.as_str().is_some_and(|host| !host.is_empty()), "{host}");
    let runtime = value["runtime"].take();
    assert_eq!(runtime["workers"], 1, "{runtime}");
    assert!(runtime["tokio_tasks"].is_u64() && runtime["queued"].is_u64(), "{runtime}");
    let monitored = value["runtimes"].take();
    assert_eq!(monitored[0]["name"], "runtime", "{monitored}");
    assert!(monitored[0]["spawn_delay_seconds"].is_f64(), "{monitored}");
    assert_eq!(
        (&monitored[0]["stalled_seconds"], &monitored[0]["stalls"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(
        value,
        json!({
            "name": "orders", "uptime_seconds": 100.0, "step": "stopping", "in_step_seconds": 1.5, "cause": "signal TERM <script>",
            "remaining_seconds": 18.25, "ready": false, "started": true, "blockers": ["check `database` failed"], "tasks": null,
            "totals": {"started": 4, "completed": 1, "cancelled": 0, "failed": 0, "panicked": 0, "aborted": 0,
                "abandoned": 0},
            "exits": [{"name": "<b>producer", "completed": 0, "cancelled": 0, "failed": 1, "panicked": 0,
                "aborted": 0, "abandoned": 0}],
            "signals": {"SIGTERM": 1},
            "cleanups": [{"name": "database", "state": "waiting", "began_at_seconds": null, "took_seconds": 0.0,
                "remaining_seconds": null}],
            "instance": {"host": null, "pid": std::process::id(), "version": "2.4.1", "started_unix_seconds": null},
            "events": [{"at_seconds": 98.0, "failure": true, "text": "task <b> failed"}],
            "checks": [{"name": "database", "probe": "readyz", "passed": false, "reason": "refused"}],
            "runtime": null, "runtimes": null,
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
            "state": "stopping", "in_state_seconds": 1.5, "uptime_seconds": 93784.0, "remaining_seconds": 4.5, "deadline": "phase", "groups": [], "gates_readiness": true,
            "ready": true, "status": "flushing 120\nmessages & more", "restarts": 3, "failures": 2,
            "children": 0, "waiting_seconds": null,
        })
    );
    assert_eq!((&tasks[1]["status"], &tasks[2]["phase"]), (&Value::Null, &json!(150)));
    assert_eq!(tasks[1]["waiting_seconds"], 7.5);
    assert_eq!(tasks[2]["children"], 12);
    let page = service.get("/tasks?format=html").await.text();
    // In the first box, and in the row.
    assert_eq!(page.matches("works again in 7.5s").count(), 2, "{page}");
    assert!(page.contains("12 children"), "{page}");
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
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    for part in [
        "con&quot;sumer&lt;script&gt;alert(1)&lt;/script&gt;",
        "signal TERM &lt;script&gt;",
        "messages &amp; more",
        ">18s</span> left to shut down",
        ">up 1d 2h<",
        ">stopping</span>",
        "<b>150</b>",
        "<b>con&quot;sumer&lt;script&gt;alert(1)&lt;/script&gt;</b> holds the stop: asked to end 1.5s ago, \
         aborted in 4.5s (deadline of phase work) <span class=\"status\">flushing 120\nmessages &amp; more</span>",
        "data-doing=\"stopping `con&quot;sumer&lt;script&gt;alert(1)&lt;/script&gt;`\"",
        "3 restarts</span>",
        "2 failures</span>",
        "1 of 3 living tasks asked to stop, 1 ended",
        "<span class=\"past\">draining</span><span class=\"now\">stopping</span>",
        "<span class=\"dim\">, 4.5s left</span>",
        // The timeline: from half a second to a second after the trigger, of 20.25 s.
        "&lt;b&gt;producer <span class=\"dim\">work</span>",
        "<i class=\"unclean\" style=\"left:2.47%;width:2.47%\">",
        "<i class=\"alive\" style=\"left:2.47%;width:7.41%\"></i><u style=\"left:32.10%\">",
        "<u></u>6.5s: deadline of phase work",
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
        let last = |task: &mut task_core::TaskInfo| task.phase = Phase::SUPPORT;
        snapshot.tasks.push(task(10_001, "http", last));
    });
    let page = service.get("/tasks").await.text();
    assert_eq!(page.matches("<li class=\"row\">").count(), 1_000);
    assert!(page.contains("and 9001 more"), "{page}");
    assert!(page.contains("<span class=\"name\">http</span>"), "a long section leaves room");
    assert!(page.len() < 300_000, "{}", page.len());
    let value: Value =
        serde_json::from_slice(&service.get("/tasks?format=json").await.body).unwrap();
    assert_eq!(value["tasks"].as_array().unwrap().len(), 10_001);
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
    assert!(!page.contains("clean ends within"), "none took less than a hundredth");
    assert!(page.contains("and 47 more, which took less"), "{page}");
    service.stop().await;
}

#[tokio::test]
async fn the_timeline_folds_what_ended_at_once_and_begins_with_what_has_not_ended() {
    let service = Service::start(|http| http);
    shutting_down(&service.group);
    service.group.change(|snapshot| {
        let ended = &mut snapshot.shutdown.as_mut().unwrap().ended;
        for id in 10..13 {
            let mut quick = TaskReport::new(TaskId::new(id), "quick", Outcome::Completed);
            quick.ended_at = Duration::from_millis(98_150);
            quick.stop_took = Some(Duration::from_millis(150));
            ended.push(quick);
        }
    });
    let page = service.get("/tasks").await.text();
    let at = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part} in {page}"));
    assert!(at("class=\"alive\"") < at("class=\"unclean\""), "{page}");
    assert!(at("class=\"unclean\"") < at("3 clean ends within 0.2s"), "{page}");
    assert!(at("3 clean ends within 0.2s") < at(">quick <span"), "{page}");
    service.stop().await;
}

/// The first lines of what is wrong, without markup.
fn verdict(page: &str) -> Vec<String> {
    let begin = page.find("<section class=\"box verdict").unwrap();
    let end = begin + page[begin..].find("</section>").unwrap();
    let mut lines = Vec::new();
    for line in page[begin..end].split("<p").skip(1) {
        let parts = line.split('<').map(|part| part.split_once('>').map_or("", |(_, text)| text));
        lines.push(parts.collect::<String>());
    }
    lines
}

#[tokio::test]
async fn the_first_box_says_that_all_is_well_or_what_is_wrong() {
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        snapshot.uptime = Duration::from_secs(10_000);
        snapshot.tasks = vec![task(1, "consumer", |_| ()), task(2, "api", |_| ())];
    });
    let lines = async || verdict(&service.get("/tasks").await.text());
    assert_eq!(lines().await, ["All is well: 2 tasks running"]);

    // A failure of some time ago is named, and is no problem any more.
    let mut failed = GroupEvent::new(Duration::from_secs(9_000), "task `api` went on: refused");
    failed.is_failure = true;
    service.group.set_events(vec![failed.clone()]);
    let old = "Last failure 16m 40s ago: task `api` went on: refused";
    assert_eq!(lines().await, ["All is well: 2 tasks running", old]);

    failed.at = Duration::from_secs(9_940);
    service.group.set_events(vec![failed, GroupEvent::new(Duration::from_secs(9_950), "ready")]);
    service.group.change(|snapshot| {
        snapshot.readiness.blockers = vec![Blocker::NotReady("consumer".into())];
        snapshot.tasks[0].gates_readiness = true;
        snapshot.tasks[0].status = Some("rebalancing".into());
        snapshot.tasks[1].waiting = Some(Duration::from_secs(27));
        snapshot.tasks[1].restarts = 3;
    });
    let expected = [
        "Not ready: task `consumer` is not ready rebalancing",
        "api works again in 27s, 3 restarts",
        "1m 0s ago: task `api` went on: refused",
    ];
    assert_eq!(lines().await, expected);
    let page = service.get("/tasks").await.text();
    let section = page.find("data-key=\"attention\"").unwrap();
    let rows = &page[section..section + page[section..].find("</details>").unwrap()];
    assert!(rows.contains(">consumer<") && rows.contains(">api<"), "{rows}");
    assert!(page.contains("<li class=\"failed\">"), "{page}");
    service.stop().await;
}

#[tokio::test]
async fn the_first_box_counts_the_problems_that_it_does_not_show() {
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        let waits = |task: &mut task_core::TaskInfo| task.waiting = Some(Duration::from_secs(1));
        snapshot.tasks = (1..=9).map(|id| task(id, &format!("poll-{id}"), waits)).collect();
    });
    let lines = verdict(&service.get("/tasks").await.text());
    assert_eq!((lines.len(), &*lines[6]), (7, "and 3 more"));
    service.stop().await;
}

#[tokio::test]
async fn nested_groups_are_a_tree_and_the_one_inside_that_hangs_is_named_by_its_path() {
    let (inner, innermost) = (TestGroup::new(), TestGroup::new());
    innermost.change(|snapshot| {
        snapshot.name = "shards".into();
        snapshot.tasks = vec![task(1, "merger", |task| {
            task.state = TaskState::Stopping;
            task.in_state = Duration::from_secs(3);
        })];
    });
    inner.change(|snapshot| {
        snapshot.name = "ingest".into();
        snapshot.step = Step::Stopping;
        snapshot.tasks = vec![
            task(1, "reader", |_| ()),
            task(2, "shards", |task| {
                task.state = TaskState::Stopping;
                task.groups = vec![innermost.view()];
            }),
        ];
    });
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        snapshot.step = Step::Stopping;
        snapshot.tasks = vec![task(7, "ingest", |task| {
            task.state = TaskState::Stopping;
            task.groups = vec![inner.view()];
        })];
    });
    let page = service.get("/tasks").await.text();
    assert_eq!(verdict(&page), ["ingest/shards/merger holds the stop: asked to end 3.0s ago"]);
    assert!(page.contains("data-doing=\"stopping `ingest/shards/merger`\""), "{page}");
    let part = "data-key=\"group-7-ingest\" open><summary>group <b>ingest</b> \
                <span class=\"dim\">stopping, 2 tasks</span>";
    assert!(page.contains(part), "{page}");
    let value: Value =
        serde_json::from_slice(&service.get("/tasks?format=json").await.body).unwrap();
    let shards = &value["tasks"][0]["groups"][0]["tasks"][1]["groups"][0];
    assert_eq!(
        (&shards["name"], &shards["tasks"][0]["name"]),
        (&json!("shards"), &json!("merger"))
    );
    service.stop().await;
}

#[tokio::test]
async fn a_group_that_seems_to_run_itself_has_an_end_on_the_page() {
    let service = Service::start(|http| http);
    service.group.change(|snapshot| {
        let view = service.group.view();
        snapshot.tasks = vec![task(1, "inside", move |task| task.groups = vec![view])];
    });
    let page = service.get("/tasks").await.text();
    assert_eq!(page.matches("<li class=\"row\">").count(), 17);
    service.group.change(|snapshot| snapshot.tasks.clear());
    service.stop().await;
}

#[tokio::test]
async fn whatever_text_is_shown_its_markup_is_escaped() {
    const FOREIGN: &str = "</script><script>'\"<img src=x>&";
    let inner = TestGroup::new();
    inner.change(|snapshot| {
        snapshot.name = FOREIGN.into();
        snapshot.tasks = vec![task(1, FOREIGN, |task| task.state = TaskState::Aborting)];
    });
    let service = Service::start(|http| {
        http.version(FOREIGN)
            .check(FOREIGN, async || anyhow::bail!(FOREIGN))
            .reveal_reasons()
            .watch_runtime(FOREIGN, tokio::runtime::Handle::current())
    });
    let mut failed = GroupEvent::new(Duration::ZERO, FOREIGN);
    failed.is_failure = true;
    service.group.set_events(vec![failed, GroupEvent::new(Duration::ZERO, FOREIGN)]);
    for step in [Step::Running, Step::Stopping, Step::CleaningUp, Step::Ended] {
        shutting_down(&service.group);
        service.group.change(|snapshot| {
            snapshot.name = FOREIGN.into();
            snapshot.step = step;
            snapshot.cause = Some(FOREIGN.into());
            snapshot.readiness.blockers = vec![Blocker::NotReady(FOREIGN.into())];
            snapshot.signals = vec![SignalCount::new(FOREIGN, 1)];
            snapshot.cleanups = vec![CleanupInfo::new(FOREIGN)];
            snapshot.cleanups[0].state = CleanupState::Running;
            snapshot.cleanups[0].began_at = Some(Duration::from_secs(99));
            snapshot.cleanups[0].remaining = Some(Duration::from_secs(9));
            let mut exits = Exits::new(Some(FOREIGN.into()));
            exits.count(Outcome::Failed);
            snapshot.exits = vec![exits];
            let mut ended = TaskReport::new(TaskId::new(2), FOREIGN, Outcome::Failed);
            ended.stop_took = Some(Duration::from_secs(1));
            snapshot.shutdown.as_mut().unwrap().ended = vec![ended];
            for task in &mut snapshot.tasks {
                task.name = FOREIGN.into();
                task.status = Some(FOREIGN.into());
                task.gates_readiness = true;
            }
            snapshot.tasks[0].groups = vec![inner.view()];
        });
        let page = service.get("/tasks").await.text();
        assert_eq!(page.matches("<script").count(), 1, "{step}: {page}");
        assert_eq!(page.matches("</script").count(), 1, "{step}: {page}");
        assert!(!page.contains("<img") && !page.contains("'\"<"), "{step}: {page}");
        assert!(page.matches("&lt;img src=x&gt;&amp;").count() > 10, "{step}: {page}");
        let json = service.get("/tasks?format=json").await.body;
        serde_json::from_slice::<Value>(&json).unwrap();
    }
    service.stop().await;
}

#[tokio::test]
async fn the_policy_allows_the_script_of_the_page_and_no_other() {
    let service = Service::start(|http| http);
    let response = service.get("/tasks").await;
    let page = response.text();
    let (_, script) = page.split_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    let hash = BASE64_STANDARD.encode(Sha256::digest(script));
    let policies: Vec<_> = response
        .headers
        .iter()
        .filter(|(name, _)| name == "content-security-policy")
        .map(|(_, value)| value.as_str())
        .collect();
    let expected = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(policies, [expected]);
    service.stop().await;
}

#[tokio::test]
async fn the_page_says_which_process_responds() {
    let service = Service::start(|http| http.version("2.4.1"));
    let page = service.get("/tasks").await.text();
    for part in [format!("<span>pid {}</span>", std::process::id()), "version 2.4.1".into()] {
        assert!(page.contains(&part), "{part} in {page}");
    }
    assert!(page.contains(&format!("data-instance=\"{}-1", std::process::id())), "{page}");
    service.stop().await;
}
