//! A service under systemd: readiness, a live status, a watchdog that proves that the runtime
//! works, reloads, sockets that outlive a restart, credentials, and a unit whose numbers fit.
//!
//! | to | use |
//! |---|---|
//! | report the group to systemd, and feed its watchdog | [`SystemdTask`] |
//! | have `systemctl reload` wait for a reload | [`Notifier::reload`] |
//! | take passed sockets by name | [`Listeners`] |
//! | keep a socket over a restart | `Notifier::store` |
//! | read a secret | [`credential`] |
//! | print the unit | [`Unit`] |
//!
//! Outside of systemd all of it does nothing, so that the same program runs in a terminal, in
//! a container and as a unit.
//!
//! # Examples
//!
//! A service with one line more, a socket that may be passed, and a reload:
//!
//! ```no_run
//! use std::net::TcpListener;
//! use task_manager::{Manager, task_fn};
//! use task_systemd::{Listeners, SystemdTask};
//!
//! # async fn serve(_: TcpListener) -> anyhow::Result<()> { Ok(()) }
//! async fn set_up(manager: &Manager) -> anyhow::Result<()> {
//!     let systemd = SystemdTask::new()?;
//!     let notifier = systemd.notifier();
//!     manager.run(systemd)?; // first, so that the rest of the setup is in the status
//!
//!     let mut listeners = Listeners::from_systemd();
//!     let http = match listeners.tcp("http")? {
//!         Some(passed) => passed,
//!         None => TcpListener::bind("0.0.0.0:8080")?,
//!     };
//!     listeners.finish()?;
//!     # #[cfg(target_os = "linux")]
//!     notifier.store("http", &http)?;
//!     manager.run(task_fn("http", async move |_ctx| serve(http).await))?;
//!     Ok(())
//! }
//! ```
//!
//! # What is shown, and by which scenario
//!
//! `cargo xtask systemd` boots a systemd as the first process of namespaces, with services of its
//! own as units that [`Unit`] prints, and plays these scenarios; `cargo xtask systemd NAME` plays
//! one. All are played on systemd 252, those marked with 253 only on a newer one, by `cargo xtask
//! deep systemd`.
//!
//! | what is promised | scenario |
//! |---|---|
//! | `systemctl start` returns when the group is ready for the first time | `ready` |
//! | while it starts, the status names what is not ready, and what that does | `ready` |
//! | readiness is not taken back; the status shows what is not ready any more | `unready` |
//! | a slow start is extended while the runtime works, up to its limit | `start-extended`, `start-limit` |
//! | a start whose runtime is blocked is ended at the unit's time, or within ten seconds of the block if that is later | `start-wedged` |
//! | without an extension, `TimeoutStartSec` and `TimeoutStopSec` hold | `start-late`, `stop-late` |
//! | without `NOTIFY_SOCKET` (as with `Type=simple`) nothing is sent | `no-socket` |
//! | with `NotifyAccess=main` no child process reports for the service | `child` |
//! | during a stop, the status has its cause, its time, and what it waits for | `stop`, `stop-cleanup` |
//! | a stop is extended by what it may take | `stop-extended` |
//! | a start and a stop that are extended outlast a `systemctl daemon-reload` | `daemon-reload` |
//! | a service that stops by itself is stopping for systemd, too | `stop-itself` |
//! | after the end, `systemctl status` shows the cause, and who failed and how | `clean`, `failed`, `wedged-stopping` |
//! | what is said last is not lost with the process | `last-word` |
//! | a service that works is left alone by its watchdog, through the last cleanup | `watchdog`, `watchdog-cleanup` |
//! | one whose workers are blocked while it runs is killed within the watchdog's time, and the status says so | `wedged-running` |
//! | one that is blocked while it stops ends at its own deadline, or by its hard exit, with its code | `wedged-stopping`, `hard-exit` |
//! | `systemctl reload` waits for the end, also of one that failed, and the status has the error | `reload` (253), `reload-failed` (253) |
//! | a reload that hangs fails at its limit, and the service goes on | `reload-hangs` (253) |
//! | a stop in the middle of a reload is a stop | `reload-stop` (253) |
//! | with `Type=notify` and `ExecReload=kill -HUP $MAINPID`, the unit is shown as reloading | `reload-signal` |
//! | restarts lose no connection with a passed socket, and with one that is kept | `socket`, `store`; for comparison `own-socket` |
//! | a kept socket is kept once, and closed when the unit is stopped | `store-stop` |
//! | a passed socket that nothing takes fails the setup, by its name | `unused` |
//! | a variable that is not understood fails the setup | `configuration` |
//! | credentials are read | `credential` |
//! | systemd finds no fault with the printed unit, and words arrive as they are | `verify`, `verify-reload` (253), `words` |
//! | a whole service works as the unit that it prints | `flagship` |
//! | a service that fails is started again, without end, unless its code is 78 | `restarts`, `configuration` |
//!
//! # The watchdog
//!
//! A timer that feeds a watchdog proves that timers work. Here it is the manager that calls
//! ([`Context::pulse`](task_core::Context::pulse)), from a thread of its own, with whether the
//! runtime has run a task since the last time. While the service runs, `WATCHDOG=1` is sent only if
//! it has. During the stop it is sent in any case, until a second after the shutdown's own limit:
//! systemd enforces the watchdog during the stop as well, and a cleanup may block for a good
//! reason, while the manager's deadlines, and the hard exit of `task-service`, are the stricter
//! ones. A shutdown without a limit has no such deadline, and the watchdog goes by the runtime.
//!
//! Four beats are sent within `WatchdogSec`. If the group has no manager, or the system no thread
//! for it, the task fails.
//!
//! # Reloads
//!
//! `Type=notify-reload` sends `SIGHUP` and then waits for `RELOADING=1` with the time of the
//! monotonic clock, and for `READY=1`; a reload without that time hangs until it fails. The guard
//! sends both, whatever happens in between, and [`Notifier::reload`] limits what does.
//!
//! # Limits
//!
//! - systemd has no message for "no longer ready", nor for a reload that failed: the status says
//!   it.
//! - A `systemctl daemon-reload` in the middle of a start or a stop makes systemd forget by how
//!   much that was extended. It is asked for again within a second, which is too late if the time
//!   of the unit has passed by then.
//! - The status of a unit that is neither enabled nor failed is forgotten by systemd once it has
//!   ended.
//! - At most 64 messages wait while systemd reads none. A later status replaces one that waits;
//!   beyond that the oldest are dropped, with a warning in the log.
//! - The end of the service waits up to 200 ms for systemd to have read what was said last.
//! - `NOTIFY_SOCKET` with an address of another kind than a path or an abstract name (`vsock:`, for
//!   the first process of virtual machines) is an error.
//! - To take passed sockets removes two variables from the environment of the process; see
//!   [`Listeners::from_systemd`].
//!
//! # Platforms
//!
//! Linux. Elsewhere everything compiles and does nothing; `Notifier::store` is there on Linux
//! alone.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

// What a service uses.
mod credential;
mod listeners;
mod notifier;
mod task;
mod unit;

// What the task and its handles share: the machine, and the messages on their way.
mod channel;
mod outbox;
mod protocol;
mod status;

// Messages and values, and what only Linux has.
mod environment;
mod message;
mod platform;

mod error;

pub use credential::credential;
pub use environment::Environment;
pub use error::SystemdError;
pub use listeners::Listeners;
pub use notifier::{Notifier, Reloading};
pub use task::SystemdTask;
pub use unit::Unit;
