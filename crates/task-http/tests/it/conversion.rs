//! Sources in the other format: each series under its own name, and nothing that a scraper refuses.

use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use task_http::{openmetrics_source, text_source};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    built_in_families::OPENMETRICS,
    client::{Client, get_with},
    service::{Service, value},
    sources::bare,
};

/// A server of one text, which can be changed, for both directions.
pub(crate) struct Converter {
    text: Arc<Mutex<String>>,
    of_text: Service,
    of_open: Service,
    clients: [Client<tokio::net::TcpStream>; 2],
}

impl Converter {
    pub(crate) async fn start() -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let [of_text, of_open] = [Arc::clone(&text), Arc::clone(&text)];
        let of_text = move || of_text.lock().unwrap().clone();
        let of_open = move || of_open.lock().unwrap().clone();
        let of_text = Service::start(|http| bare(http).metrics(text_source(of_text)));
        let of_open = Service::start(|http| bare(http).metrics(openmetrics_source(of_open)));
        let clients =
            [Client::connect(of_text.address).await, Client::connect(of_open.address).await];
        Self { text, of_text, of_open, clients }
    }

    /// Returns a text of 0.0.4 as OpenMetrics.
    pub(crate) async fn open(&mut self, text: impl Into<String>) -> String {
        *self.text.lock().unwrap() = text.into();
        self.clients[0].request("GET", "/metrics", &OPENMETRICS).await.text()
    }

    /// Returns a text of OpenMetrics as 0.0.4.
    pub(crate) async fn text(&mut self, text: impl Into<String>) -> String {
        *self.text.lock().unwrap() = text.into();
        self.clients[1].get("/metrics").await.text()
    }

    pub(crate) async fn stop(self) {
        drop(self.clients);
        self.of_text.stop().await;
        self.of_open.stop().await;
    }
}

