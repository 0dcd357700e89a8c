//! The settings as librdkafka takes them, once they are found to be sound.

use std::time::Duration;

use rdkafka::ClientConfig;

use super::{Clients, Settings};
use crate::error::{Error, Kind};

/// What the delivery guarantee rests on, or has a setter, with all its names, so that no free
/// setting may change it.
const RESERVED: [&str; 13] = [
    "auto.commit.interval.ms",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "message.timeout.ms",
    "metadata.broker.list",
    "session.timeout.ms",
    "statistics.interval.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

impl Settings {
    pub(crate) fn consumer(&self) -> Result<ClientConfig, Error> {
        self.check_consumer()?;
        // The new protocol (KIP-848) has the broker decide on these two, and librdkafka refuses
        // them.
        let is_classic = !self.free.iter().any(|free| {
            free.name == "group.protocol" && free.value.eq_ignore_ascii_case("consumer")
        });
        let mut config = ClientConfig::new();
        config.set("auto.offset.reset", "earliest");
        if is_classic {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        self.finish(&mut config, Clients::Consumer)?;
        if is_classic {
            config.set("session.timeout.ms", millis(self.session_timeout));
        }
        config
            .set("group.id", &self.group)
            // What is stored is committed when partitions are given back, and otherwise by the
            // task, which takes the time; and only the task stores, after the fact.
            .set("enable.auto.commit", (self.transactional_id.is_none()).to_string())
            .set("auto.commit.interval.ms", "0")
            .set("enable.auto.offset.store", "false")
            // Where the lag comes from.
            .set("statistics.interval.ms", "1000");
        Ok(config)
    }

    pub(crate) fn producer(&self) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::new();
        // The same partition for the same key as the Java client's.
        config.set("partitioner", "murmur2_random").set("linger.ms", "5");
        self.finish(&mut config, Clients::Producer)?;
        // To librdkafka zero means for ever.
        not_zero("the message timeout", self.message_timeout.as_millis())?;
        config
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", millis(self.message_timeout));
        if let Some(id) = &self.transactional_id {
            if id.is_empty() {
                return Err(Kind::Bad(String::from("the transactional id is empty")).into());
            }
            // Time to fill, with a retry, to deliver, and to commit. Then the brokers abort it,
            // since readers wait for its end.
            let fill = self.commit_interval + self.retry_budget;
            let time = fill + self.message_timeout + Duration::from_secs(5);
            config.set("transactional.id", id).set("transaction.timeout.ms", millis(time));
        }
        Ok(config)
    }

    fn check_consumer(&self) -> Result<(), Error> {
        let bad = |why: String| Err(Kind::Bad(why).into());
        if self.group.is_empty() {
            return bad(String::from("the group has no name"));
        }
        if self.topics.is_empty() {
            return bad(String::from("there is no topic to read"));
        }
        for topic in &self.topics {
            if topic.is_empty() || topic.starts_with('^') {
                return bad(format!("`{topic}` is not the name of a topic"));
            }
            if self.dead_letter_topic.as_deref() == Some(topic) {
                return bad(format!("dead letters would go to `{topic}`, which is read"));
            }
        }
        not_zero("the window", self.window as u128)?;
        not_zero("the batch", self.batch as u128)?;
        not_zero("the commit interval", self.commit_interval.as_millis())?;
        not_zero("the session timeout", self.session_timeout.as_millis())
    }

    /// Adds what both clients share. Free settings beat the defaults above the call and lose to
    /// those below it.
    fn finish(&self, config: &mut ClientConfig, client: Clients) -> Result<(), Error> {
        if self.brokers.trim().is_empty() {
            return Err(Kind::Bad(String::from("there is no broker to connect to")).into());
        }
        for free in &self.free {
            if RESERVED.contains(&free.name.as_str()) {
                return Err(Kind::Reserved(free.name.clone()).into());
            }
            if free.of == Clients::Both || free.of == client {
                config.set(&free.name, &free.value);
            }
        }
        config.set("bootstrap.servers", &self.brokers);
        Ok(())
    }
}

fn not_zero(what: &str, value: u128) -> Result<(), Error> {
    if value == 0 { Err(Kind::Bad(format!("{what} is zero")).into()) } else { Ok(()) }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
