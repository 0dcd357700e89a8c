//! One node: its settings, its process, and what an interrupted run has left of such processes.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    path::{Path, PathBuf, absolute},
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::jars::java;

/// The main class of a node.
const NODE: &str = "kafka.Kafka";
const SETTINGS: &str = "server.properties";
/// The partitions of the topics that Kafka keeps for itself.
pub(super) const INTERNAL_PARTITIONS: i32 = 3;
/// How long a killed process may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// What the nodes of a cluster have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The nodes are children of a stage, and end with it.
    Stage,
    /// The nodes outlive this process and the terminal; topics are created on first use.
    Standing,
}

pub(super) struct Node {
    folder: PathBuf,
    purpose: Purpose,
    child: Option<Child>,
    is_frozen: bool,
}

impl Node {
    /// A node that is not started yet, in a folder of its own.
    pub(super) fn new(folder: PathBuf, purpose: Purpose, settings: &str) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let this = Self { folder, purpose, child: None, is_frozen: false };
        fs::write(this.settings(), settings)?;
        Ok(this)
    }

    /// Returns the path of its settings, which is an argument of its process.
    pub(super) fn settings(&self) -> PathBuf {
        self.folder.join(SETTINGS)
    }

    /// Starts the node unless it runs.
    pub(super) fn start(&mut self, jars: &Path) -> Result<()> {
        if self.child.is_none() {
            let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
            let mut command = java(jars, NODE);
            command.arg(self.settings()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            if self.purpose == Purpose::Standing {
                // An interrupt at the terminal is not for it.
                command.process_group(0);
            }
            self.child = Some(command.spawn().context("cannot start `java`")?);
        }
        Ok(())
    }

    /// Lets the process outlive this one.
    pub(super) fn keep(mut self) {
        self.child = None;
    }

    pub(super) fn freeze(&mut self, frozen: bool) -> Result<()> {
        if let Some(child) = &self.child
            && self.is_frozen != frozen
        {
            kill_process(Pid::from_child(child), if frozen { Signal::STOP } else { Signal::CONT })?;
            self.is_frozen = frozen;
        }
        Ok(())
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
            self.is_frozen = false;
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Fails only if the child has already ended.
        let _ = self.kill();
    }
}

/// Ends the nodes whose settings are below `folder`, also those of an interrupted run, and returns
/// their number. No other process is touched: the class and the path have to be among its
/// arguments.
pub(crate) fn end_below(folder: &Path) -> Result<usize> {
    let folder = absolute(folder)?;
    let is_ours = |id: i32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        is_node_below(&folder, &line)
    };
    let entries = fs::read_dir("/proc").context("no list of processes")?;
    let found: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id| is_ours(*id))
        .collect();
    for id in &found {
        if let Some(pid) = Pid::from_raw(*id) {
            // Fails only if it has ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let start = Instant::now();
    while let Some(id) = found.iter().find(|id| is_ours(**id)) {
        ensure!(start.elapsed() < END_TIMEOUT, "process {id} outlives SIGKILL");
        sleep(Duration::from_millis(20));
    }
    Ok(found.len())
}

/// Returns whether these arguments, each followed by a NUL, are those of a node below `folder`.
fn is_node_below(folder: &Path, line: &[u8]) -> bool {
    let mut arguments = line.split(|byte| *byte == 0).map(OsStr::from_bytes);
    arguments.any(|argument| argument == NODE)
        && arguments.any(|argument| {
            let path = Path::new(argument);
            path.ends_with(SETTINGS) && path.starts_with(folder)
        })
}

pub(super) fn settings(
    purpose: Purpose,
    number: u8,
    count: u8,
    broker: &str,
    controller: &str,
    controllers: &[String],
    folder: &Path,
) -> String {
    let listeners = format!("PLAINTEXT://{broker},CONTROLLER://{controller}");
    let (replicas, in_sync) = (count, count / 2 + 1);
    let on_first_use = purpose == Purpose::Standing;
    format!(
        "process.roles=broker,controller\n\
         node.id={number}\n\
         listeners={listeners}\n\
         advertised.listeners={listeners}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         controller.quorum.bootstrap.servers={}\n\
         log.dirs={}\n\
         offsets.topic.replication.factor={replicas}\n\
         offsets.topic.num.partitions={INTERNAL_PARTITIONS}\n\
         transaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr={in_sync}\n\
         transaction.state.log.num.partitions={INTERNAL_PARTITIONS}\n\
         group.initial.rebalance.delay.ms=0\n\
         num.network.threads=2\n\
         num.io.threads=2\n\
         log.segment.bytes=16777216\n\
         num.partitions=4\n\
         default.replication.factor={replicas}\n\
         auto.create.topics.enable={on_first_use}\n",
        controllers.join(","),
        folder.join("data").display(),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::is_node_below;

    #[test]
    fn only_the_nodes_of_a_folder_are_found_by_their_arguments() {
        let is_ours = |line: &str| {
            let line = line.replace(' ', "\0") + "\0";
            is_node_below(Path::new("/churn/kafka"), line.as_bytes())
        };
        assert!(is_ours("java -cp x kafka.Kafka /churn/kafka/node-1/server.properties"));
        assert!(!is_ours("java -cp x kafka.Kafka /churn/kafka-2/node-1/server.properties"));
        assert!(!is_ours("java -cp x kafka.Kafka /churn/kafka/node-1/log"));
        assert!(!is_ours("vi /churn/kafka/node-1/server.properties"));
        assert!(!is_ours(""));
    }
}