/// Texts of 0.0.4, and the same in OpenMetrics without the end mark.
const TO_OPEN: &[(&str, &str)] = &[
    ("", ""),
    // The family of a counter has no `_total`; help texts escape quotes; comments go.
    (
        "# HELP jobs_total The \"jobs\"\\\\of\\nall \\x.\n# TYPE jobs_total counter\n\n# a comment\njobs_total{queue=\"a\"} 3\n",
        "# TYPE jobs counter\n# HELP jobs The \\\"jobs\\\"\\\\of\\nall \\\\x.\njobs_total{queue=\"a\"} 3\n",
    ),
    // A help text of 0.0.4 has no escape for a quote.
    ("# HELP a \\\"a\\\"\na 1\n", "# TYPE a unknown\n# HELP a \\\\\\\"a\\\\\\\"\na 1\n"),
    // The series keeps its name, so the type is lost.
    ("# TYPE jobs counter\njobs 3\n", "# TYPE jobs unknown\njobs 3\n"),
    (
        "# TYPE jobs_total counter\njobs_total 3\n# TYPE jobs gauge\njobs 1\n",
        "# TYPE jobs_total unknown\njobs_total 3\n# TYPE jobs gauge\njobs 1\n",
    ),
    ("# TYPE a_total counter\na_total -1\n", "# TYPE a_total unknown\na_total -1\n"),
    ("# TYPE a_total counter\na_total nan\n", "# TYPE a_total unknown\na_total NaN\n"),
    ("# TYPE _total counter\n_total 1\n", "# TYPE _total unknown\n_total 1\n"),
    // No type.
    ("a 1\n# TYPE b untyped\nb 2", "# TYPE a unknown\na 1\n# TYPE b unknown\nb 2\n"),
    // Blanks, an unknown escape, a comma at the end, the spellings of numbers.
    (
        "\t a { x = \"\\y\\\"\\n\" , } \t  +inf  \r\nb -Infinity\nc 1e999\nd .5\n",
        "# TYPE a unknown\na{x=\"\\\\y\\\"\\n\"} +Inf\n# TYPE b unknown\nb -Inf\n# TYPE c unknown\nc +Inf\n# TYPE d unknown\nd .5\n",
    ),
    // Milliseconds become seconds.
    (
        "a 1 1520879607789\nb 1 -1\nc 1 0\nd 1 -9223372036854775808\n",
        "# TYPE a unknown\na 1 1520879607.789\n# TYPE b unknown\nb 1 -0.001\n# TYPE c unknown\nc 1 0.000\n\
         # TYPE d unknown\nd 1 -9223372036854775.808\n",
    ),
    // Series of the same labels come together, and bounds are canonical.
    (
        "# TYPE h histogram\nh_bucket{x=\"1\",le=\"1\"} 1\nh_bucket{x=\"2\",le=\"1000000\"} 3\nh_bucket{x=\"1\",le=\"+Inf\"} 2\n\
         h_bucket{x=\"2\",le=\"inf\"} 3\nh_sum{x=\"1\"} 2.5\nh_count{x=\"1\"} 2\nh_sum{x=\"2\"} 9\nh_count{x=\"2\"} 3\n",
        "# TYPE h histogram\nh_bucket{x=\"1\",le=\"1.0\"} 1\nh_bucket{x=\"1\",le=\"+Inf\"} 2\nh_sum{x=\"1\"} 2.5\nh_count{x=\"1\"} 2\n\
         h_bucket{x=\"2\",le=\"1e+06\"} 3\nh_bucket{x=\"2\",le=\"+Inf\"} 3\nh_sum{x=\"2\"} 9\nh_count{x=\"2\"} 3\n",
    ),
    (
        "# TYPE s summary\ns{quantile=\"0\"} 1\ns{quantile=\"0.00001\"} NaN\ns{quantile=\"1\"} 2\ns_sum 3\ns_count 2\n",
        "# TYPE s summary\ns{quantile=\"0.0\"} 1\ns{quantile=\"1e-05\"} NaN\ns{quantile=\"1.0\"} 2\ns_sum 3\ns_count 2\n",
    ),
    // Refused by OpenMetrics, and still there.
    (
        "# TYPE h histogram\n# HELP h H.\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
        "# TYPE h_bucket unknown\n# HELP h_bucket H.\nh_bucket{le=\"1\"} 1\n# TYPE h_sum unknown\n# HELP h_sum H.\nh_sum 1\n\
         # TYPE h_count unknown\n# HELP h_count H.\nh_count 1\n",
    ),
    (
        "# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
        "# TYPE h_bucket unknown\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
    ),
    (
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
        "# TYPE h_bucket unknown\nh_bucket{le=\"+Inf\"} 1\n# TYPE h_sum unknown\nh_sum 1\n# TYPE h_count unknown\nh_count 2\n",
    ),
    (
        "# TYPE s summary\ns{quantile=\"2\"} 1\ns_count 2\n",
        "# TYPE s unknown\ns{quantile=\"2\"} 1\n# TYPE s_count unknown\ns_count 2\n",
    ),
    (
        "# TYPE s_count gauge\ns_count 7\n# TYPE s summary\ns_sum 2\ns_count 2\n",
        "# TYPE s_count gauge\ns_count 7\n# TYPE s unknown\n# TYPE s_sum unknown\ns_sum 2\n",
    ),
    // The times of creation go back to their series, if each has one.
    (
        "# TYPE a_total counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} 2\n# TYPE a_created gauge\na_created{x=\"2\"} 5\na_created{x=\"1\"} 4\n",
        "# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 4\na_total{x=\"2\"} 2\na_created{x=\"2\"} 5\n",
    ),
    (
        "# TYPE a_total counter\na_total 1\n# TYPE a_created gauge\na_created{x=\"2\"} 5\n",
        "# TYPE a_total unknown\na_total 1\n# TYPE a_created gauge\na_created{x=\"2\"} 5\n",
    ),
    // A family in two pieces, and a series that comes twice.
    (
        "# TYPE a gauge\na{x=\"1\"} 1\nb 1\na{x=\"2\"} 2\na{x=\"1\"} 3\n",
        "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\n# TYPE b unknown\nb 1\n",
    ),
    // Labels in another order, which are the same series.
    (
        "a{x=\"1\",y=\"2\"} 1\na{y=\"1\",x=\"2\"} 2\na{y=\"2\",x=\"1\"} 3\n",
        "# TYPE a unknown\na{x=\"1\",y=\"2\"} 1\na{y=\"1\",x=\"2\"} 2\n",
    ),
    (
        "# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 1\n# TYPE a_created gauge\na_created{y=\"2\",x=\"1\"} 4\n",
        "# TYPE a counter\na_total{x=\"1\",y=\"2\"} 1\na_created{y=\"2\",x=\"1\"} 4\n",
    ),
    (
        "a{\"a.b\"=\"1\",aZ=\"2\"} 1\na{aZ=\"2\",a_b=\"1\"} 2\n",
        "# TYPE a unknown\na{a_b=\"1\",aZ=\"2\"} 1\n",
    ),
    ("a 1 1\na 2 2\na 3 2\n", "# TYPE a unknown\na 1 0.001\na 2 0.002\n"),
    // Names beyond the classic alphabet; the second becomes one that is taken.
    (
        "# TYPE \"a.b\" gauge\n{\"a.b\",\"c d\"=\"1\"} 1\n# TYPE a_b gauge\na_b 2\n{\"1\"} 3\n",
        "# TYPE a_b gauge\na_b{c_d=\"1\"} 1\n# TYPE _1 unknown\n_1 3\n",
    ),
];

