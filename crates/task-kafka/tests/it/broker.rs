//! The broker of the tests: librdkafka's mock cluster, real Kafka protocol over loopback, within this process.
//!
//! It keeps 5 MB a partition; its transactions are a facade; its first rebalance takes 3 s.

use std::{sync::mpsc, thread};

use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use tokio::sync::oneshot;

/// A running mock cluster of one broker. It stops when this is dropped, and [`stop`](Self::stop) waits for that.
#[derive(Debug)]
pub struct TestBroker {
    bootstrap_servers: String,
    commands: mpsc::Sender<Command>,
    stopped: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Command {
    SetUp(bool),
}

impl TestBroker {
    /// Starts the broker on a free port of 127.0.0.1, with these topics.
    ///
    /// It lives on a thread of its own, since the cluster cannot be sent to another one; it takes up to a second.
    ///
    /// # Errors
    ///
    /// If the cluster or one of the topics could not be made.
    pub async fn start(topics: &[&str], partitions: i32) -> anyhow::Result<Self> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let (commands, orders) = mpsc::channel();
        let (started, start) = oneshot::channel();
        let (stopping, stopped) = oneshot::channel();
        thread::Builder::new()
            .name(String::from("test-broker"))
            .spawn(move || {
                let cluster = match make_cluster(&topics, partitions) {
                    Ok(cluster) => cluster,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let _ = started.send(Ok(cluster.bootstrap_servers()));
                while let Ok(Command::SetUp(up)) = orders.recv() {
                    let done = if up { cluster.broker_up(1) } else { cluster.broker_down(1) };
                    if let Err(error) = done {
                        tracing::error!(%error, up, "the broker did not obey");
                    }
                }
                drop(cluster);
                let _ = stopping.send(());
            })
            .context("failed to start the broker's thread")?;
        let bootstrap_servers = start.await.context("the broker's thread died")??;
        Ok(Self { bootstrap_servers, commands, stopped })
    }

    /// Returns its address, for any Kafka client on this machine.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Takes the broker off the network, or brings it back with all that it held.
    pub fn set_up(&self, up: bool) {
        // Fails only if the thread is gone, which then has said why.
        let _ = self.commands.send(Command::SetUp(up));
    }

    /// Stops the broker and waits until it has. Stop its clients first.
    pub async fn stop(self) {
        drop(self.commands);
        let _ = self.stopped.await;
    }
}

fn make_cluster(
    topics: &[String],
    partitions: i32,
) -> anyhow::Result<MockCluster<'static, rdkafka::producer::DefaultProducerContext>> {
    let cluster = MockCluster::new(1).context("failed to start the broker")?;
    for topic in topics {
        let made = cluster.create_topic(topic, partitions, 1);
        made.with_context(|| format!("failed to make topic `{topic}`"))?;
    }
    Ok(cluster)
}
