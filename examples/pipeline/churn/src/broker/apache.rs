//! Apache Kafka in processes of its own: one node or three, each broker and controller at once,
//! from the jars of Maven.

mod jars;
mod node;

use std::{
    fs, mem,
    net::TcpListener,
    path::{Path, PathBuf, absolute},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use super::topics;
use crate::program;
use jars::{install, java};
use node::{INTERNAL_PARTITIONS, Node, Purpose, settings};

pub(crate) use node::end_below;

/// The tool that formats a node's folder.
const STORAGE: &str = "kafka.tools.StorageTool";
const METADATA_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Apache {
    jars: PathBuf,
    nodes: Mutex<Vec<Node>>,
    pub(super) address: String,
}

impl Apache {
    /// Starts the nodes of a stage, and creates its topics.
    pub(super) fn start(count: u8, tools: &Path, folder: &Path) -> Result<Self> {
        let this = Self::launch(Purpose::Stage, count, tools, folder)?;
        topics::create(&this.address, count)?;
        Ok(this)
    }

    /// Starts nodes that outlive this process, waits for all of them, and returns their addresses.
    /// [`end_below`] ends them.
    pub(crate) fn stand(count: u8, tools: &Path, folder: &Path) -> Result<String> {
        let mut this = Self::launch(Purpose::Standing, count, tools, folder)?;
        topics::wait(&this.address, count)?;
        let nodes = this.nodes.get_mut().unwrap_or_else(PoisonError::into_inner);
        mem::take(nodes).into_iter().for_each(Node::keep);
        Ok(this.address)
    }

    /// Formats and starts the nodes, in place of what earlier ones have left in `folder`.
    fn launch(purpose: Purpose, count: u8, tools: &Path, folder: &Path) -> Result<Self> {
        let folder = absolute(folder)?;
        let jars = install(tools)?;
        end_below(&folder)?;
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
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            let settings =
                settings(purpose, number, count, broker, controller, controllers, &folder);
            let node = Node::new(folder, purpose, &settings)?;
            program::run(
                java(&jars, STORAGE)
                    .args(["format", "--cluster-id", &cluster, "--config"])
                    .arg(node.settings())
                    .args(["--initial-controllers", &voters.join(",")]),
            )?;
            nodes.push(node);
        }
        for node in &mut nodes {
            node.start(&jars)?;
        }
        Ok(Self { jars, nodes: Mutex::new(nodes), address: brokers.join(",") })
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

    /// Waits until all nodes are back and hold all their replicas in sync.
    pub(super) fn wait_whole(&self) -> Result<()> {
        let count = u8::try_from(self.nodes().len())?;
        topics::wait_whole(&self.address, count)
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

/// Returns a random id of Kafka's kind.
fn id(jars: &Path) -> Result<String> {
    Ok(program::run(java(jars, STORAGE).arg("random-uuid"))?.trim().to_owned())
}

/// Java's hash of a string, which decides on its coordinator.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
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
