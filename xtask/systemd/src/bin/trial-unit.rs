//! The service of the scenarios: it starts, stops and fails as its arguments ask for.
//!
//! Each argument is `NAME=VALUE`, times in milliseconds.

// A program.
#![allow(clippy::print_stderr)]

use std::{
    collections::HashMap, env, fs, net::TcpListener, process, process::ExitCode, thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use task_core::{Context, Phase, Task as _, task_fn};
use task_manager::{Manager, ManagerHandle};
use task_service::{ExitCodes, Service};
use task_signal::SignalTrigger;
use task_systemd::{Environment, Listeners, Notifier, SystemdTask, Unit, credential};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

/// Long enough to be ended by something else.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Arguments(HashMap<String, String>);

impl Arguments {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn time(&self, name: &str) -> anyhow::Result<Duration> {
        let Some(text) = self.text(name) else { return Ok(Duration::ZERO) };
        Ok(Duration::from_millis(text.parse().with_context(|| format!("{name}={text}"))?))
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

fn main() -> ExitCode {
    let split = |argument: String| {
        let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
        (name.to_owned(), value.to_owned())
    };
    let arguments = Arguments(env::args().skip(1).map(split).collect());
    if arguments.has("report-ready") {
        return report_ready();
    }
    if arguments.has("print-unit") {
        return print_unit(&arguments);
    }
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr);
    subscriber.with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG).init();
    let total = arguments.time("total").unwrap_or_default();
    let total = if total.is_zero() { Duration::from_secs(25) } else { total };
    let service = match arguments.has("current-thread") {
        true => Service::new().current_thread(),
        false => Service::new().worker_threads(2),
    };
    service
        .exit_codes(ExitCodes::default().setup_failed(78))
        .manager(|manager| {
            let cleanups = (total / 2).min(Duration::from_secs(10));
            manager.name("trial").shutdown_timeout(total).cleanup_timeout(cleanups)
        })
        .run(async |manager| start(manager, &arguments).await)
}

/// As a child process: reports readiness for its parent, as a script with a helper would.
fn report_ready() -> ExitCode {
    let sent = env::var_os("NOTIFY_SOCKET").map(|path| {
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        socket.send_to(b"READY=1", path)
    });
    // systemd looks the sender up: a sender that has ended is never accepted.
    thread::sleep(Duration::from_millis(500));
    eprintln!("child: {sent:?}");
    if matches!(sent, Some(Ok(_))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a unit with every setting, for `systemd-analyze verify`.
fn print_unit(arguments: &Arguments) -> ExitCode {
    let mut unit = Unit::new("printed", "/usr/bin/env")
        .description("50 % of \"everything\"")
        .argument("sleep")
        .argument("a b$c%d")
        .environment("LEVEL", "a b")
        .shutdown_timeout(Duration::from_secs(25))
        .start_timeout(Duration::from_secs(60))
        .watchdog(Duration::from_secs(10))
        .socket("http", "127.0.0.1:8080")
        .socket("admin", "/run/printed.sock")
        .stored_sockets(4)
        .credential("token", "/etc/hostname");
    if arguments.has("notify-reload") {
        unit = unit.notify_reload();
    }
    let folder = arguments.text("print-unit").unwrap_or(".");
    let write = || -> anyhow::Result<()> {
        for (name, text) in unit.files()? {
            fs::write(format!("{folder}/{name}"), text)?;
        }
        Ok(())
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn start(manager: &Manager, arguments: &Arguments) -> anyhow::Result<()> {
    let environment = Environment::read()?;
    let mut systemd = SystemdTask::with(&environment)?;
    if arguments.has("extend-start") {
        systemd = systemd.extend_start(arguments.time("extend-start")?);
    }
    if arguments.has("extend-stop") {
        systemd = systemd.extend_stop();
    }
    let notifier = systemd.notifier();
    manager.run(systemd)?;
    if let Some(name) = arguments.text("credential") {
        let value = credential(name)?.ok_or_else(|| anyhow!("no credential {name}"))?;
        eprintln!("credential: {}", String::from_utf8_lossy(&value));
    }
    if arguments.has("reload") {
        manager.run(reloading(notifier.clone(), arguments.clone())?)?;
    }
    let mut listeners = Listeners::from_systemd();
    if let Some(address) = arguments.text("listen") {
        manager.run(serving(listener(&mut listeners, &notifier, address, arguments)?))?;
    }
    listeners.finish()?;
    let cleanup = arguments.time("cleanup")?;
    if !cleanup.is_zero() {
        manager.cleanup("database", async move || {
            sleep(cleanup).await;
            Ok(())
        })?;
    }
    if arguments.has("ready-from-child") {
        process::Command::new(env::current_exe()?).arg("report-ready").spawn()?;
    }
    let arguments = arguments.clone();
    manager
        .run(task_fn("worker", async move |ctx| work(ctx, arguments).await).gating_readiness())?;
    Ok(())
}

/// Starts, works, and stops, as the arguments ask for.
async fn work(ctx: Context, arguments: Arguments) -> anyhow::Result<()> {
    ctx.set_status("connecting");
    if arguments.has("wedge-at-start") {
        ctx.or_cancelled(sleep(Duration::from_secs(1))).await?;
        wedge(&ctx)?;
    }
    ctx.or_cancelled(sleep(arguments.time("start")?)).await?;
    if arguments.has("ready-from-child") {
        ctx.cancelled().await;
        return Ok(());
    }
    ctx.set_ready(true);
    ctx.set_status("working");
    if arguments.has("fail-after") {
        ctx.or_cancelled(sleep(arguments.time("fail-after")?)).await?;
        bail!("the disk is full");
    }
    if arguments.has("end-after") {
        ctx.or_cancelled(sleep(arguments.time("end-after")?)).await?;
        return Ok(());
    }
    if arguments.has("unready-after") {
        ctx.or_cancelled(sleep(arguments.time("unready-after")?)).await?;
        ctx.set_status("lost its broker");
        ctx.set_ready(false);
    }
    if arguments.has("wedge-after") {
        ctx.or_cancelled(sleep(arguments.time("wedge-after")?)).await?;
        wedge(&ctx)?;
    }
    ctx.cancelled().await;
    ctx.set_status("flushing 120 messages");
    if arguments.has("wedge-in-stop") {
        wedge(&ctx)?;
    }
    sleep(arguments.time("stop")?).await;
    Ok(())
}

/// Blocks every worker of the runtime.
fn wedge(ctx: &Context) -> anyhow::Result<()> {
    let block = |_ctx: Context| async {
        thread::sleep(FOR_EVER);
        Ok(())
    };
    if let Some(manager) = ManagerHandle::of(ctx) {
        // At a stop nothing is admitted; then a plain task does.
        let _ = manager.run(task_fn("blocking", block));
    }
    for _ in 0..4 {
        tokio::spawn(async { thread::sleep(FOR_EVER) });
    }
    thread::sleep(FOR_EVER);
    Ok(())
}

fn reloading(notifier: Notifier, arguments: Arguments) -> anyhow::Result<SignalTrigger> {
    Ok(SignalTrigger::new("configuration", move |ctx| {
        let (notifier, arguments) = (notifier.clone(), arguments.clone());
        async move {
            let load = async {
                match arguments.text("reload") {
                    Some("hangs") => ctx.cancelled().await,
                    Some("fails") => bail!("line 3: no broker"),
                    _ => sleep(Duration::from_secs(1)).await,
                }
                Ok(())
            };
            let limit = arguments.time("reload-limit")?;
            let limit = if limit.is_zero() { Duration::from_secs(60) } else { limit };
            notifier.reload(limit, load).await
        }
    })?)
}

/// The socket that systemd passes, or one of our own, which it keeps if asked for.
fn listener(
    listeners: &mut Listeners,
    notifier: &Notifier,
    address: &str,
    arguments: &Arguments,
) -> anyhow::Result<TcpListener> {
    let listener = match listeners.tcp("http")? {
        Some(passed) => {
            eprintln!("socket: passed");
            passed
        }
        None => {
            eprintln!("socket: opened");
            let opened = TcpListener::bind(address)?;
            opened.set_nonblocking(true)?;
            opened
        }
    };
    if arguments.has("store") {
        notifier.store("http", &listener)?;
    }
    Ok(listener)
}

/// Answers one request on each connection that it has accepted, also in the stop.
fn serving(listener: TcpListener) -> impl task_core::Task {
    let serve = async move |ctx: Context| {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut connection, _) = ctx.or_cancelled(listener.accept()).await??;
            // It is waited for.
            let hold = ctx.hold();
            tokio::spawn(async move {
                let _hold = hold;
                let mut request = [0; 64];
                if connection.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let _ = connection.write_all(b"served\n").await;
                }
            });
        }
    };
    task_fn("server", serve).in_phase(Phase::INGRESS)
}
