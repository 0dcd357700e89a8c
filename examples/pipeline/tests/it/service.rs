//! The service as a process: observed over HTTP, stopped by signals, checked by exit code and
//! totals.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::database::TestFile;

/// A running service with a new database.
pub(crate) struct Service {
    child: Child,
    address: String,
    log: String,
    _file: TestFile,
}

/// The result of a service that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    totals: String,
    took: Duration,
}

impl Service {
    /// Starts the service and waits until its log has the address of the probes.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let file = TestFile::new(name);
        let mut child = command(&file, arguments).spawn().unwrap();
        let mut log = String::new();
        // Byte by byte, so that nothing beyond the line is read: `end` reads the rest.
        let address = loop {
            let mut byte = [0];
            let read = child.stderr.as_mut().unwrap().read(&mut byte).unwrap();
            assert_eq!(read, 1, "the service ended early: {log}");
            log.push(char::from(byte[0]));
            if byte[0] == b'\n'
                && let Some((_, address)) = log.lines().last().unwrap().split_once("http://")
            {
                break address.trim_end_matches(['"', '}']).to_owned();
            }
        };
        Self { child, address, log, _file: file }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Probes the service by its own binary. Returns the exit code, and what it printed.
    fn probe(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut probe = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        let output =
            probe.args(["--http-address", &self.address, "probe"]).args(arguments).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// Reads one number of `/metrics`.
    fn metric(&self, name: &str) -> u64 {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, 200);
        let line = body.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {body}")).parse().unwrap()
    }

