//! One connection, from its first byte to its end.
//!
//! hyper speaks HTTP. The timeouts are enforced here: hyper has one for the header alone, and
//! applies it to idle connections, too. One timer per connection is enough, set to the deadline of
//! its current state ([`Activity::deadline`](crate::activity::Activity::deadline)).

use std::{convert::Infallible, future::poll_fn, pin::pin, sync::Arc, task::Poll};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use task_listen::{IoEvents, ObservedIo, Slot, Stream};
use tokio::time::{Instant, sleep_until};

use super::{Origin, Server, connections::Connection};
use crate::{
    activity::Activity,
    config::{Limits, limits::after},
};

/// Serves one connection until it ends, by itself or by a limit.
///
/// Dropping the future drops the connection.
pub(super) async fn serve(
    stream: Stream,
    origin: Origin,
    slot: Slot<Connection>,
    server: Arc<Server>,
) {
    let activity = Arc::clone(&slot.activity);
    let service = service_fn(|request| {
        activity.header_completed();
        let (server, activity) = (Arc::clone(&server), Arc::clone(&activity));
        async move { Ok::<_, Infallible>(server.router.respond(request, origin, activity).await) }
    });
    let io = TokioIo::new(ObservedIo::new(stream, Observer(Arc::clone(&activity))));
    let mut connection = pin!(http1_builder(&server.limits).serve_connection(io, service));

    let mut evicted = slot.evicted();
    let mut stopping = server.stopping();
    let mut stopping = pin!(stopping.wait_for(|stopping| *stopping));
    let mut is_stopping = false;
    // `None` once the connection was asked to close because of its age.
    let mut retire_at = Some(after(Instant::now(), server.limits.connection_age));
    let mut timer = pin!(sleep_until(activity.deadline(&server.limits)));

    poll_fn(|cx| {
        // First, since another connection waits for the slot.
        if pin!(&mut evicted).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        loop {
            // An I/O or protocol error is the client's, and not logged.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            // After the stop, no further request is begun.
            if is_stopping && activity.awaits_request() {
                return Poll::Ready(());
            }
            let limit = activity.deadline(&server.limits);
            let deadline = retire_at.map_or(limit, |retire_at| retire_at.min(limit));
            // A deadline that moved later does not reset the timer. When the timer fires, the
            // deadline is checked again; most timers never fire.
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            // Tokio's cooperative budget makes an elapsed timer return `Pending` when the
            // connection has used the budget up. `is_elapsed` is asked so that this does not
            // postpone the deadline.
            if timer.as_mut().poll(cx).is_pending() && !timer.is_elapsed() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if limit <= now {
                return Poll::Ready(());
            }
            if retire_at.is_none_or(|retire_at| now < retire_at) {
                timer.as_mut().reset(deadline);
                continue;
            }
            // The response in progress still has the time of its own deadline.
            retire_at = None;
            timer.as_mut().reset(limit);
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
}

/// Returns the settings of hyper, without its own timeout.
fn http1_builder(limits: &Limits) -> http1::Builder {
    const HYPER_DEFAULT: usize = 100;
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes)
        // A client may shut down its sending half as soon as it has sent its request.
        .half_close(true);
    if limits.headers != HYPER_DEFAULT {
        // Setting it, even to the default, costs an allocation for each request.
        builder.max_headers(limits.headers);
    }
    builder
}

/// Records in the activity what passes through the stream.
struct Observer(Arc<Activity>);

impl IoEvents for Observer {
    fn received(&self, _bytes: &[u8]) {
        self.0.bytes_received();
    }

    fn sent(&self, _count: usize) {
        self.0.bytes_sent();
    }

    fn flushed(&self) {
        self.0.flushed();
    }
}
