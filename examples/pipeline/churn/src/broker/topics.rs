//! Creates the topics on brokers in processes of their own.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

use super::{DEAD, INPUT, OUTPUT, PARTITIONS};

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Creates the topics as soon as all `brokers` are there to hold a replica.
pub(super) fn create(address: &str, brokers: u8) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    let _inside = runtime.enter();
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(5)));
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
