//! The parsers of others: `promtool` of Prometheus, and the two parsers of the Python client.
//!
//! If a tool is missing, its test is skipped with a message, unless `TASK_REQUIRE_PARSERS` is set.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use task_core::Outcome;
use task_http::HttpTaskBuilder;

use crate::{
    built_in_families::{OPENMETRICS, fill},
    client::get_with,
    conversion::Converter,
    expositions,
    group::task,
    random::Random,
    service::Service,
};

const PYTHON_TEXT: &str = "import sys; from prometheus_client.parser import text_string_to_metric_families as parse\n\
    print(sum(len(f.samples) for f in parse(sys.stdin.buffer.read().decode())))";
const PYTHON_NAMES: &str = "import sys, json; \
    from prometheus_client.PARSER import text_string_to_metric_families as parse\n\
    body = sys.stdin.buffer.read().decode()\n\
    print(json.dumps([s.labels['task'] for f in parse(body) for s in f.samples if s.name == 'task_running']))";
const PYTHON_OPEN: &str = "import sys; \
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
    print(sum(len(f.samples) for f in parse(sys.stdin.buffer.read().decode())))";

/// Runs a tool on a body. Returns its exit code and its output, or `None` if there is no such tool.
fn run(command: &[&str], body: &[u8]) -> Option<(Option<i32>, String)> {
    let spawned = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.ok()?;
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    Some((output.status.code(), String::from_utf8(printed).unwrap()))
}

fn is_there(what: &str, probe: &[&str]) -> bool {
    let is_there = run(probe, b"").is_some_and(|(code, _)| code == Some(0));
    if !is_there {
        assert!(
            std::env::var_os("TASK_REQUIRE_PARSERS").is_none(),
            "{what} is required and missing"
        );
        eprintln!("skipped: {what} is not installed");
    }
    is_there
}

/// Returns bodies with all built-in families, in one format.
async fn bodies(headers: &[(&str, &str)]) -> Vec<String> {
    let service = Service::start(|http: HttpTaskBuilder| {
        http.check("a \"check\" of \\ many\nlines", || async { Ok(()) })
            .check("bad", || async { anyhow::bail!("no") })
    });
    let quiet = get_with(service.address, "/metrics", headers).await.text();
    fill(&service.group);
    service.group.change(|snapshot| snapshot.totals.count(Outcome::Panicked));
    service.get("/readyz").await;
    let busy = get_with(service.address, "/metrics", headers).await.text();
    service.stop().await;
    vec![quiet, busy]
}

/// Returns names of all kinds of characters: the same in each run, distinct by a number in front,
/// and within the limit of a label.
fn odd_names() -> Vec<String> {
    let pieces =
        ["a", "\"", "\\", "\n", "{", "}", ",", "=", " ", "#", "\t", "é", "🦀", "'", "\u{85}", "n"];
    let mut random = Random(1);
    (0..150).map(|index| format!("{index}{}", random.text(&pieces, 15))).collect()
}

fn samples(body: &str) -> usize {
    body.lines().filter(|line| !line.starts_with('#')).count()
}

/// Requirement 5.
#[tokio::test]
async fn promtool_accepts_the_text_format() {
    if !is_there("promtool", &["promtool", "--version"]) {
        return;
    }
    for body in bodies(&[]).await {
        let (code, printed) = run(&["promtool", "check", "metrics"], body.as_bytes()).unwrap();
        assert_eq!((code, printed.as_str()), (Some(0), ""), "{body}");
    }
}

/// Requirement 5.
#[tokio::test]
async fn the_parsers_of_python_read_every_sample_of_both_formats() {
    if !is_there("Python's prometheus_client", &["python3", "-c", "import prometheus_client"]) {
        return;
    }
    for (headers, script) in [(&[][..], PYTHON_TEXT), (&OPENMETRICS[..], PYTHON_OPEN)] {
        for body in bodies(headers).await {
            let (code, printed) = run(&["python3", "-c", script], body.as_bytes()).unwrap();
            assert_eq!(code, Some(0), "{printed}\n{body}");
            assert_eq!(printed.trim(), samples(&body).to_string(), "{body}");
        }
    }
}

