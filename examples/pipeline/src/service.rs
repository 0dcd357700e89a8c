//! The setup: every part of the service, in the order in which it starts.
//!
//! Tasks stop by phase: the generator, then the Kafka task and the purge, then metrics, probes and
//! signals. The cleanups follow in reverse order: producers flush, the database closes, the
//! embedded broker stops.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use taskkit::{
    HttpTask, KafkaTask, Manager, Phase, PollTask, Task,
    kafka::{KafkaSettings, Producer},
    periodic::FirstRun,
    task_fn,
};

use crate::{
    config::Config, database::Database, embedded::EmbeddedBroker, enricher::Enricher,
    generator::Generator, limits, metrics::registry, progress::Progress, purge::purge, rows::Rows,
    totals::Totals,
};

/// How long a producer may flush. The tasks have already waited for their own records.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Partitions of each topic of the embedded broker.
const PARTITIONS: i32 = 4;

/// Runs all tasks of the service and registers its cleanups.
///
/// # Errors
///
/// Returns an error if a part could not be created or reached. The manager stops the parts that run
/// by then.
pub async fn start(manager: &Manager, config: &Config, totals: &Arc<Totals>) -> anyhow::Result<()> {
    // First, so that probes respond during the rest of the setup.
    let http =
        HttpTask::builder().metrics(registry(totals.clone())).bind(config.watching.http_address)?;
    if let Some(address) = http.local_addr() {
        tracing::info!("metrics and probes at http://{address}");
    }
    manager.run(http)?;

    let settings = kafka_settings(manager, config, totals).await?;
    let database = open_database(manager, config).await?;
    let migrate = task_fn("migrate", {
        let database = database.clone();
        async move |_ctx| database.migrate().await
    });
    let migrating = manager.run_ephemeral(migrate)?;
    ensure!(migrating.ended().await.is_clean(), "the database is not up to date");

    // The generator's records are in no transaction.
    let consuming = match &config.kafka.transactional_id {
        Some(id) => settings.clone().transactional_id(id),
        None => settings.clone(),
    };
    let producer = Producer::new(&consuming)?;
    clean_up(manager, "producer", &producer)?;
    let kafka = KafkaTask::new(
        consuming,
        producer,
        Enricher::new(&config.kafka.output_topic),
        Rows::new(database.clone(), totals.clone()),
    )?;
    // Only this function sets it.
    let _ = totals.kafka.set(kafka.counters());
    manager.run(kafka.named("consumer"))?;
    tracing::info!("joining group `{}`: the first time takes some seconds", config.kafka.group);

    let (retention, batch) = (config.database.retention, config.database.purge_batch);
    manager.run({
        let totals = totals.clone();
        PollTask::new("purge", config.database.purge_interval, async move |ctx| {
            purge(&ctx, &database, &totals, retention, batch).await
        })?
    })?;
    run_generator(manager, config, totals, &settings)?;

    let progress = Progress::new(totals.clone());
    manager.run(
        PollTask::with_action("progress", config.watching.summary_interval, progress)?
            .first_run(FirstRun::OnSchedule)
            .in_phase(Phase::SUPPORT),
    )?;
    if let Some(limit) = config.ending.run_for {
        manager.run_ephemeral(limits::after(limit))?;
    }
    if let Some(limit) = config.ending.max_events {
        manager.run_ephemeral(limits::at(limit, totals.clone()))?;
    }
    Ok(())
}

/// Returns the settings for the configured brokers, or starts an embedded one.
async fn kafka_settings(
    manager: &Manager,
    config: &Config,
    totals: &Arc<Totals>,
) -> anyhow::Result<KafkaSettings> {
    let kafka = &config.kafka;
    let topics = [&*kafka.input_topic, &*kafka.output_topic, &*kafka.dead_letter_topic];
    let brokers = match kafka.external_brokers() {
        Some(brokers) => brokers.to_owned(),
        None => {
            let broker = EmbeddedBroker::start(&topics, PARTITIONS).await?;
            let address = broker.bootstrap_servers().to_owned();
            tracing::warn!(
                "embedded broker at {address}: it keeps 5 MB a partition, drops what is older, \
                 keeps nothing after the exit, and only imitates transactions"
            );
            let totals = totals.clone();
            manager.cleanup("embedded broker", async move || {
                broker.stop().await;
                tracing::info!(
                    unread = totals.unread(),
                    "embedded broker stopped, with all its messages"
                );
                Ok(())
            })?;
            address
        }
    };
    let settings = KafkaSettings::new(brokers)
        .group(&*kafka.group)
        .topics([&*kafka.input_topic])
        .dead_letter_topic(&*kafka.dead_letter_topic)
        .window(kafka.window as usize)
        .commit_interval(kafka.commit_interval)
        .session_timeout(kafka.session_timeout)
        .message_timeout(kafka.message_timeout)
        // The default of 10 s can miss brokers that are back only briefly, until messages time out.
        .setting("reconnect.backoff.max.ms", "2000")
        // The default of 60 s without a response is three times the message timeout.
        .setting("socket.timeout.ms", "6000");
    Ok(kafka
        .kafka_setting
        .iter()
        .fold(settings, |settings, it| settings.setting(&*it.name, &*it.value)))
}

async fn open_database(manager: &Manager, config: &Config) -> anyhow::Result<Database> {
    let url = &config.database.database_url;
    let database = Database::connect(url).await?;
    tracing::info!("database {url}");
    manager.cleanup("database", {
        let database = database.clone();
        async move || {
            database.close().await;
            Ok(())
        }
    })?;
    Ok(database)
}

fn run_generator(
    manager: &Manager,
    config: &Config,
    totals: &Arc<Totals>,
    settings: &KafkaSettings,
) -> anyhow::Result<()> {
    let generator = &config.generator;
    let wanted = generator.generate || config.kafka.external_brokers().is_none();
    if !wanted || generator.rate == 0 {
        return Ok(());
    }
    let producer = Producer::new(settings).context("failed to create the generator's producer")?;
    clean_up(manager, "generator's producer", &producer)?;
    let task = Generator {
        producer,
        topic: config.kafka.input_topic.as_str().into(),
        rate: generator.rate,
        bad_percent: generator.bad_percent,
        max_lag: config.kafka.external_brokers().is_none().then_some(generator.max_lag),
        max_events: config.ending.max_events,
        totals: totals.clone(),
    };
    // Having made enough is no reason to stop.
    manager.run_ephemeral(task)?;
    Ok(())
}

/// Registers a cleanup that closes the producer. The clone in it also outlives the tasks, so that
/// no task blocks in librdkafka when it drops its own.
fn clean_up(manager: &Manager, name: &'static str, producer: &Producer) -> anyhow::Result<()> {
    let producer = producer.clone();
    manager.cleanup(name, async move || producer.close(FLUSH_TIMEOUT).await)?;
    Ok(())
}
