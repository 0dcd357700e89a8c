//! The feeder: produces orders in bursts until it is stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use fastrand::Rng;
use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};

use crate::{broker::INPUT, message};

/// Maximum number of orders: the embedded brokers keep 5 MB of each of 12 partitions, and an
/// enriched order takes about 300 bytes.
const MAX_ORDERS: u32 = 100_000;
const TICK: Duration = Duration::from_millis(20);
/// How long the feeder may take to deliver its orders after the brokers are back.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Feeder {
    thread: Option<JoinHandle<Result<u32>>>,
    ending: Arc<AtomicBool>,
}

impl Feeder {
    /// Starts to feed `rate` orders per second, on average.
    pub(crate) fn start(address: &str, rate: u32, random: Rng) -> Result<Self> {
        let producer: ThreadedProducer<Reports> = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("enable.idempotence", "true")
            // See `Stage::one_request_at_a_time`.
            .set("max.in.flight.requests.per.connection", "1")
            // No limit: the scenarios take brokers away.
            .set("message.timeout.ms", "0")
            .set("queue.buffering.max.messages", "1000000")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "5")
            // It feeds new partitions soon.
            .set("topic.metadata.refresh.interval.ms", "2000")
            .create_with_context(Reports)
            .context("failed to create the feeder's producer")?;
        let ending = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name(String::from("feeder")).spawn({
            let ending = Arc::clone(&ending);
            move || feed(&producer, rate, random, &ending)
        })?;
        Ok(Self { thread: Some(thread), ending })
    }

    /// Stops the feeder and returns the number of orders delivered, which are numbered from 0.
    pub(crate) fn end(mut self) -> Result<u32> {
        self.ending.store(true, Relaxed);
        let thread = self.thread.take().context("the feeder has ended already")?;
        thread.join().map_err(|_| anyhow!("the feeder panicked"))?
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.ending.store(true, Relaxed);
    }
}

/// Prints failed deliveries. Without a message timeout there should be none.
struct Reports;

impl ClientContext for Reports {
    // Brokers are unavailable because of the scenario, which is not an error here.
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if let Err((error, record)) = delivered {
            eprintln!("churn could not feed {:?}: {error}", record.key_view::<str>());
        }
    }
}

fn feed(
    producer: &ThreadedProducer<Reports>,
    rate: u32,
    mut random: Rng,
    ending: &AtomicBool,
) -> Result<u32> {
    let mut number = 0;
    let mut due = 0.0;
    let mut burst = (1.0, Instant::now());
    while !ending.load(Relaxed) && number < MAX_ORDERS {
        if burst.1.elapsed() > Duration::from_secs(1) {
            // Low, normal or high rates, whose mean is the requested rate.
            burst = (random.choice([0.1, 0.5, 1.0, 1.0, 2.4]).unwrap_or(1.0), Instant::now());
        }
        due += f64::from(rate) * burst.0 * TICK.as_secs_f64();
        while due >= 1.0 && number < MAX_ORDERS {
            let (key, payload) = (message::key(number), message::payload(number));
            match producer.send(BaseRecord::to(INPUT).key(&key).payload(&payload)) {
                Ok(()) => number += 1,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => break,
                Err((error, _)) => return Err(error).context("the feeder cannot send"),
            }
            due -= 1.0;
        }
        sleep(TICK);
    }
    while !ending.load(Relaxed) {
        sleep(TICK);
    }
    producer.flush(FLUSH_TIMEOUT).context("the feeder could not deliver all orders")?;
    Ok(number)
}
