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

/// A running mock cluster of one broker. It stops when this is dropped, and [`stop`](Self::stop)
/// waits for that.
#[derive(Debug)]
pub struct TestBroker {
    bootstrap_servers: String,
    commands: mpsc::Sender<Command>,
    obeyed: Mutex<mpsc::Receiver<()>>,
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
    /// It lives on a thread of its own, since the cluster cannot be sent to another one; it takes
    /// up to a second.
    ///
    /// # Errors
    ///
    /// If the cluster or one of the topics could not be made.
    pub async fn start(topics: &[&str], partitions: i32) -> anyhow::Result<Self> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let (commands, orders) = mpsc::channel();
        let (done, obeyed) = mpsc::channel();
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
                while let Ok(command) = orders.recv() {
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
        let bootstrap_servers = start.await.context("the broker's thread died")??;
        Ok(Self { bootstrap_servers, commands, obeyed: Mutex::new(obeyed), stopped })
    }

    /// Returns its address, for any Kafka client on this machine.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Takes the broker off the network, or brings it back with all that it held.
    pub fn set_up(&self, up: bool) {
        self.obey(Command::SetUp(up));
    }

    /// Answers the next requests of this kind with these errors, one each.
    pub fn answer(&self, request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.obey(Command::Answer(request, errors.to_vec()));
    }

    /// Delays every answer.
    pub fn delay(&self, delay: Duration) {
        self.obey(Command::Delay(delay));
    }

    fn obey(&self, command: Command) {
        self.commands.send(command).unwrap();
        self.obeyed.lock().unwrap().recv().unwrap();
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
