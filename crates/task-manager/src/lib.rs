//! A supervisor for the tasks of a Tokio service: it runs them as one group, stops them in order
//! when one of them ends or a stop is requested, keeps its deadlines even when the runtime is
//! blocked, and reports how each task ended.
//!
//! A [`Manager`] owns a group of tasks. It is to a service what an errgroup is to a set of
//! goroutines: the first task that ends or fails stops the others, and one call waits for all of
//! them. It adds what a service needs on top: an order of stopping, a deadline for each step,
//! readiness, cleanups, and a [`Report`].
//!
//! ```
//! use task_manager::{Context, Manager, Phase, Task, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! manager.cleanup("database", async || Ok(()))?; // runs last, after the tasks
//! manager.run(task_fn("probes", async |ctx: Context| {
//!     ctx.cancelled().await;
//!     Ok(())
//! }).in_phase(Phase::SUPPORT))?; // is stopped after the work
//! manager.run(task_fn("consumer", async |ctx: Context| {
//!     ctx.or_cancelled(async { /* receive */ }).await?;
//!     Ok(())
//! }))?; // critical: its end stops the group
//! let report = manager.wait().await?; // an error if anything went wrong
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! A service takes its entry point from the crate `task-service`, which owns `main`, the runtime,
//! the signals and the exit code. Use this crate alone in a library, or where the program owns
//! `main` itself. The types that a task sees ([`Task`], [`Context`], [`Phase`], [`Group`] and the
//! rest of `task-core`) are re-exported here; a library that only offers tasks depends on
//! `task-core`.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | task | a named unit of work with one `run`; see [`Task`] |
//! | manager, group | the owner of tasks, and the tasks that it owns |
//! | critical, ephemeral | tasks whose every end stops the group, and tasks whose clean end does not |
//! | shutdown | the whole sequence from its trigger to its report |
//! | trigger, cause | an event that begins a shutdown, and the record of the first one |
//! | drain | the time in which the group is not ready any more, and still works |
//! | phase | tasks that are stopped together |
//! | cleanup | a hook that runs after the tasks |
//! | budget, deadline | an allotment of time, and the instant at which it is used up |
//! | outcome | how a task ended: completed, cancelled, failed, panicked, aborted, abandoned |
//! | aborted, abandoned | dropped at its deadline; still alive when the shutdown went on without it |
//! | escalation | a request to end a shutdown sooner |
//! | outer, nested group | a group one of whose tasks is a group, and that group |
//!
//! # Tasks
//!
//! A task implements [`Task`], or is made of a closure by [`task_fn`], or of blocking code by
//! [`blocking_task`]. The manager spawns it on the caller's runtime, in a [`tracing`] span `task`
//! with its name, and polls it like any other Tokio task; on a multi-thread runtime tasks run in
//! parallel.
//!
//! There are two kinds. They differ in what a clean end means:
//!
//! | admitted by | kind | returns `Ok` | fails or panics |
//! |---|---|---|---|
//! | [`Manager::run`] | **critical** | stops the group | stops the group |
//! | [`Manager::run_ephemeral`] | **ephemeral** | the group goes on | stops the group |
//!
//! A server, a consumer or a poll loop is critical: a service without it is broken, however it
//! ended. A job that is done at some point, or the task of one connection, is ephemeral. Under
//! [`only_failures_stop`](ManagerBuilder::only_failures_stop) a critical task's clean end leaves
//! the group running as well.
//!
//! Both calls return a [`TaskHandle`], to stop that one task or to wait for its [`Outcome`].
//! Dropping the handle changes nothing. Tasks can be run at any time, also by tasks of the same
//! group through a [`ManagerHandle`]:
//!
//! ```
//! use task_manager::{Manager, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! let handle = manager.handle(); // weak: does not keep the group alive
//! manager.run(task_fn("listener", async move |ctx| {
//!     for connection in 1..=3 {
//!         handle.run_ephemeral(task_fn(format!("connection-{connection}"), async |_| Ok(())))?;
//!     }
//!     ctx.cancelled().await;
//!     Ok(())
//! }))?;
//! # tokio::task::yield_now().await;
//! manager.stop();
//! let report = manager.wait().await?;
//! assert_eq!(report.totals().started, 4);
//! # Ok(())
//! # }
//! ```
//!
//! Every end of a task is judged at one place, whether its future returned, panicked, was aborted,
//! or was dropped with its runtime; the table of [outcomes](Outcome) is in the crate `task-core`. A
//! panic is caught and counts as a failure at that instant; it does not unwind into other tasks.
//!
//! ## Code that blocks, and code beside the task
//!
//! [`blocking_task`] runs a synchronous closure on a thread of its own, which starts when the task
//! is admitted. It is stopped like any other task, by [`Context::is_cancelled`] or
//! [`Context::wait_cancelled`] inside the closure. An error that the closure returns, or its panic,
//! stops the group at that instant, from that thread, also while every worker of the runtime is
//! blocked.
//!
//! A thread or a Tokio task that a task starts by itself is not part of it: the task ends when its
//! own future does. A [`Hold`] makes it a part. While one is kept, the task has not ended, and it
//! counts against the task's deadline:
//!
//! ```
//! use task_manager::{Manager, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! let writer = manager.run_ephemeral(task_fn("writer", async |ctx| {
//!     let hold = ctx.hold();
//!     std::thread::spawn(move || {
//!         // write the rest
//!         drop(hold); // now the task has ended
//!     });
//!     Ok(())
//! }))?;
//! writer.ended().await;
//! # manager.wait().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A holder that panics fails the task, at that instant and from its own thread: where the panic
//! drops the hold, or leaves [`Context::enter`]. What the task's future ends with after that is
//! reported beside it, except for the same panic, which counts once. [`Hold`] says which panics are
//! not seen.
//!
//! ## Failures that a task survives
//!
//! A task that handles an error by itself, such as a loop that polls again, can put it into the
//! report with [`Context::record_failure`]: the group goes on, and its result is not clean any
//! more. [`Context::record_restart`] counts in the group's view how often it has begun again.
//!
//! ```
//! use std::time::Duration;
//! use task_manager::{FailureKind, Manager, task_fn};
//!
//! # async fn poll(attempt: u32) -> anyhow::Result<()> {
//! #     if attempt == 2 { Ok(()) } else { anyhow::bail!("attempt {attempt} timed out") }
//! # }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! manager.run(task_fn("poller", async |ctx| {
//!     let mut attempt = 0;
//!     while let Err(error) = ctx.or_cancelled(poll(attempt)).await? {
//!         attempt += 1;
//!         ctx.record_failure(error);
//!         ctx.record_restart();
//!         ctx.or_cancelled(tokio::time::sleep(Duration::from_secs(1))).await?;
//!     }
//!     Ok(())
//! }))?;
//! let error = manager.wait().await.unwrap_err();
//! let failures = error.report().unwrap().failures();
//! assert_eq!(failures.len(), 2);
//! assert!(matches!(failures[0].kind, FailureKind::Survived(_)));
//! # Ok(())
//! # }
//! ```
//!
//! The crate `task-periodic` has such loops ready-made, with schedules and backoff.
//!
//! # The shutdown
//!
//! A shutdown begins with its **trigger**, the first of these events. It becomes the report's
//! [cause](Report::cause); later triggers are listed beside it.
//!
//! | trigger | drains |
//! |---|---|
//! | a critical task ended cleanly; [`Manager::stop`]; a task called [`Context::request_stop`] | yes |
//! | a task failed or panicked; [`Manager::setup_failed`]; the start timeout passed | if an [`INGRESS`](Phase::INGRESS) task is alive |
//! | the work is done; the parent token was cancelled; the manager was dropped | no |
//! | the outer group drained or stopped this one | with the outer group |
//!
//! The work is done when only tasks of [`Phase::SUPPORT`] or above are left, or, if there never
//! were others, when no task is left at all. This is judged from the first poll of a
//! [`wait`](Manager::wait) on, so that a group does not end while it is still being set up.
//!
//! Then these steps follow, one after the other. [`Step`] names them, and the [`Group`] view shows
//! the current one.
//!
//! | step | what happens | budget |
//! |---|---|---|
//! | [draining](Step::Draining) | the group is not ready any more; no task is stopped, and new ones are admitted; skipped if it never was ready | [`drain_delay`](ManagerBuilder::drain_delay), 0 s |
//! | [stopping](Step::Stopping) | phase by phase: contexts are cancelled; at the phase's deadline its tasks are aborted, then abandoned | the rest |
//! | [cleaning up](Step::CleaningUp) | hooks run one by one, the last registered first | [`cleanup_timeout`](ManagerBuilder::cleanup_timeout): 5 s are kept, or a quarter of a shorter total, nothing if there is none; and what the tasks leave |
//! | [ended](Step::Ended) | the [`Report`] is made, telemetry is flushed, and every `wait` returns | [`shutdown_timeout`](ManagerBuilder::shutdown_timeout), 25 s for all steps |
//!
//! No step takes longer than it needs: the drain ends as soon as no task below `Phase::SUPPORT` is
//! alive, a phase as soon as its last task has ended, the shutdown as soon as the last cleanup has.
//!
//! There is no supervisor task. The thread that observes an event (the end of a task, a timer, a
//! call of `stop`) advances the shutdown, so it proceeds whether or not anything waits for it, and
//! a `wait` that is dropped changes nothing.
//!
//! A task that does not end is stopped by ever stronger means:
//!
//! 1. Its context is **cancelled**: [`Context::cancelled`] resolves. The task ends in its own time,
//!    and may finish or undo what it is doing.
//! 2. At its deadline, or its own [`stop_timeout`](Task::stop_timeout), it is **aborted**: its
//!    future is dropped at the await where it stands. The outcome is [`Outcome::Aborted`], and a
//!    failure.
//! 3. If it has not been dropped within 250 ms, or less if the budget is short (because it never
//!    awaits, its drop blocks, or a [`Hold`] is kept), it is **abandoned**: the shutdown goes on
//!    without it, and the report names it.
//! 4. With [`hard_exit`](ManagerBuilder::hard_exit), the **process ends** 1 s after the whole
//!    budget if no code is left that could take the report.
//!
//! ## Escalation
//!
//! [`Context::escalate`] makes a shutdown end sooner, as after a second signal. It has two levels.
//! The higher one includes the lower one, and neither can be taken back:
//!
//! | level | drain | tasks that are stopping | tasks that are stopped later | cleanups |
//! |---|---|---|---|---|
//! | [`Escalation::EndDrain`] | ends | keep their deadlines | keep their deadlines | keep their budget |
//! | [`Escalation::Abort`] | ends | are aborted | are aborted up to 250 ms after they were asked | share [`escalated_cleanup_timeout`](ManagerBuilder::escalated_cleanup_timeout), 1 s |
//!
//! A nested group that is aborted so is waited for as long as it takes to abort its own tasks, and
//! then for the short time for cleanups once more, which is for its own.
//!
//! If no shutdown has begun, an escalation begins one. It is in the report as a request of the task
//! that called for it, with the reason `shutdown escalated`.
//!
//! ```
//! use std::time::Duration;
//! use task_manager::{Escalation, Manager, Phase, Task, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::builder().drain_delay(Duration::from_secs(10)).build()?;
//! manager.run(task_fn("stuck", async |_| std::future::pending().await))?;
//! manager.run(task_fn("signals", async |ctx| {
//!     ctx.draining().await; // the first signal has stopped the group
//!     tokio::time::sleep(Duration::from_secs(2)).await;
//!     ctx.escalate(Escalation::Abort); // the second one
//!     ctx.cancelled().await;
//!     Ok(())
//! }).in_phase(Phase::SUPPORT))?;
//! let error = manager.shutdown().await.unwrap_err();
//! let steps = error.report().unwrap().steps();
//! assert!(steps.ended - steps.triggered < Duration::from_secs(3)); // and not 30
//! # Ok(())
//! # }
//! ```
//!
//! The crate `task-signal` has a task that does this for SIGINT and SIGTERM.
//!
//! # Phases and deadlines
//!
//! A [`Phase`] is a number from 0 to 255. Tasks of one phase are stopped together; the next phase
//! is stopped when the tasks of the one before have ended or were abandoned. The three named phases
//! stop ingress, then workers, then support (metrics, probes):
//!
//! ```
//! use task_manager::{Manager, Phase, Task, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! # let manager = Manager::new();
//! let until_stopped = |name: &'static str| task_fn(name, async |ctx| {
//!     ctx.cancelled().await;
//!     Ok(())
//! });
//! manager.run(until_stopped("metrics").in_phase(Phase::SUPPORT))?; // stopped last
//! manager.run(until_stopped("server").in_phase(Phase::INGRESS))?; // stopped first
//! manager.run(until_stopped("worker"))?; // `Phase::WORK` is the default
//! let report = manager.shutdown().await?;
//! let order: Vec<_> = report.tasks().iter().map(|task| &*task.name).collect();
//! assert_eq!(order, ["server", "worker", "metrics"]);
//! # Ok(())
//! # }
//! ```
//!
//! All deadlines are fixed at the trigger, for what is there then: the phases that have tasks, and
//! whether a cleanup is registered. Afterwards they only move earlier. A nested group that drains
//! with its outer one gets them at the outer stop. The time between the drain and the cleanups,
//! *stop*, is shared like this:
//!
//! | phases that have tasks | their part |
//! |---|---|
//! | `SUPPORT` and above | 1 s each, all of them together at most a twentieth of *stop* |
//! | [`SETUP`](Phase::SETUP) | at most a tenth of *stop* |
//! | `WORK` | two thirds of the rest; all of the rest if no other phase has a part of it |
//! | others, such as `INGRESS` | what is left of the rest, in equal parts |
//!
//! No part is longer than the phase can use: its [`phase_timeout`](ManagerBuilder::phase_timeout),
//! or the longest [`stop_timeout`](Task::stop_timeout) of its tasks, and the time for them to be
//! dropped. The first phase has all that the others do not need, and what a phase leaves over goes
//! to the next. So of any total, work that stands alone has 95 %, and more than half of it when
//! everything before it hangs. The end of each part, up to half of it and at most 250 ms or a
//! twentieth of *stop*, is the time for aborted tasks to be dropped. With the defaults and tasks in
//! all three named phases, counted from the trigger:
//!
//! | phase | aborted, abandoned at | the same if there is a cleanup |
//! |---|---|---|
//! | `INGRESS` | 7.75 s, 8 s | 6.08 s, 6.33 s |
//! | `WORK` | 23.75 s, 24 s | 18.75 s, 19 s |
//! | `SUPPORT` | 24.75 s, 25 s | 19.75 s, 20 s |
//! | cleanups | | 25 s |
//!
//! Two limits shorten what a phase and a task have, and never lengthen it: a phase's
//! [`phase_timeout`](ManagerBuilder::phase_timeout), and a task's own
//! [`stop_timeout`](Task::stop_timeout), at which that task alone is aborted and then abandoned,
//! while the others of its phase go on. The failure in the report says [which deadline](Deadline)
//! it was.
//!
//! [`Context::remaining`] returns the time that a task has left. A task that is admitted during the
//! shutdown shares the time of its phase. A phase that had no task at the trigger has until the
//! time of the next planned phase begins, before the first one a third of what that one has; the
//! other deadlines do not change. A phase that has been stopped admits no more tasks:
//! [`Manager::run`] hands them back as [`Refused`].
//!
//! A phase whose turn comes when its time is over, because what was stopped before it could not be
//! ended in time, still has as long as aborted tasks have to be dropped, unless the whole shutdown
//! is over. Its tasks are then named as [given no time](DeadlineKind::NoTimeLeft), with the task
//! that took it.
//!
//! # When the runtime is blocked
//!
//! A task that blocks its thread can take Tokio's timers and sockets with it: all of them when
//! every worker is blocked, and sometimes when one is, namely the one that was about to poll them.
//! A plain thread keeps the same deadlines. There is one per process; it sleeps until the next
//! deadline of any manager, and it runs none of the program's code: what could block it (wakers,
//! aborts, log lines) it hands to an offload thread.
//!
//! | what is blocked | what still happens |
//! |---|---|
//! | one worker of several | everything: the task is named and abandoned, the other tasks end in order |
//! | every worker, and `main` waits in `block_on` | the deadlines hold: `wait` returns on time and the report names the stuck tasks; `main` then has to [leave without a drop of the runtime](Manager#leaving-main) |
//! | the code that waits (a current-thread runtime; a `wait` inside a task on a blocked worker) | nothing can be returned to it; [`hard_exit`](ManagerBuilder::hard_exit) ends the process 1 s after the budget, and writes the names of the tasks that are alive to stderr |
//!
//! A blocked thread cannot be stopped from outside. The shutdown goes on without its task, and the
//! report names it. That thread also holds up the drop of the runtime; see
//! [how to leave `main`](Manager#leaving-main).
//!
//! ## Where a trigger acts
//!
//! A trigger acts at the instant at which it happens, on the thread that observes it: the cause and
//! the deadlines are recorded, admission closes, and contexts are cancelled, before that thread
//! goes on. It needs no worker of the runtime, except where the table says so:
//!
//! | trigger | the thread it acts on | if every worker is blocked, or the only thread of the runtime |
//! |---|---|---|
//! | [`stop`](Manager::stop), [`setup_failed`](Manager::setup_failed), the drop of the manager | the caller's | acts at once |
//! | [`shutdown`](Manager::shutdown) | that of its first poll | acts at once in `block_on`; in a task that is not polled, not |
//! | [`TaskHandle::stop`], for that one task | the caller's | acts at once |
//! | [`Context::request_stop`], [`Context::escalate`] | the caller's | acts at once |
//! | the parent token is cancelled | the one that cancels it | acts at once |
//! | a signal (`task-signal`) | one of the signal task's own | acts at once |
//! | a task's future returns, fails or panics; so does a poll under `FailAfter`, and a Kafka task at a fatal error | that of the poll | a task that is not polled does not end. What it waits for has happened, and counts once a worker is free |
//! | a [`blocking_task`] or a thread with a [`Hold`] fails or panics | that one | acts at once |
//! | a runtime is shut down with tasks of the group on it | the one that does it | acts at once |
//! | all work is done | that of the last end, or of the first poll of a [`wait`](Manager::wait) | as that |
//! | the start timeout has passed, or any later deadline | Tokio's timer; if that is late by 20 ms, the deadline thread | acts 20 ms late |
//! | the outer group drains or stops this one | that which polls the nested group's task | not before a worker polls it; the outer deadline holds, and names what is alive in here |
//! | the outer group drops that task's future | that of the drop | as the drop |
//! | code that the runtime polls (an action of a `SignalTrigger`, a handler of an `HttpTask`) calls one of the above | that of the poll | does not get to the call |
//!
//! In a setup that blocks the only thread, the same holds. Before the manager has a runtime, a
//! trigger is recorded and closes admission; the steps of its shutdown follow with the first use
//! within one. What a stop reaches at once is the context: a task that is to be polled learns of it
//! when it is, and code on a thread of its own by [`Context::is_cancelled`].
//!
//! There are at most 32 offload threads, and one more for log lines. If all of them are blocked, or
//! the system grants no further one, what comes next waits: the aborts, the cleanups and the
//! wake-up of `wait`. The report and [`hard_exit`](ManagerBuilder::hard_exit) need none of them.
//!
//! ## A watchdog
//!
//! [`Context::pulse`] has a callback called at an interval until `wait` has returned, through the
//! last cleanup, by the thread that keeps the deadlines and on a thread of its own. Each [`Beat`]
//! has whether the runtime works, and whether a watchdog is to let the process live: while the
//! service runs, if the runtime works; during a shutdown whose time is limited, also if the runtime
//! is blocked, until the instant of the hard exit, 1 s after the budget, whose deadline is the
//! stricter one.
//!
//! [`Context::fuse`] ends the process at an instant, unless the fuse is moved or dropped: for work
//! that must not outlive a lease. It needs a manager with a
//! [`hard_exit`](ManagerBuilder::hard_exit). The earlier of both ends the process.
//!
//! # Readiness
//!
//! A group is **ready** while all of this is true: a [`wait`](Manager::wait) was polled, no
//! shutdown has begun, and every task that [gates readiness](Task::gating_readiness) has called
//! [`Context::set_ready`]`(true)`. A gating task that has ended rules readiness out for the rest of
//! the group's life, unless a clean end is allowed to it and it completed.
//!
//! ```
//! use task_manager::{Manager, Task, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! let server = task_fn("server", async |ctx| {
//!     // bind, load, warm up ...
//!     ctx.set_ready(true);
//!     ctx.cancelled().await;
//!     Ok(())
//! });
//! manager.run(server.gating_readiness())?;
//! manager.ready().await?; // every gate is open
//! # manager.stop();
//! # manager.wait().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Group::readiness`] lists what the group waits for, for a readiness probe, and whether the
//! group has ever been ready, for a startup probe. [`start_timeout`](ManagerBuilder::start_timeout)
//! stops a group that does not become ready in time, and its failure names who was not ready, with
//! their status. The crate `task-http` serves the probes.
//!
//! ## One task after another
//!
//! [`TaskHandle::ready`] waits for one task. [`start_after`] makes a task that starts once others
//! are ready, by their handles; it is admitted, counted and stopped like any other meanwhile:
//!
//! ```
//! use task_manager::{Context, Manager, start_after, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! let migration = manager.run_ephemeral(task_fn("migration", async |_| Ok(())))?;
//! let consumer = task_fn("consumer", async |ctx: Context| {
//!     ctx.cancelled().await; // the schema is up to date here
//!     Ok(())
//! });
//! manager.run(start_after([&migration], consumer))?;
//! # manager.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Cleanups
//!
//! [`Manager::cleanup`] registers a hook that runs after all tasks have ended or were abandoned:
//! close a pool, flush an exporter, remove a file. Hooks run in reverse order of registration, one
//! at a time and at most once. Each may take all that is left of the shutdown, or of
//! [`cleanup_timeout`](ManagerBuilder::cleanup_timeout) if that is set, but a little for each later
//! one: up to 1 s, and half of it for all of them. A hook that fails, panics or takes longer is
//! reported, and the next one runs. A hook for which no time is left is not run, and reported as
//! such. [`Manager::cleanup_beside`] makes sets of hooks that run at once, and with
//! [`Manager::cleanup_with`] a hook can ask how long it has.
//!
//! [`Manager::telemetry`] flushes telemetry behind all cleanups, when the report is made and
//! logged, on a plain thread and in time that is kept for it: by default 2 s of the 25 s.
//!
//! Register the cleanup of a resource right after the resource is made, and before the tasks that
//! use it are run: then it is released after the tasks, and after whatever was built on top of it.
//! If the setup fails half-way, [`Manager::setup_failed`] still runs what was registered so far. A
//! setup that may be under way when the service is stopped is made a part of the shutdown by
//! [`Manager::begin_setup`]: it ends before anything that it uses is closed.
//!
//! # Nested groups
//!
//! [`Manager::into_task`] makes a task of a manager, so that a subsystem can have its own phases,
//! cleanups and failure policy, and appear as one task to the outer group. The **nested** group
//! follows the **outer** one through its task's context: it drains with it, stops within the time
//! that the task has left, and is aborted when its task is. Its failures enter the outer report by
//! path: `ingest/consumer`. See [`Nested`] for the rules and the limits.
//!
//! # The entry point
//!
//! A program that owns `main` makes the manager, sets the service up, waits, and turns the result
//! into an exit code. A setup that fails half-way stops what it has started:
//!
//! ```
//! use std::process::ExitCode;
//! use task_manager::{Manager, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! async fn main() -> ExitCode {
//!     let manager = Manager::new();
//!     if let Err(error) = set_up(&manager).await {
//!         manager.setup_failed(error); // begins the shutdown; `wait` returns the error
//!     }
//!     match manager.wait().await {
//!         Ok(report) => {
//!             println!("{report}");
//!             ExitCode::from(report.exit_code())
//!         }
//!         Err(error) => {
//!             eprintln!("{error:?}"); // the whole report
//!             ExitCode::from(error.exit_code())
//!         }
//!     }
//! }
//!
//! async fn set_up(manager: &Manager) -> anyhow::Result<()> {
//!     // connect, then register the cleanup of the connection, then run what uses it
//!     manager.cleanup("database", async || Ok(()))?;
//!     manager.run(task_fn("import", async |_| Ok(())))?;
//!     Ok(())
//! }
//! ```
//!
//! The exit code is 0 if nothing went wrong, 3 if a failed setup began the shutdown, otherwise 1.
//! If a task may block its thread, a return from such a `main` may hang after `wait`;
//! [`Manager`](Manager#leaving-main) says why, and what to do. The crate `task-service` does all of
//! this, and the signals.
//!
//! # The group's view
//!
//! [`Manager::group`] and [`Context::group`] return a [`Group`]: a read-only view of the tasks that
//! are alive, the step of the shutdown, the readiness, and counts of how tasks ended by name.
//! Metrics, probes and a status page are made of it. A [snapshot](Group::snapshot) is everything at
//! one instant, [`Group::events`] are what happened before, and [`Group::changed`] waits for the
//! next change. [`Group::watch`] returns every event from then on, typed, to the last one: tests
//! and tools wait by it.
//!
//! ```
//! use task_manager::{Manager, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! manager.run(task_fn("consumer", async |ctx| {
//!     ctx.set_status("topic `orders`, offset 42");
//!     ctx.cancelled().await;
//!     Ok(())
//! }))?;
//! # tokio::task::yield_now().await;
//! for task in manager.group().snapshot().tasks {
//!     let status = task.status.as_deref().unwrap_or("");
//!     println!("{} {}: {status}", task.name, task.state); // consumer running: topic `orders` ...
//! #   assert_eq!(status, "topic `orders`, offset 42");
//! }
//! # manager.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The report
//!
//! [`Manager::wait`] returns a [`Report`] if nothing went wrong, and otherwise a [`ShutdownError`]
//! with the report in it. As text it fits a terminal or a log, and leads with what mattered:
//!
#![doc = concat!("```text\n", include_str!("report/golden/stuck.txt"), "```")]
//!
//! [`Report`](Report#format) says what each line means, and shows two more. All of it is available
//! as values, too, as the fields of [one log event](#the-log), and with the feature `serde` as data.
//!
//! All failures are kept or counted, and none replaces another: the first is the
//! [root](ShutdownError::root), and `source()` of the error leads to it.
//!
//! # The log
//!
//! The manager emits [`tracing`] events under the target `task`. All of them have the field
//! `manager`, its name. Messages and field names are stable; later versions may add some. `task` is
//! a task's name and `id` its number within the group, which distinguishes tasks of one name.
//! `tasks` is a list of up to 20 names, and `more` the number of further ones. Lengths of time are
//! seconds, rounded to a millisecond or, below 10 ms, to a microsecond. Names and errors are
//! escaped and cut as in the report.
//!
//! Every failure that the report has is also an event of its own, at level `error`: nothing is lost
//! where nothing takes the report. Failures inside a nested group are events of that group, and of
//! the outer one only what it abandoned itself.
//!
//! | message | level | fields |
//! |---|---|---|
//! | `task started` | debug | `task`, `id` |
//! | `task readiness changed` | debug | `task`, `id`, `ready` |
//! | `task asked to stop`: this task alone | debug | `task`, `id` |
//! | `task ended`, `cleanup ended`: cleanly; also after a `task failed` that came before the end | debug | `task` and `id`, or `cleanup`; `outcome`, `ran` |
//! | `task failed`, `cleanup failed`: by an error, a panic, an abort or abandonment at a deadline, with its runtime, or because it was not run | error | the same, `error` |
//! | `task failed and went on` | error | `task`, `id`, `error` |
//! | `setup failed` | error | `error` |
//! | `start failed`: not ready in time | error | `error`, which names who was not ready |
//! | `manager dropped without a wait`: while something was alive, cleanups had not run, or something had failed | error | `tasks`, `more`, `cleanups`, `more_cleanups`, `failures` |
//! | `shutdown begins` | info | `cause` |
//! | `shutdown goes on` | debug | `step` |
//! | `still waiting`: every 5 s | warn | `tasks`, `more`, `left`: until the next of them is aborted or abandoned |
//! | `deadline passed, aborting`: tasks or cleanups | warn | `tasks`, `more` |
//! | `abandoned task ended after all` | warn | `task`, `id`, `outcome`, `error` |
//! | `setup failed after the end` | error | `error` |
//! | `service ended without a stop request` | warn | with [`unasked_end_warns`](ManagerBuilder::unasked_end_warns): `cause` |
//! | `shutdown ended` | info if clean, else error | what the report's text says: `cause`; `took`, `budget`, `up`; `drain_took`, `stop_took`, `cleanup_took`; `phases`, one by one as text; `started`, `completed`, `cancelled`, `failed`, `panicked`, `aborted` and `abandoned`, the numbers of tasks; `failures`, their number; and if there are any, `root`, the one that matters most, `others`, up to 20 of these folded as in the text, `blocked`, what blocked the runtime, `slow`, what was slow or unclean |
//! | `log lines lost behind a sink that blocked` | warn | `lines` |
//!
//! A task's own events are in the span `task` with the fields `name` and `id`, a cleanup's in the
//! span `cleanup` with `name`. These spans are roots: no task is inside of the one that started it.
//!
//! The events of a group come in the order of what they are about, whichever thread emits them, and
//! in no span. An event is emitted last, when every deadline is set and every waker is called, by
//! one thread at a time; another thread that has events leaves them to that one. A log sink that
//! blocks therefore holds up the log of the group and the one thread that emits (in `run`, `stop`,
//! the cancel of a parent token, `set_ready`, the first poll of a `wait`, the end of a task), but
//! no other thread and no deadline. Behind a sink that is slower than the group, up to 1,024 events
//! wait, and a thread with further ones waits for room, as it would in the sink; but not beyond 1 s
//! that the sink stays in one event. Such a sink counts as blocked: events beyond the 1,024 are
//! lost, and counted in an event of their own. The report is complete in any case.
//!
//! When [`wait`](Manager::wait) returns, the last event was emitted, unless the sink takes longer
//! than 100 ms for one event, or than 1 s for all that are left. While the last event of any group
//! is that late, no further `wait` of the process waits for its own.
//!
//! # Tests
//!
//! The crate `task-testkit` stops a whole service, or one task, at every await on a paused clock,
//! runs a group with scripted signals, and asserts what the report says.
//!
//! Under a paused Tokio clock (`start_paused`), a shutdown runs in virtual time: the deadlines are
//! kept by Tokio's timer alone, and the deadline thread does not watch. A test of a 25-second
//! shutdown takes no time:
//!
//! ```
//! use std::time::Duration;
//! use task_manager::{Manager, Outcome, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! let stuck = manager.run(task_fn("stuck", async |_| std::future::pending().await))?;
//! let error = manager.shutdown().await.unwrap_err();
//! assert_eq!(stuck.outcome(), Some(Outcome::Aborted));
//! let steps = error.report().unwrap().steps();
//! assert_eq!((steps.cleaning_up - steps.triggered).as_secs_f64().round(), 25.0);
//! # Ok(())
//! # }
//! ```
//!
//! A paused clock does not wait for threads. At a stop it leaps over the deadlines as soon as no
//! async task is ready, so a [`blocking_task`], or a thread that keeps a [`Hold`], is abandoned
//! before it can end. It stands still while a `spawn_blocking` job runs. A job that ends with the
//! group, or else after the longest time that the test is to take, gives threads real time:
//!
//! ```
//! use std::{sync::mpsc, time::Duration};
//! use task_manager::{Context, Manager, blocking_task};
//! use tokio::task::spawn_blocking;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! manager.run(blocking_task("purge", |ctx: Context| {
//!     while !ctx.wait_cancelled(Duration::from_secs(60)) {}
//!     std::thread::sleep(Duration::from_millis(20)); // some last work, in real time
//!     Ok(())
//! }))?;
//!
//! let (ended, has_ended) = mpsc::channel::<()>();
//! let real_time = spawn_blocking(move || has_ended.recv_timeout(Duration::from_secs(10)));
//! // Without the job, `purge` would be abandoned here.
//! assert!(manager.shutdown().await?.is_clean());
//! drop(ended);
//! # let _ = real_time.await;
//! # Ok(())
//! # }
//! ```
//!
//! A single task can be tested without a manager: see the module [`scope`] and its
//! [`StageCell`](scope::StageCell).
//!
//! # Costs
//!
//! A task takes three allocations, where one in a Tokio `JoinSet` takes two. It takes one lock when
//! it is spawned and one when it ends, and none while it is polled. Memory does not grow with tasks
//! that have ended cleanly, nor without bound with failures. An idle group has no timer and wakes
//! no thread. The deadline thread starts with the first manager of the process that is used within
//! a runtime; offload threads start when a blocked runtime first needs one. A group without a pulse
//! spawns nothing and wakes nothing for it.
//!
//! # Limitations
//!
//! - A task that never awaits cannot be aborted, nor can a thread: both are named in the report,
//!   and left behind.
//! - Under `panic = "abort"` the first panic ends the process, with no shutdown. A panic in a
//!   `Drop` while another panic unwinds aborts the process as well.
//! - A Tokio task or thread that a task spawns by itself is not part of the group, unless it keeps
//!   a [`Hold`](Context::hold).
//! - A foreign waker that blocks holds up the wakers behind it of the same event, and the thread
//!   that calls it. On a worker of the runtime it also holds the task that was woken right before
//!   it, which Tokio keeps for that very worker. A waker that panics holds up nothing.
//! - A task whose runtime does not poll it before it is abandoned is never polled.
//! - A value that panics when it is dropped on the way out of a task replaces what the task was
//!   about to return, even an error. This is Rust's behaviour, and the error is lost.
//! - A task that is admitted during a shutdown shares the time that is left; if its phase has none,
//!   it is aborted soon after its stop.
//! - The location of a panic comes from the process-wide panic hook, which the first manager
//!   installs. A hook that is set later costs the location, not the message.
//!
//! # Platforms
//!
//! | what | Linux, macOS | Windows |
//! |---|---|---|
//! | a machine that sleeps during a shutdown | the time does not count: [`Instant`](std::time::Instant) stands still | it counts, and a deadline that passed acts when the machine is awake |
//! | a process that is suspended (`SIGSTOP`) | the time counts | there is no such signal |
//! | a panic while another one unwinds | the process ends by `SIGABRT` | it ends with a code of the system |
//! | [`Report::write_metrics`] to a file that something has open | replaces it | may be an error, and the old file stays |
//!
//! Everything else is the same. The suites run on Linux (glibc, and musl linked statically), on
//! arm64 in an emulator, and under Wine; for macOS and FreeBSD the crate is type-checked.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `token` | [`ManagerBuilder`]`::parent` and [`Context`]`::child_token`, with `tokio_util`'s `CancellationToken` |
//! | `serde` | `Serialize` for [`Report`] |
//!
//! Nothing is on by default.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

// The manager, its builder and its handles.
mod api;

// The state under the one lock, and what happens to it.
mod group;

// Values: causes, failures, errors, the report.
mod report;

// What runs beside the runtime.
mod threads;

// The state machine and the deadlines, as pure functions.
mod lifecycle;

// Where shuttle stands in for the runtime, locks and atomics.
mod rt;
mod sync;

pub use task_core::*;

pub use self::api::{
    BuildError, Manager, ManagerBuilder, ManagerHandle, Nested, SetTimes, Setup, StartAfter,
    TaskHandle, start_after,
};
pub use self::report::{
    Activity, Cause, CauseKind, Deadline, DeadlineKind, Failure, FailureKind, FailureOrigin,
    NotReadyError, PhaseReport, Refused, RefusedReason, Report, ShutdownError, StepTimes,
};
