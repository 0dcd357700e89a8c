//! A collector for OTLP as JSON over HTTP/1.1, which counts spans and keeps log lines.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde_json::Value;

/// How a collector answers.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Answers,
    /// After half a second.
    Slow,
    /// Never.
    Hangs,
}

pub(crate) struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    /// The names of spans.
    spans: Vec<String>,
    /// When the lines were written, in nanoseconds, and their texts.
    lines: Vec<(u64, String)>,
}

impl Collector {
    /// Listens on a port of its own, on a thread per connection.
    pub(crate) fn start(mode: Mode) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let received = Arc::<Mutex<Received>>::default();
        let kept = Arc::clone(&received);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(&connection, mode, &kept));
            }
        });
        Ok(Self { address, received })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how many spans of that name came in.
    pub(crate) fn count(&self, name: &str) -> usize {
        lock(&self.received).spans.iter().filter(|span| *span == name).count()
    }

    /// Returns the log lines in their order. In a request, they are in groups by their module.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = lock(&self.received).lines.clone();
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves the requests of a connection, one after the other.
fn serve(connection: &TcpStream, mode: Mode, received: &Mutex<Received>) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let (name, value) = line.split_once(':').unwrap_or((line.trim_end(), ""));
            if name.is_empty() {
                break;
            }
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        match mode {
            Mode::Answers => {}
            Mode::Slow => thread::sleep(Duration::from_millis(500)),
            Mode::Hangs => thread::sleep(Duration::from_secs(3600)),
        }
        record(&serde_json::from_slice(&body)?, received);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
        (&mut &*connection).write_all(format!("{head}{{}}").as_bytes())?;
    }
}

/// Keeps what is in a request.
fn record(request: &Value, received: &Mutex<Received>) {
    let mut received = lock(received);
    for scope in each(request, "resourceSpans").flat_map(|resource| each(resource, "scopeSpans")) {
        received.spans.extend(each(scope, "spans").map(|span| text(&span["name"])));
    }
    for scope in each(request, "resourceLogs").flat_map(|resource| each(resource, "scopeLogs")) {
        let lines = each(scope, "logRecords").map(|line| {
            let at = text(&line["observedTimeUnixNano"]).parse().unwrap_or_default();
            (at, text(&line["body"]["stringValue"]))
        });
        received.lines.extend(lines);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn each<'a>(value: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    value[list].as_array().into_iter().flatten()
}
