//! Many futures within one task: connections, jobs, requests. They are bounded in number, have
//! names, are stopped and reported with their task, and cost little more than a bare spawn.
//!
//! A task of a group is for what a service is made of: a failure of one stops all. What comes and
//! goes within a task, and may fail without the service, is a **child** of it: one client's error
//! is recorded by the child's name, and the server goes on.
//!
//! ```
//! use task_children::Children;
//! use task_core::Context;
//! use tokio::net::{TcpListener, TcpStream};
//! # async fn chat(ctx: Context, stream: TcpStream) -> anyhow::Result<()> { Ok(()) }
//!
//! async fn serve(ctx: Context, listener: TcpListener) -> anyhow::Result<()> {
//!     let connections = Children::new(&ctx, 10_000)?;
//!     connections
//!         .scope(async |connections| {
//!             loop {
//!                 // A stop ends the loop here; the connections then have until the deadline.
//!                 let (stream, peer) = ctx.or_cancelled(listener.accept()).await??;
//!                 let chat = async move |ctx| chat(ctx, stream).await;
//!                 connections.spawn(format!("connection {peer}"), chat).await?;
//!             }
//!         })
//!         .await
//! }
//! ```
//!
//! # Three ways to use it
//!
//! | | with | example |
//! |---|---|---|
//! | children that are started in a loop, and say goodbye at the stop | [`Children::scope`] and [`spawn`](Children::spawn) | a server, a pool of workers |
//! | children that return a value | [`Children::run`] | a fan-out |
//! | children that are not worth more than the future that started them | [`Children::new`], dropped | a race |
//!
//! # The context of a child
//!
//! The closure of a child takes a [`Context`](task_core::Context) of its own:
//!
//! - Its stage follows that of the task, on the thread that stops the task, even if the runtime is
//!   blocked. One child can be [stopped](ChildHandle::stop) or [aborted](ChildHandle::abort) alone.
//! - Its name is the child's. What it [records](task_core::Context::record_failure) has that name.
//! - Its status is shown where the child is named, and leaves that of the task as it is. Of the
//!   status 256 bytes are kept. Its readiness is ignored.
//! - A [`Hold`](task_core::Hold) of it keeps the child from having ended.
//! - It can have children itself. All else is the task's: the time that is left, the group, and the
//!   request to stop it.
//!
//! # How an end is judged
//!
//! As that of a task: `Ok` is clean, and so is [`Cancelled`](task_core::Cancelled) once the child's
//! context is cancelled. Any other error, and a panic, is a failure of the child, and then
//!
//! | setting | the failure is | the task |
//! |---|---|---|
//! | the default | in the report, by the child's name: `connection 10.0.0.7: reset by peer` | goes on |
//! | [`count_failures`](Children::count_failures) | logged and counted; the report stays clean | goes on |
//! | [`fail_fast`](Children::fail_fast) | that of the task | fails, and its group stops |
//!
//! The report keeps the first failure of the task and the last 64 of all, and counts the others;
//! [`Children::failures`] counts those of the children. An abort that was asked for is no failure.
//! A panic of a child that [returns a value](Children::run) is its result and in no report, unless
//! its [`Child`] was dropped. One that drops a [`Hold`](task_core::Hold) of the child or leaves
//! [`Context::enter`](task_core::Context::enter), on any thread, is in the report as well.
//!
//! # The end of the task
//!
//! The task has not ended while a child lives, so that no cleanup runs beside one. A stop is handed
//! on to the children; they have the same deadline as the task. There, the manager aborts them with
//! the task, also if the task's own future is over. Those that are dropped are a failure that names
//! the first eight of them. A child that blocks its thread cannot be dropped: then the task is
//! abandoned, and the report says which of its children are alive: the oldest eight with their
//! status, and the number of the others:
//!
//! ```text
//! task `server` was abandoned (phase WORK had 18.75 s; 1 child is alive: connection 10.0.0.7 (writing part 7))
//! ```
//!
//! A hard exit of the process names them as well. The group's view has
//! [their number](task_core::TaskInfo::children).
//!
//! # Cost
//!
//! A child allocates what a spawned future does, and its own record: one more allocation, and two
//! if its name is made for it. There is no box for the future, no timer and no supervisor. To spawn
//! and to end takes one lock each, of this group of children alone; the manager is not involved. To
//! hand on a stop visits each child once. The future's size grows by two words.
//!
//! # Platforms
//!
//! The same on every system.
//!
//! # Limitations
//!
//! - A child that never awaits cannot be aborted, only named.
//! - A child is polled within the task's span. For a span of its own, instrument its future.
//! - Under `panic = "abort"` a panic ends the process.
//! - A child that keeps the `Children` that it is in, by an `Arc`, keeps them from being dropped.
//! - Within a task that is restarted, children that are left by an error of
//!   [`scope`](Children::scope) keep the next run from beginning, up to its `run_stop_timeout`.
//! - Children are not restarted. A child may be a loop that goes on.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

// A group of children, and what refers to one.
mod children;
mod error;
mod handle;

// What is known of them.
mod group;
mod managed;
mod member;

mod rt;
mod sync;

pub use children::Children;
pub use error::{ChildError, ChildrenError, TrySpawnError};
pub use handle::{Child, ChildHandle};
