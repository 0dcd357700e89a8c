//! What it costs to wait for a cancellation, beside a `CancellationToken`: to register, to be
//! polled again, to be dropped and to be woken, with few and with many waiters.

use std::{
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use task_core::scope::{Stage, StageCell};
use tokio_util::sync::CancellationToken;

use crate::{gauge, median::median, table::Table};

pub(crate) const NAME: &str = "waiters";
pub(crate) const ABOUT: &str = "what waiting for a cancellation costs, × CancellationToken";

const COUNTS: [usize; 4] = [1, 100, 10_000, 100_000];
const OPERATIONS: [&str; 4] = ["register", "poll again", "drop", "wake"];
const TARGET: f64 = 1.5;

/// The fewest waiters that are measured by one look at the clock, and in one round.
const AT_ONCE: usize = 1_000;
const PER_ROUND: usize = 100_000;

/// Something to wait for, that is stopped once.
trait Stop: Default {
    fn wait(&self) -> impl Future<Output = ()>;
    fn stop(&self);
}

impl Stop for StageCell {
    fn wait(&self) -> impl Future<Output = ()> {
        self.reached(Stage::Cancelled)
    }

    fn stop(&self) {
        self.advance(Stage::Cancelled);
    }
}

impl Stop for CancellationToken {
    fn wait(&self) -> impl Future<Output = ()> {
        self.cancelled()
    }

    fn stop(&self) {
        self.cancel();
    }
}

/// How many waits share an allocation, so that the allocator is no part of the measurement.
const GROUP: usize = 10;

/// Waits for each, and polls all waits whenever it is polled. It never ends.
async fn wait_for_all<S: Stop>(stops: [&S; GROUP]) {
    let [a, b, c, d, e, f, g, h, i, j] = stops.map(S::wait);
    let (mut a, mut b, mut c, mut d, mut e) = (pin!(a), pin!(b), pin!(c), pin!(d), pin!(e));
    let (mut f, mut g, mut h, mut i, mut j) = (pin!(f), pin!(g), pin!(h), pin!(i), pin!(j));
    poll_fn(|cx| {
        let first = [&mut a, &mut b, &mut c, &mut d, &mut e];
        let last = [&mut f, &mut g, &mut h, &mut i, &mut j];
        for wait in first.into_iter().chain(last) {
            let _ = black_box(wait.as_mut().poll(cx));
        }
        Poll::Pending
    })
    .await
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Measures both in turns, and prints the medians of the ratios.
pub(crate) fn run(is_quick: bool) {
    let mut table = Table::new(
        String::from(
            "waiting for a cancellation: CPU time, ns per waiter, ours / CancellationToken = ratio (medians)",
        ),
        &COUNTS.map(|count| format!("N = {count}")).each_ref().map(String::as_str),
    );
    let rounds = if is_quick { 5 } else { 25 };
    let figures = COUNTS.map(|count| {
        let mut figures: [Vec<(f64, f64)>; 4] = Default::default();
        for round in 0..rounds {
            // In turns, and not always the same one first.
            let (ours, token) = if round % 2 == 0 {
                let ours = measure::<StageCell>(count);
                (ours, measure::<CancellationToken>(count))
            } else {
                let token = measure::<CancellationToken>(count);
                (measure::<StageCell>(count), token)
            };
            for (operation, figures) in figures.iter_mut().enumerate() {
                figures.push((ours[operation], token[operation]));
            }
        }
        figures
    });
    for (operation, name) in OPERATIONS.iter().enumerate() {
        let cells = figures.iter().map(|figures| {
            let of = |figure: fn(&(f64, f64)) -> f64| median(figures[operation].iter().map(figure));
            let ratio = of(|(ours, token)| ours / token);
            format!("{:.1} / {:.1} = {ratio:.2}", of(|(ours, _)| *ours), of(|(_, token)| *token))
        });
        let target = format!("{TARGET:.1}");
        table.row(name, cells.chain([format!("at most {target}")]).collect());
    }
    table.print();
}

/// Returns the nanoseconds per waiter of each operation.
fn measure<S: Stop>(count: usize) -> [f64; 4] {
    let waker = Waker::from(Arc::new(Count::default()));
    let (stops, rounds) = (AT_ONCE.div_ceil(count), PER_ROUND.div_ceil(count.max(AT_ONCE)));
    let mut took = [Duration::ZERO; 4];
    for _ in 0..rounds {
        let stops: Vec<S> = (0..stops).map(|_| S::default()).collect();
        let waited: Vec<&S> = stops.iter().flat_map(|stop| vec![stop; count]).collect();
        let waits = || {
            let groups = waited.as_chunks::<GROUP>().0;
            groups.iter().map(|group| Box::pin(wait_for_all(*group))).collect()
        };
        let mut futures: Vec<_> = waits();
        took[0] += poll_all(&mut futures, &waker);
        took[1] += poll_all(&mut futures, &waker);
        let began = gauge::read().cpu;
        drop(futures);
        took[2] += gauge::read().cpu - began;
        let mut futures: Vec<_> = waits();
        poll_all(&mut futures, &waker);
        let began = gauge::read().cpu;
        for stop in &stops {
            stop.stop();
        }
        took[3] += gauge::read().cpu - began;
        drop(futures);
    }
    let waiters = (stops * count * rounds) as f64;
    took.map(|took| took.as_nanos() as f64 / waiters)
}

fn poll_all<F: Future>(futures: &mut [Pin<Box<F>>], waker: &Waker) -> Duration {
    let mut cx = Context::from_waker(waker);
    let began = gauge::read().cpu;
    for future in futures {
        let _ = black_box(future.as_mut().poll(&mut cx));
    }
    gauge::read().cpu - began
}
