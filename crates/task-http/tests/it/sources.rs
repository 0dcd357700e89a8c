//! Metrics sources: joined, shared and bounded, and without an effect on the server if they fail.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use task_http::{
    Format, HttpTask, HttpTaskBuilder, Limits, MetricsSource, openmetrics_source, text_source,
};
use tokio::time::Instant;

use crate::{
    built_in_families::OPENMETRICS,
    client::{Client, get_with},
    service::{Service, value},
};

/// Leaves out all built-in families.
pub(crate) fn bare(http: HttpTaskBuilder) -> HttpTaskBuilder {
    http.without_group_metrics()
        .without_process_metrics()
        .without_runtime_metrics()
        .without_server_metrics()
}

/// By when what does not wait for a gate is over on any machine.
const LATEST: Duration = Duration::from_secs(10);

/// A source whose encoding waits until the gate is opened.
#[derive(Clone, Default)]
struct Gate {
    is_open: Arc<(Mutex<bool>, Condvar)>,
    encodings: Arc<AtomicU32>,
}

impl Gate {
    fn open(&self) {
        *self.is_open.0.lock().unwrap() = true;
        self.is_open.1.notify_all();
    }
}

impl Drop for Gate {
    /// Opens the gate if the test fails, since the runtime waits for its blocking threads when it
    /// is dropped.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.open();
        }
    }
}

impl MetricsSource for Gate {
    fn formats(&self) -> &'static [Format] {
        &[Format::Text, Format::OpenMetrics]
    }

    fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.encodings.fetch_add(1, Ordering::SeqCst);
        let (is_open, changed) = &*self.is_open;
        let guard = is_open.lock().unwrap();
        let (guard, _) =
            changed.wait_timeout_while(guard, 4 * LATEST, |is_open| !*is_open).unwrap();
        drop(guard);
        out.extend_from_slice(b"# TYPE gated gauge\ngated 1\n");
        Ok(())
    }
}

#[tokio::test]
async fn several_sources_are_joined_with_one_end_mark() {
    let service = Service::start(|http| {
        bare(http)
            .metrics(openmetrics_source(|| "# TYPE a counter\na_total 1\n# EOF\n".into()))
            .metrics(openmetrics_source(|| "# TYPE b gauge\n# HELP b B.\nb{x=\"{y\"} 1".into()))
            .metrics(openmetrics_source(|| "\n# no such line\nc 1\n\n".into()))
            .metrics(openmetrics_source(|| "# EOF\nignored 1\n".into()))
            .metrics(openmetrics_source(String::new))
    });
    let body = get_with(service.address, "/metrics", &OPENMETRICS).await.text();
    assert_eq!(
        body,
        "# TYPE a counter\na_total 1\n# TYPE b gauge\n# HELP b B.\nb{x=\"{y\"} 1\nc 1\n# EOF\n"
    );
    service.stop().await;
}

/// Requirement 13.
#[tokio::test]
async fn a_family_of_two_sources_is_taken_from_the_first_and_counted() {
    let service = Service::start(|http| {
        http.metrics(text_source(|| {
            "# HELP jobs Jobs.\n# TYPE jobs histogram\njobs_bucket{le=\"+Inf\"} 1\njobs_sum 1\njobs_count 1\n\
             plain 1\n# a comment\n\n# TYPE \"with blanks\" gauge\n{\"with blanks\",x=\"1\"} 1\n"
                .into()
        }))
        .metrics(text_source(|| {
            "# TYPE jobs histogram\njobs_bucket{le=\"+Inf\"} 2\njobs_sum 2\njobs_count 2\njobs_waiting 2\n# TYPE other gauge\nother 2\n\
             plain{x=\"2\"} 2\nplain 2\nlast 2\n# TYPE \"with blanks\" gauge\n{\"with blanks\"} 2\nvery_last 2\n"
                .into()
        }))
    });
    let body = service.get("/metrics").await.text();
    let expected = "# HELP jobs Jobs.\n# TYPE jobs histogram\njobs_bucket{le=\"+Inf\"} 1\njobs_sum 1\njobs_count 1\n\
                    plain 1\n# a comment\n\n# TYPE \"with blanks\" gauge\n{\"with blanks\",x=\"1\"} 1\n\
                    jobs_waiting 2\n# TYPE other gauge\nother 2\nlast 2\nvery_last 2\n";
    assert!(body.starts_with(expected), "{body}");
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"duplicate\"}"), Some(3.0));
    service.stop().await;
}

