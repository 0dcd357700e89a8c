//! Ten planted bugs, which a sweep must find, and their ten correct twins, which it must pass.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context as PollContext, Poll, Waker},
    thread,
    time::Duration,
};

use task_core::{Context, task_fn};
use task_testkit::{Sweep, cancel_everywhere, drop_everywhere};
use tokio::{
    select,
    sync::{Semaphore, mpsc},
    task::yield_now,
    time::sleep,
};

/// Whether the task has the bug.
#[derive(Clone, Copy, PartialEq)]
enum Variant {
    Bug,
    Twin,
}
use Variant::{Bug, Twin};

const MESSAGES: u32 = 5;

/// Asserts that the bug is found, with this text, and that the twin passes at as many points as it
/// has, of which there are some.
#[track_caller]
fn finds(sweep: impl Fn(Variant) -> Sweep, what: &str) -> Sweep {
    let twin = sweep(Twin).assert_clean();
    assert!(twin.points() >= 2 && twin.tested() == twin.points(), "{twin}");
    assert!(twin.is_deterministic(), "{twin}");
    let bug = sweep(Bug);
    let texts: Vec<_> = bug.findings().iter().map(|finding| &*finding.what).collect();
    assert!(texts.iter().any(|text| text.contains(what)), "{bug}");
    bug
}

/// Messages that were sent and not received yet, or were handled.
#[derive(Clone, Default)]
struct Orders {
    queue: Arc<Mutex<Vec<u32>>>,
    handled: Arc<Mutex<Vec<u32>>>,
}

impl Orders {
    fn new() -> Self {
        let orders = Self::default();
        orders.queue.lock().unwrap().extend((0..MESSAGES).rev());
        orders
    }

    async fn receive(&self) -> Option<u32> {
        sleep(Duration::from_millis(10)).await;
        self.queue.lock().unwrap().pop()
    }

    async fn handle(&self, order: u32) {
        sleep(Duration::from_millis(10)).await;
        self.handled.lock().unwrap().push(order);
    }

    /// Panics unless each order is either in the queue or handled, once.
    fn assert_none_lost_or_repeated(&self) {
        let mut orders = self.queue.lock().unwrap().clone();
        orders.extend(&*self.handled.lock().unwrap());
        orders.sort_unstable();
        assert!(orders.iter().copied().eq(0..MESSAGES), "the orders are {orders:?}");
    }
}

#[test]
fn a_message_that_is_lost_where_its_handling_is_interrupted() {
    let sweep = |variant| {
        cancel_everywhere(async || {
            let orders = Orders::new();
            let task = task_fn("consumer", {
                let orders = orders.clone();
                async move |ctx: Context| {
                    while let Some(order) = ctx.or_cancelled(orders.receive()).await? {
                        match variant {
                            Bug => ctx.or_cancelled(orders.handle(order)).await?,
                            Twin => orders.handle(order).await,
                        }
                    }
                    Ok(())
                }
            });
            (orders, task)
        })
        .run(async |orders| orders.assert_none_lost_or_repeated())
    };
    let bug = finds(sweep, "the orders are [1, 2, 3, 4]");
    // Point 0, the five receipts, the five times of handling, and the empty queue.
    assert_eq!((bug.points(), bug.findings().len()), (12, 5));
    assert_eq!(bug.findings()[0].point, Some(2), "{bug}");
    assert_eq!(bug.findings()[0].at, Duration::from_millis(10));
}

#[test]
fn a_commit_that_is_done_again_after_its_interruption() {
    async fn commit(committed: &AtomicUsize) {
        yield_now().await;
        committed.fetch_add(1, SeqCst);
        yield_now().await; // the reply of the server
    }
    let sweep = |variant| {
        cancel_everywhere(async || {
            let committed = Arc::new(AtomicUsize::new(0));
            let task = task_fn("committer", {
                let committed = committed.clone();
                async move |ctx: Context| {
                    let is_done =
                        variant == Bug && ctx.or_cancelled(commit(&committed)).await.is_ok();
                    if !is_done {
                        commit(&committed).await;
                    }
                    Ok(())
                }
            });
            (committed, task)
        })
        .run(async |committed| assert_eq!(committed.load(SeqCst), 1, "commits"))
    };
    finds(sweep, "commits");
}

