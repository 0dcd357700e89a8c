//! Content negotiation: the format and the encoding of a response. The status is always 200.

use std::io::Read;

use flate2::read::GzDecoder;
use task_http::{openmetrics_source, text_source};

use crate::{
    client::{HttpResponse, get_with},
    service::Service,
};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const OPEN_UTF8: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";

/// `Accept` headers, and the content type that a server with both formats sends.
const ACCEPTS: &[(&str, &str)] = &[
    // Prometheus 2.42, recorded.
    (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPEN,
    ),
    // Prometheus 3, without and with native histograms.
    (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN_UTF8,
    ),
    (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,\
         application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN_UTF8,
    ),
    // Prometheus that is configured for the text format.
    ("text/plain;version=0.0.4;q=0.5,*/*;q=0.4", TEXT),
    (
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4",
        TEXT,
    ),
    // curl, browsers, others.
    ("*/*", TEXT),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", TEXT),
    ("application/json", TEXT),
    ("text/html", TEXT),
    ("", TEXT),
    // One of the two formats.
    ("application/openmetrics-text", OPEN),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPEN),
    ("Application/OpenMetrics-Text;Version=\"1.0.0\"", OPEN),
    ("text/plain", TEXT),
    ("text/*", TEXT),
    ("application/*", OPEN),
    ("application/openmetrics-text;version=2.0.0", TEXT),
    ("application/openmetrics-text;version=0.0.1", TEXT),
    // Qualities.
    ("text/plain;q=0.4, application/openmetrics-text;q=0.5", OPEN),
    ("text/plain;q=0.5, application/openmetrics-text;q=0.4", TEXT),
    ("application/openmetrics-text, text/plain", OPEN),
    ("text/plain, application/openmetrics-text", TEXT),
    ("*/*, application/openmetrics-text", OPEN),
    ("application/openmetrics-text;q=0", TEXT),
    ("application/openmetrics-text;q=0, */*;q=0", TEXT),
    ("*/*;q=0", TEXT),
    ("application/openmetrics-text;q=0.0001, text/plain;q=0", TEXT),
    // The example in the negotiation document has `/` in the place of `*/*`.
    (
        "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3,/;q=0.1",
        OPEN,
    ),
    ("/;q=0.1", TEXT),
    // Malformed.
    (",,,;;;===,,,", TEXT),
    ("application/openmetrics-text;q=high", OPEN),
    ("application/openmetrics-text;q=NaN", OPEN),
    ("application/openmetrics-text;q=7;q=0", OPEN),
    ("application/openmetrics-text;x=\"a,text/plain\"", OPEN),
    ("application/openmetrics-text;escaping=anything", OPEN),
    ("\"", TEXT),
    ("\u{7f}\u{e9}\u{1f980}", TEXT),
];

/// Requirement 3.
#[tokio::test]
async fn the_format_is_the_best_acceptable_one_and_never_an_error() {
    let service = Service::start(|http| http);
    for (accept, expected) in ACCEPTS {
        // hyper refuses 0x7f in a header.
        let accept = accept.replace('\u{7f}', "");
        let response = get_with(service.address, "/metrics", &[("Accept", &accept)]).await;
        assert_eq!(response.status, 200, "{accept}");
        assert_eq!(response.header("content-type"), Some(*expected), "{accept}");
        assert_eq!(response.text().ends_with("# EOF\n"), *expected != TEXT, "{accept}");
    }
    assert_eq!(service.get("/metrics").await.header("content-type"), Some(TEXT));
    service.stop().await;
}

#[tokio::test]
async fn several_accept_lines_are_one_list() {
    let service = Service::start(|http| http);
    let lines = [("Accept", "text/plain;q=0.2"), ("Accept", "application/openmetrics-text;q=0.3")];
    let response = get_with(service.address, "/metrics", &lines).await;
    assert_eq!(response.header("content-type"), Some(OPEN));
    service.stop().await;
}

#[tokio::test]
async fn a_source_of_one_format_is_served_in_both_under_their_content_types() {
    let text = Service::start(|http| http.metrics(text_source(|| "a_total 1\n".into())));
    let open = Service::start(|http| http.metrics(openmetrics_source(|| "a_total 1\n".into())));
    for (accept, expected) in ACCEPTS {
        let accept = accept.replace('\u{7f}', "");
        for service in [&text, &open] {
            let response = get_with(service.address, "/metrics", &[("Accept", &accept)]).await;
            assert_eq!(response.header("content-type"), Some(*expected), "{accept}");
            assert_eq!(response.text().ends_with("# EOF\n"), *expected != TEXT, "{accept}");
        }
    }
    text.stop().await;
    open.stop().await;
}

/// Requirement 4.
#[tokio::test]
async fn gzip_is_sent_only_if_accepted_and_unpacks_to_the_same() {
    let service = Service::start(|http| {
        http.without_process_metrics()
            .without_runtime_metrics()
            .without_server_metrics()
            .without_group_metrics()
            .metrics(text_source(|| "jobs{queue=\"long enough to be worth it\"} 1\n".repeat(50)))
    });
    let plain = service.get("/metrics").await;
    for (accepted, is_gzip) in [
        ("gzip", true),
        ("x-gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("GZIP;q=0.5", true),
        ("*", true),
        ("gzip;q=0.5, identity;q=0.4", true),
        ("gzip;q=0", false),
        ("gzip;q=0, *", false),
        ("identity", false),
        ("identity, gzip;q=0.1", false),
        ("deflate, br", false),
        ("", false),
        (";;,=", false),
    ] {
        let response =
            get_with(service.address, "/metrics", &[("Accept-Encoding", accepted)]).await;
        assert_eq!(response.header("content-encoding"), is_gzip.then_some("gzip"), "{accepted}");
        assert_eq!(response.header("vary"), Some("Accept, Accept-Encoding"), "{accepted}");
        assert_eq!(unpacked(&response), plain.text(), "{accepted}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_short_body_is_not_compressed() {
    let service = Service::start(|http| {
        http.without_process_metrics()
            .without_runtime_metrics()
            .without_server_metrics()
            .without_group_metrics()
            .metrics(text_source(|| "a 1\n".into()))
    });
    let response = get_with(service.address, "/metrics", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!((response.header("content-encoding"), response.text().as_str()), (None, "a 1\n"));
    service.stop().await;
}

fn unpacked(response: &HttpResponse) -> String {
    let mut text = String::new();
    if response.header("content-encoding").is_some() {
        GzDecoder::new(response.body.as_slice()).read_to_string(&mut text).unwrap();
    } else {
        text = response.text();
    }
    text
}