#[tokio::test]
async fn names_with_a_common_prefix_are_distinct_families() {
    let service = Service::start(|http| {
        bare(http)
            .metrics(text_source(|| "a 1\na{x=\"1\"} 2\nab 3\nab 4\na 5\n# TYPE a_b counter\na_b_total 6\n".into()))
            .metrics(text_source(|| {
                "a 1\nab 2\nabc 3\nabc{x=\"1\"} 4\nabcd 5\na{x=\"2\"} 6\n# TYPE a_b counter\na_b_total 7\na_b_totals 8\nzz 1\nzz 2\na 3\nzz 4\n".into()
            }))
    });
    let body = service.get("/metrics").await.text();
    let first = "a 1\na{x=\"1\"} 2\nab 3\nab 4\na 5\n# TYPE a_b counter\na_b_total 6\n";
    assert_eq!(
        body,
        format!("{first}abc 3\nabc{{x=\"1\"}} 4\nabcd 5\na_b_totals 8\nzz 1\nzz 2\nzz 4\n")
    );
    service.stop().await;
}

/// Requirement 13.
#[tokio::test]
async fn user_sources_take_precedence_over_built_in_families() {
    let service = Service::start(|http| {
        http.metrics(text_source(|| "# TYPE process_threads gauge\nprocess_threads 12345\n".into()))
    });
    for _ in 0..2 {
        let body = service.get("/metrics").await.text();
        assert_eq!(body.matches("# TYPE process_threads ").count(), 1);
        assert_eq!(value(&body, "process_threads"), Some(12345.0));
        assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"duplicate\"}"), Some(0.0));
    }
    service.stop().await;
}

#[test]
fn a_source_without_a_format_is_an_error_that_names_its_place() {
    struct Mute;
    impl MetricsSource for Mute {
        fn formats(&self) -> &'static [Format] {
            &[]
        }
        fn encode(&self, _format: Format, _out: &mut Vec<u8>) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let line = line!() + 1;
    let http = HttpTask::builder().metrics(Mute);
    let error = http.bind("127.0.0.1:0").unwrap_err().to_string();
    assert!(error.contains(&format!("{}:{line}:", file!())), "{error}");
    assert!(error.ends_with(" has no format"), "{error}");
}

/// Requirement 6.
#[tokio::test]
async fn a_source_that_fails_or_panics_fails_one_scrape_and_is_counted() {
    struct Unstable(AtomicU32);
    impl MetricsSource for Unstable {
        fn formats(&self) -> &'static [Format] {
            &[Format::Text]
        }
        fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => anyhow::bail!("password=secret"),
                1 => panic!("unstable"),
                _ => out.extend_from_slice(b"unstable 1\n"),
            }
            Ok(())
        }
    }
    let service = Service::start(|http| http.metrics(Unstable(AtomicU32::new(0))));
    for _ in 0..2 {
        let response = service.get("/metrics").await;
        assert_eq!((response.status, response.text().as_str()), (500, "a metrics source failed\n"));
        assert_eq!(service.get("/livez").await.status, 200);
    }
    let body = service.get("/metrics").await.text();
    assert!(body.starts_with("unstable 1\n"));
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"encode\"}"), Some(1.0));
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"panic\"}"), Some(1.0));
    assert_eq!(value(&body, "task_http_requests_total{route=\"metrics\",code=\"500\"}"), Some(2.0));
    service.stop().await;
}

