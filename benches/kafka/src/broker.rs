//! The broker's process: it prints its address, and ends when its standard input does.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, stdin},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use rdkafka::mocking::MockCluster;

use crate::load;

/// Runs the broker until standard input ends.
pub(crate) fn serve() -> Result<()> {
    let cluster = MockCluster::new(1).context("no mock cluster")?;
    for topic in [load::INPUT, load::OUTPUT] {
        cluster.create_topic(topic, load::PARTITIONS, 1)?;
    }
    println!("{}", cluster.bootstrap_servers());
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The running broker. Dropping this ends its process.
pub(crate) struct Broker {
    pub(crate) address: String,
    process: Child,
}

impl Broker {
    pub(crate) fn start() -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg("broker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().context("the broker has no output")?;
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { address: address.trim().to_owned(), process })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
