//! Apache Kafka in processes of its own: one node or three, each broker and controller at once,
//! from the jars of Maven.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use rustix::process::{Pid, Signal, kill_process};

use super::topics;
use crate::program;

const VERSION: &str = "4.4.0";
/// The main classes of a node, and of the tool that formats its folder.
const NODE: &str = "kafka.Kafka";
const STORAGE: &str = "kafka.tools.StorageTool";
/// For a start within seconds, and for three nodes on a small machine.
const JAVA: [&str; 5] =
    ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
/// The partitions of the topics that Kafka keeps for itself.
const INTERNAL_PARTITIONS: i32 = 3;
const METADATA_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Apache {
    jars: PathBuf,
    nodes: Mutex<Vec<Node>>,
    pub(super) address: String,
}

struct Node {
    folder: PathBuf,
    child: Option<Child>,
    is_frozen: bool,
}

impl Apache {
    pub(super) fn start(count: u8, tools: &Path, folder: &Path) -> Result<Self> {
        let jars = install(tools)?;
        // Held until all ports are known, so that they differ.
        let listeners = (0..2 * count)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<Vec<_>, _>>()?;
        let addresses = listeners
            .iter()
            .map(|listener| Ok(listener.local_addr()?.to_string()))
            .collect::<Result<Vec<_>>>()?;
        drop(listeners);
        let (brokers, controllers) = addresses.split_at(count.into());
        let cluster = id(&jars)?;
        let directories = (0..count).map(|_| id(&jars)).collect::<Result<Vec<_>>>()?;
        let voters: Vec<String> = (1..)
            .zip(controllers.iter().zip(&directories))
            .map(|(id, (address, directory))| format!("{id}@{address}:{directory}"))
            .collect();
        let mut nodes = Vec::new();
        for (number, (broker, controller)) in (1..).zip(brokers.iter().zip(controllers)) {
            let folder = folder.join(format!("node-{number}"));
            fs::create_dir_all(&folder)?;
            let settings = settings(number, count, broker, controller, controllers, &folder);
            fs::write(folder.join("server.properties"), settings)?;
            program::run(
                java(&jars, STORAGE)
                    .args(["format", "--cluster-id", &cluster, "--config"])
                    .arg(folder.join("server.properties"))
                    .args(["--initial-controllers", &voters.join(",")]),
            )?;
            nodes.push(Node { folder, child: None, is_frozen: false });
        }
        for node in &mut nodes {
            node.start(&jars)?;
        }
        let address = brokers.join(",");
        let this = Self { jars, nodes: Mutex::new(nodes), address };
        topics::create(&this.address, count)?;
        Ok(this)
    }

    /// Suspends all nodes.
    pub(super) fn freeze(&self) -> Result<()> {
        self.nodes().iter_mut().try_for_each(|node| node.freeze(true))
    }

    /// Suspends one node.
    pub(super) fn freeze_one(&self, index: usize) -> Result<()> {
        let mut nodes = self.nodes();
        let count = nodes.len();
        nodes[index % count].freeze(true)
    }

    /// Kills one node.
    pub(super) fn kill_one(&self, index: usize) -> Result<()> {
        let mut nodes = self.nodes();
        let count = nodes.len();
        nodes[index % count].kill()
    }

    /// Resumes the suspended nodes and starts the killed ones.
    pub(super) fn bring_back(&self) -> Result<()> {
        for node in self.nodes().iter_mut() {
            node.freeze(false)?;
            node.start(&self.jars)?;
        }
        Ok(())
    }

