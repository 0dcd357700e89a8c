//! The way from a request to its response.

use std::{sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONNECTION, HeaderValue},
};
use task_core::{Context, Group};
use tokio::time::{Instant, timeout};

use super::Origin;
use crate::{
    activity::Activity,
    config::{Endpoint, Found, Gate, Limits},
    handlers::{
        index,
        probes::Probes,
        routes::Routes,
        scrape::Scraper,
        tasks::{self, Instance},
    },
    health::{Health, check::Probe},
    message::{
        body::{RequestBody, ResponseBody},
        query::Query,
        reply::Reply,
    },
    stats::Stats,
};

/// How long the task table and the metrics wait for the readiness checks, whatever their own
/// [timeout](crate::Limits::check_timeout).
const CHECK_TIMEOUT: Duration = Duration::from_millis(750);

/// Leads each request to its handler, and gives the handler what it uses.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) ctx: Context,
    pub(super) group: Group,
    pub(super) routes: Routes,
    pub(super) gate: Gate,
    pub(super) health: Arc<Health>,
    pub(super) instance: Arc<Instance>,
    pub(super) scraper: Arc<Scraper>,
    pub(super) stats: Arc<Stats>,
    pub(super) limits: Arc<Limits>,
}

impl Router {
    /// Responds to one request, and counts it.
    pub(super) async fn respond(
        &self,
        request: Request<Incoming>,
        origin: Origin,
        activity: Arc<Activity>,
    ) -> Response<ResponseBody> {
        let begun = Instant::now();
        // A copy, since a route takes the request.
        let uri = request.uri().clone();
        let found = origin.served.filter(self.routes.find(uri.path()));
        activity.request_known(request.method(), &uri, matches!(found, Found::Route(_)));
        let is_head = request.method() == Method::HEAD;
        let admitted = self.gate.check(found.endpoint(), origin.client, request.headers());
        // Replies are the `Err` here, those of success too: only they are completed with header
        // fields, and the response of a user route is not.
        let result = match (admitted, found) {
            (Err(refusal), _) => Err(refusal.into()),
            (Ok(()), Found::Route(index)) => self.route(index, request, &activity).await,
            (Ok(()), Found::Endpoint(endpoint, child)) => {
                Err(self.endpoint(&request, origin, endpoint, child).await)
            }
            (Ok(()), Found::Nothing) => Err(Reply::text(StatusCode::NOT_FOUND, "not found\n")),
        };
        let mut response = result.unwrap_or_else(|reply| reply.into_response(is_head, activity));
        self.stats.count_request(found, response.status(), begun.elapsed());
        // From the drain on, clients should connect to another instance.
        if self.ctx.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Responds at a user route.
    async fn route(
        &self,
        index: usize,
        request: Request<Incoming>,
        activity: &Arc<Activity>,
    ) -> Result<Response<ResponseBody>, Reply> {
        let route = &self.routes.user[index];
        let request = request.map(|body| RequestBody::new(body, self.limits.body_bytes));
        // The permit is taken after the body has arrived, so that clients which do not send their
        // bodies do not use up the permits.
        let call = route.receive(request, activity).await?;
        let Some(permit) = self.stats.begin_scrape() else {
            return Err(Reply::too_many_requests());
        };
        let response = route.respond(call).await?;
        Ok(response.map(|body| ResponseBody::of_route(body, permit, Arc::clone(activity))))
    }

    /// Responds at an endpoint. The body of the request is not read.
    async fn endpoint(
        &self,
        request: &Request<Incoming>,
        origin: Origin,
        endpoint: Endpoint,
        child: Option<&str>,
    ) -> Reply {
        // hyper has checked that the method is well-formed; its name can be any.
        match *request.method() {
            Method::GET | Method::HEAD => {}
            // Some load balancers check by this method. A status that ignored the state would keep
            // a server that drains in rotation.
            Method::OPTIONS if endpoint.is_probe() => {}
            Method::OPTIONS => return Reply::text(StatusCode::NO_CONTENT, ""),
            _ => return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"),
        }
        let headers = request.headers();
        let query = Query(request.uri().query().unwrap_or_default());
        match endpoint {
            Endpoint::Index => index::respond(&self.routes, origin.served),
            Endpoint::Metrics => {
                let Some(_permit) = self.stats.begin_scrape() else {
                    return Reply::too_many_requests();
                };
                self.update_checks().await;
                self.scraper.respond(headers, &self.limits).await
            }
            Endpoint::Tasks => {
                // As much work as a scrape, so it counts as one.
                let Some(_permit) = self.stats.begin_scrape() else {
                    return Reply::too_many_requests();
                };
                self.update_checks().await;
                tasks::respond(&self.group, &self.health, &self.instance, headers, query).await
            }
            Endpoint::Livez | Endpoint::Readyz | Endpoint::Startupz => {
                let probes =
                    Probes { health: &self.health, group: &self.group, limits: &self.limits };
                let mut reply = probes.respond(endpoint, child, headers, query).await;
                if *request.method() == Method::OPTIONS {
                    reply.headers.push((ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS")));
                }
                reply
            }
        }
    }

    /// Runs the readiness checks whose last results are not fresh, so that the task table and the
    /// metrics show what a probe would at this instant. After [`CHECK_TIMEOUT`] they show the last
    /// result of a check that still runs.
    async fn update_checks(&self) {
        let checks = self.health.run_checks(Probe::Ready, &self.limits, |_| true);
        let _ = timeout(CHECK_TIMEOUT, checks).await;
    }
}
