//! Random requests: fragments of requests in any order, and headers that are generated from their
//! meaning.
//!
//! It is generative testing against a real server, by proptest. It is not guided by coverage, which
//! takes a nightly compiler. `TASK_FUZZ_CASES` sets the number of cases of each test. Default: 200.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod formats;
mod server;

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseResult, TestRunner},
};
use task_http::Access;

use server::Server;

fn try_all<S: Strategy>(strategy: S, test: impl Fn(S::Value) -> TestCaseResult) {
    let cases = std::env::var("TASK_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    let config =
        Config { cases: cases.unwrap_or(200), failure_persistence: None, ..Config::default() };
    if let Err(failure) = TestRunner::new(config).run(&strategy, test) {
        panic!("{failure}");
    }
}

/// Returns fragments of requests, valid and malformed, and random bytes.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        "GET ",
        "HEAD ",
        "POST ",
        "get ",
        "G",
        "/",
        "/livez",
        "/metrics",
        "/readyz?verbose",
        "*",
        " HTTP/1.1",
        " HTTP/1.0",
        " HTTP/2.0",
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        "Host: x",
        "Host:",
        ":",
        "Connection: close",
        "Connection: keep-alive",
        "Upgrade: h2c",
        "Content-Length: 5",
        "Content-Length: 99999999999999999999",
        "Content-Length: -1",
        "Transfer-Encoding: chunked",
        "5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "Accept: ",
        "Accept-Encoding: gzip;q=",
        "Authorization: Basic ",
        "Expect: 100-continue",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    ]);
    let known = known.prop_map(|piece| piece.as_bytes().to_vec());
    let long = (1..40_usize).prop_map(|length| vec![b'x'; length * 1024]);
    let any = vec(any::<u8>(), 0..20);
    vec(prop_oneof![20 => known, 2 => any, 1 => long], 1..25).prop_map(|pieces| pieces.concat())
}

#[test]
fn random_bytes_get_an_http_response_or_none() {
    let server = Server::start(|http| http);
    try_all(pieces(), |bytes| {
        let response = server.send(&bytes);
        prop_assert!(response.is_empty() || response.starts_with(b"HTTP/1."), "{:?}", response);
        prop_assert_eq!(server.get("/livez", &[]).status, 200);
        Ok(())
    });
}

/// One item of an `Accept`, with its quality in thousandths.
#[derive(Clone, Debug)]
struct Range {
    media: &'static str,
    version: Option<&'static str>,
    quality: Option<u16>,
}

impl Range {
    fn any() -> impl Strategy<Value = Self> {
        let media = select(vec![
            "application/openmetrics-text",
            "Application/OpenMetrics-Text",
            "text/plain",
            "TEXT/plain",
            "application/*",
            "text/*",
            "*/*",
            "image/png",
            "application/vnd.google.protobuf",
        ]);
        let version = option::of(select(vec!["1.0.0", "0.0.4", "0.0.1", "2.0.0"]));
        let quality = option::of(prop_oneof![Just(0), Just(1000), 0..=1000_u16]);
        (media, version, quality).prop_map(|(media, version, quality)| {
            let version = version.filter(|_| !media.contains('*'));
            Self { media, version, quality }
        })
    }

    fn write(&self) -> String {
        let mut text = self.media.to_owned();
        if let Some(version) = self.version {
            text += &format!("; version={version}");
        }
        if let Some(quality) = self.quality {
            text += &format!(";q={}.{:03}", quality / 1000, quality % 1000);
        }
        text
    }

    /// Returns how specific the item is, and whether it means OpenMetrics; `None` if it is none of
    /// the offered formats.
    fn meaning(&self) -> Option<(u8, bool)> {
        match (self.media.to_ascii_lowercase().as_str(), self.version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => Some((2, true)),
            ("text/plain", None | Some("0.0.4")) => Some((2, false)),
            ("application/*", _) => Some((1, true)),
            ("text/*", _) => Some((1, false)),
            ("*/*", _) => Some((0, false)),
            _ => None,
        }
    }
}

/// Chooses the highest quality, then the most specific, then the first; else the text format.
fn means_openmetrics(ranges: &[Range]) -> bool {
    let mut best = None;
    for range in ranges {
        let quality = range.quality.unwrap_or(1000);
        if let Some((specificity, is_open)) = range.meaning().filter(|_| quality > 0)
            && best.is_none_or(|(rank, _)| (quality, specificity) > rank)
        {
            best = Some(((quality, specificity), is_open));
        }
    }
    best.is_some_and(|(_, is_open)| is_open)
}

/// Requirement 3.
#[test]
fn a_well_formed_accept_gets_the_format_that_it_asks_for() {
    let server = Server::start(|http| http);
    try_all(vec(Range::any(), 0..6), |ranges| {
        let accept = ranges.iter().map(Range::write).collect::<Vec<_>>().join(", ");
        let response = server.get("/metrics", &[("Accept", &accept)]);
        let is_open = means_openmetrics(&ranges);
        let content_type = response.header("content-type");
        prop_assert_eq!(content_type.starts_with("application/openmetrics-text"), is_open);
        prop_assert_eq!(response.body.ends_with(b"# EOF\n"), is_open, "{}", accept);
        Ok(())
    });
}

/// Requirement 4.
#[test]
fn the_body_is_gzip_exactly_if_the_client_accepts_it() {
    let server = Server::start(|http| http);
    let coding = select(vec!["gzip", "GZIP", "x-gzip", "identity", "br", "deflate"]);
    let quality = prop_oneof![Just(0_u16), 1..=1000_u16];
    try_all(vec((coding, quality), 0..5), |codings| {
        let write = |(coding, quality): &(&str, u16)| {
            format!("{coding};q={}", f64::from(*quality) / 1000.0)
        };
        let accept = codings.iter().map(write).collect::<Vec<_>>().join(",");
        let response = server.get("/metrics", &[("Accept-Encoding", &accept)]);
        let best = |names: &[&str]| {
            let known = |coding: &str| names.contains(&coding.to_ascii_lowercase().as_str());
            codings.iter().filter(|(coding, _)| known(coding)).map(|(_, quality)| *quality).max()
        };
        let gzip = best(&["gzip", "x-gzip"]).unwrap_or(0);
        let accepts = gzip > 0 && gzip >= best(&["identity"]).unwrap_or(0);
        prop_assert_eq!(response.header("content-encoding") == "gzip", accepts, "{}", accept);
        prop_assert_eq!(response.body.starts_with(&[0x1f, 0x8b]), accepts);
        Ok(())
    });
}

#[test]
fn only_the_secret_gives_access() {
    let server = Server::start(|http| http.access(Access::default().bearer("s3cret")));
    let pieces = select(vec![
        "Bearer", "bearer", "Basic", " ", "  ", "s3cret", "s3cre", "t", "S3CRET", ",", "=", "\"",
        ":", "Og==",
    ]);
    let right = Just(vec!["Bearer", " ", "s3cret"]);
    try_all(prop_oneof![9 => vec(pieces, 0..5), 1 => right], |pieces| {
        let value = pieces.concat();
        let parsed = value
            .trim()
            .split_once(' ')
            .map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest.trim()));
        let is_right = parsed.is_some_and(|(scheme, rest)| scheme == "bearer" && rest == "s3cret");
        let response = server.get("/metrics", &[("Authorization", &value)]);
        prop_assert_eq!(response.status, if is_right { 200 } else { 401 }, "{:?}", value);
        Ok(())
    });
}
