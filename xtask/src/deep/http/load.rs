//! Slow clients and many clients, made by existing tools, while a probe is polled.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::{Service, is_installed};
use crate::command::Run;
use crate::http;
use crate::section::Ending;
use crate::workspace::Workspace;

/// The time that a probe may take under this load. On an idle machine it takes a hundredth of it.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
const REQUESTS: &str = "5000";

pub(crate) fn slow(workspace: &Workspace) -> Result<Ending> {
    if !is_installed(workspace, "slowhttptest") {
        let why = "slowhttptest is not installed (Debian: slowhttptest)";
        return Ok(Ending::Skipped(why.to_owned()));
    }
    let mut service = Service::start(workspace)?;
    let url = |path: &str| format!("http://{}{path}", service.address);
    // Headers that never end, bodies that never end, and responses that are not read.
    let attacks = [
        vec!["-H", "-i", "3"],
        vec!["-B", "-i", "3"],
        vec!["-X", "-w", "1", "-y", "8", "-n", "5", "-z", "8"],
    ];
    for attack in attacks {
        let path = if attack[0] == "-X" { "/metrics" } else { "/readyz" };
        let tool = Run::program(workspace, "slowhttptest")
            .arguments(["-c", "500", "-r", "200", "-l", "12", "-p", "2", "-u", &url(path)])
            .arguments(&attack);
        let (output, longest) = while_probed(service.address, || tool.read())?;
        println!("{}: the slowest probe took {longest:?}", attack.join(" "));
        // Escape sequences of colours stand between the words.
        let mut summary = output.lines().filter(|line| line.contains("service available:"));
        ensure!(
            summary.next_back().is_some_and(|line| line.contains("YES")),
            "slowhttptest reports that the service is not available"
        );
        ensure!(longest < PROBE_LIMIT, "a probe took {longest:?}");
    }
    service.terminate()?;
    service.ended()?;
    Ok(Ending::Passed)
}

pub(crate) fn many(workspace: &Workspace) -> Result<Ending> {
    if !is_installed(workspace, "h2load") {
        let why = "h2load is not installed (Debian: nghttp2-client)";
        return Ok(Ending::Skipped(why.to_owned()));
    }
    let mut service = Service::start(workspace)?;
    for path in ["/metrics", "/readyz", "/tasks"] {
        let url = format!("http://{}{path}", service.address);
        let tool = Run::program(workspace, "h2load")
            .arguments(["--h1", "-n", REQUESTS, "-c", "64", "-t", "1", &url]);
        let (output, longest) = while_probed(service.address, || tool.read())?;
        let line = |what: &str| output.lines().find(|line| line.starts_with(what)).unwrap_or("?");
        println!("{path}: {}; the slowest probe took {longest:?}", line("finished in"));
        ensure!(
            line("requests:").contains(&format!("{REQUESTS} succeeded, 0 failed")),
            "{path}: {}",
            line("requests:")
        );
        ensure!(longest < PROBE_LIMIT, "a probe took {longest:?}");
    }
    service.terminate()?;
    service.ended()?;
    Ok(Ending::Passed)
}

/// Calls `run` while `/readyz` is polled. Returns its output, and the time of the slowest probe.
fn while_probed(
    address: SocketAddr,
    run: impl FnOnce() -> Result<(String, String)>,
) -> Result<(String, Duration)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let prober = scope.spawn(|| probe(address, &is_over));
        let ran = run();
        is_over.store(true, Ordering::Release);
        let probed = prober.join().map_err(|_| anyhow!("the prober panicked"))?;
        let (stdout, stderr) = ran?;
        Ok((stdout + &stderr, probed?))
    })
}

fn probe(address: SocketAddr, is_over: &AtomicBool) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Acquire) {
        let sent = Instant::now();
        let (status, body) = http::get(address, "/readyz").context("a probe")?;
        ensure!(status == 200, "/readyz: {status} {body}");
        longest = longest.max(sent.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    Ok(longest)
}
