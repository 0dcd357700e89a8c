//! Random input: there is a response to all of it, and the server goes on.

use std::sync::{Arc, Mutex};

use task_http::{openmetrics_source, text_source};

use crate::{built_in_families::OPENMETRICS, client::Client, service::Service, sources::bare};

/// A generator with the same sequence in each run, so that a failure can be reproduced.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// Returns fewer than `most` pieces, joined.
    pub(crate) fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

/// Requirement 3.
#[tokio::test]
async fn no_accept_header_is_ever_refused() {
    let pieces = [
        "application/openmetrics-text",
        "text/plain",
        "*/*",
        "text/*",
        "/",
        ";",
        ";",
        ",",
        ",",
        "=",
        "q=",
        "q=0",
        "q=1",
        "0.5",
        "version=1.0.0",
        "version=",
        "escaping=allow-utf-8",
        "\"",
        "\\",
        " ",
        "gzip",
        "identity",
        "*",
        "\t",
        "\u{e9}",
        "e9",
        "-",
        "1e-9",
        "NaN",
        "inf",
    ];
    let service = Service::start(|http| http);
    let mut random = Random(7);
    let mut client = Client::connect(service.address).await;
    for _ in 0..1000 {
        let (accept, encoding) = (random.text(&pieces, 12), random.text(&pieces, 8));
        let headers = [("Accept", accept.as_str()), ("Accept-Encoding", &encoding)];
        for target in ["/metrics", "/tasks"] {
            let response = client.request("GET", target, &headers).await;
            assert_eq!(response.status, 200, "{headers:?}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn no_path_or_query_stops_the_server() {
    let pieces = [
        "/", "/", "metrics", "readyz", "livez", "tasks", "task/", "?", "&", "=", "exclude",
        "verbose", "format=", "json", "%", "%2f", "%ff", "%00", "..", "a", "*", "'", ";", "~",
    ];
    let service = Service::start(|http| http.check("a", || async { Ok(()) }));
    let mut random = Random(11);
    let mut client = Client::connect(service.address).await;
    for _ in 0..2000 {
        let target = format!("/{}", random.text(&pieces, 12));
        let response = client.get(&target).await;
        assert!([200, 404].contains(&response.status), "{target}: {}", response.status);
    }
    service.stop().await;
}

#[tokio::test]
async fn malformed_sources_get_nothing_added_but_one_end_mark() {
    let pieces = [
        "# TYPE a counter\n",
        "# HELP a A.\n",
        "a_total 1\n",
        "a 1\n",
        "a_sum 1",
        "b 1\n",
        "b{x=\"}\"} 1\n",
        "# TYPE \"q r\" gauge\n",
        "{\"q r\",x=\"1\"} 1\n",
        "{\"",
        "\n",
        "# EOF\n",
        "#",
        "# TYPE",
        "# TYPE \n",
        " ",
        "\r\n",
        "\u{e9} 1\n",
    ];
    let bodies = Arc::new(Mutex::new([String::new(), String::new()]));
    let read = |index: usize| {
        let bodies = Arc::clone(&bodies);
        move || bodies.lock().unwrap()[index].clone()
    };
    let text = Service::start(|http| {
        bare(http).metrics(text_source(read(0))).metrics(text_source(read(1)))
    });
    let open = Service::start(|http| {
        bare(http).metrics(openmetrics_source(read(0))).metrics(openmetrics_source(read(1)))
    });
    let mut random = Random(13);
    let (mut of_text, mut of_open) =
        (Client::connect(text.address).await, Client::connect(open.address).await);
    for _ in 0..500 {
        *bodies.lock().unwrap() = [random.text(&pieces, 8), random.text(&pieces, 8)];
        let input = bodies.lock().unwrap().clone();
        let body = of_text.get("/metrics").await.text();
        assert!(body.len() <= input[0].len() + input[1].len() + 2, "{input:?} {body:?}");
        let body = of_open.request("GET", "/metrics", &OPENMETRICS).await.text();
        let ends = body.lines().filter(|line| line.trim_end() == "# EOF").count();
        assert!(body.ends_with("# EOF\n") && ends == 1, "{input:?} {body:?}");
    }
    text.stop().await;
    open.stop().await;
}
