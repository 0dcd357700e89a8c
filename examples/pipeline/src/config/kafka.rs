//! Settings of the cluster, the group and the topics.

use std::{fmt, str::FromStr, time::Duration};

use clap::Args;
use humantime::parse_duration;

/// Settings of the cluster, the group and the topics.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaConfig {
    /// Brokers as HOST:PORT, separated by commas [default: an embedded broker, which keeps nothing
    /// after the exit]
    #[arg(long, env = "PIPELINE_BROKERS", value_name = "LIST")]
    pub brokers: Option<String>,

    /// Use the embedded broker, even if PIPELINE_BROKERS or the file names others. It is for
    /// demonstrations: it keeps 5 MB a partition and drops what is older, keeps nothing after the
    /// exit, refuses commits while members join, and only imitates transactions
    #[arg(long, env = "PIPELINE_EMBEDDED")]
    pub embedded: bool,

    /// The consumer group; instances that share it share the partitions
    #[arg(long, env = "PIPELINE_GROUP", default_value = "pipeline")]
    pub group: String,

    /// The topic to read
    #[arg(long, env = "PIPELINE_INPUT_TOPIC", value_name = "TOPIC", default_value = "orders")]
    pub input_topic: String,

    /// The topic for enriched orders
    #[arg(
        long,
        env = "PIPELINE_OUTPUT_TOPIC",
        value_name = "TOPIC",
        default_value = "orders-enriched"
    )]
    pub output_topic: String,

    /// The topic for messages that are not valid orders, with the reason in a header
    #[arg(
        long,
        env = "PIPELINE_DEAD_LETTER_TOPIC",
        value_name = "TOPIC",
        default_value = "orders-dead"
    )]
    pub dead_letter_topic: String,

    /// Maximum number of messages in flight, from receipt to stored offset
    #[arg(
        long,
        env = "PIPELINE_WINDOW",
        value_name = "MESSAGES",
        default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
    )]
    pub window: u32,

    /// Maximum number of orders that are enriched at once; those of one customer keep their order
    #[arg(
        long,
        env = "PIPELINE_CONCURRENCY",
        value_name = "ORDERS",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=10_000),
    )]
    pub concurrency: u16,

    /// How often offsets are committed; after a kill, messages since the last commit are read
    /// again. With transactions, how long one stays open
    #[arg(
        long,
        env = "PIPELINE_COMMIT_INTERVAL",
        value_name = "DURATION",
        default_value = "1s",
        value_parser = parse_duration,
    )]
    pub commit_interval: Duration,

    /// Produce in transactions under this id, which is unique to this instance and the same after a
    /// restart; rows are still written at least once [default: no transactions]
    #[arg(long, env = "PIPELINE_TRANSACTIONAL_ID", value_name = "ID")]
    pub transactional_id: Option<String>,

    /// How long the group waits for an instance that no longer answers (brokers accept 6s to 30m)
    #[arg(
        long,
        env = "PIPELINE_SESSION_TIMEOUT",
        value_name = "DURATION",
        default_value = "6s",
        value_parser = parse_duration,
    )]
    pub session_timeout: Duration,

    /// How long the delivery of one record may take, with all retries, before the service fails
    #[arg(
        long,
        env = "PIPELINE_MESSAGE_TIMEOUT",
        value_name = "DURATION",
        default_value = "20s",
        value_parser = parse_duration,
    )]
    pub message_timeout: Duration,

    /// Another setting of librdkafka, for both clients; repeat the flag, or separate settings by
    /// semicolons
    #[arg(
        long,
        env = "PIPELINE_KAFKA_SETTING",
        value_name = "NAME=VALUE",
        value_delimiter = ';',
        hide_env_values = true
    )]
    pub kafka_setting: Vec<KafkaSetting>,
}

impl KafkaConfig {
    /// Returns the configured brokers, or `None` for the embedded one.
    pub fn external_brokers(&self) -> Option<&str> {
        self.brokers.as_deref().filter(|_| !self.embedded)
    }
}

/// One setting of librdkafka. Its `Debug` output hides the value, which may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSetting {
    /// The name, such as `sasl.username`.
    pub name: String,
    /// The value, in librdkafka's syntax.
    pub value: String,
}

impl FromStr for KafkaSetting {
    type Err = &'static str;

    fn from_str(setting: &str) -> Result<Self, Self::Err> {
        let (name, value) = setting.split_once('=').ok_or("it has no `=`")?;
        Ok(Self { name: name.trim().to_owned(), value: value.to_owned() })
    }
}

impl fmt::Debug for KafkaSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.name)
    }
}
