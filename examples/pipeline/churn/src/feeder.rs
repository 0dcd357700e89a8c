//! The feeder: produces orders in bursts, until it is told to end.

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

/// The embedded brokers keep 5 MB of each of 12 partitions, and an enriched order takes some 300 bytes.
const MOST: u32 = 100_000;
const TICK: Duration = Duration::from_millis(20);
/// How long the feeder may take to deliver what it has made, once the brokers are back.
const FLUSH: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Feeder {
    thread: Option<JoinHandle<Result<u32>>>,
    ending: Arc<AtomicBool>,
}

impl Feeder {
    /// Starts to feed so many orders a second on average.
    pub(crate) fn start(address: &str, rate: u32, random: Rng) -> Result<Self> {
        let producer: ThreadedProducer<Reports> = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("enable.idempotence", "true")
            // See `Stage::one_request_at_a_time`.
            .set("max.in.flight.requests.per.connection", "1")
            // It has all the time: brokers that are away are part of the game.
            .set("message.timeout.ms", "0")
            .set("queue.buffering.max.messages", "1000000")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "5")
            .create_with_context(Reports)
            .context("failed to make the feeder's producer")?;
        let ending = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name(String::from("feeder")).spawn({
            let ending = Arc::clone(&ending);
            move || feed(&producer, rate, random, &ending)
        })?;
        Ok(Self { thread: Some(thread), ending })
    }

    /// Ends it, and returns how many orders it has delivered: numbers from 0 on.
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

/// Says what could not be delivered, which with all the time there is should be nothing.
struct Reports;

impl ClientContext for Reports {
    // The brokers are away because churn took them: nothing to tell.
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
    let mut owed = 0.0;
    let mut burst = (1.0, Instant::now());
    while !ending.load(Relaxed) && number < MOST {
        if burst.1.elapsed() > Duration::from_secs(1) {
            // A trickle, a steady stream or a flood, in the mean what was asked for.
            burst = (random.choice([0.1, 0.5, 1.0, 1.0, 2.4]).unwrap_or(1.0), Instant::now());
        }
        owed += f64::from(rate) * burst.0 * TICK.as_secs_f64();
        while owed >= 1.0 && number < MOST {
            let (key, payload) = (message::key(number), message::payload(number));
            match producer.send(BaseRecord::to(INPUT).key(&key).payload(&payload)) {
                Ok(()) => number += 1,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => break,
                Err((error, _)) => return Err(error).context("the feeder cannot send"),
            }
            owed -= 1.0;
        }
        sleep(TICK);
    }
    while !ending.load(Relaxed) {
        sleep(TICK);
    }
    producer.flush(FLUSH).context("the feeder could not deliver all it had made")?;
    Ok(number)
}