#[test]
fn a_permit_that_is_held_over_an_await() {
    let sweep = |variant| {
        drop_everywhere(async || {
            let permits = Arc::new(Semaphore::new(1));
            let task = task_fn("locker", {
                let permits = permits.clone();
                async move |_: Context| {
                    let permit = permits.clone().acquire_owned().await?;
                    if variant == Bug {
                        permit.forget();
                        sleep(Duration::from_secs(1)).await;
                        permits.add_permits(1);
                    } else {
                        sleep(Duration::from_secs(1)).await;
                    }
                    Ok(())
                }
            });
            (permits, task)
        })
        .run(async |permits| assert_eq!(permits.available_permits(), 1, "permits"))
    };
    let bug = finds(sweep, "permits");
    assert_eq!(bug.findings()[0].point, Some(1), "{bug}");
}

#[test]
fn a_drop_that_blocks() {
    struct Connection(Variant);
    impl Drop for Connection {
        fn drop(&mut self) {
            if self.0 == Bug {
                thread::sleep(Duration::from_millis(300)); // waits for the server
            }
        }
    }
    let sweep = |variant| {
        drop_everywhere(async || {
            let task = task_fn("client", async move |ctx: Context| {
                let _connection = Connection(variant);
                ctx.cancelled().await;
                Ok(())
            });
            ((), task)
        })
        .max_findings(2)
        .run(async |()| {})
    };
    finds(sweep, "the drop of its future blocked its thread for");
}

