//! The generator: produces orders at a steady rate, some of them bad, and pauses before the
//! embedded broker would drop any.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::bail;
use fastrand::Rng;
use taskkit::{
    Context, Phase, Task,
    kafka::{Delivery, Producer, Record},
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::{
    clock::now_ms,
    order::{Item, Order},
    totals::Totals,
};

/// The interval between batches.
const TICK: Duration = Duration::from_millis(20);

/// The time limit for outstanding deliveries after the last order, unless the stop leaves less.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Generates orders until it is stopped or has reached its limit.
///
/// It is a task of [`Phase::INGRESS`], so it stops first.
#[derive(Debug)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct Generator {
    /// Sends the orders.
    pub producer: Producer,
    /// The topic of the orders.
    pub topic: Arc<str>,
    /// Orders per second.
    pub rate: u32,
    /// Percentage of bad orders.
    pub bad_percent: u8,
    /// It pauses while this process has this many orders left to consume. `None` if other processes
    /// consume too.
    pub max_lag: Option<u64>,
    /// It ends after this many orders.
    pub max_events: Option<u64>,
    /// Counts the orders, and has the number consumed.
    pub totals: Arc<Totals>,
}

impl Task for Generator {
    fn phase(&self) -> Phase {
        Phase::INGRESS
    }

    fn name(&self) -> std::borrow::Cow<'static, str> {
        "generator".into()
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let mut orders = Orders::new();
        let mut pending = VecDeque::new();
        let mut made = 0;
        let mut due = 0.0;
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while ctx.or_cancelled(clock.tick()).await.is_ok() {
            let lag = made - self.totals.counts().consumed.min(made);
            let room = self.max_lag.map_or(u64::MAX, |max_lag| max_lag.saturating_sub(lag));
            let left = self.max_events.map_or(u64::MAX, |max| max - made);
            // The backlog of a slow broker or a pause is at most a second's worth.
            due = (due + f64::from(self.rate) * TICK.as_secs_f64()).min(f64::from(self.rate));
            let batch = (due as u64).min(room).min(left);
            due -= batch as f64;
            for _ in 0..batch {
                match self.producer.send(&orders.next(&self.topic, self.bad_percent)) {
                    Ok(delivery) => pending.push_back(delivery),
                    Err(error) if error.is_queue_full() => break,
                    Err(error) => return Err(error.into()),
                }
                made += 1;
            }
            self.acknowledge(&mut pending).await?;
            if self.max_events == Some(made) {
                break;
            }
        }
        ctx.set_status(format!("waiting for {} deliveries", pending.len()));
        let remaining = ctx.remaining().unwrap_or(Duration::MAX);
        let timeout = (remaining / 2).min(DELIVERY_TIMEOUT);
        let deadline = Instant::now() + timeout;
        let mut left = pending.len();
        for delivery in pending {
            let Ok(delivered) = timeout_at(deadline, delivery).await else {
                self.producer.purge(); // no future waits for these orders any more
                bail!("{left} orders were not delivered within {timeout:?}");
            };
            delivered?;
            left -= 1;
            self.totals.generated.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

impl Generator {
    /// Counts the orders that are delivered, without waiting for the others.
    async fn acknowledge(&self, pending: &mut VecDeque<Delivery>) -> anyhow::Result<()> {
        while let Some(first) = pending.front_mut() {
            let Some(delivered) = ready(first).await else { break };
            pending.pop_front();
            delivered?;
            self.totals.generated.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

/// Polls once, and returns the output if the future was ready.
async fn ready<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        use std::task::Poll;
        Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Random orders.
struct Orders {
    random: Rng,
    prefix: String,
    count: u64,
}

impl Orders {
    fn new() -> Self {
        // Ids are unique across runs, because the database may hold orders of an earlier run.
        Self { random: Rng::new(), prefix: format!("{:x}", now_ms()), count: 0 }
    }

    fn next(&mut self, topic: &Arc<str>, bad_percent: u8) -> Record {
        self.count += 1;
        let order = self.order();
        let record = Record::to(Arc::clone(topic)).key(order.customer.as_str());
        let is_bad = self.random.u8(0..100) < bad_percent;
        record.payload(if is_bad { self.spoil(order) } else { to_json(&order) })
    }

    fn order(&mut self) -> Order {
        const PLACES: [(&str, &str); 6] = [
            ("DE", "EUR"),
            ("FR", "EUR"),
            ("GB", "GBP"),
            ("SE", "SEK"),
            ("CH", "CHF"),
            ("US", "USD"),
        ];
        const GOODS: [(&str, i64); 5] = [
            ("tea-green-100g", 890),
            ("tea-black-250g", 1_450),
            ("pot-stone-1l", 5_990),
            ("cup-glass", 1_190),
            ("kettle-steel", 12_900),
        ];
        let (country, currency) = PLACES[self.random.usize(0..PLACES.len())];
        let items = (0..self.random.usize(1..4)).map(|_| {
            let (sku, unit_cents) = GOODS[self.random.usize(0..GOODS.len())];
            Item { sku: sku.to_owned(), quantity: self.random.u32(1..4), unit_cents }
        });
        let items = items.collect();
        Order {
            id: format!("{}-{:08}", self.prefix, self.count),
            customer: format!("customer-{:04}", self.random.u16(0..2_000)),
            country: country.to_owned(),
            currency: currency.to_owned(),
            items,
            placed_ms: now_ms(),
        }
    }

    /// Returns the order with one of four mistakes.
    fn spoil(&mut self, mut order: Order) -> Vec<u8> {
        match self.random.u8(0..4) {
            0 => {
                let mut cut = to_json(&order);
                cut.truncate(cut.len() / 2);
                return cut;
            }
            1 => order.currency = String::from("BTC"),
            2 => order.items[0].quantity = 0,
            _ => order.customer.clear(),
        }
        to_json(&order)
    }
}

fn to_json(order: &Order) -> Vec<u8> {
    serde_json::to_vec(order).expect("only maps and floats can fail, and an order has neither")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::enrich;

    #[test]
    fn good_orders_are_valid_and_bad_ones_are_not() {
        let mut orders = Orders::new();
        for _ in 0..500 {
            let order = orders.order();
            let good = enrich(&to_json(&order), now_ms());
            assert!(good.is_ok(), "{good:?}");
            let bad = orders.spoil(order);
            assert!(enrich(&bad, now_ms()).is_err(), "{}", String::from_utf8_lossy(&bad));
        }
    }

    #[test]
    fn ids_are_unique() {
        let mut orders = Orders::new();
        let topic = Arc::from("in");
        let ids: std::collections::HashSet<_> = (0..100)
            .map(|_| {
                orders.next(&topic, 0);
                orders.order().id
            })
            .collect();
        assert_eq!(ids.len(), 100);
    }
}