    /// Returns the index of the node that coordinates a group or, with `__transaction_state`, a
    /// transactional id: the leader of the partition that the name hashes to.
    pub(super) fn coordinator(&self, topic: &str, name: &str) -> Result<usize> {
        let mut config = ClientConfig::new();
        let client: BaseConsumer = config.set("bootstrap.servers", &self.address).create()?;
        let metadata = client.fetch_metadata(Some(topic), METADATA_TIMEOUT)?;
        let partition = java_hash(name).unsigned_abs() & 0x7fff_ffff;
        let partition = (partition % INTERNAL_PARTITIONS.unsigned_abs()) as i32;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let found = partitions.into_iter().find(|it| it.id() == partition);
        let leader = found.map(|it| it.leader()).with_context(|| format!("no topic `{topic}`"))?;
        ensure!(leader > 0, "`{topic}` has no leader");
        Ok((leader - 1) as usize)
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Apache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apache").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts the node unless it runs.
    fn start(&mut self, jars: &Path) -> Result<()> {
        if self.child.is_none() {
            let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
            let child = java(jars, NODE)
                .arg(self.folder.join("server.properties"))
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
                .context("cannot start `java`")?;
            self.child = Some(child);
        }
        Ok(())
    }

    fn freeze(&mut self, frozen: bool) -> Result<()> {
        if let Some(child) = &self.child
            && self.is_frozen != frozen
        {
            kill_process(Pid::from_child(child), if frozen { Signal::STOP } else { Signal::CONT })?;
            self.is_frozen = frozen;
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
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

/// Returns the command that runs a class of the jars.
fn java(jars: &Path, class: &str) -> Command {
    let mut command = Command::new("java");
    command.args(JAVA).arg("-cp").arg(jars.join("*")).arg(class);
    command
}

/// Returns a random id of Kafka's kind.
fn id(jars: &Path) -> Result<String> {
    Ok(program::run(java(jars, STORAGE).arg("random-uuid"))?.trim().to_owned())
}

fn settings(
    number: u8,
    count: u8,
    broker: &str,
    controller: &str,
    controllers: &[String],
    folder: &Path,
) -> String {
    let listeners = format!("PLAINTEXT://{broker},CONTROLLER://{controller}");
    let (replicas, in_sync) = (count, count / 2 + 1);
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
         auto.create.topics.enable=false\n",
        controllers.join(","),
        folder.join("data").display(),
    )
}

/// Java's hash of a string, which decides on its coordinator.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

/// Installs the jars below `tools`, once, even if several stages start at the same time.
fn install(tools: &Path) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tools.join(format!("kafka-{VERSION}"));
    let jars = folder.join("jars");
    let is_complete = folder.join("complete");
    if !is_complete.exists() {
        println!("installing Apache Kafka {VERSION} below {}", tools.display());
        provide("java", "openjdk-17-jre-headless")?;
        provide("mvn", "maven")?;
        fs::create_dir_all(&folder)?;
        let pom = folder.join("pom.xml");
        fs::write(&pom, project())?;
        program::run(
            Command::new("mvn")
                .args(["--quiet", "--batch-mode", "--file"])
                .arg(&pom)
                .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
                .arg(format!("-DoutputDirectory={}", jars.display())),
        )
        .context("no broker: its jars come from Maven")?;
        fs::write(is_complete, "")?;
    }
    Ok(jars)
}

/// Installs a program by its Debian package, if it is missing and this is allowed.
fn provide(name: &str, package: &str) -> Result<()> {
    if program::run(Command::new(name).arg("-version")).is_ok() {
        return Ok(());
    }
    if !rustix::process::getuid().is_root() {
        bail!("`{name}` is missing: install {package}");
    }
    println!("installing {package}");
    let install = ["install", "--quiet", "--yes", "--no-install-recommends", package];
    program::run(Command::new("apt-get").args(["update", "--quiet"]))
        .and_then(|_| program::run(Command::new("apt-get").args(install)))
        .with_context(|| format!("`{name}` is missing: install {package}"))?;
    Ok(())
}

fn project() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>churn</groupId><artifactId>broker</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka_2.13", VERSION),
        dependency("org.slf4j", "slf4j-simple", "1.7.36"),
    )
}

#[cfg(test)]
mod tests {
    use super::java_hash;

    #[test]
    fn a_name_hashes_as_in_java() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("pipeline"), -372_069_726);
        assert_eq!(java_hash("churn-0"), 757_538_191);
    }
}
