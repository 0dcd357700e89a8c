//! The health service.

use std::{collections::BTreeMap, fmt, pin::Pin};

use futures_util::stream::{Stream, unfold};
use task_core::{Group, Step};
use tokio::{select, sync::watch};
use tonic::{Request, Response, Status, server::NamedService};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

/// gRPC's health service, which answers from the readiness of a group.
///
/// It is cheap to clone, and all clones are one service. See the [crate](crate) for what it answers
/// when.
///
/// # Examples
///
/// A service that is not serving while its cache is cold, whatever the group is:
///
/// ```
/// use task_core::Group;
/// use task_tonic::GroupHealth;
///
/// let health = GroupHealth::new(Group::alone()).named("shop.Orders");
/// let switch = health.clone();
/// switch.set_serving("shop.Orders", false);
/// let server = health.into_server(); // for `Routes::add_service`
/// # drop(server);
/// ```
#[derive(Clone)]
pub struct GroupHealth {
    group: Group,
    /// Whether each service is serving while the group is ready.
    services: watch::Sender<BTreeMap<String, bool>>,
}

impl GroupHealth {
    /// Creates the service of a group, with the one name that it always knows: the empty one, of
    /// the whole server.
    pub fn new(group: Group) -> Self {
        Self { group, services: watch::Sender::new([(String::new(), true)].into()) }
    }

    /// Also answers for the service `S`. Default: for the whole server alone.
    pub fn service<S: NamedService>(self) -> Self {
        self.named(S::NAME)
    }

    /// Also answers for the service of this name, with its package: `shop.Orders`. Default: for the
    /// whole server alone.
    pub fn named(self, service: impl Into<String>) -> Self {
        self.set_serving(service, true);
        self
    }

    /// Sets whether a service is serving while the group is ready. It is not serving while the
    /// group is not ready. The service is named by this, if it was not yet; the empty name is the
    /// whole server.
    pub fn set_serving(&self, service: impl Into<String>, is_serving: bool) {
        let service = service.into();
        self.services
            .send_if_modified(|services| services.insert(service, is_serving) != Some(is_serving));
    }

    /// Returns the service as tonic's `Routes` and `Server` take it.
    pub fn into_server(self) -> HealthServer<Self> {
        HealthServer::new(self)
    }

    fn status(&self, service: &str) -> ServingStatus {
        match self.services.borrow().get(service) {
            None => ServingStatus::ServiceUnknown,
            Some(true) if self.group.readiness().is_ready() => ServingStatus::Serving,
            Some(_) => ServingStatus::NotServing,
        }
    }
}

#[tonic::async_trait]
impl Health for GroupHealth {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match self.status(&request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("the service is not known")),
            status => Ok(Response::new(response(status))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let watch = Watch {
            health: self.clone(),
            changes: self.services.subscribe(),
            service: request.into_inner().service,
            sent: None,
        };
        Ok(Response::new(Box::pin(unfold(watch, Watch::next))))
    }
}

/// One stream.
struct Watch {
    health: GroupHealth,
    changes: watch::Receiver<BTreeMap<String, bool>>,
    service: String,
    sent: Option<ServingStatus>,
}

impl Watch {
    /// Returns the next message, once there is one; `None` at the stop.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        loop {
            // The step is read first: a stream that sees the stop sends the status of a stop before
            // it ends.
            let is_stopping = self.health.group.step() >= Step::Stopping;
            let status = self.health.status(&self.service);
            if self.sent != Some(status) {
                self.sent = Some(status);
                return Some((Ok(response(status)), self));
            }
            if is_stopping {
                return None;
            }
            // A change between the reads above and here is found: both remember what they have
            // returned.
            select! {
                () = self.health.group.changed() => {}
                // The sender is in `health`.
                _ = self.changes.changed() => {}
            }
        }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

impl fmt::Debug for GroupHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHealth").field("services", &self.services).finish_non_exhaustive()
    }
}
