//! The setup: every part of the service, in the order in which it starts.
//!
//! Tasks stop by phase: the generator, then the Kafka task and the purge, then metrics, probes and
//! signals. The cleanups follow in reverse order: producers flush, the database closes, the
//! embedded broker stops.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use taskkit::{
    HttpTask, KafkaTask, Manager, Phase, PollTask, Task,
    kafka::{KafkaSettings, Producer},
    periodic::FirstRun,
    restarting,
    systemd::SystemdTask,
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
    // Does nothing unless systemd has started the service.
    manager.run(SystemdTask::new()?)?;
    // Early, so that probes respond during the rest of the setup.
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

    run_consumer(manager, config, totals, &settings, &database)?;
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
    if let Some(fault) = config.ending.fault {
        fault.happen(manager)?;
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
        .concurrency(kafka.concurrency.into())
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

/// Runs the Kafka task, and again after it failed: brokers or a database may be away for longer
/// than its timeouts. What it had not committed is read again. In transactions it is not restarted:
/// a producer that another instance has fenced must not fence that one in turn.
fn run_consumer(
    manager: &Manager,
    config: &Config,
    totals: &Arc<Totals>,
    settings: &KafkaSettings,
    database: &Database,
) -> anyhow::Result<()> {
    let (settings, is_transactional) = match &config.kafka.transactional_id {
        // The generator's records are in no transaction.
        Some(id) => (settings.clone().transactional_id(id), true),
        None => (settings.clone(), false),
    };
    // The producer of the last run. The clone in here outlives the task, as in `clean_up`.
    let last = Arc::new(Mutex::new(None::<Producer>));
    manager.cleanup("producer", {
        let last = last.clone();
        async move || {
            let producer = last.lock().unwrap_or_else(PoisonError::into_inner).take();
            match producer {
                Some(producer) => producer.close(FLUSH_TIMEOUT).await,
                None => Ok(()),
            }
        }
    })?;
    let make = {
        let (output, database, totals) =
            (config.kafka.output_topic.clone(), database.clone(), totals.clone());
        move || {
            // A new one for each run: the records of a failed one are never delivered, nor waited
            // for.
            let producer = Producer::new(&settings)?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(producer.clone());
            let rows = Rows::new(database.clone(), totals.clone());
            let kafka =
                KafkaTask::parallel(settings.clone(), producer, Enricher::new(&output), rows)?;
            totals.begin_run(kafka.counters());
            Ok(kafka.named("consumer"))
        }
    };
    if is_transactional {
        manager.run(make()?)?;
    } else {
        manager.run(restarting(make)?)?;
    }
    Ok(())
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