    pub(crate) fn wait_until(&self, what: &str, is_true: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_true(self) {
            assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Reads the log until a line has this text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.log.lines().last().is_some_and(|line| line.contains(text)) {
            let mut byte = [0];
            let read = self.child.stderr.as_mut().unwrap().read(&mut byte).unwrap();
            assert_eq!(read, 1, "the service ended without `{text}`: {}", self.log);
            self.log.push(char::from(byte[0]));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) fn end(mut self) -> Ended {
        let start = Instant::now();
        let mut rest = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
        let took = start.elapsed();
        let Output { status, stdout, .. } = self.child.wait_with_output().unwrap();
        let totals = String::from_utf8(stdout).unwrap();
        Ended { code: status.code(), log: self.log + &rest, totals, took }
    }
}

impl Ended {
    fn total(&self, name: &str) -> u64 {
        let pair =
            self.totals.split([' ', '\n']).find_map(|it| it.strip_prefix(&format!("{name}=")));
        pair.unwrap_or_else(|| panic!("no {name} in {}", self.totals)).parse().unwrap()
    }

    /// Asserts exit code 0, nothing in flight, and a record and a row for all that was consumed.
    fn assert_complete(&self) {
        assert_eq!(self.code, Some(0), "{}", self.log);
        assert_eq!(self.total("in_flight"), 0, "{}", self.totals);
        let [consumed, produced, dead] =
            ["consumed", "produced", "dead_lettered"].map(|name| self.total(name));
        assert_eq!(consumed, produced + dead, "{}", self.totals);
        assert_eq!(self.total("rows"), produced, "{}", self.totals);
        assert_eq!(self.total("settled"), consumed, "{}", self.totals);
    }
}

fn command(file: &TestFile, arguments: &[&str]) -> Command {
    let mut command = if cfg!(target_os = "linux") {
        // The tests may have been started ignoring signals, as in the background of a script.
        let mut env = Command::new("env");
        env.args(["--default-signal", env!("CARGO_BIN_EXE_pipeline")]);
        env
    } else {
        Command::new(env!("CARGO_BIN_EXE_pipeline"))
    };
    command
        .args(["--http-address", "127.0.0.1:0", "--database-url", &file.url()])
        // The service ends by itself if a test fails to stop it.
        .args(["--run-for", "3m"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PIPELINE_")) {
        command.env_remove(name);
    }
    command
}

#[test]
fn sigterm_stops_a_busy_service_without_loss() {
    let service = Service::start("sigterm", &["--retention=1s", "--purge-interval=500ms"]);
    assert_eq!(service.get("/livez").0, 200);
    service.wait_until("not ready because of the consumer", |it| {
        let (status, reasons) = it.get("/readyz");
        status == 503 && reasons.contains("consumer")
    });
    let (code, printed) = service.probe(&["/readyz/no-such-item"]);
    assert!(code == Some(1) && printed.contains("returned 404"), "{printed}");
    service.wait_until("ready", |it| it.get("/readyz").0 == 200);
    assert_eq!(service.probe(&[]), (Some(0), String::new()));
    service.wait_until("flows", |it| it.metric("pipeline_messages_consumed_total") > 1_000);
    service.wait_until("purges", |it| it.metric("pipeline_rows_purged_total") > 0);
    assert!(service.metric("pipeline_messages_dead_lettered_total") > 0);
    assert_eq!(service.metric("pipeline_partitions_assigned"), 4);
    assert!(service.get("/tasks").1.contains("consumer"));
    service.signal("TERM");
    let ended = service.end();
    ended.assert_complete();
    assert!(ended.took < Duration::from_secs(5), "took {:?}", ended.took);
    let (_, report) = ended.log.split_once("clean; cause: signal SIGTERM").unwrap();
    let (_, shutdown) = ended.log.split_once("shutdown begins").unwrap();
    let alarming =
        shutdown.lines().find(|line| line.contains(" WARN ") || line.contains(" ERROR "));
    assert_eq!(alarming, None, "{}", ended.log);
    for name in ["generator", "consumer", "purge", "http", "database", "embedded broker"] {
        assert!(report.contains(name), "{name} is not in {report}");
    }
}

#[test]
fn it_stops_after_max_events_and_logs_json() {
    let arguments = ["--max-events=3000", "--rate=100000", "--log-format=json"];
    let ended = Service::start("limited", &arguments).end();
    ended.assert_complete();
    assert_eq!(ended.total("consumed"), 3_000);
    assert!(ended.log.contains("3000 messages are settled"), "{}", ended.log);
    let lines: Vec<_> = ended.log.lines().filter(|line| line.starts_with('{')).collect();
    assert!(lines.len() > 5, "{}", ended.log);
    for line in lines {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn without_brokers_it_is_live_and_not_ready_and_stops_in_time() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = free.local_addr().unwrap().to_string();
    drop(free);
    let service = Service::start("away", &["--brokers", &brokers]);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(service.get("/livez").0, 200);
    assert_eq!(service.get("/readyz").0, 503);
    service.signal("TERM");
    let ended = service.end();
    assert!(ended.took < Duration::from_secs(20), "took {:?}", ended.took);
    ended.assert_complete();
}

#[test]
fn a_failed_setup_reports_the_cause_and_cleans_up() {
    let file = TestFile::new("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&file, &["--http-address", &address]).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{log}");
    assert!(log.contains(&address), "{log}");

    let url = "sqlite:///no/such/folder/x.db";
    let output = command(&file, &["--database-url", url]).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{log}");
    assert!(log.contains(&format!("failed to connect to {url}")), "{log}");
    assert!(log.contains("embedded broker"), "{log}");
}

#[test]
fn bad_arguments_are_reported_with_exit_code_2() {
    let file = TestFile::new("arguments");
    for (argument, message) in [
        ("--rate=fast", "invalid value 'fast' for '--rate <ORDERS>'"),
        ("--log=a=b=c", "bad log filter"),
        ("--database-url=mysql://x", "begins with sqlite:// or postgres://"),
        ("--config=/no/such.toml", "/no/such.toml: "),
    ] {
        let output = command(&file, &[argument]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{argument}");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(log.contains(message), "{argument}: {log}");
    }
}

#[test]
fn help_documents_flags_with_defaults_and_variables() {
    let output = Command::new(env!("CARGO_BIN_EXE_pipeline")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for part in ["--brokers", "[default: 127.0.0.1:9090]", "[default: 5s]", "[env: PIPELINE_RATE="]
    {
        assert!(help.contains(part), "{part} is not in {help}");
    }
    assert!(!help.contains("--fault"), "it is for tests");
}

#[test]
fn the_manifest_in_the_folder_is_the_one_that_is_printed() {
    let print = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command.args(arguments).output().unwrap()
    };
    let output = print(&["manifest"]);
    assert!(output.status.success());
    let folder = include_str!("../../kubernetes.yaml");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), folder, "see `pipeline manifest`");
    let output = print(&["--shutdown-budget=1m30s", "manifest"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["terminationGracePeriodSeconds: 92\n", "\"--shutdown-budget=1m 30s\"\n"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let output = print(&["--platform=kubernetes", "--shutdown-budget=29s", "manifest"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("at most 28s does"), "{error}");
}

#[test]
fn a_manifest_is_checked_against_the_settings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kubernetes.yaml");
    let check = |arguments: &[&str], file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        let output = command.args(arguments).args(["manifest", "--check", file]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(check(&[], folder), (Some(0), String::new()));
    let (code, findings) = check(&["--shutdown-budget=40s"], folder);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = findings.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with(folder), "{findings}");
    assert!(lines[0].ends_with("[grace-variable]"), "{findings}");
    assert_eq!(check(&[], "no-such-file.yaml").0, Some(2));
}
