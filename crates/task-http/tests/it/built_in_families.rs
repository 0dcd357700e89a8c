//! The built-in families, in both formats.

use std::time::{Duration, UNIX_EPOCH};

use task_core::{
    CleanupInfo, CleanupState, Exits, Outcome, ShutdownInfo, SignalCount, Step, TaskId, TaskReport,
    TaskState,
};
use task_http::{HttpTask, HttpTaskBuilder};

use crate::{
    client::get_with,
    group::{TestGroup, task},
    service::{Service, value},
};

pub(crate) const OPENMETRICS: [(&str, &str); 1] =
    [("Accept", "application/openmetrics-text;version=1.0.0")];

/// Fills in everything that can be shown of a group, with names that need escapes.
pub(crate) fn fill(group: &TestGroup) {
    group.change(|snapshot| {
        snapshot.step = Step::Stopping;
        snapshot.remaining = Some(Duration::from_millis(12_500));
        snapshot.uptime = Duration::from_secs(100);
        let mut shutdown = ShutdownInfo::new(UNIX_EPOCH + Duration::from_millis(1_800_000_000_250));
        shutdown.budget = Some(Duration::from_secs(25));
        let mut ended = TaskReport::new(TaskId::new(5), "producer", Outcome::Failed);
        ended.stop_took = Some(Duration::from_millis(1500));
        shutdown.ended = vec![ended];
        snapshot.shutdown = Some(shutdown);
        let mut exits = Exits::new(Some("producer".into()));
        exits.count(Outcome::Failed);
        let mut others = Exits::new(None);
        others.count(Outcome::Completed);
        snapshot.exits = vec![exits, others];
        let mut flush = CleanupInfo::new("flush \"it\"");
        flush.state = CleanupState::Ended(Outcome::Completed);
        flush.began_at = Some(Duration::from_secs(99));
        flush.took = Duration::from_millis(250);
        snapshot.cleanups = vec![flush, CleanupInfo::new("database")];
        snapshot.signals = vec![SignalCount::new("SIGTERM", 2)];
        snapshot.totals.started = 6;
        snapshot.totals.count(Outcome::Completed);
        snapshot.totals.count(Outcome::Failed);
        snapshot.tasks = vec![
            task(1, "consumer", |task| {
                task.gates_readiness = true;
                task.is_ready = true;
                task.restarts = 2;
                task.failures = 1;
                task.waiting = Some(Duration::from_millis(7500));
            }),
            task(2, "odd \"name\" \\ with\nbreaks\r", |task| {
                task.state = TaskState::Stopping;
                task.in_state = Duration::from_millis(3250);
            }),
            task(3, "purge", |task| task.gates_readiness = true),
            task(4, &format!("{}é and more", "n".repeat(63)), |_| ()),
        ];
    });
}

fn only_the_group(http: HttpTaskBuilder) -> HttpTaskBuilder {
    http.without_process_metrics().without_runtime_metrics().without_server_metrics()
}