/// Texts of OpenMetrics, and the same in 0.0.4.
const TO_TEXT: &[(&str, &str)] = &[
    ("# EOF\n", ""),
    (
        "# TYPE jobs_seconds counter\n# UNIT jobs_seconds seconds\n# HELP jobs_seconds The \\\"jobs\\\"\\\\of\\nall.\n\
         jobs_seconds_total{queue=\"a\"} 3 # {trace=\"1\"} 0.5 1.5\njobs_seconds_created{queue=\"a\"} 1.5\n# EOF\nignored 1\n",
        "# TYPE jobs_seconds_total counter\n# HELP jobs_seconds_total The \"jobs\"\\\\of\\nall.\njobs_seconds_total{queue=\"a\"} 3\n\
         # TYPE jobs_seconds_created gauge\n# HELP jobs_seconds_created The \"jobs\"\\\\of\\nall.\njobs_seconds_created{queue=\"a\"} 1.5\n",
    ),
    (
        "# TYPE a unknown\na 1 1520879607.789\nb 1 -1e-3\n",
        "# TYPE a untyped\na 1 1520879607789\n# TYPE b untyped\nb 1 -1\n",
    ),
    (
        "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1 # {} 0.5\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 2.5\nh_created 7\n",
        "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 2.5\n# TYPE h_created gauge\nh_created 7\n",
    ),
    (
        "# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 2\ng_gcount 2\ng_gsum -2.5\n",
        "# TYPE g_bucket gauge\ng_bucket{le=\"+Inf\"} 2\n# TYPE g_gsum gauge\ng_gsum -2.5\n# TYPE g_gcount gauge\ng_gcount 2\n",
    ),
    (
        "# TYPE s summary\ns{quantile=\"0.5\"} 2\ns_sum 3\ns_count 2\ns_created 4\n",
        "# TYPE s summary\ns{quantile=\"0.5\"} 2\ns_sum 3\ns_count 2\n# TYPE s_created gauge\ns_created 4\n",
    ),
    (
        "# TYPE build info\nbuild_info{version=\"1\"} 1\n# TYPE mode stateset\nmode{mode=\"a\"} 1\nmode{mode=\"b\"} 0\n",
        "# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n# TYPE mode gauge\nmode{mode=\"a\"} 1\nmode{mode=\"b\"} 0\n",
    ),
    // The names of two families become one.
    (
        "# TYPE a counter\na_total 1\n# TYPE a_total gauge\na_total 2\n",
        "# TYPE a_total counter\na_total 1\n",
    ),
    (
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n# TYPE h_count gauge\nh_count 2\n",
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n",
    ),
    (
        "# TYPE \"a.b\" counter\n{\"a.b_total\",\"c d\"=\"1\"} 1\n",
        "# TYPE a_b_total counter\na_b_total{c_d=\"1\"} 1\n",
    ),
    // A family without series keeps its head.
    ("# TYPE a counter\n# HELP a A.\n", "# TYPE a_total counter\n# HELP a_total A.\n"),
];

