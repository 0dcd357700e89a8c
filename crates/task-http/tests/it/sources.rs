//! Sources of metrics: joined, shared, bounded, and none of them able to bring the server down.

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
    client::{Client, get_with},
    service::{Service, value, watchdog},
};

/// Nothing but what the sources write.
pub(crate) fn bare(http: HttpTaskBuilder) -> HttpTaskBuilder {
    http.without_group_metrics()
        .without_process_metrics()
        .without_runtime_metrics()
        .without_server_metrics()
}

/// A source whose encoding waits until it is let go.
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
    /// A runtime waits for its blocking threads: a test that fails must not leave one behind. The source's own handle
    /// goes last, and finds the gate open.
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
        let (guard, _) = changed
            .wait_timeout_while(guard, Duration::from_secs(20), |is_open| !*is_open)
            .unwrap();
        drop(guard);
        out.extend_from_slice(b"# TYPE gated gauge\ngated 1\n");
        Ok(())
    }
}

#[tokio::test]
async fn several_sources_make_one_answer_with_one_end() {
    let service = Service::start(|http| {
        bare(http)
            .metrics(openmetrics_source(|| "# TYPE a counter\na_total 1\n# EOF\n".into()))
            .metrics(openmetrics_source(|| "# TYPE b gauge\n# HELP b B.\nb{x=\"{y\"} 1".into()))
            .metrics(openmetrics_source(|| "\n# no such line\nc 1\n\n".into()))
            .metrics(openmetrics_source(|| "# EOF\nignored 1\n".into()))
            .metrics(openmetrics_source(String::new))
    });
    let body = service.get("/metrics").await.text();
    assert_eq!(
        body,
        "# TYPE a counter\na_total 1\n# TYPE b gauge\n# HELP b B.\nb{x=\"{y\"} 1\nc 1\n# EOF\n"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_family_that_two_sources_have_is_taken_from_the_first_and_counted() {
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
async fn names_that_begin_alike_are_families_of_their_own() {
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

#[tokio::test]
async fn a_sources_family_takes_the_place_of_ours_and_is_no_error() {
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
fn sources_without_a_common_format_are_an_error_of_the_build() {
    let http = HttpTask::builder()
        .metrics(text_source(String::new))
        .metrics(openmetrics_source(String::new));
    let error = http.bind("127.0.0.1:0").unwrap_err();
    assert_eq!(error.to_string(), "the metrics sources have no format in common");
}

#[tokio::test]
async fn a_source_that_fails_or_panics_costs_one_scrape_and_is_counted() {
    struct Moody(AtomicU32);
    impl MetricsSource for Moody {
        fn formats(&self) -> &'static [Format] {
            &[Format::Text]
        }
        fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => anyhow::bail!("password=secret"),
                1 => panic!("moody"),
                _ => out.extend_from_slice(b"moody 1\n"),
            }
            Ok(())
        }
    }
    let service = Service::start(|http| http.metrics(Moody(AtomicU32::new(0))));
    for _ in 0..2 {
        let answer = service.get("/metrics").await;
        assert_eq!((answer.status, answer.text().as_str()), (500, "a metrics source failed\n"));
        assert_eq!(service.get("/livez").await.status, 200);
    }
    let body = service.get("/metrics").await.text();
    assert!(body.starts_with("moody 1\n"));
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"encode\"}"), Some(1.0));
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"panic\"}"), Some(1.0));
    assert_eq!(value(&body, "task_http_requests_total{route=\"metrics\",code=\"500\"}"), Some(2.0));
    service.stop().await;
}

#[tokio::test]
async fn simultaneous_scrapes_share_one_encoding_and_probes_answer_meanwhile() {
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
    assert!(asked.elapsed() < Duration::from_secs(5));
    // On this one thread, those sent before have been taken up by now.
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer(true).await.text(), "# TYPE gated gauge\ngated 1\n");
    }
    assert_eq!(gate.encodings.load(Ordering::SeqCst), 1);
    // The next one is a new one.
    assert_eq!(service.get("/metrics").await.status, 200);
    assert_eq!(gate.encodings.load(Ordering::SeqCst), 2);
    service.stop().await;
}

#[tokio::test]
async fn more_scrapes_than_the_limit_are_turned_away_and_probes_are_not() {
    let gate = Gate::default();
    let service =
        Service::start(|http| http.limits(Limits::default().scrapes(2)).metrics(gate.clone()));
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(service.address).await;
        client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        waiting.push(client);
    }
    // Answered after the two have been taken up: they came first, to the same thread.
    assert_eq!(service.get("/livez").await.status, 200);
    assert_eq!(service.get("/metrics").await.status, 503);
    assert_eq!(service.get("/tasks").await.status, 503);
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
    gate.open();
    for client in &mut waiting {
        assert_eq!(client.answer(true).await.status, 200);
    }
    let body = service.get("/metrics").await.text();
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"limit\"}"), Some(2.0));
    service.stop().await;
}

/// The time that a scrape waits is real: tokio's paused clock stands still while a blocking thread is at work.
#[tokio::test]
async fn a_scrape_waits_no_longer_than_our_limit_or_the_scrapers_own() {
    watchdog();
    let gate = Gate::default();
    let limits = Limits::default().scrape_timeout(Duration::from_millis(300));
    let service = Service::start(|http| http.limits(limits).metrics(gate.clone()));
    for (header, longest) in
        [("0.08", 0.29), ("60", 5.0), ("-1", 5.0), ("soon", 5.0), ("NaN", 5.0), ("1e300", 5.0)]
    {
        let asked = Instant::now();
        let headers = [("X-Prometheus-Scrape-Timeout-Seconds", header)];
        let answer = get_with(service.address, "/metrics", &headers).await;
        assert_eq!(answer.status, 503, "{header}");
        assert!(asked.elapsed().as_secs_f64() < longest, "{header}");
    }
    // They have all waited for the same encoding: a source that hangs takes one thread.
    assert_eq!(gate.encodings.load(Ordering::SeqCst), 1);
    gate.open();
    let body = loop {
        let answer = service.get("/metrics").await;
        if answer.status == 200 {
            break answer.text();
        }
    };
    assert!(value(&body, "task_http_scrape_errors_total{cause=\"timeout\"}").unwrap() >= 6.0);
    service.stop().await;
}

#[tokio::test]
async fn a_registry_that_is_still_filled_can_be_shared_behind_a_lock() {
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
