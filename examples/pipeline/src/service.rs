//! The setup: everything that the service consists of, in the order in which it comes up.
//!
//! Tasks stop by phase: the generator first, then the Kafka task and the purge, then metrics, probes and signals. After
//! the last task cleanups run in reverse: the producers flush, the database closes, the embedded broker goes.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use taskkit::{
    HttpTask, KafkaTask, Manager, Phase, PollTask, Refused, Task, TaskHandle,
    kafka::{KafkaSettings, Producer},
    periodic::FirstRun,
    task_fn,
};

use crate::{
    config::Config, database::Database, embedded::EmbeddedBroker, enricher::Enricher,
    generator::Generator, limits, metrics::registry, progress::Progress, purge::purge, rows::Rows,
    totals::Totals,
};

/// How long a producer may flush. Of what the service itself sent nothing is left by then.
const FLUSH_BUDGET: Duration = Duration::from_secs(1);

/// Partitions of each topic of the embedded broker.
const PARTITIONS: i32 = 4;

/// Runs all tasks of the service, and registers its cleanups.
///
/// # Errors
///
/// If something could not be made or reached. What was set up until then is the manager's to stop.
pub async fn start(manager: &Manager, config: &Config, totals: &Arc<Totals>) -> anyhow::Result<()> {
    // First, so that probes answer while the rest comes up.
    let http = HttpTask::bind(config.watching.http_address)?.metrics(registry(totals.clone()));
    if let Some(address) = http.local_addr() {
        tracing::info!("metrics and probes at http://{address}");
    }
    run(manager, http)?;

    let settings = kafka_settings(manager, config, totals).await?;
    let database = open_database(manager, config).await?;
    let migrate = task_fn("migrate", {
        let database = database.clone();
        async move |_ctx| database.migrate().await
    });
    if let Some(migrating) = admitted(manager.run_ephemeral(migrate))? {
        ensure!(migrating.ended().await.is_clean(), "the database is not up to date");
    }

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
    run(manager, kafka.named("consumer"))?;
    tracing::info!("joining group `{}`: the first time takes some seconds", config.kafka.group);

    let (retention, batch) = (config.database.retention, config.database.purge_batch);
    run(manager, {
        let totals = totals.clone();
        PollTask::new("purge", config.database.purge_interval, async move |ctx| {
            purge(&ctx, &database, &totals, retention, batch).await
        })?
    })?;
    run_generator(manager, config, totals, &settings)?;

    let progress = Progress::new(totals.clone());
    run(
        manager,
        PollTask::with_action("progress", config.watching.summary_interval, progress)?
            .first_run(FirstRun::OnSchedule)
            .in_phase(Phase::SUPPORT),
    )?;
    if let Some(limit) = config.ending.run_for {
        admitted(manager.run_ephemeral(limits::after(limit)))?;
    }
    if let Some(limit) = config.ending.max_events {
        admitted(manager.run_ephemeral(limits::at(limit, totals.clone())))?;
    }
    Ok(())
}

/// Settings for the brokers that were named, or for an embedded one.
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
                "embedded broker at {address}: it keeps 5 MB a partition, drops what is older, forgets all at exit, and fakes transactions"
            );
            let totals = totals.clone();
            manager.cleanup("embedded broker", async move || {
                broker.stop().await;
                tracing::info!(
                    unread = totals.unread(),
                    "the embedded broker and all it held are gone"
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
        // By default up to 10 s, which can miss brokers that are back for a moment, until messages time out.
        .setting("reconnect.backoff.max.ms", "2000")
        // By default 60 s without an answer, three times as long as a message has.
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
    let producer = Producer::new(settings).context("failed to make the generator's producer")?;
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
    admitted(manager.run_ephemeral(task)).map(drop)
}

/// Has the producer closed after the tasks. The clone kept here also makes it outlive them, so that none of them
/// waits for librdkafka when it drops its own.
fn clean_up(manager: &Manager, name: &'static str, producer: &Producer) -> anyhow::Result<()> {
    let producer = producer.clone();
    manager.cleanup(name, async move || producer.close(FLUSH_BUDGET).await)?;
    Ok(())
}

fn run<T: Task>(manager: &Manager, task: T) -> anyhow::Result<()> {
    admitted(manager.run(task)).map(drop)
}

/// A task that comes after a stop is not needed any more, which is no failure of the setup.
fn admitted<T: Task>(result: Result<TaskHandle, Refused<T>>) -> anyhow::Result<Option<TaskHandle>> {
    match result {
        Ok(handle) => Ok(Some(handle)),
        Err(refused) if refused.is_too_late() => Ok(None),
        Err(refused) => Err(refused.into()),
    }
}