/// Requirement 17.
#[tokio::test]
async fn a_text_source_is_served_as_openmetrics() {
    let mut converter = Converter::start().await;
    for (text, open) in TO_OPEN {
        assert_eq!(converter.open(*text).await, format!("{open}# EOF\n"), "{text}");
    }
    converter.stop().await;
}

/// Requirement 17.
#[tokio::test]
async fn a_source_of_openmetrics_is_served_as_text() {
    let mut converter = Converter::start().await;
    for (open, text) in TO_TEXT {
        assert_eq!(converter.text(*open).await, *text, "{open}");
    }
    converter.stop().await;
}

/// Lines that cost their family.
const MALFORMED: &[(&str, &str)] = &[
    ("bad", "the value is not a number"),
    ("bad x", "the value is not a number"),
    ("bad 0x10", "the value is not a number"),
    ("bad 1 soon", "the timestamp is not a number in range"),
    ("bad 1 1.5", "the timestamp is not a number in range"),
    ("bad 1 2 3", "something follows the sample"),
    ("bad 1 # {} 1", "something follows the sample"),
    ("bad{x=\"1\" 1", "the labels are malformed"),
    ("bad{x=1} 1", "the labels are malformed"),
    ("bad{x=\"1} 1", "the labels are malformed"),
    ("bad{x=\"\\", "the labels are malformed"),
    ("bad{1x=\"1\"} 1", "the name is not legal"),
    ("bad{x=\"1\",x=\"2\"} 1", "a label is there twice"),
    ("{\"bad\" 1", "the labels are malformed"),
    ("# TYPE bad banana", "the type is not known"),
    ("# TYPE bad info", "the type is not known"),
    ("bad 1\n# TYPE bad gauge", "the type comes too late"),
    ("# TYPE bad histogram\nbad 1", "the name does not fit the type"),
    // Without a name: the family before.
    ("bad 1\n{x=\"1\"} 1", "it has no name"),
    ("bad 1\n-1", "the name is not legal"),
    ("bad 1\n# TYPE -", "the name is not legal"),
];

/// Requirement 17.
#[tokio::test]
async fn a_malformed_line_costs_its_family_and_nothing_else() {
    let mut converter = Converter::start().await;
    for (line, _) in MALFORMED {
        let text = format!("good 1\n{line}\nbad{{y=\"1\"}} 2\nlast 3\n");
        let open = converter.open(&text).await;
        let expected = "# TYPE good unknown\ngood 1\n# TYPE last unknown\nlast 3\n# EOF\n";
        assert_eq!(open, expected, "{text}");
    }
    converter.stop().await;
}

