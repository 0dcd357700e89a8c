//! One connection, from its handshake to its end.
//!
//! hyper speaks HTTP. The timeouts are enforced here: one timer per connection is enough, set to
//! the deadline of its current state ([`Link::deadline`]).

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::{
    future::poll_fn,
    pin::pin,
    task::{Poll, Waker},
    time::Duration,
};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use task_core::Context;
#[cfg(feature = "tls")]
use task_listen::LoadedTls;
use task_listen::{ObservedIo, Slot, Stream};
use tokio::{
    task::unconstrained,
    time::{Instant, sleep_until},
};

#[cfg(feature = "tls")]
use crate::stats::Stats;
use crate::{
    limits::after,
    link::{Link, Observer},
    service::{ClientAddress, HttpService, Requests},
    spawned::Spawned,
};

/// How long a client has to acknowledge the GOAWAY of a stop, if it has no request in flight.
const GOAWAY_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a client of HTTP/2 is asked for a sign of life, and how long it may take to give it.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What a connection gets from its server.
pub(crate) struct Setup<S> {
    pub(crate) service: S,
    pub(crate) ctx: Context,
    pub(crate) client: ClientAddress,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<LoadedTls>>,
}

/// Why a connection is not polled any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Both sides are done.
    Done,
    /// It is dropped: for a limit, or because the server stops.
    Dropped,
}

/// Serves one connection until it ends, by itself or by a limit, and until none of its requests is
/// left.
///
/// Dropping the future drops the connection.
pub(crate) async fn serve<S: HttpService>(stream: Stream, link: Slot<Link>, setup: Setup<S>) {
    #[cfg(feature = "tls")]
    let stream = match shake_hands(stream, &link, setup.tls.clone(), &setup.ctx.clone()).await {
        Some(stream) => stream,
        None => return,
    };
    let streams = Spawned::new(setup.ctx.clone());
    let end = drive(stream, &link, setup, &streams).await;
    if end == End::Dropped {
        streams.abort();
    }
    let mut closes = link.closes();
    let mut ended = pin!(streams.ended());
    poll_fn(|cx| {
        if pin!(&mut closes).poll(cx).is_ready() {
            streams.abort();
        }
        ended.as_mut().poll(cx)
    })
    .await;
}