/// Returns the body without the start times, which differ in each run.
fn without_start_times(body: &str) -> String {
    body.lines()
        .filter(|line| !line.starts_with("task_start_time"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Requirement 5.
#[tokio::test]
async fn the_metrics_of_the_group_match_the_golden_files() {
    let service = Service::start(only_the_group);
    fill(&service.group);
    let text = service.get("/metrics").await.text();
    let open = get_with(service.address, "/metrics", &OPENMETRICS).await.text();
    service.stop().await;
    for (name, golden, body) in [
        ("group.txt", include_str!("golden/group.txt"), text),
        ("group.om", include_str!("golden/group.om"), open),
    ] {
        let body = without_start_times(&body);
        if std::env::var_os("TASK_BLESS").is_some() {
            let path = format!("{}/tests/it/golden/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, &body).unwrap();
        } else {
            assert_eq!(body, golden, "{name}: run with TASK_BLESS=1 to accept the change");
        }
    }
}

#[tokio::test]
async fn no_counter_decreases_when_one_of_two_tasks_of_a_name_ends() {
    let service = Service::start(only_the_group);
    let show = |ids: &[u64]| {
        let described =
            |id: &u64| task(*id, "consumer", |task| (task.restarts, task.failures) = (2, 3));
        service.group.change(|snapshot| snapshot.tasks = ids.iter().map(described).collect());
    };
    show(&[1, 2]);
    let before = service.get("/metrics").await.text();
    show(&[2]);
    let after = service.get("/metrics").await.text();
    let is_total = |line: &&str| line.contains("_total") && !line.starts_with('#');
    let totals = before.lines().filter(is_total);
    for (series, was) in totals.filter_map(|line| line.rsplit_once(' ')) {
        assert!(value(&after, series) >= was.parse().ok(), "{series} was {was}");
    }
    for (scrape, restarts, failures) in [(&before, 4.0, 6.0), (&after, 2.0, 3.0)] {
        assert_eq!(value(scrape, "task_restarts{task=\"consumer\"}"), Some(restarts));
        assert_eq!(value(scrape, "task_failures{task=\"consumer\"}"), Some(failures));
    }
    service.stop().await;
}

#[tokio::test]
async fn the_start_time_of_a_task_is_constant() {
    let service = Service::start(only_the_group);
    let mut seen = Vec::new();
    for uptime in [100, 101, 250] {
        service.group.change(|snapshot| {
            snapshot.tasks =
                vec![task(1, "consumer", |task| task.uptime = Duration::from_secs(uptime))];
        });
        let scrape = service.get("/metrics").await.text();
        seen.push(value(&scrape, "task_start_time_seconds{task=\"consumer\"}").unwrap());
    }
    assert!(seen[0] > 1.6e9 && seen.iter().all(|time| *time == seen[0]), "{seen:?}");
    service.stop().await;
}

#[tokio::test]
async fn at_most_200_names_have_series_and_the_others_are_summed_up() {
    let service = Service::start(only_the_group);
    service.group.change(|snapshot| {
        snapshot.tasks = (1..=500)
            .map(|id| task(id, &format!("job-{id}"), |task| task.is_ephemeral = true))
            .collect();
        // Critical tasks come first, even if they were admitted last.
        snapshot.tasks.push(task(501, "consumer", |task| task.restarts = 1));
        // A task named `other` must not add a second series.
        snapshot.tasks.push(task(502, "other", |_| ()));
    });
    let scrape = service.get("/metrics").await.text();
    assert_eq!(scrape.matches("\ntask_running{").count(), 201);
    assert_eq!(value(&scrape, "task_running{task=\"other\"}"), Some(302.0));
    assert_eq!(scrape.matches("\ntask_running{task=\"other\"}").count(), 1);
    assert_eq!(value(&scrape, "task_restarts{task=\"consumer\"}"), Some(1.0));
    assert_eq!(value(&scrape, "task_alive"), Some(502.0));
    service.stop().await;
}

#[tokio::test]
async fn critical_names_come_first_then_ended_then_ephemeral_ones() {
    let service = Service::start(only_the_group);
    service.group.change(|snapshot| {
        let ended = |id| Exits::new(Some(format!("ended-{id}").into()));
        snapshot.exits = (1..=150).map(ended).collect();
        snapshot.exits[0].count(Outcome::Panicked);
        snapshot.tasks = (1..=100)
            .map(|id| task(id, &format!("job-{id}"), |task| task.is_ephemeral = true))
            .chain((1..=20).map(|id| task(100 + id, &format!("loop-{id}"), |_| ())))
            .collect();
    });
    let scrape = service.get("/metrics").await.text();
    let names = |prefix: &str| scrape.matches(&format!("\ntask_running{{task=\"{prefix}")).count();
    assert_eq!((names("loop-"), names("ended-"), names("job-"), names("other")), (20, 150, 30, 1));
    let panicked = "task_exits_total{task=\"ended-1\",outcome=\"panicked\"}";
    assert_eq!(value(&scrape, panicked), Some(1.0));
    assert_eq!(value(&scrape, "task_running{task=\"ended-1\"}"), Some(0.0));
    assert_eq!(value(&scrape, "task_running{task=\"other\"}"), Some(70.0));
    service.stop().await;
}

#[tokio::test]
async fn many_tasks_of_one_name_share_one_series() {
    let service = Service::start(only_the_group);
    service.group.change(|snapshot| {
        snapshot.tasks = (1..=1000).map(|id| task(id, "job", |_| ())).collect();
    });
    let scrape = service.get("/metrics").await.text();
    assert_eq!(value(&scrape, "task_running{task=\"job\"}"), Some(1000.0));
    assert_eq!(value(&scrape, "task_running{task=\"other\"}"), None);
    service.stop().await;
}

#[tokio::test]
async fn the_prefix_can_be_changed_in_both_formats() {
    let service = Service::start(|http| http.metrics_prefix("orders_"));
    fill(&service.group);
    for headers in [&[][..], &OPENMETRICS[..]] {
        let scrape = get_with(service.address, "/metrics", headers).await.text();
        for series in ["orders_alive", "orders_http_scrapes_in_flight"] {
            assert!(value(&scrape, series).is_some(), "{series}");
        }
        assert!(!scrape.contains("\ntask_") && !scrape.contains(" task_"), "{scrape}");
        assert!(scrape.contains("\ntokio_workers "));
    }
    service.stop().await;
}

#[test]
fn an_invalid_prefix_is_an_error() {
    let build = |prefix| HttpTask::builder().metrics_prefix(prefix).bind("127.0.0.1:0");
    for prefix in ["", "9_", "a-b", "a b", "\u{e4}_"] {
        let error = build(prefix).unwrap_err();
        assert_eq!(error.to_string(), format!("{prefix:?} cannot begin the name of a metric"));
    }
    drop(build("_a:b").unwrap());
}

#[tokio::test]
async fn names_that_are_equal_once_cut_share_one_series() {
    let service = Service::start(only_the_group);
    service.group.change(|snapshot| {
        snapshot.tasks =
            (1..=3).map(|id| task(id, &format!("{}{id}", "x".repeat(64)), |_| ())).collect();
    });
    let scrape = service.get("/metrics").await.text();
    assert_eq!(value(&scrape, &format!("task_running{{task=\"{}\"}}", "x".repeat(64))), Some(3.0));
    service.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_metrics_of_process_and_runtime_are_plausible() {
    let service = Service::start(|http| http);
    let scrape = service.get("/metrics").await.text();
    let at =
        |series: &str| value(&scrape, series).unwrap_or_else(|| panic!("{series} in {scrape}"));
    assert!(at("process_cpu_seconds_total") < 10_000.0);
    assert!((3.0..10_000.0).contains(&at("process_open_fds")));
    assert!(at("process_max_fds") >= at("process_open_fds"));
    assert!(at("process_resident_memory_bytes") > 1e6);
    assert!(at("process_virtual_memory_bytes") > at("process_resident_memory_bytes"));
    assert!(at("process_threads") >= 1.0);
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - at("process_start_time_seconds")).abs() < 1000.0);
    assert_eq!(at("tokio_workers"), 1.0);
    assert!(at("tokio_alive_tasks") >= 2.0);
    assert!(at("tokio_worker_busy_seconds_total{worker=\"0\"}") < 1000.0);
    at("tokio_global_queue_depth");
    at("tokio_worker_parks_total{worker=\"0\"}");
    service.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_route_and_code_and_timed() {
    let service = Service::start(|http| http);
    for path in ["/livez", "/healthz", "/nothing", "/other"] {
        service.get(path).await;
    }
    let scrape = service.get("/metrics").await.text();
    for (series, count) in [
        ("task_http_requests_total{route=\"livez\",code=\"200\"}", 2.0),
        ("task_http_requests_total{route=\"other\",code=\"404\"}", 2.0),
        ("task_http_requests_total{route=\"readyz\",code=\"200\"}", 0.0),
        ("task_http_request_duration_seconds_count{route=\"livez\"}", 2.0),
        ("task_http_request_duration_seconds_bucket{route=\"livez\",le=\"+Inf\"}", 2.0),
        ("task_http_scrapes_in_flight", 1.0),
        ("task_http_connections_rejected_total{reason=\"accept_error\"}", 0.0),
    ] {
        assert_eq!(value(&scrape, series), Some(count), "{series}");
    }
    service.stop().await;
}

#[tokio::test]
async fn each_group_of_families_can_be_left_out() {
    for (prefix, configure) in [
        (
            "task_manager_",
            HttpTaskBuilder::without_group_metrics as fn(HttpTaskBuilder) -> HttpTaskBuilder,
        ),
        ("tokio_", HttpTaskBuilder::without_runtime_metrics),
        ("task_http_", HttpTaskBuilder::without_server_metrics),
        #[cfg(target_os = "linux")]
        ("process_", HttpTaskBuilder::without_process_metrics),
    ] {
        let with = Service::start(|http| http);
        let without = Service::start(configure);
        let is_there = |body: String| body.contains(&format!("# TYPE {prefix}"));
        assert!(is_there(with.get("/metrics").await.text()), "{prefix}");
        assert!(!is_there(without.get("/metrics").await.text()), "{prefix}");
        with.stop().await;
        without.stop().await;
    }
}
