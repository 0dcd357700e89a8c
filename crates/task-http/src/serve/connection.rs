//! One connection, from its first byte to its end.
//!
//! hyper speaks HTTP; the time limits are ours, for it has one for the header only, which it also applies to idle
//! connections. They need no more than one timer a connection, set to the deadline of what it is doing.

use std::{convert::Infallible, future::poll_fn, net::IpAddr, pin::pin, sync::Arc, task::Poll};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};

use crate::{
    config::{Limits, limits::after},
    serve::{connections::Slot, server::Server},
};

mod observed;
use observed::Observed;

/// Serves one connection until it ends, by itself or by a limit. `client` is where it comes from, unless from a Unix
/// socket. Dropping the future drops the connection.
pub(crate) async fn serve<IO>(io: IO, client: Option<IpAddr>, mut slot: Slot, server: Arc<Server>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::clone(&slot.activity);
    let service = service_fn(|request| {
        activity.requested();
        let answer = Arc::clone(&server).answer(request, client, Arc::clone(&activity));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let io = TokioIo::new(Observed::new(io, Arc::clone(&activity)));
    let mut connection = pin!(http1_builder(&server.limits).serve_connection(io, service));

    let mut stopping = server.stopping();
    let mut stopping = pin!(stopping.wait_for(|stopping| *stopping));
    let mut is_stopping = false;
    let mut retire_at = Some(after(Instant::now(), server.limits.connection_age));
    let mut timer = pin!(sleep_until(activity.deadline(&server.limits)));

    poll_fn(|cx| {
        if pin!(&mut slot.evicted).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // A sender that is gone means the same: the server is.
        if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        loop {
            // What went wrong on the wire is the client's affair.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            // A request whose header is not complete by now is not begun.
            if is_stopping && activity.is_waiting() {
                return Poll::Ready(());
            }
            let limit = activity.deadline(&server.limits);
            let deadline = retire_at.map_or(limit, |retire_at| retire_at.min(limit));
            // A deadline that moved away is looked at again when the timer fires: most never do.
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            // A connection that used up the budget that Tokio gives a task leaves none to its timer, which is pending
            // then, elapsed or not.
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
            retire_at = None;
            timer.as_mut().reset(limit);
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    const HYPERS_DEFAULT: usize = 100;
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes)
        // A client may close its sending half as soon as it has sent its request.
        .half_close(true);
    if limits.headers != HYPERS_DEFAULT {
        // Setting it, to the default even, costs an allocation for each request.
        builder.max_headers(limits.headers);
    }
    builder
}
