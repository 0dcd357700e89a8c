//! How to port a service: from a [`CancellationToken`] and a `TaskTracker`, from
//! tokio-graceful-shutdown, and from channels wired by hand.
//!
//! Port from the outside to the inside: first `main`, then each loop that is spawned there. What is
//! not ported yet can keep its token or its channel; a token that is
//! cancelled with a task is `ctx.child_token()`, of feature `token`.
//!
//! # What becomes of what
//!
//! ## From `CancellationToken`, `TaskTracker` and `JoinSet`
//!
//! | before | then |
//! |---|---|
//! | a token, cloned for each task | the [`Context`] that each task is given |
//! | `token.cancelled().await` | [`ctx.cancelled().await`](Context::cancelled) |
//! | `token.cancelled_owned()` | [`ctx.cancelled_owned()`](Context::cancelled_owned) |
//! | `token.run_until_cancelled(future)` | [`ctx.or_cancelled(future)`](Context::or_cancelled), whose error `?` makes a clean end |
//! | `token.cancel()` | [`ctx.request_stop("why")`](Context::request_stop), or [`manager.stop()`](crate::Manager::stop) |
//! | `tracker.spawn(..)`, `set.spawn(..)` at the start | [`manager.run(task_fn("name", ..))`](crate::Manager::run), which stops the service when the task ends |
//! | the same for a job that ends | [`manager.run_ephemeral`](crate::Manager::run_ephemeral), also later by [`manager.handle()`](crate::Manager::handle) |
//! | `tracker.token()`, which is kept while work goes on | [`ctx.hold()`](Context::hold) |
//! | `tracker.close()`, `timeout(limit, tracker.wait())` | [`shutdown_timeout(limit)`](crate::manager::ManagerBuilder::shutdown_timeout), and the end of [`taskkit::main`](crate::main) |
//! | `set.join_next()`, and what its error means | the [`Report`](crate::Report), with the name of each task |
//! | a token for those who stop first, another for the rest | [`Task::in_phase`](crate::Task::in_phase) |
//! | code that takes a token | `ctx.child_token()`, with feature `token` |
//! | a token that others cancel | [`ManagerBuilder::parent`](crate::manager::ManagerBuilder), with feature `token` |
//!
//! ## From tokio-graceful-shutdown
//!
//! | before | then |
//! |---|---|
//! | `Toplevel::new(..)` and `catch_signals()` | [`taskkit::main`](crate::main) |
//! | `handle_shutdown_requests(limit)` | [`shutdown_timeout(limit)`](crate::manager::ManagerBuilder::shutdown_timeout) |
//! | `s.start(SubsystemBuilder::new("name", run))` | [`manager.run(task_fn("name", run))`](crate::Manager::run) |
//! | a `SubsystemHandle` | a [`Context`]; a [`ManagerHandle`](crate::manager::ManagerHandle) where it starts others |
//! | `on_shutdown_requested()` | [`ctx.cancelled()`](Context::cancelled) |
//! | `future.cancel_on_shutdown(&handle)` | [`ctx.or_cancelled(future)`](Context::or_cancelled) |
//! | `request_shutdown()` | [`ctx.request_stop("why")`](Context::request_stop) |
//! | a subsystem that ends without stopping the rest | [`run_ephemeral`](crate::Manager::run_ephemeral) |
//! | a subsystem in another, to be stopped before it | an earlier [`Phase`](crate::Phase) |
//! | a subsystem in another, stopped and joined as one | [`Manager::into_task`](crate::Manager::into_task) |
//! | `ErrorAction::CatchAndLocalShutdown` | `restarting`, of feature `restart`, which also runs it again |
//!
//! ## From channels
//!
//! | before | then |
//! |---|---|
//! | a `broadcast` or `watch` channel that says stop | [`ctx.cancelled()`](Context::cancelled) |
//! | an `mpsc` sender in each task, whose last drop says that all have ended | [`ctx.hold()`](Context::hold) |
//! | a `select!` over `ctrl_c`, SIGTERM and the tasks | [`taskkit::main`](crate::main) |
//! | an `AtomicBool` that a thread looks at | [`ctx.is_cancelled()`](Context::is_cancelled), [`ctx.wait_cancelled(pause)`](Context::wait_cancelled) |
//!
//! # Before and after
//!
//! A server with a task per connection. At a stop it accepts no more, lets each connection answer
//! the line at hand, and waits for them for at most five seconds. Both programs are tests, in which
//! a client asks and then has the server stop.
//!
//! Wired by hand, with a broadcast channel that says stop and an `mpsc` channel that says when the
//! last connection has ended:
//!
//! ```
//! use std::{future::Future, io, time::Duration};
//! use tokio::{
//!     io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
//!     net::{TcpListener, TcpStream},
//!     select,
//!     sync::{broadcast, mpsc},
//!     time::timeout,
//! };
//!
//! struct Connection {
//!     stream: BufReader<TcpStream>,
//!     stop: broadcast::Receiver<()>,
//!     _ended: mpsc::Sender<()>,
//! }
//!
//! async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
//!     let (stopping, _) = broadcast::channel(1);
//!     let (ended, mut all_ended) = mpsc::channel(1);
//!     let result = select! {
//!         result = accept(&listener, &stopping, &ended) => result,
//!         () = stop => Ok(()),
//!     };
//!     drop(listener);
//!     drop(stopping); // every receiver notices
//!     drop(ended); // or `recv` below would wait for this one
//!     if timeout(Duration::from_secs(5), all_ended.recv()).await.is_err() {
//!         eprintln!("some connections did not end"); // which ones?
//!     }
//!     result
//! }
//!
//! async fn accept(
//!     listener: &TcpListener,
//!     stopping: &broadcast::Sender<()>,
//!     ended: &mpsc::Sender<()>,
//! ) -> io::Result<()> {
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         let connection = Connection {
//!             stream: BufReader::new(stream),
//!             stop: stopping.subscribe(),
//!             _ended: ended.clone(),
//!         };
//!         tokio::spawn(async move {
//!             if let Err(error) = answer(connection).await {
//!                 eprintln!("connection failed: {error}"); // and a panic is lost
//!             }
//!         });
//!     }
//! }
//!
//! async fn answer(mut connection: Connection) -> io::Result<()> {
//!     let mut line = String::new();
//!     loop {
//!         line.clear();
//!         let length = select! {
//!             length = connection.stream.read_line(&mut line) => length?,
//!             _ = connection.stop.recv() => return Ok(()),
//!         };
//!         if length == 0 {
//!             return Ok(());
//!         }
//!         connection.stream.write_all(line.to_uppercase().as_bytes()).await?;
//!     }
//! }
//! #
//! # #[tokio::main]
//! # async fn main() -> io::Result<()> {
//! #     let listener = TcpListener::bind("127.0.0.1:0").await?;
//! #     let address = listener.local_addr()?;
//! #     let (asked, stop) = tokio::sync::oneshot::channel();
//! #     let client = tokio::spawn(async move {
//! #         let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
//! #         stream.write_all(b"hello\n").await.unwrap();
//! #         let mut line = String::new();
//! #         stream.read_line(&mut line).await.unwrap();
//! #         assert_eq!(line, "HELLO\n");
//! #         asked.send(()).unwrap();
//! #         assert_eq!(stream.read_line(&mut line).await.unwrap(), 0, "the server has closed it");
//! #     });
//! #     serve(listener, async { stop.await.unwrap() }).await?;
//! #     client.await.unwrap();
//! #     Ok(())
//! # }
//! // main: a runtime, a `select!` of the signals to give to `serve`, an exit code
//! ```
//!
//! As a task, without the two channels, the struct, and the function that waits for them:
//!
//! ```
//! use std::{io, process::ExitCode, time::Duration};
//! use taskkit::{Context, Service, task_fn};
//! use tokio::{
//!     io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
//!     net::{TcpListener, TcpStream},
//! };
//!
//! async fn serve(ctx: Context, listener: TcpListener) -> anyhow::Result<()> {
//!     loop {
//!         let (stream, peer) = ctx.or_cancelled(listener.accept()).await??;
//!         let (ctx, hold) = (ctx.clone(), ctx.hold()); // the task ends with its last hold
//!         tokio::spawn(async move {
//!             if let Err(error) = answer(ctx, BufReader::new(stream)).await {
//!                 eprintln!("{peer}: {error}");
//!             }
//!             drop(hold); // a panic fails the task `server`, and the report has it
//!         });
//!     }
//! }
//!
//! async fn answer(ctx: Context, mut stream: BufReader<TcpStream>) -> io::Result<()> {
//!     let mut line = String::new();
//!     while let Ok(length) = ctx.or_cancelled(stream.read_line(&mut line)).await {
//!         if length? == 0 {
//!             break;
//!         }
//!         stream.write_all(line.to_uppercase().as_bytes()).await?;
//!         line.clear();
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> ExitCode {
//!     Service::new()
//!         .manager(|manager| manager.shutdown_timeout(Duration::from_secs(5)))
//!         .run(async |manager| {
//!             let listener = TcpListener::bind("127.0.0.1:0").await?;
//! #           let address = listener.local_addr()?;
//!             manager.run(task_fn("server", |ctx| serve(ctx, listener)))?;
//! #           manager.run_ephemeral(task_fn("client", async move |ctx| {
//! #               let mut stream = BufReader::new(TcpStream::connect(address).await?);
//! #               stream.write_all(b"hello\n").await?;
//! #               let mut line = String::new();
//! #               stream.read_line(&mut line).await?;
//! #               assert_eq!(line, "HELLO\n");
//! #               ctx.request_stop("the client is done");
//! #               assert_eq!(stream.read_line(&mut line).await?, 0, "the server has closed it");
//! #               Ok(())
//! #           }))?;
//!             Ok(())
//!         }) // runtime, signals, deadline, report, exit code
//! }
//! ```
//!
//! # Which kind for a connection
//!
//! | a connection is | use | |
//! |---|---|---|
//! | one of many | `Children`, of feature `children`, and example `14_chat_server` | each has a name and can be stopped alone; a limit of how many; an error is recorded and the server goes on |
//! | one of many, without a name | `tokio::spawn` with a [`Hold`](crate::core::Hold), as above | the report names the server; an error is the connection's own |
//! | one of a few, and long | [`ManagerHandle::run_ephemeral`](crate::manager::ManagerHandle::run_ephemeral) | each has a name, a status and a line in the report; an error stops the service, so handle it inside |
//! | a connection to one tenant, with tasks of its own | a nested group: [`Manager::into_task`](crate::Manager::into_task) | is stopped and reported as one |
//! | a client's, which is to be there again after a failure | `restarting`, of feature `restart` | back-off, readiness, a limit of failures |
//! | HTTP, answered by axum or a `tower` service | `ServeTask`, of feature `serve` | limits, names, a stop that answers what is in flight |
//! | HTTP, served by a framework | the framework's own, below | |
//!
//! `Children` limit how many there are. Neither a hold nor an ephemeral task has a limit: acquire a
//! permit of a `tokio::sync::Semaphore` before `accept`.
//!
//! # Frameworks
//!
//! A framework that has a graceful shutdown takes a future that says when.
//! [`Context::cancelled_owned`] is one; it is `'static`. Such a shutdown waits for the last
//! connection, which may never end: [`Context::finish_within`] limits that, and the task then ends
//! cleanly. Put the task into [`Phase::INGRESS`](crate::Phase::INGRESS), so that what handles the
//! requests is stopped after it, and keep to *cancelled*: during a
//! [drain](crate::manager::ManagerBuilder::drain_delay), load balancers go on sending.
//!
//! ## axum
//!
//! `axum::serve` waits for its connections without a limit, and not for WebSockets. A
//! [`ServeTask`](crate::serve) does both, and loses no request in a drain:
//!
//! ```
//! use axum::{Extension, Router, routing::get};
//! use taskkit::{Context, ServeTask};
//!
//! async fn hello(Extension(ctx): Extension<Context>) -> String {
//!     format!("hello from {}", ctx.name())
//! }
//! #
//! # fn main() -> std::process::ExitCode {
//! #     taskkit::main(async |manager| {
//! let api = Router::new().route("/", get(hello));
//! manager.run(ServeTask::bind("127.0.0.1:0")?.service(api))?;
//! #         manager.stop();
//! #         Ok(())
//! #     })
//! # }
//! ```
//!
//! ## tonic
//!
//! Its `Routes` are served in the same way, with the health service of [`task-tonic`](crate::tonic)
//! in place of `tonic-health`'s own:
//!
//! ```
//! use taskkit::{ServeTask, tonic::GroupHealth};
//! use tonic::service::Routes;
//!
//! # fn main() -> std::process::ExitCode {
//! #     taskkit::main(async |manager| {
//! let health = GroupHealth::new(manager.group()).named("shop.Orders");
//! let routes = Routes::new(health.into_server()); // .add_service(OrdersServer::new(…))
//! manager.run(ServeTask::bind("127.0.0.1:0")?.service(routes))?;
//! #         manager.stop();
//! #         Ok(())
//! #     })
//! # }
//! ```
//!
//! ## kube-rs
//!
//! A controller finishes the reconciliations at hand:
//!
//! ```ignore
//! async fn control(ctx: Context, maps: kube::Api<ConfigMap>) -> anyhow::Result<()> {
//!     let reconciled = Controller::new(maps, watcher::Config::default())
//!         .graceful_shutdown_on(ctx.cancelled_owned())
//!         .run(reconcile, on_error, Arc::new(()))
//!         .for_each(|_| async {});
//!     Ok(ctx.finish_within(Duration::from_secs(5), reconciled).await?)
//! }
//! ```
//!
//! ## actix-web
//!
//! It has a runtime and a grace of its own, and takes over the signals unless that is
//! disabled. So it runs on a thread, as [`blocking_task("api", serve)`](crate::blocking_task):
//!
//! ```ignore
//! fn serve(ctx: Context) -> anyhow::Result<()> {
//!     actix_web::rt::System::new().block_on(async {
//!         let server = HttpServer::new(App::new)
//!             .disable_signals()
//!             .shutdown_timeout(5)
//!             .bind("127.0.0.1:8080")?
//!             .run();
//!         let handle = server.handle();
//!         actix_web::rt::spawn(async move {
//!             ctx.cancelled_owned().await;
//!             handle.stop(true).await;
//!         });
//!         Ok(server.await?)
//!     })
//! }
//! ```
//!
//! [`CancellationToken`]: https://docs.rs/tokio-util/latest/tokio_util/sync/struct.CancellationToken.html

#[cfg(doc)]
use crate::Context;
