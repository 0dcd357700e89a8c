//! The service, and others of tonic, behind a `ServeTask` that stops.

use std::{
    error::Error as _,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::stream::{self, Stream, StreamExt as _};
use task_core::Step;
use task_manager::{Manager, Report, ShutdownError};
use task_serve::ServeTask;
use task_tonic::GroupHealth;
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tonic::{
    Request, Response, Status,
    service::Routes,
    transport::{self, Channel, Endpoint, channel::Change},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus::{NotServing, Serving},
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

/// Longer than anything takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// A server, and its manager, which something waits for.
struct Server {
    manager: Arc<Manager>,
    address: SocketAddr,
    ended: JoinHandle<Result<Report, ShutdownError>>,
}

impl Server {
    fn start(
        drain: Duration,
        budget: Duration,
        routes: impl FnOnce(GroupHealth) -> Routes,
    ) -> Self {
        let manager = Manager::builder().drain_delay(drain).shutdown_timeout(budget);
        let manager = Arc::new(manager.build().unwrap());
        let routes = routes(GroupHealth::new(manager.group()));
        let serve = ServeTask::bind("127.0.0.1:0").unwrap().service(routes);
        let address = serve.local_addr().unwrap();
        manager.run(serve).unwrap();
        let waiting = Arc::clone(&manager);
        let ended = tokio::spawn(async move { waiting.wait().await });
        Self { manager, address, ended }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    async fn client(&self) -> HealthClient<Channel> {
        HealthClient::new(self.endpoint().connect().await.unwrap())
    }

    /// Waits until the group has reached a step.
    async fn reached(&self, step: Step) {
        let mut group = self.manager.group();
        let reached = async {
            while group.step() < step {
                group.changed().await;
            }
        };
        timeout(LIMIT, reached).await.unwrap();
    }

    async fn end(self) -> Result<Report, ShutdownError> {
        self.manager.stop();
        timeout(2 * LIMIT, self.ended).await.unwrap().unwrap()
    }
}

fn request() -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest::default())
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: Serving.into() }
}

/// A service of two methods, with the types that are there.
#[derive(Debug, Default)]
struct Slow {
    begun: Notify,
    finish: Notify,
}

#[tonic::async_trait]
impl Health for Slow {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// Answers once it may.
    async fn check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.begun.notify_one();
        self.finish.notified().await;
        Ok(Response::new(serving()))
    }

    /// Sends one message, and does not end.
    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let endless = stream::once(async { Ok(serving()) }).chain(stream::pending());
        Ok(Response::new(Box::pin(endless)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_watch_does_not_lengthen_the_stop() {
    let server = Server::start(Duration::from_millis(200), 2 * LIMIT, |health| {
        Routes::new(health.into_server())
    });
    let mut messages = server.client().await.watch(request()).await.unwrap().into_inner();
    while messages.message().await.unwrap().unwrap().status() != Serving {}
    let watching = tokio::spawn(async move {
        let last = messages.message().await.unwrap().map(|message| message.status());
        (last, messages.message().await.unwrap())
    });
    let begun = Instant::now();
    server.end().await.unwrap();
    assert!(begun.elapsed() < LIMIT, "the stop took {:?}", begun.elapsed());
    let (last, end) = timeout(LIMIT, watching).await.unwrap().unwrap();
    assert_eq!((last, end), (Some(NotServing), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_flight_at_the_stop_is_answered() {
    let slow = Arc::new(Slow::default());
    let server = Server::start(Duration::ZERO, 2 * LIMIT, |_| {
        Routes::new(HealthServer::from_arc(Arc::clone(&slow)))
    });
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.check(request()).await });
    timeout(LIMIT, slow.begun.notified()).await.unwrap();
    server.manager.stop();
    server.reached(Step::Stopping).await;
    sleep(Duration::from_millis(100)).await; // the server has seen the stop
    slow.finish.notify_one();
    let answer = timeout(LIMIT, call).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.into_inner(), serving());
    server.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_an_end_is_cut_and_named() {
    let server = Server::start(Duration::ZERO, Duration::from_secs(3), |_| {
        Routes::new(HealthServer::new(Slow::default()))
    });
    let mut messages = server.client().await.watch(request()).await.unwrap().into_inner();
    assert_eq!(messages.message().await.unwrap(), Some(serving()));
    let error = server.end().await.unwrap_err();
    let report = error.report().unwrap().to_string();
    assert!(report.contains("POST /grpc.health.v1.Health/Watch"), "{report}");
    timeout(LIMIT, messages.message()).await.unwrap().unwrap_err();
}

/// Answers at once, and counts.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicU32>);

#[tonic::async_trait]
impl Health for Counting {
    type WatchStream = stream::Pending<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.fetch_add(1, Relaxed);
        Ok(Response::new(serving()))
    }

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("only `check`"))
    }
}

/// Calls again after an error of the transport, at most twice.
///
/// When a GOAWAY arrives just as a call is made, tonic fails calls that it has not sent, which
/// other clients of gRPC repeat by themselves. The test counts that none of them was executed.
async fn check(client: &mut HealthClient<Channel>) -> Result<(), Status> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match client.check(request()).await {
            Ok(_) => return Ok(()),
            Err(error) => {
                let is_transport = error.source().is_some_and(|it| it.is::<transport::Error>());
                if attempts == 3 || !is_transport {
                    return Err(error);
                }
            }
        }
    }
}

/// Servers that follow each other, clients of them, and a balancer that learns of a drain 100 ms
/// late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_executed_once_when_servers_are_replaced() {
    let (executed, answered) = (Counting::default(), Arc::new(AtomicU32::new(0)));
    let done = Arc::new(AtomicBool::new(false));
    let start = || {
        let routes = Routes::new(HealthServer::new(executed.clone()));
        Server::start(Duration::from_secs(1), 2 * LIMIT, |_| routes)
    };
    let mut old = start();
    let (channel, balance) = Channel::balance_channel(8);
    balance.send(Change::Insert(old.address, old.endpoint())).await.unwrap();
    let clients = (0..4).map(|_| {
        let (channel, answered, done) = (channel.clone(), answered.clone(), done.clone());
        tokio::spawn(async move {
            let mut client = HealthClient::new(channel);
            while !done.load(Relaxed) {
                check(&mut client).await?;
                answered.fetch_add(1, Relaxed);
                sleep(Duration::from_millis(2)).await;
            }
            Ok::<_, Status>(())
        })
    });
    let clients: Vec<_> = clients.collect();
    for _ in 0..3 {
        let new = start();
        let before = answered.load(Relaxed);
        let more = async {
            while answered.load(Relaxed) < before + 50 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, more).await.expect("the clients have no answers");
        old.manager.stop();
        sleep(Duration::from_millis(100)).await;
        balance.send(Change::Insert(new.address, new.endpoint())).await.unwrap();
        balance.send(Change::Remove(old.address)).await.unwrap();
        old.end().await.unwrap();
        old = new;
    }
    done.store(true, Relaxed);
    for client in clients {
        timeout(LIMIT, client).await.unwrap().unwrap().unwrap();
    }
    old.end().await.unwrap();
    assert_eq!(executed.0.load(Relaxed), answered.load(Relaxed));
}
