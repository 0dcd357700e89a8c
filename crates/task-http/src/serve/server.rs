//! What all connections of a running server share, and the way from a request to its answer.

use std::{fmt::Write, net::IpAddr, sync::Arc};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
};
use task_core::{Context, Group};
use tokio::{sync::watch, time::Instant};

use crate::{
    activity::Activity,
    config::{Access, Endpoint, Found, Limits},
    handlers::{probes, routes::Routes, scrape::Scraper, tasks},
    health::{
        check::{Check, Helpers},
        heartbeat::Pulse,
    },
    message::{
        body::RequestBody,
        query::Query,
        reply::{Reply, ReplyBody},
    },
    stats::{ScrapeProblem, Scraping, Stats},
};

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) ctx: Context,
    pub(crate) group: Group,
    pub(crate) limits: Limits,
    pub(crate) routes: Routes,
    pub(crate) access: Access,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<crate::config::Tls>>,
    pub(crate) checks: Vec<Arc<Check>>,
    pub(crate) reveals_reasons: bool,
    /// Of the runtimes that are watched.
    pub(crate) pulses: Vec<Arc<Pulse>>,
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

    /// Answers one request, and counts it.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: Option<IpAddr>,
        activity: Arc<Activity>,
    ) -> Response<ReplyBody> {
        let begun = Instant::now();
        // Kept apart from the request, which a route takes with it.
        let uri = request.uri().clone();
        let found = self.routes.find(uri.path());
        let is_head = request.method() == Method::HEAD;
        let refusal = self.access.refusal(found.endpoint(), client, request.headers());
        let answered = match (refusal, found) {
            (Some(refusal), _) => Err(refusal),
            (None, Found::Own(number)) => self.route(number, request, &activity).await,
            (None, Found::Endpoint(endpoint, child)) => {
                Err(self.reply(&request, endpoint, child).await)
            }
            (None, Found::Nothing) => Err(Reply::text(StatusCode::NOT_FOUND, "not found\n")),
        };
        let mut response = answered.unwrap_or_else(|reply| reply.into_response(is_head, activity));
        self.stats.answered(found, response.status(), begun.elapsed());
        // From the drain on, clients are to go elsewhere.
        if self.ctx.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Answers at a route of the user's own, or says why not.
    async fn route(
        &self,
        number: usize,
        request: Request<Incoming>,
        activity: &Arc<Activity>,
    ) -> Result<Response<ReplyBody>, Reply> {
        let route = &self.routes.own[number];
        let request = request.map(|body| RequestBody::new(body, self.limits.body_bytes));
        // A body that a client does not send keeps nobody else from being answered.
        let call = route.receive(request, activity).await?;
        let Some(scraping) = Scraping::begin(&self.stats, self.limits.scrapes_at_once()) else {
            self.stats.problem(ScrapeProblem::Limit, 1);
            return Err(Reply::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many requests at once\n",
            ));
        };
        let response = route.answer(call).await?;
        Ok(response.map(|body| ReplyBody::of_route(body, scraping, Arc::clone(activity))))
    }

    /// Answers at an endpoint. The request's body is not read.
    async fn reply(
        &self,
        request: &Request<Incoming>,
        endpoint: Endpoint,
        child: Option<&str>,
    ) -> Reply {
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
                probes::answer(self, endpoint, child, request.headers(), query).await
            }
        }
    }

    fn index(&self) -> String {
        let mut list = String::new();
        for (path, endpoint) in self.routes.iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(list, "{path:12} {}", endpoint.purpose());
        }
        for route in &self.routes.own {
            let _ = writeln!(list, "{:12} a route of this service", route.path);
        }
        list
    }
}
