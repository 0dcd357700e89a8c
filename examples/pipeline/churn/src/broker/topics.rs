//! The start of brokers in processes of their own: waiting for them, and the topics.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
};
use tokio::runtime::Runtime;

use super::{DEAD, INPUT, OUTPUT, PARTITIONS};

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until all `brokers` know of each other.
pub(super) fn wait(address: &str, brokers: u8) -> Result<()> {
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", address).create()?;
    let start = Instant::now();
    loop {
        let metadata = client.fetch_metadata(None, Duration::from_secs(5));
        match metadata.map(|metadata| metadata.brokers().len()) {
            Ok(known) if known == usize::from(brokers) => return Ok(()),
            other if start.elapsed() > START_TIMEOUT => {
                bail!("not {brokers} brokers at {address}: {other:?}")
            }
            _ => sleep(Duration::from_millis(100)),
        }
    }
}

/// Waits until the cluster is whole: it knows all `brokers`, and each partition has a leader and
/// all its replicas in sync. Until then the death of another node can take a partition away.
pub(super) fn wait_whole(address: &str, brokers: u8) -> Result<()> {
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", address).create()?;
    let start = Instant::now();
    loop {
        let metadata = client.fetch_metadata(None, Duration::from_secs(5));
        let is_whole = metadata.as_ref().is_ok_and(|metadata| {
            let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            metadata.brokers().len() == usize::from(brokers)
                && partitions
                    .into_iter()
                    .all(|it| is_partition_whole(it.leader(), it.replicas().len(), it.isr().len()))
        });
        if is_whole {
            return Ok(());
        }
        if start.elapsed() > START_TIMEOUT {
            bail!("the cluster at {address} is not whole after {START_TIMEOUT:?}");
        }
        sleep(Duration::from_millis(100));
    }
}

/// A partition without a leader has a negative one.
fn is_partition_whole(leader: i32, replicas: usize, in_sync: usize) -> bool {
    leader >= 0 && in_sync >= replicas
}

/// Creates the topics as soon as all `brokers` are there to hold a replica.
pub(super) fn create(address: &str, brokers: u8) -> Result<()> {
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let (admin, options) = admin(address)?;
    let in_sync = (brokers / 2 + 1).to_string();
    let start = Instant::now();
    for name in [INPUT, OUTPUT, DEAD] {
        let mut topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(brokers.into()));
        if brokers > 1 {
            topic = topic.set("min.insync.replicas", &in_sync);
        }
        loop {
            let created = runtime.block_on(admin.create_topics([&topic], &options));
            match created.map(|created| created.into_iter().next()) {
                Ok(Some(Ok(_))) => break,
                other if start.elapsed() > START_TIMEOUT => bail!("no topic `{name}`: {other:?}"),
                _ => sleep(Duration::from_millis(100)),
            }
        }
    }
    Ok(())
}

/// Gives a topic more partitions, `count` in all.
pub(super) fn grow(address: &str, topic: &str, count: i32) -> Result<()> {
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let (admin, options) = admin(address)?;
    let wanted = NewPartitions::new(topic, usize::try_from(count)?);
    match runtime.block_on(admin.create_partitions([&wanted], &options))?.pop() {
        Some(Ok(_)) => Ok(()),
        other => bail!("`{topic}` has no {count} partitions: {other:?}"),
    }
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?)
}

/// Returns a client, to be created and used inside of the runtime.
fn admin(address: &str) -> Result<(AdminClient<DefaultClientContext>, AdminOptions)> {
    let admin = ClientConfig::new().set("bootstrap.servers", address).create()?;
    Ok((admin, AdminOptions::new().operation_timeout(Some(Duration::from_secs(5)))))
}

#[cfg(test)]
mod tests {
    use super::is_partition_whole;

    #[test]
    fn a_partition_is_whole_with_a_leader_and_all_its_replicas_in_sync() {
        assert!(is_partition_whole(2, 3, 3));
        assert!(!is_partition_whole(2, 3, 2));
        assert!(!is_partition_whole(-1, 3, 3));
    }
}