/// Requirement 7.
#[tokio::test]
async fn concurrent_scrapes_share_one_encoding_and_do_not_block_probes() {
    let gate = Gate::default();
    let service = Service::start(|http| bare(http).metrics(gate.clone()));
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(service.address).await;
        client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        clients.push(client);
    }
    let asked = std::time::Instant::now();
    assert_eq!(service.get("/livez").await.status, 200);
    assert!(asked.elapsed() < LATEST);
    // On this single thread, the requests sent before have been received by now.
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response(true).await.text(), "# TYPE gated gauge\ngated 1\n");
    }
    assert_eq!(gate.encodings.load(Ordering::SeqCst), 1);
    // The next scrape begins a new encoding.
    assert_eq!(service.get("/metrics").await.status, 200);
    assert_eq!(gate.encodings.load(Ordering::SeqCst), 2);
    service.stop().await;
}

/// Requirement 7.
#[tokio::test]
async fn scrapes_beyond_the_limit_get_503_and_probes_do_not() {
    let gate = Gate::default();
    let service =
        Service::start(|http| http.limits(Limits::default().scrapes(2)).metrics(gate.clone()));
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(service.address).await;
        client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        waiting.push(client);
    }
    // The response comes after the two scrapes have been received, on the same thread.
    assert_eq!(service.get("/livez").await.status, 200);
    assert_eq!(service.get("/metrics").await.status, 503);
    assert_eq!(service.get("/tasks").await.status, 503);
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
    gate.open();
    for client in &mut waiting {
        assert_eq!(client.response(true).await.status, 200);
    }
    let body = service.get("/metrics").await.text();
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"limit\"}"), Some(2.0));
    service.stop().await;
}

/// The timeout is in real time, since the paused clock of Tokio stops while a blocking thread
/// works. Requirement 6.
#[tokio::test]
async fn a_scrape_ends_at_the_limit_or_at_the_scrapers_own_timeout() {
    let timed_out = async |limit: Duration, headers: &[&str]| {
        let gate = Gate::default();
        let limits = Limits::default().scrape_timeout(limit);
        let service = Service::start(|http| http.limits(limits).metrics(gate.clone()));
        for header in headers {
            let asked = Instant::now();
            let headers = [("X-Prometheus-Scrape-Timeout-Seconds", *header)];
            let response = get_with(service.address, "/metrics", &headers).await;
            assert_eq!(response.status, 503, "{header}");
            assert!(asked.elapsed() < LATEST, "{header}");
        }
        // All have waited for the same encoding: a source that hangs takes one thread.
        assert_eq!(gate.encodings.load(Ordering::SeqCst), 1);
        gate.open();
        service
    };
    timed_out(2 * LATEST, &["0.08"]).await.stop().await;
    let headers = ["60", "-1", "soon", "NaN", "1e300"];
    let service = timed_out(Duration::from_millis(300), &headers).await;
    let body = loop {
        let response = service.get("/metrics").await;
        if response.status == 200 {
            break response.text();
        }
    };
    assert!(value(&body, "task_http_scrape_errors_total{cause=\"timeout\"}").unwrap() >= 5.0);
    service.stop().await;
}

#[tokio::test]
async fn a_registry_behind_a_lock_can_change_while_it_is_served() {
    struct Text(String);
    impl MetricsSource for Text {
        fn formats(&self) -> &'static [Format] {
            &[Format::Text]
        }
        fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
            out.extend_from_slice(self.0.as_bytes());
            Ok(())
        }
    }
    let shared = Arc::new(Mutex::new(Text("a 1\n".into())));
    let service = Service::start(|http| bare(http).metrics(Arc::clone(&shared)));
    assert_eq!(service.get("/metrics").await.text(), "a 1\n");
    shared.lock().unwrap().0.push_str("b 1\n");
    assert_eq!(service.get("/metrics").await.text(), "a 1\nb 1\n");
    service.stop().await;
}