#[test]
fn a_future_that_keeps_no_waker() {
    /// Ready once the stop is seen. With the bug it is only seen when something else polls it.
    struct Stopped(Context, Variant);
    impl Future for Stopped {
        type Output = ();
        fn poll(self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<()> {
            let cx = match self.1 {
                Bug => &mut PollContext::from_waker(Waker::noop()),
                Twin => cx,
            };
            if self.0.is_cancelled() { Poll::Ready(()) } else { keep(&self.0, cx) }
        }
    }
    fn keep(ctx: &Context, cx: &mut PollContext<'_>) -> Poll<()> {
        ctx.wake_at(task_core::scope::Stage::Cancelled, cx.waker().clone());
        Poll::Pending
    }
    let sweep = |variant| {
        cancel_everywhere(async || {
            let task = task_fn("waiter", async move |ctx| {
                Stopped(ctx, variant).await;
                Ok(())
            });
            ((), task)
        })
        .run(async |()| {})
    };
    finds(sweep, "alive 5 s after the stop, which did not wake it");
}

#[test]
fn a_retry_without_an_end() {
    let sweep = |variant| {
        cancel_everywhere(async || {
            let task = task_fn("retry", async move |ctx: Context| {
                for attempt in 0.. {
                    ctx.set_status(format!("attempt {attempt}"));
                    let pause = sleep(Duration::from_millis(500)); // it is never reached
                    match variant {
                        Bug => pause.await,
                        Twin => ctx.or_cancelled(pause).await?,
                    }
                }
                Ok(())
            });
            ((), task)
        })
        .run(async |()| {})
    };
    let bug = finds(sweep, "alive 5 s after the stop");
    assert!(bug.to_string().contains("(status `attempt 0`): alive"), "{bug}");
}

#[test]
fn a_cancelled_that_is_swallowed() {
    let sweep = |variant| {
        cancel_everywhere(async || {
            let (sender, mut queue) = mpsc::channel::<u32>(1);
            let task = task_fn("consumer", async move |ctx: Context| {
                loop {
                    match ctx.or_cancelled(queue.recv()).await {
                        Ok(_order) => {}
                        Err(cancelled) if variant == Twin => return Err(cancelled.into()),
                        Err(_) => yield_now().await, // "try again"
                    }
                }
            });
            (sender, task)
        })
        .max_findings(1)
        .run(async |_| {})
    };
    finds(sweep, "alive 100000 polls after the stop");
}

#[test]
fn an_arm_of_a_select_that_loses_what_it_had_collected() {
    async fn collect(orders: &Orders, batch: &mut Vec<u32>) {
        while batch.len() < 3
            && let Some(order) = orders.receive().await
        {
            batch.push(order);
        }
    }
    async fn flush(orders: &Orders, batch: Vec<u32>) {
        for order in batch {
            orders.handle(order).await;
        }
    }
    let sweep = |variant| {
        cancel_everywhere(async || {
            let orders = Orders::new();
            let task = task_fn("batcher", {
                let orders = orders.clone();
                async move |ctx: Context| {
                    let mut batch = Vec::new();
                    while !ctx.is_cancelled() {
                        let mut arm = Vec::new();
                        let into = if variant == Twin { &mut batch } else { &mut arm };
                        select! {
                            biased;
                            () = collect(&orders, into) => {}
                            () = ctx.cancelled() => {}
                        }
                        if variant == Bug && ctx.is_cancelled() {
                            break; // the arm's own batch is gone
                        }
                        batch.append(&mut arm);
                        let is_over = batch.is_empty();
                        flush(&orders, mem::take(&mut batch)).await;
                        if is_over {
                            break;
                        }
                    }
                    Ok(())
                }
            });
            (orders, task)
        })
        .run(async |orders| orders.assert_none_lost_or_repeated())
    };
    finds(sweep, "the orders are");
}

#[test]
fn a_write_that_is_only_half_done() {
    let sweep = |variant| {
        drop_everywhere(async || {
            let file = Arc::new(Mutex::new(Vec::<&str>::new()));
            let task = task_fn("writer", {
                let file = file.clone();
                async move |_: Context| {
                    for _ in 0..3 {
                        if variant == Bug {
                            file.lock().unwrap().push("head");
                            yield_now().await;
                            file.lock().unwrap().push("body");
                        } else {
                            yield_now().await;
                            file.lock().unwrap().extend(["head", "body"]);
                        }
                    }
                    Ok(())
                }
            });
            (file, task)
        })
        .run(async |file| {
            let file = file.lock().unwrap();
            assert!(file.len() % 2 == 0, "the file ends with a head");
        })
    };
    let bug = finds(sweep, "the file ends with a head");
    assert_eq!(bug.findings().len(), 3, "{bug}");
}

#[test]
fn a_helper_that_uses_the_context_after_the_end() {
    let sweep = |variant| {
        cancel_everywhere(async || {
            let task = task_fn("parent", async move |ctx: Context| {
                let hold = (variant == Twin).then(|| ctx.hold());
                let helper = ctx.clone();
                tokio::spawn(async move {
                    helper.cancelled().await;
                    sleep(Duration::from_millis(200)).await;
                    helper.set_status("flushed");
                    drop(hold);
                });
                ctx.cancelled().await;
                Ok(())
            });
            ((), task)
        })
        .run(async |()| sleep(Duration::from_secs(1)).await)
    };
    finds(sweep, "its context was used after its end: status: flushed");
}

#[test]
fn a_drop_that_panics() {
    struct Panics(Variant);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(self.0 == Twin, "on purpose");
        }
    }
    let sweep = |variant| {
        drop_everywhere(async || {
            let task = task_fn("client", async move |_: Context| {
                let panics = Panics(variant);
                yield_now().await;
                mem::forget(panics);
                Ok(())
            });
            ((), task)
        })
        .run(async |()| {})
    };
    finds(sweep, "panicked: on purpose");
}