/// Parses bodies, as a list in JSON, and prints what is wrong with each.
const PYTHON_ALL: &str = "import sys, json; \
    from prometheus_client.PARSER import text_string_to_metric_families as parse\n\
    faults = []\n\
    for body in json.load(sys.stdin):\n\
    \x20   try:\n\
    \x20       count = sum(len(f.samples) for f in parse(body))\n\
    \x20       faults.append('')\n\
    \x20   except Exception as error: faults.append(repr(error))\n\
    print(json.dumps(faults))";

/// Whatever a source writes, the parsers accept what becomes of it. Requirements 5 and 17.
#[tokio::test]
async fn the_parsers_of_python_accept_every_converted_text() {
    if !is_there("Python's prometheus_client", &["python3", "-c", "import prometheus_client"]) {
        return;
    }
    let mut converter = Converter::start().await;
    let mut random = Random(17);
    for parser in ["openmetrics.parser", "parser"] {
        let (mut inputs, mut bodies) = (Vec::new(), Vec::new());
        for _ in 0..1000 {
            let (input, body) = if parser == "parser" {
                let input = expositions::open(&mut random);
                (input.clone(), converter.text(input).await)
            } else {
                let input = expositions::text(&mut random);
                (input.clone(), converter.open(input).await)
            };
            inputs.push(input);
            bodies.push(body);
        }
        let script = PYTHON_ALL.replace("PARSER", parser);
        let sent = serde_json::to_vec(&bodies).unwrap();
        let (code, printed) = run(&["python3", "-c", &script], &sent).unwrap();
        assert_eq!(code, Some(0), "{printed}");
        let faults: Vec<String> = serde_json::from_str(printed.trim()).unwrap();
        assert_eq!(faults.len(), bodies.len());
        for ((fault, body), input) in faults.iter().zip(&bodies).zip(&inputs) {
            assert_eq!(fault, "", "{parser}:\n{input}\n---\n{body}");
        }
    }
    converter.stop().await;
}

/// Requirements 5 and 17.
#[tokio::test]
async fn promtool_parses_what_becomes_of_openmetrics() {
    if !is_there("promtool", &["promtool", "--version"]) {
        return;
    }
    let mut converter = Converter::start().await;
    let mut random = Random(19);
    for _ in 0..60 {
        let input = expositions::open(&mut random);
        let body = converter.text(&*input).await;
        let (code, printed) = run(&["promtool", "check", "metrics"], body.as_bytes()).unwrap();
        // 3 is about style alone.
        assert!(matches!(code, Some(0 | 3)), "{printed}\n{input}\n---\n{body}");
    }
    converter.stop().await;
}

/// Requirement 5.
#[tokio::test]
async fn the_parsers_read_every_task_name_unchanged() {
    if !is_there("Python's prometheus_client", &["python3", "-c", "import prometheus_client"]) {
        return;
    }
    let service = Service::start(|http| http);
    let mut names = odd_names();
    service.group.change(|snapshot| {
        snapshot.tasks = (0..).zip(&names).map(|(id, name)| task(id, name, |_| ())).collect();
    });
    names.sort();
    for (headers, parser) in [(&[][..], "parser"), (&OPENMETRICS[..], "openmetrics.parser")] {
        let body = get_with(service.address, "/metrics", headers).await.text();
        let script = PYTHON_NAMES.replace("PARSER", parser);
        let (code, printed) = run(&["python3", "-c", &script], body.as_bytes()).unwrap();
        assert_eq!(code, Some(0), "{printed}\n{body}");
        let mut read: Vec<String> = serde_json::from_str(printed.trim()).unwrap();
        read.sort();
        assert_eq!(read, names, "{parser}");
    }
    service.stop().await;
}
