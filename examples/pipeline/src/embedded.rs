//! The embedded broker: librdkafka's mock cluster, the Kafka protocol over loopback, in this
//! process.
//!
//! It is for demonstrations and tests. It keeps 5 MB a partition and silently drops what is older.
//! It keeps nothing after the process ends. It only imitates transactions. Its first rebalance
//! takes 3 s.

use std::{sync::mpsc, thread};

use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use tokio::sync::oneshot;

/// A running mock cluster of one broker. Dropping it stops the broker; [`stop`](Self::stop) also
/// waits for that.
#[derive(Debug)]
pub struct EmbeddedBroker {
    bootstrap_servers: String,
    commands: mpsc::Sender<Command>,
    stopped: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Command {
    SetUp(bool),
}

impl EmbeddedBroker {
    /// Starts the broker on a free port of 127.0.0.1, with these topics. It takes up to a second.
    ///
    /// The cluster is not `Send`, so it has its own thread.
    ///
    /// # Errors
    ///
    /// Returns an error if the cluster or one of the topics could not be created.
    pub async fn start(topics: &[&str], partitions: i32) -> anyhow::Result<Self> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let (commands, received) = mpsc::channel();
        let (started, start) = oneshot::channel();
        let (stopping, stopped) = oneshot::channel();
        thread::Builder::new()
            .name(String::from("embedded-broker"))
            .spawn(move || {
                let cluster = match create_cluster(&topics, partitions) {
                    Ok(cluster) => cluster,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let _ = started.send(Ok(cluster.bootstrap_servers()));
                while let Ok(Command::SetUp(up)) = received.recv() {
                    let done = if up { cluster.broker_up(1) } else { cluster.broker_down(1) };
                    if let Err(error) = done {
                        tracing::error!(%error, up, "embedded broker did not go up or down");
                    }
                }
                drop(cluster);
                let _ = stopping.send(());
            })
            .context("failed to start the embedded broker's thread")?;
        let bootstrap_servers =
            start.await.context("the embedded broker's thread ended early")??;
        Ok(Self { bootstrap_servers, commands, stopped })
    }

    /// Returns the address, for any Kafka client on this machine.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Takes the broker off the network, or brings it back with its messages.
    pub fn set_up(&self, up: bool) {
        // Fails only if the thread has ended, which `start` or the log has reported.
        let _ = self.commands.send(Command::SetUp(up));
    }

    /// Stops the broker and waits until it has ended. Stop its clients first.
    pub async fn stop(self) {
        drop(self.commands);
        let _ = self.stopped.await;
    }
}

fn create_cluster(
    topics: &[String],
    partitions: i32,
) -> anyhow::Result<MockCluster<'static, rdkafka::producer::DefaultProducerContext>> {
    let cluster = MockCluster::new(1).context("failed to start the embedded broker")?;
    for topic in topics {
        let created = cluster.create_topic(topic, partitions, 1);
        created.with_context(|| format!("failed to create topic `{topic}`"))?;
    }
    Ok(cluster)
}
