//! A server under measurement: a process of this program, so that its CPU time can be measured.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::{Load, load, load_count};

/// The first argument that makes this program a server; the second is its name.
pub(crate) const COMMAND: &str = "server";

/// The program that counts instructions.
pub(crate) const VALGRIND: &str = "valgrind";

/// One round: requests per second, and microseconds.
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) cpu: f64,
}

/// A server in a separate process, killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(name: &str) -> Result<Self> {
        Self::spawn(Command::new(std::env::current_exe()?).args([COMMAND, name]), name)
    }

    /// Starts one whose instructions are counted, on one worker.
    pub(crate) fn counted(name: &str) -> Result<Self> {
        let mut valgrind = Command::new(VALGRIND);
        valgrind
            .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args([COMMAND, name, "1"])
            .stderr(Stdio::piped());
        Self::spawn(&mut valgrind, name)
    }

    fn spawn(command: &mut Command, name: &str) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its stdout is a pipe")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{name}: printed {line:?}"))?;
        Ok(Self { child, address })
    }

    /// Requests a path, whose answers have at least that length, for `time`.
    pub(crate) async fn measure(
        &self,
        (path, least): (&str, usize),
        clients: usize,
        time: Duration,
    ) -> Result<Measured> {
        let before = self.cpu_time()?;
        let begun = Instant::now();
        let Load { mut latencies, bytes } = load(self.address, path, clients, time).await?;
        let took = begun.elapsed();
        let cpu = self.cpu_time()? - before;
        let count = latencies.len();
        ensure!(count > 0 && bytes / count >= least, "{count} answers with {bytes} bytes");
        latencies.sort_unstable();
        let at = |share: f64| latencies[((count - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
        Ok(Measured {
            rate: count as f64 / took.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            cpu: cpu.as_secs_f64() * 1e6 / count as f64,
        })
    }

    /// Requests a path so many times, ends the server, and returns how many instructions of its own
    /// it has executed since its start.
    pub(crate) async fn instructions(mut self, path: &str, count: usize) -> Result<u64> {
        load_count(self.address, path, count).await?;
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.context("no process id")?, Signal::TERM)?;
        let mut summary = String::new();
        self.child.stderr.take().context("its stderr is a pipe")?.read_to_string(&mut summary)?;
        let line = summary.lines().find_map(|line| line.split_once("refs:"));
        let (_, refs) = line.with_context(|| format!("no count in {summary:?}"))?;
        Ok(refs.trim().replace(',', "").parse()?)
    }

    /// User and system time, in ticks of a hundredth of a second.
    fn cpu_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
        let field =
            |index: usize| rest.split_whitespace().nth(index).and_then(|it| it.parse::<u64>().ok());
        let ticks = field(11).zip(field(12)).context("no times in stat")?;
        Ok(Duration::from_millis(10 * (ticks.0 + ticks.1)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for one that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
