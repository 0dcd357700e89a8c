//! The broker of the tests: librdkafka's mock cluster, real Kafka protocol over loopback, within
//! this process.
//!
//! It keeps 5 MB a partition; its transactions are a facade; its first rebalance takes 3 s.

use std::{
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rdkafka::{
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use tokio::sync::oneshot;

/// A running mock cluster of one broker. Dropping it stops the cluster; [`stop`](Self::stop) also
/// waits for that.
#[derive(Debug)]
pub struct TestBroker {
    bootstrap_servers: String,
    commands: mpsc::Sender<Command>,
    executed: Mutex<mpsc::Receiver<()>>,
    stopped: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Command {
    SetUp(bool),
    Answer(RDKafkaApiKey, Vec<RDKafkaRespErr>),
    Delay(Duration),
}

impl TestBroker {
    /// Starts the broker on a free port of 127.0.0.1, with these topics.
    ///
    /// The cluster lives on a dedicated thread, because it is not `Send`. The start takes up to a
    /// second.
    ///
    /// # Errors
    ///
    /// Returns an error if the cluster or one of the topics could not be created.
    pub async fn start(topics: &[&str], partitions: i32) -> anyhow::Result<Self> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let (commands, received) = mpsc::channel();
        let (done, executed) = mpsc::channel();
        let (started, start) = oneshot::channel();
        let (stopping, stopped) = oneshot::channel();
        thread::Builder::new()
            .name(String::from("test-broker"))
            .spawn(move || {
                let cluster = match create_cluster(&topics, partitions) {
                    Ok(cluster) => cluster,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let _ = started.send(Ok(cluster.bootstrap_servers()));
                while let Ok(command) = received.recv() {
                    match command {
                        Command::SetUp(true) => cluster.broker_up(1).unwrap(),
                        Command::SetUp(false) => cluster.broker_down(1).unwrap(),
                        Command::Answer(request, errors) => {
                            cluster.request_errors(request, &errors)
                        }
                        Command::Delay(delay) => cluster.broker_round_trip_time(1, delay).unwrap(),
                    }
                    let _ = done.send(());
                }
                drop(cluster);
                let _ = stopping.send(());
            })
            .context("failed to start the broker's thread")?;
        let bootstrap_servers = start.await.context("the broker's thread panicked")??;
        Ok(Self { bootstrap_servers, commands, executed: Mutex::new(executed), stopped })
    }

    /// Returns the broker's address.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Takes the broker off the network, or brings it back with all its messages.
    pub fn set_up(&self, up: bool) {
        self.execute(Command::SetUp(up));
    }

    /// Answers the next requests of this kind with these errors, one each.
    pub fn answer(&self, request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.execute(Command::Answer(request, errors.to_vec()));
    }

    /// Delays every answer.
    pub fn delay(&self, delay: Duration) {
        self.execute(Command::Delay(delay));
    }

    fn execute(&self, command: Command) {
        self.commands.send(command).unwrap();
        self.executed.lock().unwrap().recv().unwrap();
    }

    /// Stops the broker and waits until it has stopped. Its clients have to be stopped before.
    pub async fn stop(self) {
        drop(self.commands);
        let _ = self.stopped.await;
    }
}

fn create_cluster(
    topics: &[String],
    partitions: i32,
) -> anyhow::Result<MockCluster<'static, rdkafka::producer::DefaultProducerContext>> {
    let cluster = MockCluster::new(1).context("failed to start the broker")?;
    for topic in topics {
        let created = cluster.create_topic(topic, partitions, 1);
        created.with_context(|| format!("failed to create topic `{topic}`"))?;
    }
    Ok(cluster)
}
