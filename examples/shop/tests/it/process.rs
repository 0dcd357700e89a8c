//! The service as a process: observed over HTTP, stopped by a signal, checked by exit code and
//! report.

use std::{
    env, fs,
    io::Read as _,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::client::{Client, order};

/// Longer than anything takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A folder that is deleted after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("shop-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running service.
struct Service {
    child: Child,
    log: String,
    api: SocketAddr,
    probes: SocketAddr,
}

impl Service {
    /// Starts the service in a folder, without a setting of the database, and waits until its log
    /// has both addresses.
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut child = command(folder, arguments).spawn().unwrap();
        let mut log = String::new();
        let mut addresses = Vec::new();
        // Byte by byte, so that nothing beyond the line is read: `end` reads the rest.
        while addresses.len() < 2 {
            let mut byte = [0];
            let read = child.stderr.as_mut().unwrap().read(&mut byte).unwrap();
            assert_eq!(read, 1, "the service ended early: {log}");
            log.push(char::from(byte[0]));
            if byte[0] == b'\n'
                && let Some((_, address)) = log.lines().last().unwrap().split_once("http://")
            {
                addresses.push(address.split('/').next().unwrap().parse().unwrap());
            }
        }
        Self { child, log, probes: addresses[0], api: addresses[1] }
    }

    fn probe(&self, path: &str) -> u16 {
        Client::connect(self.probes).get(path).status
    }

    fn until(&self, what: &str, is_true: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_true(self) {
            assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the end. Returns the exit code and the log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, std::mem::take(&mut self.log) + &rest)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = if cfg!(target_os = "linux") {
        // The tests may have been started ignoring signals, as in the background of a script.
        let mut env = Command::new("env");
        env.args(["--default-signal", env!("CARGO_BIN_EXE_shop")]);
        env
    } else {
        Command::new(env!("CARGO_BIN_EXE_shop"))
    };
    // The default ports may be in use.
    command
        .args(["--address=127.0.0.1:0", "--probe-address=127.0.0.1:0"])
        .args(arguments)
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("SHOP_")) {
        command.env_remove(name);
    }
    command
}

#[test]
fn it_answers_while_it_drains_and_exits_with_0_after_sigterm() {
    let folder = Folder::new("sigterm");
    let service = Service::start(&folder, &["--drain-delay=5s"]);
    service.until("ready", |it| it.probe("/readyz") == 200);
    let mut client = Client::connect(service.api);
    assert_eq!(client.post("/orders", &order("a-1")).status, 201);
    let metrics = Client::connect(service.probes).get("/metrics").body;
    for sample in ["shop_orders_placed_total 1\n", "task_serve_requests_total 1\n"] {
        assert!(metrics.contains(sample), "{metrics}");
    }
    service.terminate();
    service.until("not ready", |it| it.probe("/readyz") == 503);
    assert_eq!(service.probe("/livez"), 200);
    // One second later, on a new connection, too.
    thread::sleep(Duration::from_secs(1));
    assert_eq!(Client::connect(service.api).get("/orders/a-1").status, 200);
    let last = client.post("/orders", &order("a-2"));
    assert_eq!(last.status, 201, "{last:?}");
    assert!(last.has("connection: close"), "{last:?}");
    let (code, log) = service.end();
    assert_eq!(code, Some(0), "{log}");
    let (_, report) = log.split_once("clean; cause: signal SIGTERM").unwrap();
    for name in ["api", "packer", "http", "signals", "database"] {
        assert!(report.contains(name), "{name} is not in {report}");
    }
    let (_, shutdown) = log.split_once("shutdown begins").unwrap();
    let alarming =
        shutdown.lines().find(|line| line.contains(" WARN ") || line.contains(" ERROR "));
    assert_eq!(alarming, None, "{log}");

    // Its successor has both orders, and packs what was left.
    let service = Service::start(&folder, &["--drain-delay=0s"]);
    for id in ["a-1", "a-2"] {
        service.until("packed", |it| {
            let order = Client::connect(it.api).get(&format!("/orders/{id}")).json();
            assert_eq!(order["requests"], 1, "{order}");
            order["state"] == "packed"
        });
    }
    service.terminate();
    let (code, log) = service.end();
    assert_eq!(code, Some(0), "{log}");
}

/// The commands in the README are run as they are, but for the address.
#[test]
fn the_readme_s_commands_work() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let folder = Folder::new("readme");
    let service = Service::start(&folder, &["--packing-time=0s", "--drain-delay=0s"]);
    service.until("ready", |it| it.probe("/readyz") == 200);
    let readme = include_str!("../../README.md");
    let commands: Vec<_> = readme.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let is_endless = command.contains(" -N ");
        let shell = command
            .replace("curl ", "curl --silent --show-error --fail --max-time 20 ")
            .replace("127.0.0.1:8080", &service.api.to_string())
            .replace("127.0.0.1:9090", &service.probes.to_string());
        if is_endless {
            continue; // a test of the streams
        }
        let output = Command::new("sh").args(["-c", &shell]).output().unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{shell}");
    }
    service.terminate();
    let (code, log) = service.end();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_failed_setup_reports_the_cause() {
    let folder = Folder::new("setup");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, cause) in [
        (["--address", &address], address.as_str()),
        (["--database-url", "sqlite:///no/such/folder/x.db"], "failed to connect to the database"),
    ] {
        let output = command(&folder, &arguments).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{log}");
        assert!(log.contains(cause), "{cause}: {log}");
    }
}

#[test]
fn bad_arguments_are_reported_with_exit_code_2() {
    let folder = Folder::new("arguments");
    for (argument, message) in
        [("--queue=0", "0 is not in 1..=65535"), ("--log=a=b=c", "error parsing level filter")]
    {
        let output = command(&folder, &[argument]).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(message), "{argument}: {log}");
    }
}

#[test]
fn the_manifest_in_the_folder_is_the_one_that_is_printed() {
    let print = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        let output = command.args(arguments).arg("manifest").output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let folder = include_str!("../../kubernetes.yaml");
    assert_eq!(print(&[]), folder, "see `shop manifest`");
    let text = print(&["--shutdown-budget=40s", "--drain-delay=8s", "--address=127.0.0.1:80"]);
    for part in [
        "terminationGracePeriodSeconds: 42\n",
        "\"--drain-delay=8s\"\n",
        "\"--shutdown-budget=40s\"\n",
        "      port: 80\n",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn a_manifest_is_checked_against_the_settings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kubernetes.yaml");
    let check = |arguments: &[&str], file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        let output = command.args(arguments).args(["manifest", "--check", file]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(check(&[], folder), (Some(0), String::new()));
    let (code, findings) = check(&["--shutdown-budget=40s"], folder);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = findings.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with(folder), "{findings}");
    assert!(lines[0].ends_with("[grace]"), "{findings}");
    assert_eq!(check(&[], "no-such-file.yaml").0, Some(2));
}
