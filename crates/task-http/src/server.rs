//! What all connections of a running server share, and the way from a request to its answer.

use std::{fmt::Write, sync::Arc};

use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use task_core::{Context, Group};
use tokio::{sync::watch, time::Instant};

use crate::{
    Endpoint, Limits,
    activity::Activity,
    check::{Check, Helpers},
    probes,
    query::Query,
    reply::{Reply, ReplyBody},
    routes::Routes,
    scrape::Scraper,
    stats::Stats,
    tasks,
};

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) ctx: Context,
    pub(crate) group: Group,
    pub(crate) limits: Limits,
    pub(crate) routes: Routes,
    pub(crate) checks: Vec<Arc<Check>>,
    pub(crate) reveals_reasons: bool,
    pub(crate) scraper: Arc<Scraper>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) helpers: Helpers,
    /// Turns true once, when the connections are to end.
    pub(crate) stop: watch::Sender<bool>,
}

impl Server {
    /// Returns what a connection watches, to learn that it is to end.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Answers one request, and counts it. The request's body is not read.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        activity: Arc<Activity>,
    ) -> Response<ReplyBody> {
        let begun = Instant::now();
        let found = self.routes.find(request.uri().path());
        let reply = self.reply(&request, found).await;
        self.stats.answered(found.map(|(endpoint, _)| endpoint), reply.status, begun.elapsed());
        // From the drain on, clients are to go elsewhere.
        let is_last = self.ctx.is_draining();
        reply.into_response(request.method() == Method::HEAD, is_last, activity)
    }

    async fn reply(
        &self,
        request: &Request<Incoming>,
        found: Option<(Endpoint, Option<&str>)>,
    ) -> Reply {
        let Some((endpoint, child)) = found else {
            return Reply::text(StatusCode::NOT_FOUND, "not found\n");
        };
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Reply::text(StatusCode::NO_CONTENT, ""),
            _ => return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"),
        }
        let query = Query(request.uri().query().unwrap_or_default());
        match endpoint {
            Endpoint::Index => Reply::text(StatusCode::OK, self.index()),
            Endpoint::Metrics => self.scraper.answer(request.headers(), &self.limits).await,
            Endpoint::Tasks => tasks::answer(self, request.headers(), query).await,
            Endpoint::Livez | Endpoint::Readyz | Endpoint::Startupz => {
                probes::answer(self, endpoint, child, query).await
            }
        }
    }

    fn index(&self) -> String {
        let mut list = String::new();
        for (path, endpoint) in self.routes.iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(list, "{path:12} {}", endpoint.purpose());
        }
        list
    }
}