#[tokio::test]
async fn sources_of_both_formats_are_joined_in_either() {
    let service = Service::start(|http| {
        bare(http)
            .metrics(text_source(|| {
                "# TYPE a_total counter\na_total 1\n# TYPE b gauge\nb 2\n".into()
            }))
            .metrics(openmetrics_source(|| {
                "# TYPE c counter\nc_total 3\n# TYPE b gauge\nb 4\n# EOF\n".into()
            }))
            // In OpenMetrics, `b` is the family of the first source.
            .metrics(text_source(|| "# TYPE b_total counter\nb_total 5\n".into()))
    });
    let text = service.get("/metrics").await.text();
    let heads = "# TYPE a_total counter\na_total 1\n# TYPE b gauge\nb 2\n# TYPE c_total counter\nc_total 3\n";
    assert_eq!(text, format!("{heads}# TYPE b_total counter\nb_total 5\n"));
    let open = get_with(service.address, "/metrics", &OPENMETRICS).await.text();
    let heads = "# TYPE a counter\na_total 1\n# TYPE b gauge\nb 2\n# TYPE c counter\nc_total 3\n";
    assert_eq!(open, format!("{heads}# TYPE b_total unknown\nb_total 5\n# EOF\n"));
    service.stop().await;
}

/// Warnings of sources, with their fields.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the events that have a source. It is the only global subscriber of these tests, since a
/// source is encoded on a thread of the runtime.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.fields().field("source").is_some()
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Fields(String);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                write!(self.0, "{field}={value:?};").unwrap();
            }
        }
        let mut fields = Fields(format!("level={};", event.metadata().level()));
        event.record(&mut fields);
        WARNINGS.lock().unwrap_or_else(PoisonError::into_inner).push(fields.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Returns what was logged about the source that was added at a place.
fn logged(place: &str) -> Vec<String> {
    let warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    warnings.iter().filter(|warning| warning.contains(place)).cloned().collect()
}

/// Requirements 6 and 17.
#[tokio::test]
async fn the_log_names_the_source_that_is_malformed_or_fails() {
    // The other test may have been first.
    let _ = tracing::subscriber::set_global_default(Log);
    let text = Arc::new(Mutex::new(String::from("good 1\nbad x\nbad y\n")));
    let read = Arc::clone(&text);
    let mut line = 0;
    let service = Service::start(|http| {
        line = line!() + 1;
        http.metrics(openmetrics_source(move || match &**read.lock().unwrap() {
            "panic" => panic!("unstable"),
            text => text.to_owned(),
        }))
    });
    let here = format!("source={}:{line}:", file!());
    let logged = || logged(&here);
    for _ in 0..2 {
        let body = service.get("/metrics").await.text();
        assert!(body.starts_with("# TYPE good untyped\ngood 1\n"), "{body}");
    }
    // Two scrapes, and one warning.
    let warnings = logged();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("level=WARN;"), "{warnings:?}");
    assert!(warnings[0].contains("lines=2;first=line 2: the value is not a number;"));
    let body = service.get("/metrics").await.text();
    assert_eq!(value(&body, "task_http_scrape_errors_total{cause=\"malformed\"}"), Some(6.0));

    *text.lock().unwrap() = "good 1\nbad{ 1\n".into();
    service.get("/metrics").await;
    assert!(logged()[1].contains("first=line 2: the name is not legal;"), "{:?}", logged());

    *text.lock().unwrap() = "panic".into();
    assert_eq!(service.get("/metrics").await.status, 500);
    assert!(logged()[2].contains("a metrics source panicked"), "{:?}", logged());
    service.stop().await;
}

/// The reasons of the malformed lines, each from a service of its own, since the same reason is
/// logged once.
#[tokio::test]
async fn a_malformed_line_is_logged_with_its_reason() {
    let _ = tracing::subscriber::set_global_default(Log);
    let mut line = 0;
    for (index, (malformed, reason)) in MALFORMED.iter().enumerate() {
        let text = format!("good 1\n{malformed}\n");
        let service = Service::start(|http| {
            line = line!() + 1;
            bare(http).metrics(text_source(move || text.clone()))
        });
        get_with(service.address, "/metrics", &OPENMETRICS).await;
        let warnings = logged(&format!("source={}:{line}:", file!()));
        assert_eq!(warnings.len(), index + 1, "{malformed}");
        assert!(warnings[index].contains(reason), "{malformed}: {}", warnings[index]);
        service.stop().await;
    }
}