/// Polls a connection until it ends, or has to be dropped.
async fn drive<S: HttpService>(
    stream: Stream,
    link: &Slot<Link>,
    setup: Setup<S>,
    streams: &Spawned,
) -> End {
    let Setup { service, ctx, client, .. } = setup;
    let builder = builder(link, streams);
    let requests = Requests::new(service, client, link.clone());
    let io = TokioIo::new(ObservedIo::new(stream, Observer(link.clone())));
    let mut http = pin!(builder.serve_connection_with_upgrades(io, requests));

    let (mut closes, mut cancelled) = (link.closes(), ctx.cancelled());
    let mut stopped: Option<Instant> = None;
    let mut is_leaving = false;
    // `None` once the connection was asked to end because of its age.
    let mut retire_at = Some(after(Instant::now(), link.limits().some_connection_age()));
    // When the streams of HTTP/2 are looked through for those that have stalled, and the connection
    // is looked at. They have tasks of their own, and the one that leaves it without a request need
    // not wake this one.
    let mut scan_interval = link.limits().scan_interval();
    let mut scan_at = after(Instant::now(), scan_interval);
    let mut timer = pin!(sleep_until(link.deadline()));
    // With which the two waits and the timer are to wake this task. They stay registered until they
    // are over, so one that is registered with the same waker is not polled again: all connections
    // share the lock of `cancelled`, and would take it for each request.
    let mut registered: Option<Waker> = None;

    poll_fn(|cx| {
        let is_registered = registered.as_ref().is_some_and(|known| known.will_wake(cx.waker()));
        if !is_registered {
            registered = Some(cx.waker().clone());
        }
        let mut is_timer_registered = is_registered;
        // First, since another connection waits for the slot.
        if (link.is_closing() || !is_registered) && pin!(&mut closes).poll(cx).is_ready() {
            return Poll::Ready(End::Dropped);
        }
        if stopped.is_none()
            && (ctx.is_cancelled() || !is_registered)
            && pin!(&mut cancelled).poll(cx).is_ready()
        {
            let now = Instant::now();
            stopped = Some(now);
            link.retire();
            scan_interval = scan_interval.min(GOAWAY_TIMEOUT);
            scan_at = scan_at.min(after(now, scan_interval));
        }
        loop {
            // An I/O or protocol error is the client's, and not logged.
            if http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Done);
            }
            // Before the version is known, and over HTTP/1.1 in mid-request, hyper would give the
            // client up, or the connection would end with no word to the client. There, the
            // answer says it.
            if link.retires() && link.is_http2() && !is_leaving {
                is_leaving = true;
                http.as_mut().graceful_shutdown();
                continue;
            }
            let mut deadline = link.deadline();
            // The clock is not read for each request: what is due has made the timer fire, or does
            // so below.
            if stopped.is_some() || timer.is_elapsed() {
                let now = Instant::now();
                if let Some(lingers_until) = stopped.and_then(|stopped| until(link, stopped)) {
                    if lingers_until <= now {
                        link.count_unfinished();
                        return Poll::Ready(End::Dropped);
                    }
                    deadline = deadline.min(lingers_until);
                }
                if deadline <= now {
                    if stopped.is_some() {
                        // The stop says what it has not answered, whatever the reason.
                        link.cut();
                    }
                    return Poll::Ready(End::Dropped);
                }
                if retire_at.is_some_and(|retire_at| retire_at <= now) {
                    retire_at = None;
                    link.retire();
                    continue;
                }
                if scan_at <= now {
                    scan_at = after(now, scan_interval);
                    link.abort_stalled();
                }
            }
            let mut next = retire_at.map_or(deadline, |retire_at| retire_at.min(deadline));
            if link.is_http2() {
                next = next.min(scan_at);
            }
            // A deadline that moved later does not reset the timer. When the timer fires, the
            // deadline is checked again; most timers never fire.
            if next < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(next);
                is_timer_registered = false;
            }
            // Without Tokio's cooperative budget: where the connection has used it up, the timer
            // would return `Pending` although it has elapsed, and without being registered.
            if (is_timer_registered && !timer.is_elapsed())
                || pin!(unconstrained(timer.as_mut())).poll(cx).is_pending()
            {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Spawns the streams of an HTTP/2 connection, each with the request that it is for.
#[derive(Clone)]
struct StreamTasks {
    tasks: Spawned,
    link: Slot<Link>,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for StreamTasks {
    fn execute(&self, stream: F) {
        // hyper calls the service just before, which begins the request.
        self.link.exchange_spawned(self.tasks.spawn(stream));
    }
}

/// Returns until when a connection without a request may stay open after the stop.
fn until(link: &Link, stopped: Instant) -> Option<Instant> {
    let until = link.lingers_until(stopped)?;
    // It ends by itself once its client has acknowledged the GOAWAY.
    Some(if link.is_http2() { until.max(stopped + GOAWAY_TIMEOUT) } else { until })
}

/// Returns the settings of hyper, without the timeouts that are enforced here.
fn builder(link: &Slot<Link>, streams: &Spawned) -> auto::Builder<StreamTasks> {
    const HYPER_DEFAULT: usize = 100;
    let limits = link.limits();
    let tasks = StreamTasks { tasks: streams.clone(), link: link.clone() };
    let mut builder = auto::Builder::new(tasks);
    let mut http1 = builder.http1();
    http1.header_read_timeout(None).max_buf_size(limits.header_bytes);
    if limits.headers != HYPER_DEFAULT {
        // Setting it, even to the default, costs an allocation for each request.
        http1.max_headers(limits.headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes.min(16 * 1024) as u32)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Does the TLS handshake, if there is one. Returns `None` if the connection has to be dropped: it
/// is too slow, is evicted, has no TLS parameters in common with the server, or the server stops.
#[cfg(feature = "tls")]
async fn shake_hands(
    stream: Stream,
    link: &Slot<Link>,
    tls: Option<Arc<LoadedTls>>,
    ctx: &Context,
) -> Option<Stream> {
    let Some(tls) = tls else { return Some(stream) };
    link.handshake_begun();
    let (mut closes, mut cancelled) = (link.closes(), ctx.cancelled());
    let mut accepting = pin!(tls.accept(stream));
    let mut timer = pin!(sleep_until(link.deadline()));
    let mut is_stopping = false;
    let shaken = poll_fn(|cx| {
        if pin!(&mut closes).poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(shaken) = accepting.as_mut().poll(cx) {
            return Poll::Ready(Some(shaken.ok()));
        }
        if !is_stopping && pin!(&mut cancelled).poll(cx).is_ready() {
            is_stopping = true;
            // It may still end, and its first request is answered.
            let now = Instant::now();
            let until = until(link, now).unwrap_or(now).min(timer.deadline());
            timer.as_mut().reset(until);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if is_stopping {
            link.count_unfinished();
            return Poll::Ready(None);
        }
        Poll::Ready(Some(None))
    })
    .await?;
    match shaken {
        Some(_) => link.handshake_done(),
        // Evictions and stops, which returned above, are not failures of the handshake.
        None => Stats::add(&link.stats().handshakes_failed),
    }
    shaken
}
